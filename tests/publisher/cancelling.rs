//! Futures that are dropped at any of their await points.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use forebay::Published;

use crate::stage::{Mood, Scene, Upstream};

/// Polls `future` so many times, then drops it; its output where it was ready by then.
async fn polled<F: Future>(future: F, times: usize) -> Option<F::Output> {
    struct Limited<'a, F>(Pin<&'a mut F>, usize);

    impl<F: Future> Future for Limited<'_, F> {
        type Output = Option<F::Output>;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
            if self.1 == 0 {
                return Poll::Ready(None);
            }
            self.1 -= 1;
            let polled = self.0.as_mut().poll(context).map(Some);
            if polled.is_pending() && self.1 == 0 {
                return Poll::Ready(None);
            }
            polled
        }
    }

    let mut future = pin!(future);
    Limited(future.as_mut(), times).await
}

#[tokio::test]
async fn a_flush_that_is_dropped_at_any_await_point_loses_nothing() {
    const EVENTS: u32 = 6;
    for in_flight in [1_u32, 4] {
        let width = usize::try_from(in_flight).expect("small");
        for times in 1.. {
            assert!(times < 10_000, "the flush never ends");
            let scene = Scene::with(Upstream::wide(Mood::Away, width));
            for event in 0..EVENTS {
                scene.publisher.publish(event).await;
            }
            // Each event takes two polls and a turn of the executor.
            scene.upstream.set(Mood::Yields);
            let ended = polled(scene.publisher.flush_pending(), times).await;
            scene.upstream.set(Mood::Up);
            scene.publisher.flush_pending().await.expect("a flush");
            assert_eq!(scene.buffered(), 0);
            let kept: Vec<u32> = (0..EVENTS).collect();
            assert_eq!(scene.upstream.kept(), kept, "dropped after {times} polls");
            let arrived = u32::try_from(scene.upstream.arrived().len()).expect("small");
            assert!(arrived <= EVENTS + in_flight, "{arrived} arrived");
            if let Some(flushed) = ended {
                assert_eq!(flushed.expect("a flush"), kept.len());
                assert_eq!(arrived, EVENTS);
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_publish_that_is_dropped_leaves_its_event_once_or_not_and_the_next_one_behind_it() {
    for mood in [Mood::Yields, Mood::Away, Mood::TakesAndRefuses] {
        for times in 1.. {
            assert!(times < 1000, "the publish never ends");
            let scene = Scene::new(mood);
            let ended = polled(scene.publisher.publish(1), times).await;
            let next = scene.publisher.publish(2).await;
            assert_ne!(next, Published::Lost);
            scene.upstream.set(Mood::Up);
            while scene.buffered() > 0 {
                scene.publisher.flush_pending().await.expect("a flush");
            }
            let mut kept = scene.upstream.kept();
            if ended.is_some() {
                assert_eq!(kept, [1, 2]);
                break;
            }
            // A publish that did not return promises nothing about the order.
            kept.sort_unstable();
            assert!(
                kept == [1, 2] || kept == [2],
                "{kept:?} after {times} polls"
            );
        }
    }
}

#[tokio::test]
async fn a_flush_that_is_dropped_lets_the_next_one_in_and_publishing_go_straight() {
    let scene = Scene::new(Mood::Away);
    scene.publisher.publish(1).await;
    scene.upstream.set(Mood::Waits);
    assert!(polled(scene.publisher.flush_pending(), 1).await.is_none());
    scene.upstream.set(Mood::Up);
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 1);
    assert_eq!(scene.publisher.publish(2).await, Published::Delivered);
}
