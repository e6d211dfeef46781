//! Closing while others are in the middle of something.

use shuttle::thread;

use super::explore::claim;
use super::scene::{LARGE, SMALL, Scene, join, options};
use crate::{ErrorKind, SyncPolicy};

claim!(
    closing_beside_producers_keeps_what_was_acknowledged,
    StandsStill,
    || {
        let scene = Scene::new();
        let queue = scene.open(options(SyncPolicy::Always));
        let callers = [("a", SMALL), ("b", LARGE)].map(|(name, length)| {
            let (scene, queue) = (scene.clone(), queue.clone());
            thread::spawn(move || {
                for at in 0..3 {
                    let payload = Scene::payload(&format!("{name}{at}"), length);
                    if let Err(error) = scene.enqueue(&queue, &payload) {
                        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                    }
                }
            })
        });
        let closing = thread::spawn(move || queue.close().expect("it closes"));
        join(callers.into_iter().chain([closing]));
        // Nothing was accepted behind the clean end.
        scene.survives_in(scene.memory.process_kill());
        scene.survives_a_power_cut();
    }
);

claim!(closing_answers_everyone_who_waits, StandsStill, || {
    let scene = Scene::new();
    let queue = scene.open(options(SyncPolicy::Manual));
    let mut consumer = queue.consumer("a").expect("a consumer");
    let waiting = queue.clone();
    let (submitting, second) = (queue.clone(), queue.clone());
    let noting = scene.clone();
    join([
        thread::spawn(move || {
            // No record may ever come: closing ends the wait.
            while let Ok(true) = consumer.wait(std::time::Duration::MAX) {
                if consumer.drain(|_| Ok::<(), ()>(())).is_err() {
                    break;
                }
            }
        }),
        thread::spawn(move || {
            let next = waiting.next().plus(1);
            let waited = waiting.wait_durable(next, std::time::Duration::MAX);
            assert!(waited.is_err() || waiting.durable() > next);
        }),
        thread::spawn(move || {
            let payload = Scene::payload("last", SMALL);
            if let Ok(ticket) = submitting.submit(&payload) {
                let sequence = shuttle::future::block_on(ticket);
                noting.acknowledge(sequence.expect("closing commits"), &payload);
            }
        }),
        thread::spawn(move || second.close().expect("it closes, or is closed")),
    ]);
    drop(queue);
    scene.survives_a_power_cut();
});
