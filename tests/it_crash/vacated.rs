//! A device that one segment has filled: once nobody needs a record of it, the queue goes on, and no
//! crash meanwhile loses or repeats anything.

use std::sync::{Arc, Weak};
use std::time::Duration;

use forebay::backup::backup_on;
use forebay::inspect::{VerifyOptions, verify_on};
use forebay::salvage::{SalvageOptions, salvage_on};
use forebay::storage::fault::{Failure, Fault, FaultyDirectory};
use forebay::storage::memory::{Fate, MemoryDirectory};
use forebay::{
    Consumer, ErrorKind, Listener, Overflow, Preallocate, Queue, QueueOptions, SyncPolicy, repair,
};

use parking_lot::Mutex;

use crate::golden::still_host;
use crate::ledger::{Ended, Ledger, Survived};
use crate::support::{drain, drain_sequences, edit, fill, guard, tell};

const PAGE: u64 = 4096;

/// Segments that no device of these tests has room for.
fn large(policy: SyncPolicy) -> QueueOptions {
    QueueOptions::new()
        .segment_bytes(1 << 20)
        .preallocate(Preallocate::None)
        .sync_policy(policy)
        .host(still_host())
}

/// Enqueues until the device is full; how many records that were.
fn fill_up(ledger: &mut Ledger, queue: &Queue) -> u64 {
    let mut count = 0;
    loop {
        match ledger.enqueue(queue, 900) {
            Ok(()) => count += 1,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Full { .. }), "{error}");
                return count;
            }
        }
    }
}

/// A queue whose device is full.
struct Scene {
    memory: MemoryDirectory,
    storage: FaultyDirectory,
    queue: Queue,
    consumer: Consumer,
    ledger: Ledger,
}

/// A queue on a device of `pages`, filled by one segment whose records are all acknowledged.
fn filled(pages: u64, policy: SyncPolicy) -> Option<Scene> {
    let memory = MemoryDirectory::with_capacity(pages * PAGE);
    let storage = FaultyDirectory::over_memory(memory.clone());
    let queue = large(policy).open_on(Arc::new(storage.clone())).ok()?;
    let mut consumer = queue.consumer("c").ok()?;
    let mut ledger = Ledger::default();
    ledger.begin(policy, &queue);
    (fill_up(&mut ledger, &queue) > 0).then_some(())?;
    ledger.ack(&mut consumer, 999).expect("acks need no space");
    Some(Scene {
        memory,
        storage,
        queue,
        consumer,
        ledger,
    })
}

#[test]
fn a_device_filled_by_one_segment_takes_records_again_once_all_are_acknowledged() {
    guard("rounds on a small device", || {
        let mut rounds = 0;
        for policy in [SyncPolicy::Always, SyncPolicy::Manual] {
            for pages in 6..40 {
                let Some(mut scene) = filled(pages, policy) else {
                    continue;
                };
                let Scene {
                    queue,
                    consumer,
                    ledger,
                    ..
                } = &mut scene;
                for round in 0..5 {
                    let accepted = fill_up(ledger, queue);
                    assert!(accepted > 0, "{policy:?}, {pages} pages, round {round}");
                    ledger.ack(consumer, 999).expect("acks need no space");
                    assert_eq!(consumer.next_sequence(), queue.next());
                    rounds += 1;
                }
            }
        }
        tell(&format!("{rounds} rounds"));
    });
}

#[test]
fn a_full_device_that_was_closed_or_killed_goes_on_after_draining() {
    for pages in 6..40 {
        for is_closed in [false, true] {
            let Some(scene) = filled(pages, SyncPolicy::Always) else {
                continue;
            };
            let Scene { memory, queue, .. } = scene;
            drop(scene.consumer);
            let next = queue.next();
            let image = if is_closed {
                queue.close().expect("closing needs no space");
                memory.copy()
            } else {
                memory.process_kill()
            };
            let options = large(SyncPolicy::Always);
            let queue = options.open_on(Arc::new(image.clone()));
            let queue = queue.expect("opening needs no space");
            let given = queue.enqueue(b"goes on").expect("nobody needs the segment");
            assert_eq!(given, next);
            assert_eq!(drain_sequences(&queue, "c"), [next.get()]);
        }
    }
}

/// The segment goes, however the next call ends; and what the power leaves of it is a queue.
#[test]
fn whichever_call_of_deleting_the_only_segment_fails_nothing_is_lost_or_repeated() {
    guard("the only segment", || {
        let mut count = 0;
        for policy in [SyncPolicy::Always, SyncPolicy::Manual] {
            for failure in [Failure::Io, Failure::Full] {
                for nth in 1.. {
                    let mut scene = filled(12, policy).expect("room enough");
                    scene.storage.plan(Fault::nth_call(nth, failure));
                    scene.ledger.enqueue(&scene.queue, 900).ok();
                    let is_poisoned = scene.queue.sync().is_err();
                    let what = format!("{policy:?} {failure:?} at call {nth}");
                    for (image, by) in images(&scene.memory) {
                        let ended = Ended {
                            poisoned: is_poisoned,
                            ..Ended::by(by)
                        };
                        scene.ledger.check(&image, ended, &what);
                    }
                    if scene.storage.failures() == 0 {
                        break;
                    }
                    count += 1;
                }
            }
        }
        tell(&format!("{count} calls"));
    });
}

/// What a kill leaves, and every subset of what was not synced; where that is much, every seventh
/// has the same fate.
fn images(memory: &MemoryDirectory) -> Vec<(MemoryDirectory, Survived)> {
    let unsynced = memory.unsynced_count().min(7);
    let mut images = vec![(memory.process_kill(), Survived::Kill)];
    for subset in 0..1_u32 << unsynced {
        let mut bits = (0..7).cycle();
        let image = memory.crash(&mut |_| {
            let is_kept = bits.next().is_some_and(|bit| subset >> bit & 1 == 1);
            if is_kept { Fate::Kept } else { Fate::Lost }
        });
        images.push((image, Survived::PowerCut));
    }
    images
}

#[test]
fn an_emptied_log_is_sound_and_goes_on_after_any_end() {
    let scene = filled(12, SyncPolicy::Always).expect("room enough");
    let Scene {
        memory,
        storage,
        queue,
        mut consumer,
        mut ledger,
    } = scene;
    // The first call of the new segment is the first that creates a file.
    let create = forebay::storage::fault::CallKind::Create;
    storage.plan(Fault::nth_of(1, &[create], Failure::Full).for_ever());
    ledger.enqueue(&queue, 900).expect_err("no room for a file");
    storage.clear();
    let segments = || {
        memory
            .names()
            .into_iter()
            .filter(|name| name.ends_with(".log"))
    };
    assert_eq!(segments().count(), 0, "{:?}", memory.names());
    let sound = |memory: &MemoryDirectory| {
        let told = verify_on(memory, &VerifyOptions::new().chain(true), &|_| {});
        let told = told.expect("a queue");
        assert!(told.findings.is_empty(), "{told:#?}");
        assert_eq!(told.next, queue.next());
    };
    sound(&memory);
    sound(&memory.crash_losing_all());
    ledger.check(&memory.process_kill(), Ended::by(Survived::Kill), "emptied");
    let left = memory.process_kill();
    let plan = repair::plan_on(&left).expect("a queue");
    assert!(plan.is_empty(), "{plan:#?}");
    let copy = MemoryDirectory::new();
    let copied = backup_on(&left, &copy).expect("a queue");
    assert!(!copied.is_damaged(), "{copied:?}");
    let rescued = Arc::new(MemoryDirectory::new());
    let salvaged = salvage_on(&left, rescued, &SalvageOptions::new()).expect("a queue");
    assert!(salvaged.is_whole(), "{salvaged:?}");
    assert_eq!(salvaged.rebuilt.next, queue.next());
    ledger.enqueue(&queue, 900).expect("there is room");
    sound(&memory);
    sound(&memory.crash_losing_all());
    ledger.ack(&mut consumer, 1).expect("the record is there");
    assert_eq!(consumer.next_sequence(), queue.next());
}

/// A listener that uses the queue that it hears of.
#[derive(Debug, Default)]
struct Caller(Mutex<Option<Weak<Queue>>>);

impl Listener for Caller {
    fn synced(&self, _: Duration, _: u64) {
        let known = self.0.lock().clone();
        if let Some(queue) = known.and_then(|known| known.upgrade()) {
            queue.reclaim().expect("nothing fails");
        }
    }
}

#[test]
fn who_hears_of_a_full_device_may_call_the_queue_back() {
    guard("a listener on a full device", || {
        let memory = MemoryDirectory::with_capacity(12 * PAGE);
        let caller = Arc::new(Caller::default());
        let options = large(SyncPolicy::Manual).listener(Arc::<Caller>::clone(&caller));
        let queue = Arc::new(options.open_on(Arc::new(memory)).expect("a new queue"));
        drop(queue.consumer("c").expect("a new consumer"));
        *caller.0.lock() = Some(Arc::downgrade(&queue));
        let mut refused = 0;
        for _ in 0..60 {
            refused += u64::from(queue.enqueue(&[7; 900]).is_err());
        }
        assert!(refused > 0);
    });
}

#[test]
fn where_the_only_segment_cannot_go_nothing_of_it_is_dropped() {
    let memory = MemoryDirectory::new();
    let options = || large(SyncPolicy::Always).overflow(Overflow::DropOldest);
    let queue = options().open_on(Arc::new(memory.clone()));
    let queue = queue.expect("a new queue");
    for name in ["good", "bad"] {
        drop(queue.consumer(name).expect("a new consumer"));
    }
    fill(&queue, 20, 900);
    queue.close().expect("nothing fails");
    edit(&memory, "cursors/bad.cursor", |bytes| {
        for slot in [0, 4096] {
            bytes[slot + 40] ^= 1;
        }
    });
    memory.set_capacity(Some(memory.used_bytes()));
    let queue = options().open_on(Arc::new(memory)).expect("it opens");
    let mut refused = 0;
    for _ in 0..9 {
        refused += u64::from(queue.enqueue(&[7; 900]).is_err());
    }
    assert!(refused > 0, "nobody knows what the bad cursor needs");
    let mut good = queue.consumer("good").expect("its cursor is good");
    let got = drain(&mut good).expect("nothing is damaged");
    assert_eq!(good.take_gaps(), []);
    assert!(got.len() >= 20, "{} records", got.len());
}

#[test]
fn an_emptied_log_whose_state_is_lost_is_refused_and_never_begins_at_zero() {
    let scene = filled(12, SyncPolicy::Always).expect("room enough");
    let too_large = vec![7; 60_000];
    scene.queue.enqueue(&too_large).expect_err("too large");
    drop(scene.consumer);
    scene.queue.close().expect("closing needs no space");
    edit(&scene.memory, "STATE", |bytes| {
        for slot in [0, 4096] {
            bytes[slot + 40] ^= 1;
        }
    });
    let before = crate::support::contents(&scene.memory);
    let opened = large(SyncPolicy::Always).open_on(Arc::new(scene.memory.clone()));
    let error = opened.expect_err("nobody knows where the log was");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(crate::support::contents(&scene.memory) == before);
}

#[test]
fn on_a_full_device_the_only_segment_is_dropped_where_the_oldest_is_to_go() {
    let memory = MemoryDirectory::with_capacity(16 * PAGE);
    let options = large(SyncPolicy::Always).overflow(Overflow::DropOldest);
    let queue = options.open_on(Arc::new(memory)).expect("a new queue");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    let mut last = 0;
    for number in 0..200_u64 {
        let given = queue.enqueue(&[7; 900]).expect("the oldest goes");
        assert_eq!(given.get(), number);
        last = number;
    }
    let mut found = 0;
    let drained = consumer.drain(|record| {
        last = record.sequence.get();
        found += 1;
        Ok::<_, ()>(())
    });
    drained.expect("nothing is damaged");
    assert_eq!(last, 199);
    let gaps: u64 = consumer
        .take_gaps()
        .iter()
        .map(|gap| gap.range.end.since(gap.range.start))
        .sum();
    assert_eq!(found + gaps, 200, "each is delivered or told");
    assert!(found > 0 && gaps > 0);
}
