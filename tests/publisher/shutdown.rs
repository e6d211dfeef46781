//! The end of the flush loop: a last flush, a deadline, nothing cut in two.

use std::time::Duration;

use forebay::{EventBuffer, Published};
use tokio::time::Instant;

use crate::stage::{Heard, Mood, Scene};

const DEADLINE: Duration = Duration::from_secs(3);

#[tokio::test(start_paused = true)]
async fn a_shutdown_flushes_once_more_although_the_loop_was_waiting() {
    let scene = Scene::new(Mood::AwayFor(Duration::from_hours(1)));
    let flushes = scene.publisher.start();
    scene.publisher.publish(1).await;
    scene.publisher.publish(2).await;
    scene.upstream.set(Mood::Up);
    let began = Instant::now();
    let left = flushes.shutdown(DEADLINE).await.expect("an end");
    assert_eq!(left.buffered, 0);
    assert_eq!(scene.upstream.arrived(), [1, 2]);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_is_waited_for_until_the_deadline_and_what_is_left_is_told() {
    let scene = Scene::new(Mood::Away);
    let flushes = scene.publisher.start();
    scene.publisher.publish(1).await;
    scene.publisher.publish(2).await;
    scene.upstream.set(Mood::Silent);
    let began = Instant::now();
    let left = flushes.shutdown(DEADLINE).await.expect("an end");
    assert_eq!(left.buffered, 2);
    assert!(began.elapsed() >= DEADLINE);
    assert!(began.elapsed() < DEADLINE * 2);
    let refused = Heard::FlushRefused("the publisher is shutting down".to_owned());
    assert!(scene.ear.all().contains(&refused));
}

#[tokio::test(start_paused = true)]
async fn what_the_sink_confirmed_before_the_deadline_does_not_come_again() {
    let scene = Scene::new(Mood::Away);
    let flushes = scene.publisher.start();
    for event in 0..5 {
        scene.publisher.publish(event).await;
    }
    scene.upstream.set(Mood::Waits);
    scene.upstream.let_pass(3);
    let left = flushes.shutdown(DEADLINE).await.expect("an end");
    assert_eq!(left.buffered, 2);
    scene.upstream.set(Mood::Up);
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 2);
    assert_eq!(scene.upstream.arrived(), (0..5).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_flush_under_way_is_ended_by_the_deadline_too() {
    let scene = Scene::new(Mood::Away);
    let flushes = scene.publisher.start();
    scene.publisher.publish(1).await;
    scene.upstream.set(Mood::Silent);
    scene.upstream.until_asked(2).await;
    let began = Instant::now();
    let left = flushes.shutdown(DEADLINE).await.expect("an end");
    assert_eq!(left.buffered, 1);
    assert!(began.elapsed() < DEADLINE * 2);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_always_confirms_at_once_does_not_outlast_a_deadline_that_is_over() {
    let scene = Scene::new(Mood::AwayFor(Duration::from_hours(1)));
    let flushes = scene.publisher.start();
    scene.publisher.publish(1).await;
    scene.upstream.set(Mood::Up);
    let left = flushes.shutdown(Duration::ZERO).await.expect("an end");
    assert_eq!(left.buffered, 1);
    assert_eq!(scene.upstream.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn after_stop_a_shutdown_asks_nothing_of_the_sink() {
    let scene = Scene::new(Mood::Stopped);
    let flushes = scene.publisher.start();
    scene.publisher.publish(1).await;
    let left = flushes.shutdown(DEADLINE).await.expect("an end");
    assert_eq!(left.buffered, 1);
    assert_eq!(scene.upstream.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_without_a_backlog_ends_at_once_and_publishing_goes_on_without_the_loop() {
    let scene = Scene::new(Mood::Up);
    let flushes = scene.publisher.start();
    let began = Instant::now();
    let left = flushes.shutdown(Duration::MAX).await.expect("an end");
    assert_eq!(left.buffered, 0);
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(scene.publisher.publish(1).await, Published::Delivered);
    // And with a loop of its own afterwards.
    scene.upstream.set(Mood::Away);
    scene.publisher.publish(2).await;
    scene.upstream.set(Mood::Up);
    let flushes = scene.publisher.start();
    let left = flushes.shutdown(DEADLINE).await.expect("an end");
    assert_eq!(left.buffered, 0);
    assert_eq!(scene.upstream.arrived(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_is_dropped_asks_for_nothing_more_and_lets_go_of_the_buffer() {
    let scene = Scene::new(Mood::Away);
    let flushes = scene.publisher.start();
    scene.publisher.publish(1).await;
    drop(flushes);
    scene.upstream.come_back();
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert!(scene.upstream.arrived().is_empty());
    // Nobody else holds the buffer, once the thread of its last flush has ended.
    let Scene {
        folder, publisher, ..
    } = scene;
    drop(publisher);
    let began = std::time::Instant::now();
    let again = loop {
        match EventBuffer::<u32>::new(folder.path().join("buffer"), 10) {
            Ok(again) => break again,
            Err(error) => assert!(began.elapsed() < Duration::from_mins(1), "{error}"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(again.len().expect("a length"), 1);
}
