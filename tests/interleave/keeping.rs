//! Reclaim, cursors and the idle work beside everything else.

use std::time::Duration;

use shuttle::thread;

use super::explore::claim;
use super::scene::{LARGE, SMALL, Scene, join, options};
use crate::SyncPolicy;

claim!(
    reclaim_beside_acks_and_commits_keeps_what_is_needed,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Always));
        let mut consumer = queue.consumer("a").expect("a consumer");
        let reclaiming = queue.clone();
        let image = scene.clone();
        join([
            scene.producer(&queue, "a", (4, LARGE)),
            scene.producer(&queue, "b", (2, LARGE)),
            thread::spawn(move || {
                for _ in 0..3 {
                    let taken = consumer.drain(|_| Ok::<(), ()>(()));
                    taken.expect("what is not acknowledged can be read");
                }
            }),
            thread::spawn(move || {
                for _ in 0..2 {
                    reclaiming.reclaim().expect("it deletes");
                }
                image.survives_a_power_cut();
            }),
        ]);
        scene.survives_a_power_cut();
        drop(queue);
        scene.survives_in(scene.memory.crash_losing_all());
    }
);

claim!(
    a_consumer_made_beside_reclaim_begins_where_records_are,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Always));
        let mut consumer = queue.consumer("a").expect("a consumer");
        let (making, reclaiming) = (queue.clone(), queue.clone());
        join([
            scene.producer(&queue, "a", (4, LARGE)),
            thread::spawn(move || {
                for _ in 0..3 {
                    consumer.drain(|_| Ok::<(), ()>(())).expect("readable");
                }
            }),
            thread::spawn(move || {
                reclaiming.reclaim().expect("it deletes");
            }),
            thread::spawn(move || {
                let mut late = making.consumer("late").expect("a consumer");
                let mut next = None;
                while let Some(record) = late.peek().expect("readable") {
                    let sequence = record.sequence;
                    assert!(next.is_none_or(|next| next == sequence), "without a gap");
                    next = Some(sequence.plus(1));
                    late.ack_through(sequence).expect("an ack");
                }
                assert_eq!(late.take_gaps(), []);
            }),
        ]);
        scene.survives_a_power_cut();
    }
);

claim!(
    idle_work_beside_everything_loses_nothing_and_ends,
    Passes,
    || {
        let scene = Scene::new();
        let policy = SyncPolicy::Interval(Duration::from_millis(5));
        let queue = scene.open(options(policy));
        let mut consumer = queue.consumer("a").expect("a consumer");
        let (submitting, reclaiming, first) = (queue.clone(), queue.clone(), scene.clone());
        join([
            thread::spawn(move || {
                for at in 0..3 {
                    let payload = Scene::payload(&format!("a{at}"), LARGE);
                    let ticket = submitting.submit(&payload).expect("accepted");
                    let waited = ticket.wait_timeout(Duration::from_millis(at));
                    if let Some(sequence) = waited.expect("it serves") {
                        first.acknowledge(sequence, &payload);
                    }
                }
            }),
            thread::spawn(move || {
                for _ in 0..3 {
                    if consumer.wait(Duration::from_millis(20)).expect("it serves") {
                        consumer.drain(|_| Ok::<(), ()>(())).expect("readable");
                    }
                }
            }),
            thread::spawn(move || {
                reclaiming
                    .enqueue(Scene::payload("b", SMALL))
                    .expect("accepted");
                reclaiming.reclaim().expect("it deletes");
                reclaiming.sync().expect("synced");
            }),
        ]);
        queue.close().expect("it closes");
        scene.survives_in(scene.memory.process_kill());
        scene.survives_a_power_cut();
    }
);
