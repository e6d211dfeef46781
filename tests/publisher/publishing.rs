//! One event: straight to the sink, into the buffer, or lost and told.

use std::sync::Arc;

use forebay::{Codec, CodecError, ErrorKind, EventBuffer, Published, Publisher, PublisherStats};
use tempfile::TempDir;

use crate::stage::{Heard, Mood, Scene, Upstream, buffer_in};

#[tokio::test]
async fn an_event_goes_straight_to_a_sink_that_is_up_and_no_file_is_touched() {
    let scene = Scene::new(Mood::Up);
    for event in 0..100 {
        assert_eq!(scene.publisher.publish(event).await, Published::Delivered);
        assert_eq!(scene.buffered(), 0);
    }
    assert_eq!(scene.upstream.arrived(), (0..100).collect::<Vec<_>>());
    assert_eq!(scene.ear.all(), vec![Heard::Published; 100]);
    assert_eq!(scene.publisher.buffer().queue().next().get(), 0);
}

#[tokio::test]
async fn an_event_that_the_sink_refuses_is_buffered_and_both_are_told_in_order() {
    let scene = Scene::new(Mood::Away);
    assert_eq!(scene.publisher.publish(7).await, Published::Buffered);
    assert_eq!(scene.buffered(), 1);
    let expected = [Heard::PublishError("away".to_owned()), Heard::Buffered];
    assert_eq!(scene.ear.all(), expected);
}

#[tokio::test]
async fn behind_a_backlog_nothing_is_asked_of_the_sink() {
    let scene = Scene::new(Mood::Away);
    scene.publisher.publish(1).await;
    for event in 2..10 {
        assert_eq!(scene.publisher.publish(event).await, Published::Buffered);
    }
    assert_eq!(scene.upstream.asked(), 1);
    let stats = scene.publisher.stats();
    assert_eq!((stats.publish_errors, stats.buffered), (1, 9));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_does_not_answer_counts_as_away_after_the_timeout() {
    let scene = Scene::new(Mood::Silent);
    assert_eq!(scene.publisher.publish(7).await, Published::Buffered);
    let expected = [
        Heard::PublishError("no answer within 10s".to_owned()),
        Heard::Buffered,
    ];
    assert_eq!(scene.ear.all(), expected);
}

#[tokio::test]
async fn a_sink_that_panics_counts_as_away_and_the_caller_does_not_notice() {
    let scene = Scene::new(Mood::Panics);
    assert_eq!(scene.publisher.publish(7).await, Published::Buffered);
    let text = "the sink panicked: the upstream of this test panics".to_owned();
    let expected = [Heard::PublishError(text), Heard::Buffered];
    assert_eq!(scene.ear.all(), expected);
}

#[tokio::test]
async fn an_event_that_can_be_stored_nowhere_is_lost_counted_and_told() {
    let scene = Scene::new(Mood::Away);
    let queue = scene.publisher.buffer().queue().clone();
    queue.close().expect("closed");
    assert_eq!(scene.publisher.publish(7).await, Published::Lost);
    assert_eq!(scene.publisher.stats().lost, 1);
    let heard = scene.ear.all();
    assert!(
        matches!(heard.as_slice(), [Heard::PublishError(_), Heard::Lost(why)] if why.contains("closed")),
        "{heard:?}"
    );
}

#[tokio::test]
async fn with_a_buffer_that_does_not_serve_any_more_a_sink_that_is_up_still_gets_events() {
    let scene = Scene::new(Mood::Up);
    let queue = scene.publisher.buffer().queue().clone();
    queue.close().expect("closed");
    assert_eq!(scene.publisher.publish(7).await, Published::Delivered);
}

#[tokio::test]
async fn behind_events_that_cannot_be_delivered_any_more_an_event_is_lost_rather_than_overtaking() {
    let scene = Scene::new(Mood::Away);
    scene.publisher.publish(1).await;
    let queue = scene.publisher.buffer().queue().clone();
    queue.close().expect("closed");
    scene.upstream.set(Mood::Up);
    assert_eq!(scene.publisher.publish(2).await, Published::Lost);
    assert!(scene.upstream.arrived().is_empty());
}

#[tokio::test]
async fn without_capacity_what_the_sink_refuses_is_lost_and_not_called_buffered() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::around(buffer_in(&folder, 0), Upstream::new(Mood::Away), folder);
    assert_eq!(scene.publisher.publish(7).await, Published::Lost);
    let expected = [
        Heard::PublishError("away".to_owned()),
        Heard::Lost("not stored: the buffer's capacity is 0".to_owned()),
    ];
    assert_eq!(scene.ear.all(), expected);
}

/// A codec for numbers below 100.
#[derive(Default)]
struct Small;

impl Codec<u32> for Small {
    fn encode(&self, event: &u32, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.push(u8::try_from(*event).map_err(|_size| "too large")?);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<u32, CodecError> {
        bytes.first().copied().map(u32::from).ok_or("empty".into())
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_encoded_is_lost_and_the_next_one_is_not() {
    let folder = TempDir::new().expect("a folder");
    let buffer: EventBuffer<u32, Small> =
        EventBuffer::new(folder.path().join("buffer"), 10).expect("a buffer");
    let upstream = Upstream::new(Mood::Up);
    let publisher = Publisher::new(Arc::new(buffer), upstream);
    assert_eq!(publisher.publish(1000).await, Published::Lost);
    assert_eq!(publisher.publish(10).await, Published::Delivered);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_comes_again_under_the_same_id() {
    for mood in [Mood::TakesSilently, Mood::TakesAndRefuses] {
        let scene = Scene::new(mood);
        assert_eq!(scene.publisher.publish(7).await, Published::Buffered);
        scene.upstream.set(Mood::Up);
        assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 1);
        assert_eq!(scene.upstream.arrived(), [7, 7]);
        assert_eq!(scene.upstream.kept(), [7]);
    }
}

#[tokio::test]
async fn equal_events_are_different_events() {
    let scene = Scene::new(Mood::Up);
    scene.publisher.publish(7).await;
    scene.upstream.set(Mood::Away);
    scene.publisher.publish(7).await;
    scene.publisher.publish(7).await;
    scene.upstream.set(Mood::Up);
    scene.publisher.flush_pending().await.expect("a flush");
    assert_eq!(scene.upstream.kept(), [7, 7, 7]);
}

/// Events need not be cloned: this one cannot be.
struct Unique(u8);

struct Raw;

impl Codec<Unique> for Raw {
    fn encode(&self, event: &Unique, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.push(event.0);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Unique, CodecError> {
        Ok(Unique(*bytes.first().ok_or("empty")?))
    }
}

#[derive(Debug, Default)]
struct Last(std::sync::atomic::AtomicU8);

impl forebay::AsyncSink<Unique> for Last {
    fn accept<'a>(&'a self, delivery: &'a forebay::Delivery<Unique>) -> forebay::SinkFuture<'a> {
        use std::sync::atomic::Ordering;
        Box::pin(async move {
            assert_eq!(delivery.payload, [delivery.event.0]);
            self.0.store(delivery.event.0, Ordering::Relaxed);
            Err(forebay::SinkError::retry("away"))
        })
    }
}

#[tokio::test]
async fn an_event_is_borrowed_and_encoded_once_for_the_sink_and_the_buffer() {
    let folder = TempDir::new().expect("a folder");
    let options = forebay::QueueOptions::new();
    let path = folder.path().join("buffer");
    let buffer = EventBuffer::with_codec(path, 10, options, Raw).expect("a buffer");
    let last = Arc::new(Last::default());
    let sink = Arc::<Last>::clone(&last);
    let publisher = Publisher::new(Arc::new(buffer), sink);
    assert_eq!(publisher.publish(Unique(9)).await, Published::Buffered);
    assert_eq!(last.0.load(std::sync::atomic::Ordering::Relaxed), 9);
}

#[tokio::test]
async fn the_counters_are_those_of_what_was_told() {
    let scene = Scene::new(Mood::Up);
    scene.publisher.publish(1).await;
    scene.upstream.set(Mood::Away);
    scene.publisher.publish(2).await;
    scene.publisher.publish(3).await;
    scene.upstream.set(Mood::Up);
    scene.publisher.flush_pending().await.expect("a flush");
    let PublisherStats {
        published,
        publish_errors,
        buffered,
        flushed,
        parked,
        lost,
        ..
    } = scene.publisher.stats();
    assert_eq!((published, publish_errors), (1, 1));
    assert_eq!((buffered, flushed), (2, 2));
    assert_eq!((parked, lost), (0, 0));
}

#[tokio::test]
async fn an_event_is_buffered_also_where_the_file_of_keys_is_damaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::around(buffer_in(&folder, 100), Upstream::new(Mood::Away), folder);
    scene.publisher.publish(1).await;
    let Scene {
        folder, publisher, ..
    } = scene;
    let queue = publisher.buffer().queue().clone();
    queue.close().expect("closed");
    drop(publisher);
    let keys = folder.path().join("buffer").join("KEYS");
    let mut bytes = std::fs::read(&keys).expect("the file of keys");
    bytes.fill(0xa5);
    std::fs::write(&keys, bytes).expect("damage");

    let scene = Scene::around(buffer_in(&folder, 100), Upstream::new(Mood::Away), folder);
    let refused = scene.publisher.buffer().enqueue_once([7; 16], &7);
    assert_eq!(refused.expect_err("no keys").kind(), ErrorKind::Corrupt);
    assert_eq!(scene.publisher.publish(2).await, Published::Buffered);
    scene.upstream.set(Mood::Up);
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 2);
    assert_eq!(scene.upstream.kept(), [1, 2]);
}

#[tokio::test]
async fn a_backlog_of_an_earlier_life_is_delivered_before_what_is_published_now() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::around(buffer_in(&folder, 100), Upstream::new(Mood::Away), folder);
    for event in 0..5 {
        scene.publisher.publish(event).await;
    }
    let Scene {
        folder, publisher, ..
    } = scene;
    drop(publisher);
    // The upstream is away when the program starts, and comes later.
    let scene = Scene::around(buffer_in(&folder, 100), Upstream::new(Mood::Away), folder);
    assert_eq!(scene.publisher.publish(5).await, Published::Buffered);
    assert_eq!(scene.upstream.asked(), 0);
    scene.upstream.set(Mood::Up);
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 6);
    assert_eq!(scene.upstream.kept(), (0..6).collect::<Vec<_>>());
}
