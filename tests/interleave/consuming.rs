//! Consumers beside producers: waiting, blocking, dropping.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shuttle::thread;

use super::explore::claim;
use super::scene::{LARGE, SMALL, Scene, join, options};
use crate::format::wide;
use crate::{Consumer, ExitReason, Flow, Overflow, Queue, SyncPolicy, WorkerOptions};

/// Waits and drains until `count` records came; their sequences.
fn take(consumer: &mut Consumer, count: usize) -> Vec<u64> {
    let mut got = Vec::new();
    while got.len() < count {
        assert!(consumer.wait(Duration::MAX).expect("it serves"));
        let drained = consumer.drain(|record| {
            got.push(record.sequence.get());
            Ok::<(), ()>(())
        });
        drained.expect("readable");
    }
    got
}

claim!(
    a_waiting_consumer_gets_every_record_in_order,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Manual));
        let mut consumer = queue.consumer("a").expect("a consumer");
        let producers = [("a", SMALL), ("b", LARGE)].map(|(name, length)| {
            let queue = queue.clone();
            thread::spawn(move || {
                for at in 0..3 {
                    let payload = Scene::payload(&format!("{name}{at}"), length);
                    queue.enqueue(&payload).expect("accepted");
                }
            })
        });
        let reader = thread::spawn(move || {
            assert_eq!(take(&mut consumer, 6), [0, 1, 2, 3, 4, 5]);
        });
        join(producers.into_iter().chain([reader]));
    }
);

claim!(
    a_waiting_consumer_hears_of_durable_producers,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Always));
        let mut consumer = queue.consumer("a").expect("a consumer");
        join([
            scene.producer(&queue, "a", (2, SMALL)),
            scene.producer(&queue, "b", (2, LARGE)),
            thread::spawn(move || {
                assert_eq!(take(&mut consumer, 4), [0, 1, 2, 3]);
            }),
        ]);
        scene.survives_a_power_cut();
    }
);

fn an_ack_lets_in(by_bytes: bool) {
    let scene = Scene::new();
    let limited = options(SyncPolicy::Always).overflow(Overflow::Block(Duration::MAX));
    let limited = if by_bytes {
        limited.max_bytes(2 * 128)
    } else {
        limited.max_records(2)
    };
    let queue = scene.open(limited);
    let mut consumer = queue.consumer("a").expect("a consumer");
    join([
        scene.producer(&queue, "a", (3, SMALL)),
        scene.producer(&queue, "b", (3, SMALL)),
        thread::spawn(move || {
            assert_eq!(take(&mut consumer, 6), [0, 1, 2, 3, 4, 5]);
        }),
    ]);
    scene.survives_a_power_cut();
}

claim!(an_ack_lets_a_blocked_producer_in, StandsStill, || {
    an_ack_lets_in(false)
});

claim!(
    an_ack_lets_a_producer_blocked_by_bytes_in,
    StandsStill,
    || an_ack_lets_in(true)
);

fn drop_oldest_beside_a_drain(queue: &Queue, scene: &Scene) {
    let mut consumer = queue.consumer("a").expect("a consumer");
    let delivered = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&delivered);
    let draining = thread::spawn(move || {
        let mut last = None;
        for _ in 0..4 {
            let drained = consumer.drain(|record| {
                let sequence = record.sequence.get();
                assert!(last < Some(sequence), "in order, once");
                last = Some(sequence);
                counted.fetch_add(1, Ordering::Relaxed);
                Ok::<(), ()>(())
            });
            drained.expect("readable");
        }
    });
    join([
        scene.producer(queue, "a", (4, LARGE)),
        scene.producer(queue, "b", (3, SMALL)),
        draining,
    ]);
    let stats = queue.stats().expect("stats");
    assert_eq!(stats.delivered, delivered.load(Ordering::Relaxed));
    assert_eq!(
        stats.delivered + stats.dropped + stats.records,
        7,
        "{stats:?}"
    );
    assert!(stats.records <= 2);
    scene.survives_a_power_cut();
}

claim!(
    dropping_the_oldest_beside_a_drain_counts_each_record_once,
    StandsStill,
    || {
        let scene = Scene::new();
        let bounded = options(SyncPolicy::Always).max_records(2);
        let queue = scene.open(bounded.overflow(Overflow::DropOldest));
        drop_oldest_beside_a_drain(&queue, &scene);
    }
);

claim!(
    a_worker_hears_of_records_and_of_its_stop_whenever_they_come,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Manual));
        let handled = Arc::new(AtomicU64::new(0));
        let own = Arc::clone(&handled);
        let worker = queue
            .worker("a", WorkerOptions::new(), move |batch| {
                own.fetch_add(wide(batch.len()), Ordering::SeqCst);
                Ok(Flow::Continue)
            })
            .expect("it starts");
        let producer = {
            let queue = queue.clone();
            thread::spawn(move || {
                for at in 0..2 {
                    let payload = Scene::payload(&format!("a{at}"), SMALL);
                    queue.enqueue(&payload).expect("accepted");
                }
            })
        };
        // It may be stopped before, between and after the records, asleep or not.
        let exit = worker.stop_and_join().expect("nothing fails");
        assert_eq!(exit.reason, ExitReason::Stopped);
        assert_eq!(exit.handled, handled.load(Ordering::SeqCst));
        join([producer]);
        let left = queue.consumer("a").expect("it let go");
        assert_eq!(left.next_sequence().get(), exit.handled, "honest progress");
    }
);

claim!(
    a_worker_that_waits_is_woken_by_the_last_record,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Always));
        let worker = queue
            .worker("a", WorkerOptions::new(), |batch| {
                let is_last = batch.last().is_some_and(|last| last.sequence.get() == 1);
                Ok(if is_last { Flow::Stop } else { Flow::Continue })
            })
            .expect("it starts");
        join([scene.producer(&queue, "a", (2, SMALL))]);
        // A lost wake-up would stand still here.
        assert_eq!(worker.join().expect("nothing fails").handled, 2);
        queue.close().expect("nobody holds it");
    }
);
