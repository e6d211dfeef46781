//! The outage that everything here is for, in the numbers in which it is usually told.

use forebay::Published;

use crate::stage::{Heard, Mood, Scene};

#[tokio::test]
async fn a_hundred_events_of_an_outage_arrive_after_the_thousand_before_it() {
    let scene = Scene::new(Mood::Up);
    for event in 0..1000 {
        assert_eq!(scene.publisher.publish(event).await, Published::Delivered);
    }
    assert_eq!(scene.buffered(), 0);

    scene.upstream.set(Mood::Away);
    for event in 1000..1100 {
        assert_eq!(scene.publisher.publish(event).await, Published::Buffered);
    }
    assert_eq!(scene.buffered(), 100);

    scene.upstream.set(Mood::Up);
    assert_eq!(scene.publisher.flush_pending().await.expect("a flush"), 100);
    assert_eq!(scene.buffered(), 0);
    assert_eq!(scene.upstream.arrived(), (0..1100).collect::<Vec<_>>());

    let stats = scene.publisher.stats();
    assert_eq!((stats.published, stats.buffered), (1000, 100));
    assert_eq!((stats.flushed, stats.lost), (100, 0));
    assert_eq!(scene.ear.all().last(), Some(&Heard::Flushed(100)));
}

#[tokio::test]
async fn after_the_outage_events_go_straight_to_the_sink_again() {
    let scene = Scene::new(Mood::Away);
    scene.publisher.publish(0).await;
    scene.upstream.set(Mood::Up);
    scene.publisher.flush_pending().await.expect("a flush");
    assert_eq!(scene.publisher.publish(1).await, Published::Delivered);
    assert_eq!(scene.upstream.arrived(), [0, 1]);
}
