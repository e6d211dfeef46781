//! Flushes on their own: counts, refusals, errors, and two at once.

use std::sync::Arc;

use forebay::{ErrorKind, EventBuffer, Published};

use crate::stage::{Heard, Mood, Scene, Upstream, buffer_in};

/// A scene with the backlog `0..events`, and an upstream that is away.
async fn backlog(events: u32) -> Scene {
    let scene = Scene::new(Mood::Away);
    for event in 0..events {
        assert_eq!(scene.publisher.publish(event).await, Published::Buffered);
    }
    scene
}

#[tokio::test]
async fn a_flush_of_nothing_asks_and_tells_nothing() {
    let scene = Scene::new(Mood::Up);
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 0);
    assert_eq!(scene.upstream.asked(), 0);
    assert_eq!(scene.ear.all(), []);
}

#[tokio::test]
async fn a_flush_is_told_once_with_how_many_it_delivered() {
    let scene = backlog(3).await;
    scene.upstream.set(Mood::Up);
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 3);
    assert_eq!(scene.upstream.arrived(), [0, 1, 2]);
    assert_eq!(scene.buffered(), 0);
    let flushed: Vec<_> = scene.ear.all().split_off(4);
    assert_eq!(flushed, [Heard::Flushed(3)]);
}

#[tokio::test]
async fn a_refusal_is_not_an_error_and_the_refused_event_stays_first() {
    let scene = backlog(5).await;
    scene.upstream.set(Mood::Below(2));
    assert_eq!(scene.publisher.flush_pending().await.expect("no error"), 2);
    assert_eq!(scene.buffered(), 3);
    let heard = scene.ear.all().split_off(6);
    let refused = Heard::FlushRefused("away".to_owned());
    assert_eq!(heard, [refused, Heard::Flushed(2)]);
    scene.upstream.set(Mood::Up);
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 3);
    assert_eq!(scene.upstream.arrived(), (0..5).collect::<Vec<_>>());
}

#[tokio::test]
async fn two_flushes_at_once_deliver_nothing_twice_and_everything_between_them() {
    for in_flight in [1, 4] {
        let scene = Scene::with(Upstream::wide(Mood::Away, in_flight));
        for event in 0..50 {
            scene.publisher.publish(event).await;
        }
        scene.upstream.set(Mood::Waits);
        let both = async {
            tokio::join!(
                scene.publisher.flush_pending(),
                scene.publisher.flush_pending()
            )
        };
        let release = async {
            scene.upstream.until_asked(2).await;
            scene.upstream.let_pass(50);
        };
        let ((one, other), ()) = tokio::join!(both, release);
        assert_eq!(one.expect("a flush") + other.expect("a flush"), 50);
        assert_eq!(scene.upstream.arrived(), (0..50).collect::<Vec<_>>());
        assert_eq!(scene.buffered(), 0);
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_decoded_is_an_error_until_it_is_skipped() {
    let folder = tempfile::tempdir().expect("a folder");
    let buffer = buffer_in(&folder, 100);
    buffer.queue().enqueue(b"\xff not a number").expect("room");
    buffer.enqueue(&7).expect("room");
    let scene = Scene::around(buffer, Upstream::new(Mood::Up), folder);
    let error = scene
        .publisher
        .flush_pending()
        .await
        .expect_err("undecodable");
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(scene.ear.all(), [Heard::FlushFailed(ErrorKind::Decode)]);
    scene.publisher.buffer().skip().expect("skipped");
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 1);
    assert_eq!(scene.upstream.arrived(), [7]);
}

#[tokio::test]
async fn a_flush_of_a_buffer_that_does_not_serve_any_more_is_an_error() {
    let scene = backlog(1).await;
    let queue = scene.publisher.buffer().queue().clone();
    queue.close().expect("closed");
    let error = scene.publisher.flush_pending().await.expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
    let told = scene.ear.all();
    assert_eq!(told.last(), Some(&Heard::FlushFailed(ErrorKind::Closed)));
}

#[tokio::test]
async fn a_flush_never_has_more_in_flight_than_the_sink_takes() {
    let scene = Scene::with(Upstream::wide(Mood::Up, 3));
    let publisher = scene.publisher.clone();
    let together = (0..100).map(|event| {
        let publisher = publisher.clone();
        tokio::spawn(async move { publisher.publish(event).await })
    });
    for task in together.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    assert!(scene.upstream.in_flight_seen() <= 3);
    let mut arrived = scene.upstream.arrived();
    arrived.sort_unstable();
    assert_eq!(arrived, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn publishing_does_not_wait_for_a_flush_that_hangs() {
    let scene = backlog(1).await;
    scene.upstream.set(Mood::Waits);
    let flush = scene.publisher.flush_pending();
    let publish = async {
        scene.upstream.until_asked(2).await;
        assert_eq!(scene.publisher.publish(1).await, Published::Buffered);
        scene.upstream.let_pass(2);
    };
    let (flushed, ()) = tokio::join!(flush, publish);
    // What was published meanwhile belongs to the flush, unless it had just looked for the last time.
    let rest = scene.publisher.flush_pending().await.expect("a flush");
    assert_eq!(flushed.expect("a flush") + rest, 2);
    assert_eq!(scene.upstream.arrived(), [0, 1]);
}

#[tokio::test]
async fn a_drain_of_somebody_else_is_an_error_and_costs_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let buffer: EventBuffer<u32> = buffer_in(&folder, 100);
    buffer.enqueue(&7).expect("room");
    let scene = Scene::around(buffer, Upstream::new(Mood::Up), folder);
    let foreign = Upstream::new(Mood::Silent);
    let sink = Arc::clone(&foreign);
    let publisher = scene.publisher.clone();
    let other = tokio::spawn(async move { publisher.buffer().drain_and_send(&*sink).await });
    foreign.until_asked(1).await;
    let error = scene.publisher.flush_pending().await.expect_err("busy");
    assert_eq!(error.kind(), ErrorKind::Busy);
    other.abort();
    other.await.expect_err("aborted");
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 1);
}

#[tokio::test]
async fn what_a_flush_delivered_before_it_was_dropped_is_told() {
    let scene = backlog(5).await;
    scene.upstream.set(Mood::Waits);
    scene.upstream.let_pass(2);
    tokio::select! {
        flushed = scene.publisher.flush_pending() => panic!("it ended: {flushed:?}"),
        // One direct attempt, two that passed, and one that waits.
        () = scene.upstream.until_asked(4) => {}
    }
    assert_eq!(scene.ear.all().last(), Some(&Heard::Flushed(2)));
    scene.upstream.set(Mood::Up);
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 3);
    assert_eq!(scene.publisher.stats().flushed, 5);
    assert_eq!(scene.upstream.arrived(), (0..5).collect::<Vec<_>>());
}
