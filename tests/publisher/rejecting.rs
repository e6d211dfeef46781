//! Events that the sink will never accept: they stand before nobody, and are told.

use forebay::Published;

use crate::stage::{Heard, Mood, Scene, Upstream};

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
    for in_flight in [1, 8] {
        let scene = Scene::with(Upstream::wide(Mood::Away, in_flight));
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
