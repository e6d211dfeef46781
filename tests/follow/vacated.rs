//! A log whose only segment is deleted because it fills the device, at every moment of the writer's.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use forebay::storage::memory::MemoryDirectory;
use forebay::{GapReason, Queue, SyncPolicy};
use parking_lot::Mutex;

use crate::stage::{Seen, Stage, at, follow, open, payload, still};

/// A queue that fills its device with one segment, acknowledged but for what `left` gives of their
/// number to the consumer "late"; how many records it has.
fn scene(left: impl Fn(u64) -> u64) -> (MemoryDirectory, Stage, Queue, u64) {
    let memory = MemoryDirectory::with_capacity(16 * 4096);
    let stage = Stage::new(&memory);
    let queue = open(still(1, SyncPolicy::Always).segment_bytes(1 << 20), &stage);
    let consumers = ["c", "late"].map(|name| queue.consumer(name).expect("nobody else has it"));
    while queue.enqueue(payload(0, queue.next().get())).is_ok() {}
    let next = queue.next().get();
    for (mut consumer, left) in consumers.into_iter().zip([0, left(next)]) {
        consumer.ack_through(at(next - left - 1)).expect("durable");
    }
    (memory, stage, queue, next)
}

#[test]
fn a_follower_goes_on_behind_a_log_that_was_emptied_and_is_told_what_it_missed() {
    let next = scene(|_| 0).3;
    let mut gaps = 0;
    for already in [0, 1, next / 2, next] {
        let mut last = 1;
        let mut moment = 1;
        while moment <= last {
            let (memory, writer, queue, _) = scene(|_| 0);
            let mut follower = follow(&Stage::read_only(&memory));
            let mut seen = Seen::from(0);
            while seen.next() < already {
                seen.take(&mut follower, 1).expect("nothing fails");
            }
            let watched = Arc::new(Mutex::new((follower, seen)));
            let shared = Arc::clone(&watched);
            writer.hook(move |call| {
                if call == moment {
                    let mut shared = shared.lock();
                    let (follower, seen) = &mut *shared;
                    seen.take_all(follower).expect("nothing is damaged");
                }
            });
            let given = queue.enqueue(payload(0, next)).expect("room again");
            assert_eq!(given, at(next));
            last = writer.calls();
            writer.unhook();
            let mut watched = watched.lock();
            let (follower, seen) = &mut *watched;
            seen.take_all(follower).expect("nothing is damaged");
            let context = format!("after {already}, at call {moment}");
            assert_eq!(seen.next(), next + 1, "{context}");
            seen.assert_of_life(0);
            for (range, reason) in &seen.gaps {
                assert_eq!(*reason, GapReason::Reclaimed, "{context}");
                assert!(range.end <= next, "{context}: {range:?}");
                gaps += 1;
            }
            moment += 1;
        }
        assert!(last > 10, "{last} calls");
    }
    assert!(gaps > 10, "only {gaps} met what was deleted");
}

/// A consumer acknowledges the rest at any moment of the look at what is needed.
#[test]
fn what_is_acknowledged_while_a_log_is_emptied_is_not_told_as_gone_after_a_power_cut() {
    let mut last = 1;
    let mut moment = 1;
    while moment <= last {
        let (memory, writer, queue, next) = scene(|next| next / 2);
        let queue = Arc::new(queue);
        let late = queue.consumer("late").expect("nobody else has it");
        let mut late = Some(late);
        // It stays open: closing it would sync its cursor.
        let kept = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&kept);
        writer.hook(move |call| {
            if call == moment
                && let Some(mut late) = late.take()
            {
                // Where this very call holds what it needs, it is through right after it.
                let (done, through) = channel();
                thread::spawn(move || {
                    late.ack_through(at(next - 1)).ok();
                    done.send(late).ok();
                });
                *keep.lock() = through.recv_timeout(Duration::from_millis(100)).ok();
            }
        });
        // The one that found no room.
        queue.enqueue(payload(0, next)).ok();
        last = writer.calls();
        writer.unhook();
        let image = memory.crash_losing_all();
        let reopened = still(2, SyncPolicy::Always).open_on(Arc::new(image));
        let reopened = reopened.expect("it opens");
        let mut late = reopened.consumer("late").expect("its cursor is good");
        let drained = late.drain(|_| Ok::<_, ()>(()));
        drained.expect("nothing is damaged");
        assert_eq!(late.take_gaps(), [], "at call {moment}");
        moment += 1;
    }
}
