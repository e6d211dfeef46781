//! Which events are on their way at once, and what each must come after.
//!
//! A flight begins with the first event that is handed out while no other is, and ends when the
//! last of its futures is gone. Once an event of a flight was not accepted, none of those behind it
//! leaves any more: the buffer goes on at that event, in the next flight.
//!
//! No clock, no connection, no runtime.

use parking_lot::Mutex;

use super::stored::Stored;
use crate::buffer::Delivery;
use crate::position::RecordId;

/// What all events of one sink share.
#[derive(Debug)]
pub(super) struct Flight {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Futures that were made and are not gone.
    aboard: usize,
    /// An event of this flight was not accepted.
    broken: bool,
    /// What was sent last in this flight.
    previous: Option<String>,
    /// Nobody has looked at the stream since something went wrong.
    doubtful: bool,
    /// What the stream was seen to end with.
    stored: Option<Stored>,
    /// What was confirmed last since then.
    landed: Option<RecordId>,
}

impl Flight {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                aboard: 0,
                broken: false,
                previous: None,
                doubtful: true,
                stored: None,
                landed: None,
            }),
        }
    }

    /// A place for one event, or a run of them. Taken when its future is made, not when it is first
    /// polled: until whoever hands out events has seen a refusal, there is always a later place that
    /// is held.
    pub(super) fn join(&self) -> Place<'_> {
        self.state.lock().aboard += 1;
        Place {
            flight: self,
            accepted: false,
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.state.lock().broken
    }

    /// Keeps those behind from leaving.
    pub(super) fn break_off(&self) {
        self.state.lock().broken = true;
    }

    /// Whether the stream is to be looked at before `record` is sent: something went wrong, or the
    /// record was confirmed before and comes again, because whoever sent it did not wait for that.
    pub(super) fn is_doubtful(&self, record: Option<RecordId>) -> bool {
        let state = self.state.lock();
        let again = match (state.landed, record) {
            (Some(landed), Some(record)) => {
                landed.queue == record.queue
                    && landed.epoch == record.epoch
                    && landed.sequence >= record.sequence
            }
            (_, _) => false,
        };
        state.doubtful || again
    }

    /// The stream was looked at; it ends with `stored`, where that is known.
    pub(super) fn looked(&self, stored: Option<Stored>) {
        let mut state = self.state.lock();
        state.doubtful = false;
        state.stored = stored;
        state.landed = None;
    }

    /// How many of the first events of `run` the stream was seen to hold already. Once a run goes
    /// beyond what it held, its queue is done with that. Another queue may come with its own later.
    pub(super) fn count_held<T>(&self, run: &[Delivery<T>]) -> usize {
        let mut state = self.state.lock();
        let held = state.stored.as_ref().map_or(0, |last| last.count_held(run));
        if (1..run.len()).contains(&held) {
            state.stored = None;
        }
        held
    }

    /// The event that was sent before, if it may not have been stored yet.
    pub(super) fn previous(&self) -> Option<String> {
        self.state.lock().previous.clone()
    }

    pub(super) fn sent(&self, id: String) {
        self.state.lock().previous = Some(id);
    }
}

/// The place of an event, or of a run of them, in the flight, given back when its future is gone.
#[derive(Debug)]
pub(super) struct Place<'a> {
    flight: &'a Flight,
    accepted: bool,
}

impl Place<'_> {
    /// All is stored; the last event is this record, where it is one.
    pub(super) fn land(mut self, record: Option<RecordId>) {
        self.accepted = true;
        if record.is_some() {
            self.flight.state.lock().landed = record;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.flight.state.lock();
        state.aboard -= 1;
        if !self.accepted {
            state.broken = true;
            state.doubtful = true;
        }
        if state.aboard == 0 {
            state.broken = false;
            state.previous = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::super::stored::headers;
    use super::*;
    use crate::position::{Epoch, QueueId, Sequence};

    #[test]
    fn a_flight_that_lost_an_event_stays_broken_until_all_are_gone() {
        let flight = Flight::new();
        let (first, second, third) = (flight.join(), flight.join(), flight.join());
        first.land(None);
        assert!(!flight.is_broken());
        drop(second);
        assert!(flight.is_broken());
        let late = flight.join();
        third.land(None);
        assert!(flight.is_broken());
        drop(late);
        assert!(!flight.is_broken());
    }

    #[test]
    fn the_first_event_of_a_flight_has_none_before_it() {
        let flight = Flight::new();
        let (first, second) = (flight.join(), flight.join());
        assert_eq!(flight.previous(), None);
        flight.sent("a".to_owned());
        first.land(None);
        assert_eq!(flight.previous().as_deref(), Some("a"));
        second.land(None);
        assert_eq!(flight.previous(), None);
    }

    #[test]
    fn a_record_that_comes_again_makes_the_stream_doubtful_until_it_was_looked_at() {
        let record = |sequence| {
            Some(RecordId {
                queue: QueueId::new([1; 16]),
                epoch: Epoch::new(7),
                sequence: Sequence::new(sequence),
            })
        };
        let flight = Flight::new();
        flight.looked(None);
        flight.join().land(record(5));
        assert!(!flight.is_doubtful(record(6)));
        assert!(flight.is_doubtful(record(5)));
        assert!(flight.is_doubtful(record(4)));
        flight.looked(None);
        assert!(!flight.is_doubtful(record(4)));
    }

    #[test]
    fn a_lost_event_makes_the_stream_doubtful_until_it_was_looked_at() {
        let flight = Flight::new();
        assert!(flight.is_doubtful(None));
        flight.looked(None);
        flight.join().land(None);
        assert!(!flight.is_doubtful(None));
        drop(flight.join());
        assert!(flight.is_doubtful(None));
    }

    #[test]
    fn what_one_queue_sends_does_not_hide_what_the_stream_holds_of_another() {
        let delivery = |queue, sequence| Delivery {
            event: (),
            payload: Vec::new(),
            kind: 0,
            enqueued_at: UNIX_EPOCH,
            record: Some(RecordId {
                queue: QueueId::new([queue; 16]),
                epoch: Epoch::new(7),
                sequence: Sequence::new(sequence),
            }),
            key: None,
        };
        let last = delivery(1, 5);
        let flight = Flight::new();
        flight.looked(Stored::read(&headers(&last, &last.id(), "STREAM", None)));
        assert_eq!(flight.count_held(&[delivery(2, 0), delivery(2, 1)]), 0);
        assert_eq!(flight.count_held(&[delivery(1, 4)]), 1);
        assert_eq!(flight.count_held(&[delivery(1, 5), delivery(1, 6)]), 1);
    }
}
