//! In order, acknowledged after acceptance, up to the first refusal.

use forebay::{ErrorKind, EventBuffer, Refusal, SinkError};

use super::executor::{Task, block_on};
use super::upstream::{Answer, Upstream};
use super::{NOTHING, filled, folder, left};

#[test]
fn everything_leaves_in_the_order_in_which_it_came() -> forebay::Result<()> {
    for in_flight in [1, 8, 300] {
        let folder = folder();
        let buffer = filled(&folder, 1000);
        let upstream = Upstream::new(in_flight, |event| Answer::Late(event % 3));
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

#[test]
fn an_event_has_one_id_each_time_that_it_is_delivered_also_by_another_process_life()
-> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 2);
    let upstream = Upstream::new(1, |_| Answer::Refuse(SinkError::retry("down")));
    block_on(buffer.drain_and_send(&upstream))?;
    drop(buffer);
    let buffer = filled(&folder, 0);
    block_on(buffer.drain_and_send(&upstream))?;
    let ids = upstream.ids();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
    let takes_all = Upstream::new(1, |_| Answer::Accept);
    block_on(buffer.drain_and_send(&takes_all))?;
    let [first, second] = &takes_all.ids()[..] else {
        panic!("two events");
    };
    assert!(first == &ids[0] && first != second);
    Ok(())
}

#[test]
fn what_the_sink_enqueues_is_delivered_by_the_same_drain() -> forebay::Result<()> {
    for in_flight in [1, 8] {
        let folder = folder();
        let buffer = filled(&folder, 1);
        let upstream = Upstream::new(in_flight, |event| {
            if event < 20 {
                buffer.enqueue(&(event + 1)).expect("there is room");
            }
            Answer::Late(event % 2)
        });
        assert_eq!(block_on(buffer.drain_and_send(&upstream))?, 21);
        assert_eq!(upstream.accepted(), (0..21).collect::<Vec<_>>());
    }
    Ok(())
}

#[test]
fn an_event_that_the_codec_does_not_know_ends_it_and_is_an_error_when_it_is_first()
-> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 2);
    buffer.queue().enqueue(&[0xFF; 9])?;
    buffer.enqueue(&3)?;
    let upstream = Upstream::new(8, |_| Answer::Late(1));
    assert_eq!(block_on(buffer.drain_and_send(&upstream))?, 2);
    let error = block_on(buffer.drain_and_send(&upstream)).expect_err("it is first now");
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(upstream.offered(), [0, 1]);
    assert!(buffer.skip()?.is_some());
    assert_eq!(block_on(buffer.drain_and_send(&upstream))?, 1);
    assert_eq!(upstream.offered(), [0, 1, 3]);
    Ok(())
}

#[test]
fn what_capacity_drops_while_it_waits_behind_another_is_not_delivered() -> forebay::Result<()> {
    let folder = folder();
    let buffer: EventBuffer<u32> = EventBuffer::new(folder.path().join("small"), 3)?;
    (0..3).try_for_each(|event| buffer.enqueue(&event))?;
    let upstream = Upstream::new(1, |event| match event {
        0 => Answer::Hold,
        _ => Answer::Accept,
    });
    let mut drain = Task::new(buffer.drain_and_send(&upstream));
    assert!(drain.run_until(|| upstream.offered() == [0]).is_none());
    (3..6).try_for_each(|event| buffer.enqueue(&event))?;
    upstream.release(0, Ok(()));
    assert_eq!(drain.finish()?, 4);
    assert_eq!(upstream.offered(), [0, 3, 4, 5]);
    let stats = buffer.queue().stats()?;
    assert_eq!((stats.delivered, stats.dropped), (3, 3));
    Ok(())
}

#[test]
fn what_is_sent_is_removed_when_the_drain_returns() -> forebay::Result<()> {
    for in_flight in [1, 8] {
        for events in 1..20 {
            let folder = folder();
            let buffer = filled(&folder, events);
            let upstream = Upstream::new(in_flight, |event| match event {
                9 => Answer::Refuse(SinkError::retry("down")),
                _ => Answer::Accept,
            });
            let sent = block_on(buffer.drain_and_send(&upstream))?;
            let all = usize::try_from(events).expect("few");
            assert_eq!(buffer.len()?, all - sent, "{events} events");
        }
    }
    Ok(())
}
