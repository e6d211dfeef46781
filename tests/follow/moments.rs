//! A follower beside a writer, looked at before every call that the writer makes to its storage.

use std::sync::Arc;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{CommitPadding, Follower, Queue, QueueOptions, Retention, SyncPolicy};
use parking_lot::Mutex;

use crate::stage::{Seen, Stage, at, fill, follow, open, payload, still};

/// Enqueues, in singles and batches, over several segments, with reopenings in between.
fn work(stage: &Stage, options: impl Fn(u64) -> QueueOptions) {
    for life in 1..=3 {
        let queue = open(options(life), stage);
        let mut consumer = queue.consumer("c").expect("the only one");
        for round in 0..12 {
            fill(&queue, 0, 2);
            let next = queue.next().get();
            let batch = (next..next + 1 + round % 4).map(|number| payload(0, number));
            queue.enqueue_batch(batch).expect("there is room");
            if round % 3 == 2 {
                queue.sync().expect("nothing fails");
                let before = at(queue.next().get() - 5);
                consumer.ack_through(before).expect("delivered");
            }
            queue.run_background();
        }
        drop(consumer);
        if life == 2 {
            queue.close().expect("nothing fails");
        }
    }
}

/// Every sequence below this survives a power cut now.
fn survives(memory: &MemoryDirectory) -> u64 {
    let image = Stage::new(&memory.crash_losing_all());
    open(still(99, SyncPolicy::Manual), &image).next().get()
}

fn watch_every_call(options: impl Fn(u64) -> QueueOptions, batch: usize) {
    watch_calls(options, batch, 1);
}

/// Looks before every call whose number is a multiple of `stride`.
fn watch_calls(options: impl Fn(u64) -> QueueOptions, batch: usize, stride: u64) {
    let memory = MemoryDirectory::new();
    let writer = Stage::new(&memory);
    // The queue is made first: there is nothing to follow before.
    drop(open(options(0), &writer));
    let reader = Stage::read_only(&memory);
    let watched = Arc::new(Mutex::new((follow(&reader), Seen::from(0))));
    let shared = Arc::clone(&watched);
    let image = memory.clone();
    writer.hook(move |call| {
        let mut shared = shared.lock();
        let (follower, seen) = &mut *shared;
        if call.is_multiple_of(stride) && seen.take(follower, batch).expect("nothing fails") > 0 {
            assert!(seen.next() <= survives(&image), "handed out before durable");
        }
    });
    work(&writer, options);
    writer.unhook();
    let mut watched = watched.lock();
    let (follower, seen) = &mut *watched;
    seen.take_all(follower).expect("nothing fails");
    seen.assert_of_life(0);
    assert_eq!(seen.next(), survives(&memory));
    assert!(seen.next() > 100, "{}", seen.next());
}

#[test]
fn at_every_call_of_the_writer_a_follower_has_what_a_power_cut_would_leave() {
    for policy in [SyncPolicy::Always, SyncPolicy::Manual] {
        for batch in [1, 4] {
            let options = |seed| still(seed, policy).retention(Retention::KeepForever);
            watch_every_call(options, batch);
        }
    }
}

#[test]
fn what_is_written_behind_durable_records_is_not_handed_out_with_them() {
    for stride in 2..30 {
        let options = |seed| still(seed, SyncPolicy::Manual).retention(Retention::KeepForever);
        watch_calls(options, 1000, stride);
    }
}

#[test]
fn padding_between_commits_is_passed_over() {
    let options = |seed| {
        still(seed, SyncPolicy::Always)
            .retention(Retention::KeepForever)
            .commit_padding(CommitPadding::Sector)
    };
    watch_every_call(options, 3);
}

#[test]
fn segments_that_are_deleted_on_the_way_are_no_trouble() {
    watch_every_call(|seed| still(seed, SyncPolicy::Always), 2);
}

/// What `deed` syncs `STATE` for keeps a commit from writing it: whoever keeps it tells of that.
fn seen_after(deed: impl FnOnce(&Queue)) {
    let memory = MemoryDirectory::new();
    let writer = Stage::new(&memory);
    let queue = open(still(1, SyncPolicy::Always), &writer);
    let mut consumer = queue.consumer("c").expect("the only one");
    fill(&queue, 0, 30);
    let mut follower = follow(&Stage::read_only(&memory));
    Seen::from(0)
        .take_all(&mut follower)
        .expect("nothing fails");
    consumer.ack_through(at(25)).expect("delivered");
    let producer = queue.clone();
    let committed = Arc::new(Mutex::new(false));
    let told = Arc::clone(&committed);
    writer.during_sync("STATE", move || {
        producer.enqueue("meanwhile").expect("there is room");
        *told.lock() = true;
    });
    deed(&queue);
    assert!(*committed.lock(), "the state was synced");
    let record = follower.next().expect("nothing fails");
    assert_eq!(record.expect("acknowledged").payload, b"meanwhile");
}

#[test]
fn a_record_acknowledged_while_the_state_is_synced_is_seen_when_that_is_done() {
    seen_after(Queue::run_background);
    seen_after(|queue| assert!(queue.reclaim().expect("nothing fails") > 0));
}

fn read_on(queue: &Queue, follower: &mut Follower, length: usize) {
    let next = queue.next();
    let bytes = vec![next.get().to_le_bytes()[0]; length];
    queue.enqueue(&bytes).expect("there is room");
    let record = follower.next().expect("nothing fails");
    let record = record.expect("it is durable");
    assert_eq!((record.sequence, record.payload), (next, &bytes[..]));
    assert!(follower.next().expect("nothing fails").is_none());
}

#[test]
fn every_acknowledged_record_is_there_at_once_wherever_a_segment_ends() {
    for length in (0..1200).step_by(8) {
        let memory = MemoryDirectory::new();
        let stage = Stage::new(&memory);
        let queue = open(still(1, SyncPolicy::Always), &stage);
        let mut follower = follow(&Stage::read_only(&memory));
        // The first record moves every later one, and with them the end of the segment.
        read_on(&queue, &mut follower, length);
        for _ in 0..10 {
            read_on(&queue, &mut follower, 1100);
        }
    }
}

#[test]
fn a_record_larger_than_a_segment_and_than_the_buffer_is_read() {
    let memory = MemoryDirectory::new();
    let queue = open(still(1, SyncPolicy::Always), &Stage::new(&memory));
    let mut follower = follow(&Stage::read_only(&memory));
    for length in [0, 700_000, 10, 300_000, 262_144, 262_072, 0] {
        read_on(&queue, &mut follower, length);
    }
}

#[test]
fn a_record_that_a_full_disk_took_back_is_never_handed_out() {
    let memory = MemoryDirectory::new();
    let writer = Stage::new(&memory);
    let faulty = FaultyDirectory::new(Arc::new(writer.clone()));
    let options = still(1, SyncPolicy::Always);
    let queue = options.open_on(Arc::new(faulty.clone())).expect("new");
    queue.enqueue("first").expect("there is room");
    // The frames of the next commit arrive whole, and the write fails all the same.
    let torn = Failure::TornFull { bytes: 1 << 20 };
    let segment = "segments/0000000000000001.log";
    faulty.plan(Fault::nth_of(1, &[CallKind::Write], torn).on(segment));
    let follower = Arc::new(Mutex::new(None));
    let (shared, image) = (Arc::clone(&follower), memory.clone());
    let mut length = 0;
    writer.hook(move |_| {
        let found = image.file_bytes(segment).expect("there").len();
        if std::mem::replace(&mut length, found) < found {
            // The record to be taken back is in the file, and so in the buffer now.
            let mut new = follow(&Stage::read_only(&image));
            let record = new.next().expect("nothing fails").expect("durable");
            assert_eq!(record.payload, b"first");
            assert!(new.next().expect("nothing fails").is_none());
            *shared.lock() = Some(new);
        }
    });
    queue.enqueue("TAKEN BACK").expect_err("the disk is full");
    writer.unhook();
    queue.enqueue("went in the").expect("there is room");
    let mut follower = follower.lock();
    let follower = follower.as_mut().expect("the file grew");
    let record = follower.next().expect("nothing fails").expect("durable");
    assert_eq!(
        (record.sequence, record.payload),
        (at(1), &b"went in the"[..])
    );
}

#[test]
fn a_short_or_torn_end_is_an_end_and_reading_goes_on_when_it_grows() {
    let memory = MemoryDirectory::new();
    let queue = open(still(1, SyncPolicy::Always), &Stage::new(&memory));
    fill(&queue, 0, 3);
    let segment = "segments/0000000000000001.log";
    let bytes = |name: &str| memory.file_bytes(name).expect("it is there");
    let before = (bytes(segment), bytes("STATE"));
    fill(&queue, 0, 1);
    let after = (bytes(segment), bytes("STATE"));
    for cut in before.0.len()..after.0.len() {
        for noise in [false, true] {
            let image = memory.copy();
            let mut torn = after.0[..cut].to_vec();
            if noise {
                torn.resize(after.0.len(), 0xa5);
            }
            image.put_file(segment, &torn);
            image.put_file("STATE", &before.1);
            let mut follower = follow(&Stage::read_only(&image));
            let mut seen = Seen::from(0);
            seen.take_all(&mut follower).expect("an end is no error");
            assert_eq!(seen.next(), 3, "cut at {cut}");
            image.put_file(segment, &after.0);
            image.put_file("STATE", &after.1);
            seen.take_all(&mut follower).expect("it has grown");
            assert_eq!(seen.next(), 4, "cut at {cut}");
            seen.assert_of_life(0);
        }
    }
}
