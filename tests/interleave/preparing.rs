//! The next segment made ahead, zeroed, and deleted ones shrunk, beside everything else.

use std::time::Duration;

use shuttle::thread;

use super::explore::claim;
use super::scene::{LARGE, Scene, join, options};
use crate::{Consumer, Error, ErrorKind, Preallocate, QueueOptions, SyncPolicy};

/// The header block and two pieces of zeros; two large records fit.
const TWO_PIECES: u64 = 12288;

fn zeroed() -> QueueOptions {
    options(SyncPolicy::Always).preallocate(Preallocate::Zero)
}

/// The next record, which has to be the one that was acknowledged in its place.
fn take_next(consumer: &mut Consumer, scene: &Scene, next: u64) {
    let record = consumer.peek().expect("readable").expect("a record");
    let sequence = record.sequence;
    assert_eq!(sequence.get(), next, "in order");
    let known = scene.acknowledged();
    // Whoever enqueued it may be about to note it.
    if let Some(payload) = known.get(&next) {
        assert!(record.payload == *payload, "{next} is unchanged");
    }
    consumer.ack_through(sequence).expect("an ack");
}

claim!(
    zeros_for_the_next_segment_never_meet_records,
    StandsStill,
    || {
        let scene = Scene::new();
        // One large record fills a segment: each further one rotates.
        let queue = scene.open(zeroed());
        let mut consumer = queue.consumer("a").expect("a consumer");
        join([
            scene.producer(&queue, "a", (2, LARGE)),
            scene.producer(&queue, "b", (2, LARGE)),
        ]);
        assert_eq!(scene.acknowledged().len(), 4);
        for next in 0..4 {
            take_next(&mut consumer, &scene, next);
        }
        assert!(consumer.peek().expect("readable").is_none(), "each once");
        drop(consumer);
        queue.close().expect("it closes");
        scene.survives_in(scene.memory.process_kill());
        scene.survives_a_power_cut();
    }
);

claim!(
    a_consumer_beside_zeroed_rotations_reads_every_record_unchanged,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(zeroed().segment_bytes(TWO_PIECES));
        let mut consumer = queue.consumer("a").expect("a consumer");
        let reading = scene.clone();
        join([
            scene.producer(&queue, "a", (3, LARGE)),
            scene.producer(&queue, "b", (3, LARGE)),
            thread::spawn(move || {
                for next in 0..6 {
                    assert!(consumer.wait(Duration::MAX).expect("it serves"));
                    take_next(&mut consumer, &reading, next);
                }
            }),
        ]);
        queue.close().expect("it closes");
        scene.survives_in(scene.memory.process_kill());
        scene.survives_a_power_cut();
    }
);

/// What a call may say beside a close: nothing else than that.
fn unless_closed<T>(outcome: Result<T, Error>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) if error.kind() == ErrorKind::Closed => None,
        Err(error) => panic!("{error}"),
    }
}

/// Acknowledges `count` records one by one, each a segment, as long as the queue serves.
fn acknowledge_each(consumer: &mut Consumer, count: usize) {
    for _ in 0..count {
        let Some(record) = unless_closed(consumer.peek()) else {
            return;
        };
        let sequence = record.expect("it is not acknowledged").sequence;
        if unless_closed(consumer.ack_through(sequence)).is_none() {
            return;
        }
    }
}

claim!(
    shrinking_beside_reclaim_and_close_leaves_no_trash,
    Passes,
    || {
        let scene = Scene::new();
        let queue = scene.open(zeroed());
        let mut consumer = queue.consumer("a").expect("a consumer");
        for at in 0..4 {
            let payload = Scene::payload(&format!("a{at}"), LARGE);
            scene.enqueue(&queue, &payload).expect("accepted");
        }
        let (reclaiming, closing, image) = (queue.clone(), queue, scene.clone());
        join([
            thread::spawn(move || acknowledge_each(&mut consumer, 4)),
            thread::spawn(move || {
                for _ in 0..2 {
                    unless_closed(reclaiming.reclaim());
                }
            }),
            thread::spawn(move || {
                // The power may fail in the middle of a file's way out.
                image.survives_a_power_cut();
                closing.close().expect("it closes");
            }),
        ]);
        let names = scene.memory.names();
        let left = names.iter().filter(|name| name.ends_with(".trash"));
        assert_eq!(left.count(), 0, "{names:?}");
        scene.survives_in(scene.memory.process_kill());
        scene.survives_a_power_cut();
    }
);
