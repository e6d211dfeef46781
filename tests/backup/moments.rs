//! What a writer does between two calls of a backup: each time at another call, and at all of them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay::backup::{backup_on, restore_on};
use forebay::storage::memory::MemoryDirectory;
use forebay::storage::{Access, Directory, File, Filesystem, Lock, Map};
use forebay::{ConsumerOptions, Entry, Queue, Result, Retention, Sequence};
use parking_lot::Mutex;

use crate::stage::{fill, last_segment, options, payload};

/// A queue in whose storage something happens before a call.
struct Busy {
    memory: MemoryDirectory,
    moment: Arc<Moment>,
}

/// Called before every call, with its number.
type Act = Box<dyn FnMut(u64) + Send>;

struct Moment {
    calls: AtomicU64,
    act: Mutex<Act>,
}

impl Moment {
    fn pass(&self) {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        (self.act.lock())(call);
    }
}

impl Busy {
    fn new(memory: &MemoryDirectory, act: impl FnMut(u64) + Send + 'static) -> Self {
        let moment = Moment {
            calls: AtomicU64::new(0),
            act: Mutex::new(Box::new(act)),
        };
        Self {
            memory: memory.clone(),
            moment: Arc::new(moment),
        }
    }

    fn calls(&self) -> u64 {
        self.moment.calls.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Busy").finish_non_exhaustive()
    }
}

impl Directory for Busy {
    fn path(&self) -> &Path {
        self.memory.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        self.moment.pass();
        assert_eq!(access, Access::Read, "{name}");
        let inner = self.memory.open(name, access)?;
        let moment = Arc::clone(&self.moment);
        Ok(Arc::new(BusyFile { inner, moment }))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.moment.pass();
        self.memory.list(folder)
    }

    fn create(&self, _: &str) -> Result<Arc<dyn File>> {
        panic!("a backup creates nothing in the queue")
    }

    fn create_folder(&self, _: &str) -> Result<()> {
        panic!("a backup creates nothing in the queue")
    }

    fn rename(&self, _: &str, _: &str) -> Result<()> {
        panic!("a backup renames nothing in the queue")
    }

    fn remove(&self, _: &str) -> Result<()> {
        panic!("a backup removes nothing of the queue")
    }

    fn sync(&self, _: &str) -> Result<()> {
        panic!("a backup syncs nothing of the queue")
    }

    fn lock(&self, _: &str, _: &str) -> Result<Box<dyn Lock>> {
        panic!("a backup locks nothing")
    }

    fn filesystem(&self) -> Filesystem {
        self.memory.filesystem()
    }
}

struct BusyFile {
    inner: Arc<dyn File>,
    moment: Arc<Moment>,
}

impl fmt::Debug for BusyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl File for BusyFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.moment.pass();
        self.inner.read_at(buffer, offset)
    }

    fn length(&self) -> Result<u64> {
        self.moment.pass();
        self.inner.length()
    }

    fn map(&self) -> Result<Map> {
        self.moment.pass();
        self.inner.map()
    }

    fn write_at(&self, _: &[u8], _: u64) -> Result<()> {
        panic!("a backup writes nothing into the queue")
    }

    fn sync(&self) -> Result<()> {
        panic!("a backup syncs nothing of the queue")
    }

    fn set_length(&self, _: u64) -> Result<()> {
        panic!("a backup cuts nothing of the queue")
    }

    fn allocate(&self, _: u64) -> Result<()> {
        panic!("a backup allocates nothing in the queue")
    }
}

const BEGUN: u64 = 60;

fn open(memory: &MemoryDirectory, seed: u64) -> Queue {
    let directory = Arc::new(memory.clone());
    let retention = Retention::UntilSnapshot("totals".to_owned());
    let options = options(seed).retention(retention);
    options.open_on(directory).expect("the queue opens")
}

/// Adds records up to `next`, delivers most of them, saves the state, and deletes what may go.
fn go_on(queue: &Queue, next: u64) {
    fill(queue, next);
    let mut ship = queue.consumer("ship").expect("a free consumer");
    let last = Sequence::new(next - 10);
    ship.ack_through(last).expect("durable records");
    let store = queue.snapshots("totals").expect("a free name");
    let mut draft = store.begin().expect("a working disk");
    draft.put(&(next - 5).to_le_bytes()).expect("room");
    draft.finish(Sequence::new(next - 5)).expect("durable");
    // Otherwise in steps, with files that are cut before they are unlinked.
    if next.is_multiple_of(2) {
        queue.reclaim().expect("a working disk");
    }
    queue.run_background();
}

fn begun() -> (MemoryDirectory, Queue) {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, 1);
    go_on(&queue, BEGUN);
    (memory, queue)
}

/// Makes a backup of `busy` and a queue of that: it is whole, and nobody in it misses anything.
fn assert_backs_up(busy: &Busy, durable: u64, what: &str) {
    let (copy, place) = (MemoryDirectory::new(), MemoryDirectory::new());
    let report = backup_on(busy, &copy).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(!report.is_damaged(), "{what}: {:?}", report.damage);
    restore_on(&copy, &place).expect("a whole backup");
    let queue = open(&place, 77);
    let found = queue.recovery();
    assert!(found.corruption.is_empty(), "{what}: {found:?}");
    assert!(found.torn.is_none(), "{what}: {found:?}");
    let (first, next) = (queue.first().get(), queue.next().get());
    assert_eq!(report.manifest.next, queue.next(), "{what}");
    assert!(next >= durable, "{what}: {next} < {durable}");
    for name in ["ship", "all"] {
        let mut consumer = queue
            .consumer_with(name, &ConsumerOptions::new())
            .expect("a consumer");
        let mut due = consumer.next_sequence().get();
        assert!(name == "ship" || due == first, "{what}");
        let drained = consumer.drain(|record| {
            assert_eq!(record.sequence.get(), due, "{what}: {name}");
            assert_eq!(record.payload, payload(due), "{what}: {name}");
            due += 1;
            Ok::<_, ()>(())
        });
        drained.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(due, next, "{what}: {name}");
        assert_eq!(consumer.take_gaps(), [], "{what}: {name}");
        assert_eq!(consumer.taken_back(), None, "{what}: {name}");
    }
    let store = queue.snapshots("totals").expect("a free name");
    let replay = store
        .replay()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(replay.state().is_some(), "{what}");
    drop(replay);
    for number in (3..next).step_by(7) {
        let mut key = [0xc5; 16];
        key[..8].copy_from_slice(&number.to_le_bytes());
        let known = queue.enqueue_once(key, Entry::new(b"again"));
        let known = known.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(known, Sequence::new(number), "{what}");
    }
}

/// How many calls a backup makes of a queue at rest.
fn calls_at_rest(memory: &MemoryDirectory) -> u64 {
    let busy = Busy::new(memory, |_| ());
    backup_on(&busy, &MemoryDirectory::new()).expect("a queue");
    busy.calls()
}

#[test]
fn a_log_that_goes_on_between_any_two_calls_is_backed_up_whole() {
    let calls = calls_at_rest(&begun().0);
    assert!(calls > 30, "{calls} calls");
    for at in 1..=calls {
        for step in [2, 15, 150] {
            let (memory, queue) = begun();
            let busy = Busy::new(&memory, move |call| {
                if call == at {
                    go_on(&queue, BEGUN + step);
                }
            });
            assert_backs_up(&busy, BEGUN, &format!("{step} more at call {at}"));
        }
    }
}

#[test]
fn a_log_that_goes_on_at_every_call_is_backed_up_whole() {
    for pace in 1..=6 {
        for (begin, end) in [(1, 400), (20, 300), (50, 200)] {
            let (memory, queue) = begun();
            let busy = Busy::new(&memory, move |call| {
                if (begin..end).contains(&call) {
                    go_on(&queue, queue.next().get() + pace);
                }
            });
            assert_backs_up(&busy, BEGUN, &format!("{pace} more from call {begin}"));
        }
    }
}

#[test]
fn a_queue_that_is_closed_and_opened_again_between_any_two_calls_is_backed_up_whole() {
    let calls = calls_at_rest(&begun().0);
    for at in 1..=calls {
        for is_closed_first in [true, false] {
            let (memory, queue) = begun();
            let inside = memory.clone();
            let mut holder = Some(queue);
            if is_closed_first {
                holder = None;
            }
            let busy = Busy::new(&memory, move |call| {
                if call == at {
                    holder = None;
                    let queue = open(&inside, 5);
                    go_on(&queue, BEGUN + 30);
                    holder = Some(queue);
                }
                assert!(call < 10 * at + 10_000, "{holder:?}");
            });
            let what = format!("reopened at call {at}, closed first: {is_closed_first}");
            assert_backs_up(&busy, BEGUN, &what);
        }
    }
}

/// Opening cuts off what follows the end, and sets aside what is not of the log: what was copied of
/// it before does not count any more.
#[test]
fn a_queue_that_is_recovered_between_any_two_calls_is_backed_up_whole() {
    let torn = || {
        let (memory, queue) = begun();
        let killed = memory.process_kill();
        drop(queue);
        let (last, mut bytes) = last_segment(&killed);
        let end = bytes.iter().rposition(|byte| *byte != 0).expect("frames");
        bytes.truncate(end / 8 * 8 + 8);
        bytes.extend_from_slice(&[9; 300]);
        killed.put_file(&last, &bytes);
        killed
    };
    let calls = calls_at_rest(&torn());
    for at in 1..=calls {
        for step in [15, 80] {
            let memory = torn();
            let inside = memory.clone();
            let mut holder = None;
            let busy = Busy::new(&memory, move |call| {
                if call == at {
                    let queue = open(&inside, 5);
                    go_on(&queue, BEGUN + step);
                    holder = Some(queue);
                }
                assert!(call < 100_000, "{holder:?}");
            });
            let (copy, place) = (MemoryDirectory::new(), MemoryDirectory::new());
            let report = backup_on(&busy, &copy).expect("a backup");
            assert!(!report.is_damaged(), "call {at}: {:?}", report.damage);
            restore_on(&copy, &place).expect("a whole backup");
            let queue = open(&place, 77);
            let found = queue.recovery();
            assert!(found.corruption.is_empty(), "call {at}: {found:?}");
            let next = queue.next().get();
            assert!(next >= BEGUN, "call {at}: {found:?}");
            let mut due = queue.first().get();
            let mut all = queue.consumer("all").expect("a consumer");
            let drained = all.drain(|record| {
                assert_eq!(record.payload, payload(due), "call {at}");
                due += 1;
                Ok::<_, ()>(())
            });
            drained.expect("no damage");
            assert_eq!((due, all.take_gaps()), (next, vec![]), "call {at}");
        }
    }
}

/// A frame that is not whole when it is looked at first, and is a moment later.
#[test]
fn a_frame_on_its_way_into_the_file_is_left_out_and_nothing_looks_torn() {
    let (memory, queue) = begun();
    queue.enqueue(Entry::new(&payload(BEGUN))).expect("room");
    let killed = memory.process_kill();
    drop(queue);
    let (last, whole) = last_segment(&killed);
    let end = whole.iter().rposition(|byte| *byte != 0).expect("frames");
    let mut half = whole.clone();
    half[end - 20..].fill(0);
    let mut left_out = 0;
    for at in 1..=calls_at_rest(&killed) {
        let memory = killed.copy();
        memory.put_file(&last, &half);
        let (inside, last, whole) = (memory.clone(), last.clone(), whole.clone());
        let busy = Busy::new(&memory, move |call| {
            if call == at {
                inside.put_file(&last, &whole);
            }
        });
        let (copy, place) = (MemoryDirectory::new(), MemoryDirectory::new());
        backup_on(&busy, &copy).expect("a backup");
        restore_on(&copy, &place).expect("a whole backup");
        let queue = open(&place, 77);
        let found = queue.recovery();
        assert!(found.corruption.is_empty(), "call {at}: {found:?}");
        assert!([BEGUN, BEGUN + 1].contains(&found.next.get()), "{found:?}");
        if found.torn.is_none() && found.next.get() == BEGUN {
            left_out += 1;
        }
    }
    assert!(left_out > 0, "it was seen on its way");
}
