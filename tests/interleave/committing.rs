//! The group commit: producers, tickets, syncs and rotations side by side.

use std::collections::BTreeSet;
use std::time::Duration;

use shuttle::thread;

use super::explore::claim;
use super::scene::{LARGE, SMALL, Scene, join, options};
use crate::SyncPolicy;

claim!(
    a_waiter_is_released_only_by_a_sync_that_began_after_its_write,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Always));
        join([
            scene.producer(&queue, "a", (2, SMALL)),
            scene.producer(&queue, "b", (2, SMALL)),
            scene.producer(&queue, "c", (2, SMALL)),
        ]);
        let given: BTreeSet<u64> = scene.acknowledged().into_keys().collect();
        assert_eq!(given, (0..6).collect(), "the sequences are dense");
        assert_eq!(queue.durable(), queue.next());
        scene.survives_a_power_cut();
        drop(queue);
    }
);

claim!(
    rotations_beside_commits_never_acknowledge_too_early,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Always));
        join([
            scene.producer(&queue, "a", (3, LARGE)),
            scene.producer(&queue, "b", (3, LARGE)),
            scene.producer(&queue, "c", (2, SMALL)),
        ]);
        let given: BTreeSet<u64> = scene.acknowledged().into_keys().collect();
        assert_eq!(given, (0..8).collect(), "the sequences are dense");
        scene.survives_a_power_cut();
    }
);

claim!(
    tickets_may_be_waited_for_polled_or_dropped,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Manual));
        let (first, second, third) = (scene.clone(), scene.clone(), scene.clone());
        let (one, two, three) = (queue.clone(), queue.clone(), queue.clone());
        join([
            thread::spawn(move || {
                let payload = Scene::payload("waited", SMALL);
                let ticket = one.submit(&payload).expect("accepted");
                first.acknowledge(ticket.wait().expect("durable"), &payload);
            }),
            thread::spawn(move || {
                let payload = Scene::payload("polled", LARGE);
                let ticket = two.submit(&payload).expect("accepted");
                let sequence = shuttle::future::block_on(ticket).expect("durable");
                second.acknowledge(sequence, &payload);
            }),
            thread::spawn(move || {
                drop(
                    three
                        .submit(Scene::payload("dropped", LARGE))
                        .expect("accepted"),
                );
                // The background commits for it: nobody leads here.
                let payload = Scene::payload("background", SMALL);
                let ticket = three.submit(&payload).expect("accepted");
                let sequence = ticket.wait_timeout(Duration::MAX).expect("durable");
                third.acknowledge(sequence.expect("there is no deadline"), &payload);
            }),
        ]);
        scene.survives_a_power_cut();
        drop(queue);
    }
);

claim!(
    a_sync_covers_everything_accepted_before_it,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Manual));
        let callers = ["a", "b", "c"].map(|name| {
            let (scene, queue) = (scene.clone(), queue.clone());
            thread::spawn(move || {
                for (at, length) in [SMALL, LARGE].into_iter().enumerate() {
                    let payload = Scene::payload(&format!("{name}{at}"), length);
                    let sequence = queue.enqueue(&payload).expect("accepted");
                    let durable = queue.sync().expect("synced");
                    assert!(durable > sequence, "it was accepted before");
                    scene.acknowledge(sequence, &payload);
                }
            })
        });
        join(callers);
        scene.survives_a_power_cut();
    }
);

claim!(
    an_interval_makes_records_durable_without_being_asked,
    Passes,
    || {
        let scene = Scene::new();
        let policy = SyncPolicy::Interval(Duration::from_millis(5));
        let queue = scene.open(options(policy));
        let callers = ["a", "b"].map(|name| {
            let (scene, queue) = (scene.clone(), queue.clone());
            thread::spawn(move || {
                for at in 0..2 {
                    let payload = Scene::payload(&format!("{name}{at}"), SMALL);
                    let sequence = queue.enqueue(&payload).expect("accepted");
                    let waited = queue.wait_durable(sequence, Duration::MAX);
                    waited.expect("somebody syncs it");
                    scene.acknowledge(sequence, &payload);
                }
            })
        });
        join(callers);
        scene.survives_a_power_cut();
    }
);
