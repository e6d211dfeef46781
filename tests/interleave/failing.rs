//! Syncs that fail, and disks that are full, while others commit.

use shuttle::rand::{Rng, thread_rng};
use shuttle::thread::{self, JoinHandle};

use super::explore::claim;
use super::scene::{LARGE, SMALL, Scene, is_poison, join, options};
use crate::format::{SEGMENTS, SegmentFile, segment_file};
use crate::position::SegmentNumber;
use crate::storage::fault::{CallKind, Failure, Fault};
use crate::{ErrorKind, Queue, SyncPolicy};

fn any(range: std::ops::Range<u64>) -> u64 {
    thread_rng().gen_range(range)
}

/// A thread that enqueues until it is refused for good; after that it is refused every time.
fn until_poisoned(
    scene: &Scene,
    queue: &Queue,
    name: &'static str,
    (count, length): (usize, usize),
) -> JoinHandle<()> {
    let (scene, queue) = (scene.clone(), queue.clone());
    thread::spawn(move || {
        let mut poisoned = false;
        for at in 0..count {
            let payload = Scene::payload(&format!("{name}{at}"), length);
            match scene.enqueue(&queue, &payload) {
                Ok(sequence) => assert!(!poisoned, "{sequence} was acknowledged afterwards"),
                Err(error) => {
                    assert!(is_poison(&error), "{error}");
                    poisoned = true;
                }
            }
        }
    })
}

claim!(
    a_failed_sync_answers_everyone_and_nobody_believes_the_next,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Always));
        let nth = any(1..5);
        let failing = Fault::nth_of(nth, &[CallKind::SyncFile], Failure::Forget);
        scene.faults.plan(failing);
        let ticket = queue.clone();
        let syncing = queue.clone();
        join([
            until_poisoned(&scene, &queue, "a", (2, SMALL)),
            until_poisoned(&scene, &queue, "b", (2, LARGE)),
            thread::spawn(move || {
                let Ok(ticket) = ticket.submit(b"ticket") else {
                    return;
                };
                if let Err(error) = shuttle::future::block_on(ticket) {
                    assert!(is_poison(&error), "{error}");
                }
            }),
            thread::spawn(move || {
                if let Err(error) = syncing.sync() {
                    assert!(is_poison(&error), "{error}");
                }
            }),
        ]);
        if scene.faults.failures() > 0 {
            // The background may have met it and be about to say so: closing waits for that.
            assert!(queue.close().is_err(), "poison is for good");
        }
        scene.survives_a_power_cut();
    }
);

claim!(
    no_commit_believes_a_folder_whose_sync_failed_for_reclaim,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Always));
        let mut consumer = queue.consumer("a").expect("a consumer");
        for name in ["x", "y", "z"] {
            let payload = Scene::payload(name, LARGE);
            scene.enqueue(&queue, &payload).expect("accepted");
        }
        consumer.drain(|_| Ok::<(), ()>(())).expect("readable");
        scene.lie_about(SEGMENTS);
        let reclaiming = queue.clone();
        join([
            thread::spawn(move || {
                if let Err(error) = reclaiming.reclaim() {
                    assert!(is_poison(&error), "{error}");
                }
            }),
            until_poisoned(&scene, &queue, "b", (3, LARGE)),
        ]);
        scene.survives_a_power_cut();
    }
);

claim!(
    a_full_disk_takes_back_its_group_and_nothing_else,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Always));
        scene.enqueue(&queue, b"<before>").expect("accepted");
        let segment = segment_file(SegmentNumber::new(1), SegmentFile::Log);
        let bytes = usize::try_from(any(0..800)).expect("small");
        let full = Fault::nth_of(any(1..4), &[CallKind::Write], Failure::TornFull { bytes });
        scene.faults.plan(full.on(&segment));
        let callers = ["a", "b", "c"].map(|name| {
            let (scene, queue) = (scene.clone(), queue.clone());
            thread::spawn(move || {
                for at in 0..2 {
                    let payload = Scene::payload(&format!("{name}{at}"), SMALL);
                    match scene.enqueue(&queue, &payload) {
                        Ok(_) => {}
                        Err(error) if matches!(error.kind(), ErrorKind::Full { .. }) => {
                            scene.refuse(&payload);
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        });
        let syncing = queue.clone();
        let sync = thread::spawn(move || {
            let synced = syncing.sync();
            let full = |kind| matches!(kind, ErrorKind::Full { .. });
            assert!(synced.map_err(|error| error.kind()).is_ok_or(full));
        });
        join(callers.into_iter().chain([sync]));
        scene.faults.clear();
        let after = Scene::payload("after", SMALL);
        let sequence = scene.enqueue(&queue, &after).expect("there is room again");
        let dense: Vec<u64> = (0..=sequence.get()).collect();
        assert_eq!(scene.acknowledged().into_keys().collect::<Vec<_>>(), dense);
        scene.survives_in(scene.memory.process_kill());
        scene.survives_a_power_cut();
    }
);

claim!(
    no_commit_believes_a_file_whose_sync_failed_for_a_full_disk,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Manual));
        queue.enqueue(b"<before>").expect("accepted");
        queue.sync().expect("synced");
        let segment = segment_file(SegmentNumber::new(1), SegmentFile::Log);
        let full = Fault::nth_of(any(1..4), &[CallKind::Write], Failure::Full);
        scene.faults.plan(full.on(&segment));
        let failing = Fault::nth_of(any(1..4), &[CallKind::SyncFile], Failure::Forget);
        scene.faults.plan(failing.on(&segment));
        let callers = ["a", "b", "c"].map(|name| {
            let (scene, queue) = (scene.clone(), queue.clone());
            thread::spawn(move || {
                for at in 0..2 {
                    let payload = Scene::payload(&format!("{name}{at}"), SMALL);
                    let Ok(ticket) = queue.submit(&payload) else {
                        continue;
                    };
                    if let Ok(sequence) = ticket.wait() {
                        scene.acknowledge(sequence, &payload);
                    }
                }
            })
        });
        join(callers);
        scene.survives_a_power_cut();
    }
);

claim!(
    no_consumer_believes_a_folder_whose_sync_failed_for_another,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Manual));
        scene.lie_about(crate::format::CURSORS);
        let callers = ["a", "b"].map(|name| {
            let (scene, queue) = (scene.clone(), queue.clone());
            thread::spawn(move || {
                let made = queue.consumer(name).is_ok();
                let left = scene.memory.crash_losing_all();
                let there = left.names().contains(&crate::format::cursor_file(name));
                assert!(there || !made, "a new consumer is durable on return");
            })
        });
        join(callers);
    }
);

/// For results that may fail in one way.
trait OkOr<E> {
    fn is_ok_or(self, allowed: impl FnOnce(E) -> bool) -> bool;
}

impl<T, E> OkOr<E> for Result<T, E> {
    fn is_ok_or(self, allowed: impl FnOnce(E) -> bool) -> bool {
        match self {
            Ok(_) => true,
            Err(error) => allowed(error),
        }
    }
}
