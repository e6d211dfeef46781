//! Events that the sink will never accept: they stand before nobody, and are told.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;

use forebay::{
    Accepted, AsyncSink, BatchFuture, DeadLetters, Delivery, Published, Publisher,
    PublisherOptions, SinkError, SinkFuture,
};

use crate::stage::{Heard, Mood, Scene, Upstream, buffer_in};

fn is_odd(event: u32) -> bool {
    event % 2 == 1
}

fn lost() -> Heard {
    Heard::Lost("rejected: poison".to_owned())
}

#[tokio::test]
async fn a_rejected_event_is_lost_told_with_the_reason_and_not_buffered() {
    let scene = Scene::new(Mood::Rejects(is_odd));
    assert_eq!(scene.publisher.publish(1).await, Published::Lost);
    assert_eq!(scene.publisher.publish(2).await, Published::Delivered);
    assert_eq!(scene.buffered(), 0);
    let expected = [
        Heard::PublishError("poison".to_owned()),
        lost(),
        Heard::Published,
    ];
    assert_eq!(scene.ear.all(), expected);
}

#[tokio::test]
async fn a_flush_gives_up_what_is_rejected_once_and_delivers_all_others_in_order() {
    for (in_flight, together) in [(1, 1), (8, 1), (8, 8)] {
        let scene = Scene::with(Upstream::together(Mood::Away, in_flight, together));
        for event in 0..30 {
            scene.publisher.publish(event).await;
        }
        scene.upstream.set(Mood::Rejects(is_odd));
        let flushed = scene.publisher.flush_pending().await.expect("a flush");
        assert_eq!(flushed, 15, "{in_flight} in flight");
        assert_eq!(scene.buffered(), 0);
        let even: Vec<u32> = (0..30).filter(|event| !is_odd(*event)).collect();
        assert_eq!(scene.upstream.kept(), even);
        let heard = scene.ear.all();
        let losses = heard.iter().filter(|heard| **heard == lost()).count();
        assert_eq!(losses, 15, "{in_flight} in flight");
        assert_eq!(heard.last(), Some(&Heard::Flushed(15)));
        assert_eq!(scene.publisher.stats().lost, 15);
    }
}

#[tokio::test]
async fn what_is_rejected_behind_a_refusal_is_given_up_once() {
    let scene = Scene::with(Upstream::wide(Mood::Away, 8));
    for event in 1..=3 {
        scene.publisher.publish(event).await;
    }
    // 1 is given up, 2 stays; 3 is rejected behind it, and comes again.
    scene.upstream.set(Mood::AwayRejects(is_odd));
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 0);
    assert_eq!(scene.buffered(), 2);
    assert_eq!(scene.publisher.stats().lost, 1);
    scene.upstream.set(Mood::Rejects(is_odd));
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 1);
    assert_eq!(scene.publisher.stats().lost, 2);
    assert_eq!(scene.upstream.kept(), [2]);
}

/// A scene with dead letters, and the reasons that are in them.
fn with_letters(upstream: Arc<Upstream>) -> (Scene, DeadLetters) {
    let folder = tempfile::tempdir().expect("a folder");
    let letters = DeadLetters::open(folder.path().join("dead")).expect("dead letters");
    let options = PublisherOptions::new().dead_letters(&letters);
    let buffer = buffer_in(&folder, 10_000);
    (Scene::tuned(buffer, upstream, folder, options), letters)
}

fn reasons(letters: &DeadLetters) -> Vec<String> {
    let mut reasons = Vec::new();
    letters
        .visit(|letter| {
            reasons.push(letter.reason.clone());
            ControlFlow::Continue(())
        })
        .expect("readable");
    reasons
}

#[tokio::test]
async fn with_dead_letters_a_rejected_event_is_parked_by_the_next_flush_and_nobody_waits_for_it() {
    let (scene, letters) = with_letters(Upstream::new(Mood::Rejects(is_odd)));
    assert_eq!(scene.publisher.publish(1).await, Published::Buffered);
    assert_eq!(scene.publisher.publish(2).await, Published::Buffered);
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 1);
    assert_eq!(scene.upstream.arrived(), [2]);
    assert_eq!(reasons(&letters), ["poison"]);
    let stats = scene.publisher.stats();
    assert_eq!((stats.parked, stats.lost), (1, 0));
    assert!(scene.ear.all().contains(&Heard::Parked(1)));
}

#[tokio::test]
async fn with_dead_letters_the_loop_parks_at_once() {
    let (scene, letters) = with_letters(Upstream::new(Mood::Rejects(is_odd)));
    let _flushes = scene.publisher.start();
    assert_eq!(scene.publisher.publish(1).await, Published::Buffered);
    scene.ear.until(|heard| *heard == Heard::Parked(1)).await;
    assert_eq!(letters.len().expect("a count"), 1);
    assert_eq!(scene.buffered(), 0);
}

#[tokio::test]
async fn with_dead_letters_every_rejected_event_of_a_backlog_is_parked_once_in_order() {
    for in_flight in [1, 8] {
        let (scene, letters) = with_letters(Upstream::wide(Mood::Away, in_flight));
        for event in 0..30 {
            scene.publisher.publish(event).await;
        }
        scene.upstream.set(Mood::Rejects(is_odd));
        let flushed = scene.publisher.flush_pending().await.expect("a flush");
        assert_eq!(flushed, 15, "{in_flight} in flight");
        assert_eq!(reasons(&letters).len(), 15);
        let even: Vec<u32> = (0..30).filter(|event| !is_odd(*event)).collect();
        assert_eq!(scene.upstream.kept(), even);
        assert_eq!(scene.publisher.stats().parked, 15);
        assert_eq!(scene.publisher.stats().lost, 0);
    }
}

#[tokio::test]
async fn a_sink_that_confirms_more_than_it_was_given_has_confirmed_what_it_was_given() {
    struct Boastful;

    impl AsyncSink<u32> for Boastful {
        fn accept<'a>(&'a self, _: &'a Delivery<u32>) -> SinkFuture<'a> {
            Box::pin(async { Err(SinkError::retry("not alone")) })
        }

        fn in_flight_max(&self) -> NonZeroUsize {
            NonZeroUsize::new(8).expect("not 0")
        }

        fn accept_batch<'a>(&'a self, _: &'a [Delivery<u32>]) -> BatchFuture<'a> {
            Box::pin(async { Accepted::all(usize::MAX) })
        }

        fn batch_max(&self) -> NonZeroUsize {
            NonZeroUsize::new(4).expect("not 0")
        }
    }

    let folder = tempfile::tempdir().expect("a folder");
    let buffer = Arc::new(buffer_in(&folder, 100));
    for event in 0..8 {
        buffer.enqueue(&event).expect("there is room");
    }
    let publisher = Publisher::new(buffer, Arc::new(Boastful));
    assert_eq!(publisher.flush_pending().await.expect("a flush"), 8);
}
