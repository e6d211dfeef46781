//! Nobody overtakes: an event whose publish began after another one's had returned comes after it.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::{AsyncSink, Delivery, Published, Publisher, PublisherOptions, SinkError, SinkFuture};

use crate::stage::{Mood, Scene, Upstream, buffer_in};

#[tokio::test]
async fn what_is_published_behind_a_backlog_arrives_last_although_the_sink_is_up_again() {
    let scene = Scene::new(Mood::Away);
    for event in 0..1000 {
        assert_eq!(scene.publisher.publish(event).await, Published::Buffered);
    }
    scene.upstream.set(Mood::Up);
    assert_eq!(scene.publisher.publish(1000).await, Published::Buffered);
    assert!(scene.upstream.arrived().is_empty());
    let flushed = scene.publisher.flush_pending().await.expect("a flush");
    assert_eq!(flushed, 1001);
    assert_eq!(scene.upstream.arrived(), (0..=1000).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_published_during_a_flush_arrives_after_the_backlog() {
    let scene = Scene::new(Mood::Away);
    for event in 0..10 {
        scene.publisher.publish(event).await;
    }
    scene.upstream.set(Mood::Waits);
    let flush = scene.publisher.flush_pending();
    let publish = async {
        for event in 10..20_u32 {
            // In the middle of the flush: one more has passed each time.
            let passed = usize::try_from(event - 9).expect("small");
            scene.upstream.until_asked(1 + passed).await;
            assert_eq!(scene.publisher.publish(event).await, Published::Buffered);
            scene.upstream.let_pass(1);
        }
        scene.upstream.let_pass(10);
    };
    let (flushed, ()) = tokio::join!(flush, publish);
    flushed.expect("a flush");
    scene.publisher.flush_pending().await.expect("a flush");
    assert_eq!(scene.upstream.arrived(), (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn whoever_waits_for_a_turn_at_the_sink_goes_behind_the_one_that_was_refused() {
    let scene = Scene::new(Mood::Waits);
    let publisher = scene.publisher.clone();
    let first = tokio::spawn(async move { publisher.publish(1).await });
    scene.upstream.until_asked(1).await;
    let publisher = scene.publisher.clone();
    let second = tokio::spawn(async move { publisher.publish(2).await });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    // The one in flight is dropped with its connection.
    tokio::time::pause();
    assert_eq!(first.await.expect("no panic"), Published::Buffered);
    assert_eq!(second.await.expect("no panic"), Published::Buffered);
    assert_eq!(scene.upstream.asked(), 1);
    scene.upstream.set(Mood::Up);
    scene.publisher.flush_pending().await.expect("a flush");
    assert_eq!(scene.upstream.arrived(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_publish_has_returned_is_not_overtaken_by_one_that_waited_for_a_turn() {
    // Two turns: one is held by an event without an answer, the other by one that is refused.
    let scene = Scene::with(Upstream::wide(Mood::Silent, 2));
    let publisher = scene.publisher.clone();
    let silent = tokio::spawn(async move { publisher.publish(1).await });
    scene.upstream.until_asked(1).await;
    scene.upstream.set(Mood::Away);
    assert_eq!(scene.publisher.publish(2).await, Published::Buffered);
    scene.upstream.set(Mood::Up);
    assert_eq!(scene.publisher.publish(3).await, Published::Buffered);
    assert_eq!(silent.await.expect("no panic"), Published::Buffered);
    scene.publisher.flush_pending().await.expect("a flush");
    assert_eq!(scene.upstream.arrived(), [2, 3, 1]);
}

/// A sink that does anything at all with an event, as its dice fall.
#[derive(Debug)]
struct Chaos {
    dice: Mutex<u64>,
    calm: Mutex<bool>,
    /// How many events it takes at once.
    width: NonZeroUsize,
    batch: NonZeroUsize,
    upstream: Arc<Upstream>,
}

impl Chaos {
    fn roll(&self, sides: u64) -> u64 {
        let mut state = self.dice.lock().expect("not poisoned");
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state % sides
    }

    fn is_calm(&self) -> bool {
        *self.calm.lock().expect("not poisoned")
    }

    async fn answer(&self, delivery: &Delivery<u32>) -> Result<(), SinkError> {
        if self.width.get() > 1 && delivery.record.is_some() {
            // With several in flight a flush keeps its order only if its sink does: at once, and
            // without a refusal between two that it takes.
            self.upstream.take(delivery);
            for _ in 0..self.roll(4) {
                tokio::task::yield_now().await;
            }
            return Ok(());
        }
        for _ in 0..self.roll(4) {
            tokio::task::yield_now().await;
        }
        let fall = if self.is_calm() { 0 } else { self.roll(16) };
        match fall {
            8 => return Err(SinkError::retry("away")),
            9 => return Err(SinkError::retry("busy").after(Duration::from_millis(3))),
            10 => std::future::pending::<()>().await,
            11 => {
                self.upstream.take(delivery);
                std::future::pending::<()>().await;
            }
            12 => {
                self.upstream.take(delivery);
                return Err(SinkError::retry("connection lost"));
            }
            13 => {
                // Still on its way when its sender has given it up.
                let late = (delivery.id(), delivery.event);
                let upstream = Arc::clone(&self.upstream);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(7)).await;
                    upstream.take_late(late);
                });
                return Err(SinkError::retry("no answer"));
            }
            14 => panic!("the sink of this test panics"),
            _ => {}
        }
        self.upstream.take(delivery);
        for _ in 0..self.roll(3) {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

impl AsyncSink<u32> for Chaos {
    fn accept<'a>(&'a self, delivery: &'a Delivery<u32>) -> SinkFuture<'a> {
        Box::pin(self.answer(delivery))
    }

    fn in_flight_max(&self) -> NonZeroUsize {
        self.width
    }

    fn batch_max(&self) -> NonZeroUsize {
        self.batch
    }
}

const TASKS: u32 = 4;
const EVENTS: u32 = 25;

/// Publishes from several tasks through an upstream that does anything, and looks at what a
/// receiver keeps that knows ids.
async fn publish_through_chaos(seed: u64, width: usize, batch: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::new(Mood::Up);
    let chaos = Arc::new(Chaos {
        dice: Mutex::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        calm: Mutex::new(false),
        width: NonZeroUsize::new(width).expect("not 0"),
        batch: NonZeroUsize::new(batch).expect("not 0"),
        upstream: Arc::clone(&upstream),
    });
    let options = PublisherOptions::new()
        .backoff(Duration::from_millis(1), Duration::from_millis(4))
        .attempt_timeout(Duration::from_millis(5));
    let buffer = Arc::new(buffer_in(&folder, 10_000));
    let sink = Arc::<Chaos>::clone(&chaos);
    let publisher = Publisher::with_options(buffer, sink, options);
    let flushes = publisher.start();
    let tasks = (0..TASKS).map(|task| {
        let publisher = publisher.clone();
        tokio::spawn(async move {
            for event in 0..EVENTS {
                let fate = publisher.publish(task * 1000 + event).await;
                assert_ne!(fate, Published::Lost);
                if event % 10 == 9 {
                    publisher.flush_pending().await.expect("a flush");
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    *chaos.calm.lock().expect("not poisoned") = true;
    while publisher.buffered_len().expect("a length") > 0 {
        publisher.flush_pending().await.expect("a flush");
    }
    flushes.shutdown(Duration::ZERO).await.expect("an end");

    let kept = upstream.kept();
    for task in 0..TASKS {
        let own: Vec<u32> = kept
            .iter()
            .copied()
            .filter(|event| event / 1000 == task)
            .collect();
        let wanted: Vec<u32> = (0..EVENTS).map(|event| task * 1000 + event).collect();
        assert_eq!(own, wanted, "seed {seed}, task {task}");
    }
    assert_eq!(kept.len(), usize::try_from(TASKS * EVENTS).expect("small"));
}

#[tokio::test(start_paused = true)]
async fn whatever_the_sink_does_each_task_s_events_are_kept_once_and_in_order() {
    for seed in 0..60 {
        publish_through_chaos(seed, 1, 1).await;
        publish_through_chaos(seed, 3, 1).await;
        publish_through_chaos(seed, 3, 3).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_with_tasks_that_run_at_the_same_time() {
    for seed in 100..112 {
        publish_through_chaos(seed, 1, 1).await;
        publish_through_chaos(seed, 3, 1).await;
        publish_through_chaos(seed, 3, 3).await;
    }
}
