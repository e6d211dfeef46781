//! A drain that is dropped, at every place where it can be: nothing is lost.

use forebay::SinkError;

use super::executor::{Task, block_on};
use super::upstream::{Answer, Upstream};
use super::{filled, folder, left};

const EVENTS: u32 = 12;

/// What an upstream had accepted, out of a drain that was dropped after so many polls.
#[derive(Debug)]
struct Cut {
    accepted: Vec<u32>,
    offered: Vec<u32>,
    /// What came afterwards.
    rest: Vec<u32>,
    ended: bool,
}

/// How the rest is taken up.
#[derive(Clone, Copy, Debug)]
enum Afterwards {
    /// By a drain that blocks.
    Blocking,
    /// By another future.
    Awaited,
    /// By the next life of the buffer.
    Reopened,
}

fn cut(in_flight: usize, polls: usize, afterwards: Afterwards) -> Cut {
    let folder = folder();
    let buffer = filled(&folder, EVENTS);
    // Taken at once and confirmed later: what is dropped in between comes twice.
    let upstream = Upstream::new(in_flight, |event| Answer::Late(event % 3));
    let mut drain = Task::new(buffer.drain_and_send(&upstream));
    let mut polled = 0;
    let ended = polls > 0
        && drain
            .run_until(|| {
                polled += 1;
                polled >= polls
            })
            .is_some();
    drop(drain);
    let rest = match afterwards {
        Afterwards::Blocking => left(&buffer),
        Afterwards::Awaited => {
            let next = Upstream::new(in_flight, |_| Answer::Late(1));
            block_on(buffer.drain_and_send(&next)).expect("the lease is free");
            next.offered()
        }
        Afterwards::Reopened => {
            drop(buffer);
            left(&filled(&folder, 0))
        }
    };
    Cut {
        accepted: upstream.accepted(),
        offered: upstream.offered(),
        rest,
        ended,
    }
}

#[test]
fn dropped_after_any_number_of_polls_it_loses_nothing_and_repeats_what_was_in_flight() {
    for afterwards in [
        Afterwards::Blocking,
        Afterwards::Awaited,
        Afterwards::Reopened,
    ] {
        for in_flight in [1, 8] {
            let mut polls = 0;
            loop {
                let cut = cut(in_flight, polls, afterwards);
                let place = format!("{in_flight} in flight, {polls} polls, {cut:?}");
                let taken = u32::try_from(cut.accepted.len()).expect("few");
                assert_eq!(cut.accepted, (0..taken).collect::<Vec<_>>(), "{place}");
                assert_eq!(cut.offered, cut.accepted, "{place}");
                let from = EVENTS - u32::try_from(cut.rest.len()).expect("few");
                assert_eq!(cut.rest, (from..EVENTS).collect::<Vec<_>>(), "{place}");
                assert!(from <= taken, "lost: {place}");
                let twice = usize::try_from(taken - from).expect("few");
                assert!(twice <= in_flight, "{twice} came twice: {place}");
                if cut.ended {
                    assert_eq!(twice, 0, "{place}");
                    break;
                }
                polls += 1;
            }
            assert!(polls > 3, "there were places to drop it at");
        }
    }
}

#[test]
fn a_drain_that_was_never_polled_takes_no_lease() {
    let folder = folder();
    let buffer = filled(&folder, 1);
    let upstream = Upstream::new(1, |_| Answer::Accept);
    let drain = Task::new(buffer.drain_and_send(&upstream));
    assert_eq!(left(&buffer), [0]);
    drop(drain);
}

#[test]
fn a_sink_that_panics_gives_back_the_lease_and_loses_nothing() {
    let folder = folder();
    let buffer = filled(&folder, 3);
    let upstream = Upstream::new(1, |event| {
        assert_ne!(event, 1, "the sink is broken");
        Answer::Accept
    });
    let ended = std::thread::scope(|scope| {
        scope
            .spawn(|| block_on(buffer.drain_and_send(&upstream)))
            .join()
    });
    assert!(ended.is_err());
    assert_eq!(left(&buffer), [1, 2]);
}

#[test]
fn a_refusal_and_a_dropped_drain_after_each_other_repeat_nothing_that_was_removed()
-> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 6);
    let upstream = Upstream::new(2, |event| match event {
        3 => Answer::Refuse(SinkError::retry("down")),
        _ => Answer::Accept,
    });
    assert_eq!(block_on(buffer.drain_and_send(&upstream))?, 3);
    let held = Upstream::new(2, |_| Answer::Hold);
    let mut drain = Task::new(buffer.drain_and_send(&held));
    assert!(drain.run_until(|| held.offered() == [3, 4]).is_none());
    drop(drain);
    assert_eq!(left(&buffer), [3, 4, 5]);
    Ok(())
}
