//! Enqueueing allocates nothing in a steady state. A program of its own: its allocator counts.
#![expect(
    unsafe_code,
    reason = "an allocator is unsafe by nature; this one hands every call on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use forebay::{Integrity, Queue, Result, SyncPolicy};

/// The system's allocator, counting what each thread asks of it: the commit thread's own
/// allocations are nobody's wait.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is about to end has no counter any more, and counts no more.
    ALLOCATIONS
        .try_with(|count| count.set(count.get() + 1))
        .ok();
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing, because
// the counter is made with the thread and has nothing to drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this thread allocates in `work`.
fn allocations(work: impl FnOnce() -> Result<()>) -> Result<u64> {
    let before = ALLOCATIONS.get();
    work()?;
    Ok(ALLOCATIONS.get() - before)
}

const RECORDS: u64 = 4096;

/// The index of the segment that grows is a list: doubled when it is full, so once at most while
/// the records of a run at most double what the warm run has put there.
const DOUBLINGS: u64 = 1;

fn each(integrity: Integrity, policy: SyncPolicy, call: impl Fn(&Queue) -> Result<()>) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let options = Queue::options().integrity(integrity).sync_policy(policy);
    let queue = options
        .open(folder.path().join("queue"))
        .expect("a new queue");
    let run = || (0..RECORDS).try_for_each(|_| call(&queue));
    // Segments double: this ends early in one that has room for the run after it.
    let warm_up = || (0..8).try_for_each(|_| run());
    let cold = allocations(warm_up).expect("nothing fails");
    assert!(
        cold > 0,
        "the first record makes a segment: the counter counts"
    );
    let warm = allocations(run).expect("nothing fails");
    assert!(
        warm <= DOUBLINGS,
        "{warm} allocations for {RECORDS} records, {integrity:?} and {policy:?}"
    );
}

#[test]
fn a_warm_enqueue_allocates_nothing() {
    for integrity in [Integrity::Chained, Integrity::Crc32c] {
        for policy in [
            SyncPolicy::Manual,
            SyncPolicy::Interval(Duration::from_hours(1)),
        ] {
            each(integrity, policy, |queue| {
                queue.enqueue(&[7; 256]).map(drop)
            });
        }
    }
}

#[test]
fn a_warm_submit_allocates_nothing() {
    let submit = |queue: &Queue| queue.submit(&[7; 256]).map(drop);
    each(Integrity::Chained, SyncPolicy::Manual, submit);
}
