//! Several events in flight: acknowledged in order, whatever the order in which they are answered.

use forebay::{Refusal, SinkError};

use super::executor::Task;
use super::upstream::{Answer, Upstream};
use super::{filled, folder, left};

#[test]
fn what_is_accepted_out_of_order_is_removed_in_order() -> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 4);
    let upstream = Upstream::new(4, |_| Answer::Hold);
    let mut drain = Task::new(buffer.drain_and_send(&upstream));
    assert!(drain.run_until(|| upstream.offered().len() == 4).is_none());
    upstream.release(2, Ok(()));
    upstream.release(1, Ok(()));
    assert!(drain.run_until(|| upstream.accepted() == [2, 1]).is_none());
    assert_eq!(buffer.len()?, 4);
    upstream.release(0, Ok(()));
    assert!(
        drain
            .run_until(|| buffer.len().is_ok_and(|left| left == 1))
            .is_none()
    );
    drop(drain);
    assert_eq!(left(&buffer), [3]);
    Ok(())
}

#[test]
fn what_is_accepted_behind_one_in_flight_comes_again_when_the_drain_is_dropped() {
    let folder = folder();
    let buffer = filled(&folder, 4);
    let upstream = Upstream::new(3, |_| Answer::Hold);
    let mut drain = Task::new(buffer.drain_and_send(&upstream));
    assert!(drain.run_until(|| upstream.offered().len() == 3).is_none());
    upstream.release(2, Ok(()));
    upstream.release(1, Ok(()));
    assert!(drain.run_until(|| upstream.accepted() == [2, 1]).is_none());
    drop(drain);
    assert_eq!(left(&buffer), [0, 1, 2, 3]);
}

#[test]
fn after_a_refusal_nothing_more_is_handed_out_and_those_in_flight_are_waited_for()
-> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 9);
    let upstream = Upstream::new(3, |_| Answer::Hold);
    let mut drain = Task::new(buffer.send_to(&upstream));
    assert!(drain.run_until(|| upstream.offered().len() == 3).is_none());
    // The second one is refused while the first and the third are under way.
    upstream.release(1, Err(SinkError::retry("slow down")));
    assert!(drain.poll().is_pending());
    upstream.release(0, Ok(()));
    assert!(drain.poll().is_pending(), "the third is in flight");
    assert_eq!(upstream.offered(), [0, 1, 2]);
    upstream.release(2, Ok(()));
    let sent = drain.finish()?;
    assert_eq!(upstream.offered(), [0, 1, 2]);
    let refused = sent.refused.expect("one was refused");
    assert_eq!((sent.accepted, refused.refusal()), (1, Refusal::Retry));
    assert_eq!(refused.to_string(), "slow down");
    // The third was accepted, and comes again all the same.
    assert_eq!(left(&buffer), (1..9).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn the_first_of_two_refusals_is_the_one_that_is_told() -> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 3);
    let upstream = Upstream::new(3, |_| Answer::Hold);
    let mut drain = Task::new(buffer.send_to(&upstream));
    assert!(drain.run_until(|| upstream.offered().len() == 3).is_none());
    upstream.release(2, Err(SinkError::stop("the third")));
    assert!(drain.poll().is_pending());
    upstream.release(1, Err(SinkError::retry("the second")));
    upstream.release(0, Ok(()));
    let sent = drain.finish()?;
    assert_eq!(sent.refused.expect("refused").to_string(), "the second");
    assert_eq!(left(&buffer), [1, 2]);
    Ok(())
}

#[test]
fn one_that_wakes_does_not_have_the_others_polled() -> forebay::Result<()> {
    const EVENTS: u32 = 200;
    let folder = folder();
    let buffer = filled(&folder, EVENTS);
    let upstream = Upstream::new(1000, |_| Answer::Hold);
    let mut drain = Task::new(buffer.drain_and_send(&upstream));
    let all = usize::try_from(EVENTS).expect("small");
    assert!(
        drain
            .run_until(|| upstream.offered().len() == all)
            .is_none()
    );
    for event in (1..EVENTS).rev() {
        upstream.release(event, Ok(()));
        assert!(drain.poll().is_pending());
    }
    upstream.release(0, Ok(()));
    assert_eq!(drain.finish()?, all);
    assert_eq!(upstream.polls(), 2 * all);
    Ok(())
}
