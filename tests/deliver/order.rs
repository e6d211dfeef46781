//! In order, acknowledged after acceptance, up to the first refusal.

use forebay::{ErrorKind, Refusal, SinkError};

use super::executor::{Task, block_on};
use super::upstream::{Answer, Upstream};
use super::{NOTHING, filled, folder, left};

#[test]
fn everything_leaves_in_the_order_in_which_it_came() -> forebay::Result<()> {
    for in_flight in [1, 8, 300] {
        let folder = folder();
        let buffer = filled(&folder, 1000);
        let upstream = Upstream::new(in_flight, |event| Answer::After(event % 3));
        assert_eq!(block_on(buffer.drain_and_send(&upstream))?, 1000);
        assert_eq!(upstream.offered(), (0..1000).collect::<Vec<_>>());
        assert_eq!(buffer.len()?, 0);
        assert_eq!(left(&buffer), NOTHING);
        assert_eq!(block_on(buffer.drain_and_send(&upstream))?, 0);
    }
    Ok(())
}

#[test]
fn the_first_refusal_ends_it_and_the_next_time_begins_there() -> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 5);
    let upstream = Upstream::new(1, |event| match event {
        2 => Answer::Refuse(SinkError::retry("down")),
        _ => Answer::Accept,
    });
    let sent = block_on(buffer.send_to(&upstream))?;
    assert_eq!((sent.accepted, buffer.len()?), (2, 3));
    let refused = sent.refused.expect("it was refused");
    assert_eq!(
        (refused.refusal(), refused.to_string().as_str()),
        (Refusal::Retry, "down")
    );
    assert_eq!(upstream.offered(), [0, 1, 2]);
    assert_eq!(block_on(buffer.drain_and_send(&upstream))?, 0);
    assert_eq!(left(&buffer), [2, 3, 4]);
    Ok(())
}

#[test]
fn two_drains_at_once_are_busy_and_deliver_nothing_twice() -> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 3);
    let upstream = Upstream::new(1, |event| match event {
        0 => Answer::Hold,
        _ => Answer::Accept,
    });
    let mut first = Task::new(buffer.drain_and_send(&upstream));
    assert!(first.run_until(|| upstream.offered() == [0]).is_none());
    let busy = |result: forebay::Result<usize>| {
        let error = result.expect_err("the first one has the lease");
        assert_eq!(error.kind(), ErrorKind::Busy);
    };
    busy(block_on(buffer.drain_and_send(&upstream)));
    busy(buffer.drain(|_| Ok::<(), ()>(())));
    upstream.release(0, Ok(()));
    assert_eq!(first.finish()?, 3);
    assert_eq!(upstream.offered(), [0, 1, 2]);
    assert_eq!(left(&buffer), NOTHING);
    Ok(())
}
