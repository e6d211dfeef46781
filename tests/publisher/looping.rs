//! The flush loop: what wakes it, what it waits for, and what ends its tries.
//!
//! The clock of these tests stands still but for what somebody sleeps for: that no time has passed
//! means that nobody waited for the clock.

use std::sync::Arc;
use std::time::Duration;

use forebay::{Codec, CodecError, ErrorKind, EventBuffer, Published, Publisher, PublisherOptions};
use tokio::time::{Instant, sleep};

use crate::stage::{BACKOFF_INITIAL, BACKOFF_MAX, Ear, Heard, Mood, Scene, Upstream, buffer_in};

fn is_flushed(heard: &Heard) -> bool {
    matches!(heard, Heard::Flushed(_))
}

fn is_refused(heard: &Heard) -> bool {
    matches!(heard, Heard::FlushRefused(_))
}

#[tokio::test(start_paused = true)]
async fn a_backlog_of_an_earlier_life_is_flushed_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let buffer = buffer_in(&folder, 100);
    buffer.enqueue(&1).expect("room");
    buffer.enqueue(&2).expect("room");
    let scene = Scene::around(buffer, Upstream::new(Mood::Up), folder);
    let began = Instant::now();
    let _flushes = scene.publisher.start();
    scene.ear.until(is_flushed).await;
    assert_eq!(scene.upstream.arrived(), [1, 2]);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_the_loop_waits_longer_each_time_up_to_the_limit_and_nobody_polls() {
    let scene = Scene::new(Mood::Away);
    let _flushes = scene.publisher.start();
    scene.publisher.publish(1).await;
    let mut full = BACKOFF_INITIAL;
    for tries in 2..20 {
        let began = Instant::now();
        scene.upstream.until_asked(tries).await;
        let waited = began.elapsed();
        assert!(
            waited >= full / 2 && waited <= full + Duration::from_millis(10),
            "{waited:?} before try {tries}"
        );
        full = (full * 2).min(BACKOFF_MAX);
    }
}

#[tokio::test(start_paused = true)]
async fn more_events_are_no_reason_to_ask_a_sink_that_is_away() {
    let scene = Scene::new(Mood::AwayFor(Duration::from_hours(1)));
    let _flushes = scene.publisher.start();
    let began = Instant::now();
    for event in 0..100 {
        assert_eq!(scene.publisher.publish(event).await, Published::Buffered);
    }
    assert_eq!(scene.upstream.asked(), 1);
    scene.upstream.until_asked(2).await;
    assert!(began.elapsed() >= Duration::from_hours(1));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_refused_while_the_loop_is_idle_is_tried_again() {
    let scene = Scene::new(Mood::Up);
    let _flushes = scene.publisher.start();
    // The clock moves only when nobody has anything to do.
    sleep(BACKOFF_INITIAL).await;
    scene.upstream.set(Mood::Away);
    assert_eq!(scene.publisher.publish(1).await, Published::Buffered);
    scene.upstream.set(Mood::Up);
    sleep(BACKOFF_INITIAL * 2).await;
    scene.quiet().await;
    assert_eq!(scene.upstream.arrived(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_return_of_the_sink_is_reason_enough_and_no_time_passes() {
    let scene = Scene::new(Mood::AwayFor(Duration::from_hours(1)));
    let _flushes = scene.publisher.start();
    let began = Instant::now();
    scene.publisher.publish(1).await;
    scene.publisher.publish(2).await;
    // The loop gets to its pause.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    scene.upstream.come_back();
    scene.ear.until(is_flushed).await;
    assert_eq!(scene.upstream.arrived(), [1, 2]);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_return_during_the_attempt_that_fails_is_not_missed() {
    let scene = Scene::new(Mood::Away);
    let flushes = scene.publisher.start();
    scene.publisher.publish(1).await;
    scene.upstream.set(Mood::TakesSilently);
    scene.upstream.until_asked(2).await;
    // In the middle of the flush, whose event will get no answer.
    scene.upstream.come_back();
    scene.ear.until(is_refused).await;
    let refused = Instant::now();
    scene.ear.until(is_flushed).await;
    assert_eq!(refused.elapsed(), Duration::ZERO);
    assert_eq!(scene.upstream.kept(), [1]);
    drop(flushes);
}

#[tokio::test(start_paused = true)]
async fn after_a_success_the_pauses_begin_anew() {
    let scene = Scene::new(Mood::Away);
    let _flushes = scene.publisher.start();
    scene.publisher.publish(1).await;
    scene.upstream.until_asked(12).await;
    scene.upstream.come_back();
    scene.ear.until(is_flushed).await;
    scene.upstream.set(Mood::Away);
    assert_eq!(scene.publisher.publish(2).await, Published::Buffered);
    let began = Instant::now();
    let asked = scene.upstream.asked();
    scene.upstream.until_asked(asked + 1).await;
    assert!(began.elapsed() <= BACKOFF_INITIAL + Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn what_goes_into_the_buffer_beside_a_flush_that_is_ending_is_flushed_and_no_time_passes() {
    let scene = Scene::new(Mood::Yields);
    let _flushes = scene.publisher.start();
    let began = Instant::now();
    let mut event = 0;
    for _ in 0..100 {
        scene.publisher.buffer().enqueue(&event).expect("room");
        let first = scene.publisher.flush_pending();
        // Finds the flush under way, so it is buffered although the sink is up: now, or when the
        // flush has looked for the last time.
        let second = async {
            for _ in 0..event % 7 {
                tokio::task::yield_now().await;
            }
            scene.publisher.publish(event + 1).await
        };
        let (flushed, published) = tokio::join!(first, second);
        flushed.expect("a flush");
        assert_ne!(published, Published::Lost);
        until_empty(&scene).await;
        event += 2;
    }
    assert_eq!(scene.upstream.kept(), (0..event).collect::<Vec<_>>());
    let buffered = scene.publisher.stats().buffered;
    assert!(buffered > 10, "only {buffered} came beside a flush");
    assert_eq!(began.elapsed(), Duration::ZERO);
}

/// Waits until the buffer is empty; the limit only ends a hang.
async fn until_empty(scene: &Scene) {
    let began = std::time::Instant::now();
    while scene.buffered() > 0 {
        assert!(began.elapsed() < Duration::from_mins(1), "nobody flushes");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn stop_ends_the_tries_until_somebody_asks() {
    let scene = Scene::new(Mood::Stopped);
    let _flushes = scene.publisher.start();
    scene.publisher.publish(1).await;
    sleep(Duration::from_hours(24)).await;
    scene.quiet().await;
    assert_eq!(scene.upstream.asked(), 1);
    scene.upstream.come_back();
    sleep(Duration::from_hours(24)).await;
    scene.quiet().await;
    assert_eq!(scene.upstream.asked(), 1, "a return is no permission");
    let began = Instant::now();
    scene.publisher.resume();
    scene.ear.until(is_flushed).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(scene.upstream.arrived(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_somebody_asks_for_after_stop_has_the_loop_go_on() {
    let scene = Scene::new(Mood::Stopped);
    let _flushes = scene.publisher.start();
    scene.publisher.publish(1).await;
    scene.upstream.set(Mood::Up);
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 1);
    scene.upstream.set(Mood::Away);
    scene.publisher.publish(2).await;
    scene.upstream.set(Mood::Up);
    scene
        .ear
        .until(|_| scene.upstream.arrived() == [1, 2])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_panics_is_told_of_and_tried_again() {
    let scene = Scene::new(Mood::Away);
    let _flushes = scene.publisher.start();
    scene.publisher.publish(1).await;
    scene.upstream.set(Mood::Panics);
    let text = "the sink panicked: the upstream of this test panics";
    scene
        .ear
        .until(|heard| *heard == Heard::FlushRefused(text.to_owned()))
        .await;
    scene.upstream.set(Mood::Up);
    scene.ear.until(is_flushed).await;
    assert_eq!(scene.upstream.arrived(), [1]);
}

/// A codec that cannot decode without a panic, the first time.
#[derive(Default)]
struct Fragile(std::sync::atomic::AtomicBool);

impl Codec<u32> for Fragile {
    fn encode(&self, event: &u32, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(&event.to_le_bytes());
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<u32, CodecError> {
        let was = self.0.swap(true, std::sync::atomic::Ordering::Relaxed);
        assert!(was, "the codec of this test panics");
        Ok(u32::from_le_bytes(bytes.try_into()?))
    }
}

#[tokio::test(start_paused = true)]
async fn a_codec_that_panics_in_a_flush_does_not_end_the_loop() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("buffer");
    let buffer: EventBuffer<u32, Fragile> = EventBuffer::new(path, 10).expect("a buffer");
    buffer.enqueue(&7).expect("room");
    let upstream = Upstream::new(Mood::Up);
    let ear = Ear::new();
    let options = PublisherOptions::new().listener(Arc::<Ear>::clone(&ear));
    let sink = Arc::<Upstream>::clone(&upstream);
    let publisher = Publisher::with_options(Arc::new(buffer), sink, options);
    let _flushes = publisher.start();
    ear.until(is_flushed).await;
    assert_eq!(
        ear.all(),
        [Heard::FlushFailed(ErrorKind::Io), Heard::Flushed(1)]
    );
    assert_eq!(upstream.arrived(), [7]);
}

#[tokio::test(start_paused = true)]
async fn a_buffer_that_fails_is_told_of_and_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let buffer = buffer_in(&folder, 100);
    buffer.queue().enqueue(b"\xff not a number").expect("room");
    buffer.enqueue(&7).expect("room");
    let scene = Scene::around(buffer, Upstream::new(Mood::Up), folder);
    let _flushes = scene.publisher.start();
    let failed = Heard::FlushFailed(ErrorKind::Decode);
    scene.ear.until(|heard| *heard == failed).await;
    scene.publisher.buffer().skip().expect("skipped");
    scene.ear.until(is_flushed).await;
    assert_eq!(scene.upstream.arrived(), [7]);
}

/// A sink that says it is back whenever it is asked, and refuses everything.
struct Eager(Arc<Upstream>);

impl forebay::AsyncSink<u32> for Eager {
    fn accept<'a>(&'a self, delivery: &'a forebay::Delivery<u32>) -> forebay::SinkFuture<'a> {
        self.0.accept(delivery)
    }

    fn reconnected(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_always_claims_to_be_back_is_left_alone_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::new(Mood::Away);
    let sink = Arc::new(Eager(Arc::clone(&upstream)));
    let buffer = buffer_in(&folder, 10_000);
    let publisher = Publisher::new(Arc::new(buffer), sink);
    let _flushes = publisher.start();
    publisher.publish(1).await;
    // The clock stands still as long as somebody runs: a loop that waits for it asks nothing more.
    let began = Instant::now();
    for _ in 0..1000 {
        while publisher.buffer().drain(|_| Err::<(), ()>(())).is_err() {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(upstream.asked(), 1);
    upstream.until_asked(5).await;
    assert!(began.elapsed() > Duration::ZERO);
}
