//! The floor: everything below it is delivered or dropped, and no longer counts.
//!
//! The floor is the larger of what was dropped and the lowest cursor. It moves per record, in
//! memory; only what the records below the watermark alone enforce is ever stored (`state`).
//! One lock orders drops against deliveries, so that a record is counted dropped or delivered,
//! never both: a record in flight when the floor passes it is counted by its outcome.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use crate::event::GapReason;
use crate::position::Sequence;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, is_past};

/// A sequence with the frame bytes of the log below it, where they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) sequence: Sequence,
    pub(crate) log_bytes: Option<u64>,
}

impl Place {
    pub(crate) fn new(sequence: Sequence, log_bytes: Option<u64>) -> Self {
        Self {
            sequence,
            log_bytes,
        }
    }
}

/// How far dropping and each consumer have come.
#[derive(Debug)]
pub(crate) struct Floor {
    floors: Mutex<Floors>,
    /// `Floors::floor`'s sequence, so that an enqueue below capacity takes no second lock.
    published: AtomicU64,
    raised: Condvar,
    delivered: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Floors {
    dropped: Place,
    /// Why the floor was last dropped to there.
    reason: GapReason,
    consumers: BTreeMap<String, Progress>,
    /// Records that were dropped while in flight: counted once it is known how that ended.
    undecided: Vec<Sequence>,
    /// Consumers whose cursor cannot be read: nothing may be reclaimed past them.
    unreadable: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    next: Place,
    in_flight: Option<Sequence>,
}

impl Floors {
    fn floor(&self) -> Place {
        let lowest = self.consumers.values().map(|progress| progress.next);
        let lowest = lowest.min_by_key(|place| place.sequence);
        match lowest {
            Some(lowest) if lowest.sequence > self.dropped.sequence => lowest,
            Some(_) | None => self.dropped,
        }
    }
}

impl Floors {
    /// Whether the record `sequence` was waiting to be counted; it is not any more.
    fn decide(&mut self, sequence: Sequence) -> bool {
        let waiting = self.undecided.iter().position(|at| *at == sequence);
        waiting.map(|at| self.undecided.swap_remove(at)).is_some()
    }
}

impl Floor {
    pub(crate) fn new(dropped: Place) -> Self {
        let floors = Floors {
            dropped,
            reason: GapReason::Dropped,
            consumers: BTreeMap::new(),
            undecided: Vec::new(),
            unreadable: 0,
        };
        Self {
            published: AtomicU64::new(dropped.sequence.get()),
            floors: Mutex::new(floors),
            raised: Condvar::new(),
            delivered: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// The floor's sequence.
    pub(crate) fn sequence(&self) -> Sequence {
        Sequence::new(self.published.load(Ordering::Acquire))
    }

    /// The floor with what is known of its place.
    pub(crate) fn place(&self) -> Place {
        self.floors.lock().floor()
    }

    /// Everything below this was dropped.
    pub(crate) fn dropped_to(&self) -> Place {
        self.floors.lock().dropped
    }

    /// The same, with the reason of the last drop.
    pub(crate) fn dropped_with_reason(&self) -> (Sequence, GapReason) {
        let floors = self.floors.lock();
        (floors.dropped.sequence, floors.reason)
    }

    /// Below this nobody needs anything, `durably_dropped` being what was dropped for good; `None`
    /// when somebody may need everything.
    pub(crate) fn reclaimable_to(&self, durably_dropped: Sequence) -> Option<Sequence> {
        let floors = self.floors.lock();
        if floors.unreadable > 0 {
            return None;
        }
        let lowest = floors
            .consumers
            .values()
            .map(|progress| progress.next.sequence)
            .min();
        Some(lowest.unwrap_or_default().max(durably_dropped))
    }

    /// Remembers where the floor's place is, once somebody looked it up.
    pub(crate) fn learn(&self, place: Place) {
        let mut floors = self.floors.lock();
        if floors.dropped.sequence == place.sequence {
            floors.dropped = place;
        }
        for progress in floors.consumers.values_mut() {
            if progress.next.sequence == place.sequence {
                progress.next = place;
            }
        }
    }

    /// Counts a consumer whose cursor cannot be read.
    pub(crate) fn note_unreadable(&self) {
        self.floors.lock().unreadable += 1;
    }

    /// Adds `consumer` with its cursor at `next`, or moves it there.
    pub(crate) fn set_consumer(&self, consumer: &str, next: Place) {
        let mut floors = self.floors.lock();
        floors.consumers.insert(
            consumer.to_owned(),
            Progress {
                next,
                in_flight: None,
            },
        );
        self.publish(&floors);
    }

    /// Forgets `consumer`, or one whose cursor could not be read; the log begins at `first`.
    pub(crate) fn remove_consumer(&self, consumer: &str, first: Place) {
        let mut floors = self.floors.lock();
        if floors.consumers.remove(consumer).is_none() {
            floors.unreadable = floors.unreadable.saturating_sub(1);
        }
        // With nobody left to hold it, the floor would fall back to records that are gone.
        if first.sequence > floors.dropped.sequence {
            floors.dropped = first;
            floors.reason = GapReason::Reclaimed;
        }
        self.publish(&floors);
    }

    /// `consumer` went to `next` without delivering what lies between. Going back moves nothing.
    pub(crate) fn move_consumer(&self, consumer: &str, next: Place) {
        let mut floors = self.floors.lock();
        if let Some(progress) = floors.consumers.get_mut(consumer)
            && next.sequence > progress.next.sequence
        {
            progress.next = next;
        }
        self.publish(&floors);
    }

    /// Where `consumer` was last.
    pub(crate) fn consumer(&self, consumer: &str) -> Option<Place> {
        self.floors
            .lock()
            .consumers
            .get(consumer)
            .map(|progress| progress.next)
    }

    /// The record that `consumer` is about to hand out; false when it was dropped in between.
    pub(crate) fn take_in_flight(&self, consumer: &str, sequence: Sequence) -> bool {
        let mut floors = self.floors.lock();
        if sequence < floors.dropped.sequence {
            return false;
        }
        if let Some(progress) = floors.consumers.get_mut(consumer) {
            progress.in_flight = Some(sequence);
        }
        true
    }

    /// The record in flight was refused. If the floor passed it meanwhile it counts as dropped
    /// now, and true is returned.
    pub(crate) fn refuse_in_flight(&self, consumer: &str) -> bool {
        let mut floors = self.floors.lock();
        let Some(progress) = floors.consumers.get_mut(consumer) else {
            return false;
        };
        let Some(sequence) = progress.in_flight.take() else {
            return false;
        };
        let elsewhere = floors
            .consumers
            .values()
            .any(|progress| progress.in_flight == Some(sequence));
        let dropped = !elsewhere && floors.decide(sequence);
        if dropped {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        dropped
    }

    /// `consumer` acknowledged everything before `next`, of which it had been given `handed`;
    /// returns how many records that delivers.
    pub(crate) fn acknowledge(&self, consumer: &str, next: Place, handed: u64) -> u64 {
        let mut floors = self.floors.lock();
        let dropped = floors.dropped.sequence;
        let Some(progress) = floors.consumers.get_mut(consumer) else {
            return 0;
        };
        let from = progress.next.sequence.max(dropped);
        let mut delivered = next.sequence.since(from).min(handed);
        let in_flight = progress.in_flight.take();
        if next.sequence > progress.next.sequence {
            progress.next = next;
        }
        // Dropped while in flight, and accepted after all.
        if in_flight.is_some_and(|at| at < next.sequence && floors.decide(at)) {
            delivered += 1;
        }
        self.delivered.fetch_add(delivered, Ordering::Relaxed);
        self.publish(&floors);
        delivered
    }

    /// Drops everything below `to`; returns the range given up and how many of it count as
    /// dropped now. A record in flight is counted later.
    pub(crate) fn drop_to(&self, to: Place, reason: GapReason) -> Option<(Range<Sequence>, u64)> {
        let mut floors = self.floors.lock();
        let from = floors.floor().sequence;
        // What was delivered is not dropped: it may be kept, and read again.
        if to.sequence <= from {
            return None;
        }
        floors.dropped = to;
        floors.reason = reason;
        let range = from..to.sequence;
        let mut undecided = Vec::new();
        for progress in floors.consumers.values() {
            // What its consumer had acknowledged before is being read again, not delivered.
            let undelivered = |at: &Sequence| range.contains(at) && *at >= progress.next.sequence;
            let in_flight = progress.in_flight.filter(undelivered);
            undecided.extend(in_flight.filter(|at| !undecided.contains(at)));
        }
        let count = to
            .sequence
            .since(from)
            .saturating_sub(crate::format::wide(undecided.len()));
        floors.undecided.append(&mut undecided);
        self.dropped.fetch_add(count, Ordering::Relaxed);
        self.publish(&floors);
        Some((range, count))
    }

    /// Waits until the floor is at or above `target`; false at the deadline or when `give_up`.
    pub(crate) fn wait(
        &self,
        target: Sequence,
        deadline: Option<Instant>,
        give_up: impl Fn() -> bool,
    ) -> bool {
        let mut floors = self.floors.lock();
        while floors.floor().sequence < target {
            if is_past(deadline) || give_up() {
                return false;
            }
            floors = self.raised.wait_until(floors, deadline);
        }
        true
    }

    /// Wakes all who wait for room, to look again.
    pub(crate) fn nudge(&self) {
        drop(self.floors.lock());
        self.raised.notify_all();
    }

    /// Records delivered and dropped since the queue was opened.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (
            self.delivered.load(Ordering::Relaxed),
            self.dropped.load(Ordering::Relaxed),
        )
    }

    fn publish(&self, floors: &Floors) {
        // Release pairs with the Acquire in `sequence`.
        self.published
            .store(floors.floor().sequence.get(), Ordering::Release);
        self.raised.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sequence: u64) -> Place {
        Place::new(Sequence::new(sequence), None)
    }

    fn floor_with_consumer() -> Floor {
        let floor = Floor::new(at(0));
        floor.set_consumer("a", at(0));
        floor
    }

    #[test]
    fn the_floor_is_the_lowest_cursor_or_what_was_dropped() {
        let floor = floor_with_consumer();
        floor.set_consumer("b", at(0));
        assert_eq!(floor.acknowledge("a", at(4), 4), 4);
        assert_eq!(floor.sequence(), Sequence::ZERO);
        assert_eq!(floor.acknowledge("b", at(2), 2), 2);
        assert_eq!(floor.sequence(), Sequence::new(2));
        assert_eq!(
            floor.drop_to(at(3), GapReason::Dropped),
            Some((Sequence::new(2)..Sequence::new(3), 1))
        );
        assert_eq!(floor.sequence(), Sequence::new(3));
    }

    #[test]
    fn without_a_consumer_only_dropping_raises_the_floor() {
        let floor = Floor::new(at(0));
        assert_eq!(floor.reclaimable_to(Sequence::ZERO), Some(Sequence::ZERO));
        floor.drop_to(at(2), GapReason::Dropped);
        assert_eq!(
            floor.reclaimable_to(Sequence::new(2)),
            Some(Sequence::new(2))
        );
    }

    #[test]
    fn a_record_dropped_in_flight_and_accepted_counts_as_delivered_only() {
        let floor = floor_with_consumer();
        assert!(floor.take_in_flight("a", Sequence::ZERO));
        assert_eq!(
            floor.drop_to(at(5), GapReason::Dropped),
            Some((Sequence::ZERO..Sequence::new(5), 4))
        );
        assert_eq!(floor.acknowledge("a", at(1), 1), 1);
        assert_eq!(floor.counts(), (1, 4));
    }

    #[test]
    fn a_record_dropped_in_flight_and_refused_counts_as_dropped_only() {
        let floor = floor_with_consumer();
        assert!(floor.take_in_flight("a", Sequence::ZERO));
        floor.drop_to(at(5), GapReason::Dropped);
        assert!(floor.refuse_in_flight("a"));
        assert_eq!(floor.counts(), (0, 5));
    }

    #[test]
    fn a_dropped_record_is_not_handed_out() {
        let floor = floor_with_consumer();
        floor.drop_to(at(1), GapReason::Dropped);
        assert!(!floor.take_in_flight("a", Sequence::ZERO));
        assert!(floor.take_in_flight("a", Sequence::new(1)));
    }

    #[test]
    fn an_unreadable_cursor_holds_back_reclaim() {
        let floor = floor_with_consumer();
        floor.note_unreadable();
        assert_eq!(floor.reclaimable_to(Sequence::ZERO), None);
    }

    #[test]
    fn acknowledging_backwards_moves_nothing() {
        let floor = floor_with_consumer();
        floor.acknowledge("a", at(4), 4);
        assert_eq!(floor.acknowledge("a", at(2), 2), 0);
        assert_eq!(floor.consumer("a"), Some(at(4)));
    }
}
