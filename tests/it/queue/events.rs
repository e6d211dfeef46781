//! What a listener hears, on which thread, and that it may call back.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use forebay::storage::Directory as _;
use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{
    CorruptionPolicy, Error, ErrorKind, Gap, Listener, Overflow, Queue, QueueOptions,
    SegmentNumber, SyncPolicy,
};

use crate::scene::{Heard, PATIENCE, Recorder, at, drain, enqueue, folder, payload, quick};

fn listen(options: QueueOptions) -> (QueueOptions, Arc<Recorder>) {
    let recorder = Recorder::new();
    (
        options.listener(Arc::<Recorder>::clone(&recorder)),
        recorder,
    )
}

#[test]
fn enqueued_and_delivered_are_heard_before_the_call_returns() -> forebay::Result<()> {
    let folder = folder();
    let (options, recorder) = listen(quick());
    let queue = options.open(folder.path().join("q"))?;
    queue.enqueue(b"four")?;
    queue.enqueue_batch([&b"a"[..], b"bc"])?;
    drop(queue.submit(b"12345")?);
    assert_eq!(recorder.counts(), (4, 0, 0));
    let told = [
        Heard::Enqueued(1, 4),
        Heard::Enqueued(2, 3),
        Heard::Enqueued(1, 5),
    ];
    let heard = recorder.all();
    assert!(told.iter().all(|told| heard.contains(told)), "{heard:?}");
    let mut consumer = queue.consumer("shipper")?;
    queue.sync()?;
    consumer.ack_through(at(1))?;
    drain(&mut consumer)?;
    let delivered: Vec<_> = recorder
        .all()
        .into_iter()
        .filter(|heard| matches!(heard, Heard::Delivered(..)))
        .collect();
    let by = |count| Heard::Delivered("shipper".to_owned(), count);
    assert_eq!(delivered, [by(2), by(1), by(1)]);
    Ok(())
}

#[test]
fn a_sync_is_heard_with_the_records_it_made_durable() -> forebay::Result<()> {
    let folder = folder();
    let (options, recorder) = listen(quick().segment_bytes(1 << 20));
    let queue = options.open(folder.path().join("q"))?;
    enqueue(&queue, 0..7)?;
    queue.sync()?;
    assert!(
        recorder.any(|heard| *heard == Heard::Synced(7)),
        "{:?}",
        recorder.all()
    );
    enqueue(&queue, 7..8)?;
    queue.sync()?;
    assert!(recorder.any(|heard| *heard == Heard::Synced(1)));
    Ok(())
}

#[test]
fn a_rotation_and_the_reclaim_of_what_it_left_are_heard() -> forebay::Result<()> {
    let folder = folder();
    let (options, recorder) = listen(quick());
    let queue = options.open(folder.path().join("q"))?;
    enqueue(&queue, 0..100)?;
    assert!(
        recorder.any(|heard| *heard == Heard::Rotated(1, 2)),
        "{:?}",
        recorder.all()
    );
    drain(&mut queue.consumer("a")?)?;
    crate::scene::wait_until("the segment is deleted", || {
        queue.reclaim().expect("nothing is wrong");
        recorder.any(|heard| matches!(heard, Heard::Reclaimed(1, bytes) if *bytes > 0))
    });
    Ok(())
}

#[test]
fn a_torn_tail_is_heard_while_opening() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = quick().open_on(Arc::new(memory.clone()))?;
    enqueue(&queue, 0..5)?;
    let image = memory.process_kill();
    let name = "segments/0000000000000001.log";
    let mut bytes = image.file_bytes(name).expect("a segment");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("records");
    bytes[end] ^= 1;
    image.put_file(name, &bytes);
    let (options, recorder) = listen(quick());
    let queue = options.open_on(Arc::new(image))?;
    assert_eq!(queue.next(), at(4));
    let torn = queue.recovery().torn.clone().expect("it was torn");
    assert!(torn.possibly_acknowledged || torn.bytes > 0);
    assert!(recorder.any(|heard| *heard == Heard::TornTail(torn.clone())));
    Ok(())
}

#[test]
fn corruption_is_heard_once_by_reading_and_once_by_opening() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..50)?;
    queue.close()?;
    crate::consumer::damage::flip_payload(&path, 20);
    let (options, recorder) = listen(quick());
    let queue = options.open(&path)?;
    let mut consumer = queue.consumer("a")?;
    for _ in 0..3 {
        let error = drain(&mut consumer).expect_err("20 is damaged");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
    let heard = recorder.all();
    let corruptions: Vec<_> = heard
        .iter()
        .filter_map(|heard| {
            let Heard::Corruption(corruption) = heard else {
                return None;
            };
            Some(corruption.range.clone())
        })
        .collect();
    assert_eq!(corruptions, [at(20)..at(21)]);
    Ok(())
}

#[test]
fn poison_is_heard_once() -> forebay::Result<()> {
    let faulty = FaultyDirectory::over_memory(MemoryDirectory::new());
    let (options, recorder) = listen(QueueOptions::new());
    let queue = options.open_on(Arc::new(faulty.clone()))?;
    enqueue(&queue, 0..2)?;
    faulty.plan(Fault::nth_of(1, &[CallKind::SyncFile], Failure::Io).for_ever());
    for _ in 0..3 {
        let error = queue.enqueue(b"a").expect_err("the sync fails");
        assert_eq!(error.kind(), ErrorKind::Poisoned);
    }
    let poisoned = Heard::Poisoned(ErrorKind::Poisoned);
    let times = recorder
        .all()
        .iter()
        .filter(|heard| **heard == poisoned)
        .count();
    assert_eq!(times, 1);
    Ok(())
}

#[test]
fn a_last_segment_that_goes_missing_before_the_first_append_is_heard_as_damage()
-> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = quick().open_on(Arc::new(memory.clone()))?;
    enqueue(&queue, 0..5)?;
    let image = memory.process_kill();
    let (options, recorder) = listen(quick());
    let queue = options.open_on(Arc::new(image.clone()))?;
    image.remove("segments/0000000000000001.log")?;
    // The log goes on behind what was there.
    assert_eq!(queue.enqueue(payload(5))?, at(5));
    let is_it = |heard: &Heard| {
        matches!(heard, Heard::Corruption(corruption)
            if corruption.range == (at(5)..at(5)) && corruption.file.ends_with("0000000000000001.log"))
    };
    assert!(recorder.any(is_it), "{:?}", recorder.all());
    Ok(())
}

/// A listener that calls its queue back from everything it hears.
#[derive(Default)]
struct Nosy(OnceLock<Queue>);

impl Nosy {
    fn look(&self) {
        if let Some(queue) = self.0.get() {
            drop(queue.stats());
            drop((
                queue.len(),
                queue.first(),
                queue.chain_head(),
                queue.consumers(),
            ));
            drop(queue.sync());
            drop(queue.reclaim());
            drop(queue.consumer("nosy"));
        }
    }
}

impl Listener for Nosy {
    fn enqueued(&self, _records: u64, bytes: u64) {
        self.look();
        if let (Some(queue), true) = (self.0.get(), bytes > 1) {
            drop(queue.enqueue(b"x"));
        }
    }

    fn dropped(&self, _gap: &Gap, _count: u64) {
        self.look();
    }

    fn delivered(&self, _consumer: &str, _records: u64) {
        self.look();
    }

    fn synced(&self, _duration: Duration, _records: u64) {
        self.look();
    }

    fn rotated(&self, _sealed: SegmentNumber, _active: SegmentNumber) {
        self.look();
    }

    fn reclaimed(&self, _segment: SegmentNumber, _bytes: u64) {
        self.look();
    }

    fn corruption(&self, _corruption: &forebay::Corruption) {
        self.look();
    }

    fn poisoned(&self, _error: &Error) {
        self.look();
    }
}

/// Runs `body` on a thread of its own: a deadlock fails the test instead of hanging it.
fn in_time(what: &str, body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(body);
    crate::scene::wait_until(what, || thread.is_finished());
    thread.join().expect("no panic");
}

#[test]
fn a_listener_may_call_the_queue_back_from_everything_it_hears() {
    in_time("no deadlock", || {
        for policy in [SyncPolicy::Always, SyncPolicy::Manual] {
            let listener = Arc::new(Nosy::default());
            let queue = QueueOptions::new()
                .segment_bytes(8192)
                .sync_policy(policy)
                .max_records(20)
                .overflow(Overflow::DropOldest)
                .corruption_policy(CorruptionPolicy::Quarantine)
                .listener(Arc::<Nosy>::clone(&listener))
                .open_on(Arc::new(MemoryDirectory::new()))
                .expect("a new queue");
            listener.0.set(queue.clone()).expect("once");
            let mut consumer = queue.consumer("a").expect("a new one");
            for number in 0..150 {
                queue.enqueue(payload(number)).map(drop).expect("open");
                if number % 10 == 0 {
                    drop(drain(&mut consumer).expect("open"));
                }
            }
            queue.close().expect("nothing is wrong");
        }
    });
}

#[test]
fn a_listener_may_call_the_queue_back_when_it_is_poisoned() {
    in_time("no deadlock", || {
        for nth in 1..30 {
            let faulty = FaultyDirectory::over_memory(MemoryDirectory::new());
            let listener = Arc::new(Nosy::default());
            let queue = quick()
                .listener(Arc::<Nosy>::clone(&listener))
                .open_on(Arc::new(faulty.clone()))
                .expect("a new queue");
            listener.0.set(queue.clone()).expect("once");
            let kinds = [CallKind::SyncFile, CallKind::SyncFolder, CallKind::Write];
            faulty.plan(Fault::nth_of(nth, &kinds, Failure::Io).for_ever());
            for number in 0..3 {
                drop(queue.enqueue(payload(number)));
                drop(queue.sync());
                if let Ok(mut consumer) = queue.consumer(&format!("c{number}")) {
                    drop(drain(&mut consumer));
                }
            }
        }
    });
}

#[test]
fn a_listener_may_close_the_queue_from_the_thread_that_syncs() {
    /// Closes the queue once something was synced, on whatever thread that was.
    #[derive(Default)]
    struct Closer(OnceLock<Queue>);

    impl Listener for Closer {
        fn synced(&self, _duration: Duration, _records: u64) {
            if let Some(queue) = self.0.get() {
                drop(queue.clone().close());
            }
        }
    }

    in_time("no deadlock", || {
        let listener = Arc::new(Closer::default());
        let queue = QueueOptions::new()
            .sync_policy(SyncPolicy::Interval(Duration::from_millis(1)))
            .listener(Arc::<Closer>::clone(&listener))
            .open_on(Arc::new(MemoryDirectory::new()))
            .expect("a new queue");
        listener.0.set(queue.clone()).expect("once");
        queue.enqueue(b"a").expect("open");
        let start = std::time::Instant::now();
        loop {
            match queue.enqueue(b"b") {
                Ok(_) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                    break;
                }
            }
            assert!(start.elapsed() < PATIENCE, "never closed");
        }
    });
}
