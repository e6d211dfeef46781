//! Which events are on their way at once, and what each must come after.
//!
//! A flight begins with the first event that is handed out while no other is, and ends when the
//! last of its futures is gone. Once an event of a flight was not accepted, none of those behind it
//! leaves any more: the buffer goes on at that event, in the next flight.
//!
//! No clock, no connection, no runtime.

use parking_lot::Mutex;

use super::stored::Stored;
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
            }),
        }
    }

    /// A place for one event. Taken when its future is made, not when it is first polled: until
    /// whoever hands out events has seen a refusal, there is always a later place that is held.
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

    pub(super) fn is_doubtful(&self) -> bool {
        self.state.lock().doubtful
    }

    /// The stream was looked at; it ends with `stored`, where that is known.
    pub(super) fn looked(&self, stored: Option<Stored>) {
        let mut state = self.state.lock();
        state.doubtful = false;
        state.stored = stored;
    }

    /// Whether the stream was seen to hold the event already.
    pub(super) fn holds(&self, id: &str, record: Option<RecordId>) -> bool {
        let state = self.state.lock();
        let stored = state.stored.as_ref();
        stored.is_some_and(|stored| stored.covers(id, record))
    }

    /// The event that was sent before, if it may not have been stored yet.
    pub(super) fn previous(&self) -> Option<String> {
        self.state.lock().previous.clone()
    }

    pub(super) fn sent(&self, id: String) {
        self.state.lock().previous = Some(id);
    }
}

/// One event's place in the flight, given back when its future is gone.
#[derive(Debug)]
pub(super) struct Place<'a> {
    flight: &'a Flight,
    accepted: bool,
}

impl Place<'_> {
    /// The event is stored.
    pub(super) fn land(mut self) {
        self.accepted = true;
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
    use super::*;

    #[test]
    fn a_flight_that_lost_an_event_stays_broken_until_all_are_gone() {
        let flight = Flight::new();
        let (first, second, third) = (flight.join(), flight.join(), flight.join());
        first.land();
        assert!(!flight.is_broken());
        drop(second);
        assert!(flight.is_broken());
        let late = flight.join();
        third.land();
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
        first.land();
        assert_eq!(flight.previous().as_deref(), Some("a"));
        second.land();
        assert_eq!(flight.previous(), None);
    }

    #[test]
    fn a_lost_event_makes_the_stream_doubtful_until_it_was_looked_at() {
        let flight = Flight::new();
        assert!(flight.is_doubtful());
        flight.looked(None);
        flight.join().land();
        assert!(!flight.is_doubtful());
        drop(flight.join());
        assert!(flight.is_doubtful());
    }
}
