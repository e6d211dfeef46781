//! The second consumer: bound to one kind, it acknowledges out of order, comes and goes.
//!
//! Its window is modelled here, and with it its frontier, to a record.

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay::{Consumer, ConsumerOptions, GapReason, Record, Sequence, Start};

use super::{Judged, Life, require};
use crate::ledger::{CHOSEN, Ledger};
use crate::promises::{Presence, Second};

/// Its name.
pub(super) const SECOND: &str = "k";
/// How many records it may have out.
const WINDOW: usize = 4;

/// A live handle, with what it has out.
pub(super) struct Handle {
    consumer: Consumer,
    /// By sequence, whether it is acknowledged.
    out: BTreeMap<u64, bool>,
    /// Nothing before this is handed out next.
    at: u64,
}

impl Handle {
    fn frontier(&self) -> Option<u64> {
        let mut out = self.out.iter();
        out.find(|(_, is_done)| !**is_done).map(|(at, _)| *at)
    }

    fn waiting(&self) -> Vec<u64> {
        let out = self.out.iter().filter(|(_, is_done)| !**is_done);
        out.map(|(at, _)| *at).collect()
    }
}

fn done(out: &BTreeMap<u64, bool>, sequence: u64) -> bool {
    out.get(&sequence).is_some_and(|is_done| *is_done)
}

/// It is one that was accepted, of the right kind, and due at `at` or later.
fn judge_record(record: &Record<'_>, at: u64, ledger: &mut Ledger) -> Judged {
    let sequence = record.sequence.get();
    require!(
        at <= sequence && sequence < ledger.next() && record.kind == CHOSEN,
        "the second consumer gets {sequence} of kind {}, at {at}",
        record.kind
    );
    let entry = ledger.at(sequence);
    require!(
        entry.is_chosen() && record.epoch.get() == entry.epoch && entry.payload() == record.payload,
        "the second consumer gets another record as {sequence}"
    );
    // Delivered is durable, and must stay.
    ledger.note_durable(sequence + 1);
    ledger.name(sequence)
}

fn options() -> ConsumerOptions {
    ConsumerOptions::new()
        .kinds([CHOSEN])
        .window_records(WINDOW)
}

impl Life {
    /// Notes what the queue says about it after opening.
    pub(super) fn judge_presence(&mut self, is_there: bool) -> Judged {
        let second = &mut Arc::make_mut(&mut self.ledger).second;
        let now = if is_there {
            Presence::There
        } else {
            Presence::Gone
        };
        let was = std::mem::replace(&mut second.presence, now);
        require!(
            was == now || was == Presence::Either,
            "the second consumer is {now:?}, and was {was:?}"
        );
        Ok(())
    }

    /// Its handle, if it is there.
    fn second(&mut self) -> Judged<Option<Handle>> {
        self.queue()?;
        if self.second.is_some() || self.ledger.second.presence != Presence::There {
            return Ok(self.second.take());
        }
        let consumer = self.queue()?.consumer_with(SECOND, &options());
        let consumer = consumer.map_err(|error| format!("the second consumer: {error}"))?;
        let at = consumer.next_sequence().get();
        let Second { written, tried, .. } = self.ledger.second;
        require!(
            written <= at && at <= tried,
            "the second consumer is at {at}, not in {written}..={tried}"
        );
        self.second_is_at(at);
        Ok(Some(Handle {
            consumer,
            out: BTreeMap::new(),
            at,
        }))
    }

    /// It may come as far as `sequence` now.
    fn expect_second(&mut self, sequence: u64) {
        let second = &mut Arc::make_mut(&mut self.ledger).second;
        second.tried = second.tried.max(sequence);
        self.recorder.expect(&self.ledger);
    }

    /// It is here now, to a record.
    fn second_is_at(&mut self, sequence: u64) {
        let second = &mut Arc::make_mut(&mut self.ledger).second;
        self.moved.second |= sequence > second.written;
        second.is_at(sequence);
        self.recorder.promise(&self.ledger);
    }

    /// Hands out up to `max` records, from the lowest that is out on if it `rewinds`, and
    /// acknowledges some of what is out; how many were handed out.
    pub(super) fn take(&mut self, max: usize, rewinds: bool) -> Judged<usize> {
        let Some(mut handle) = self.second()? else {
            return Ok(0);
        };
        if rewinds {
            handle.consumer.rewind();
            handle.at = handle.frontier().unwrap_or(handle.at);
        }
        let count = self.hand_out(&mut handle, max)?;
        let all = self.dice.once_in(4);
        let mut waiting = handle.waiting();
        let some = if all { WINDOW } else { self.dice.below(4) };
        self.dice.draw(&mut waiting, some);
        for sequence in waiting {
            self.acknowledge(&mut handle, sequence)?;
        }
        self.second = Some(handle);
        Ok(count)
    }

    fn hand_out(&mut self, handle: &mut Handle, max: usize) -> Judged<usize> {
        let floor = self.floor()?;
        let ledger = &self.ledger;
        // With nothing out it moves on to what it is given next.
        let most = if handle.out.is_empty() {
            ledger.next_chosen(handle.at.max(floor))
        } else {
            floor
        };
        self.expect_second(most);
        let batch = handle.consumer.next_batch(max);
        let batch = batch.map_err(|error| format!("the second consumer reads: {error}"))?;
        let count = batch.len();
        let ledger = Arc::make_mut(&mut self.ledger);
        let mut passed = Vec::new();
        for record in batch.iter() {
            let sequence = record.sequence.get();
            judge_record(&record, handle.at, ledger)?;
            require!(
                !done(&handle.out, sequence),
                "the second consumer gets {sequence} again, which it has acknowledged"
            );
            passed.extend(handle.at..sequence);
            handle.out.entry(sequence).or_insert(false);
            handle.at = sequence + 1;
        }
        let at = handle.consumer.next_sequence().get();
        passed.extend(handle.at..at);
        handle.at = handle.at.max(at);
        let place = self.judge_rest(handle, count, &passed)?;
        self.second_is_at(place);
        Ok(count)
    }

    /// What was not among the `count` records handed out is of another kind, acknowledged, or told to
    /// be gone; where the cursor is now.
    fn judge_rest(&mut self, handle: &mut Handle, count: usize, passed: &[u64]) -> Judged<u64> {
        let floor = self.floor()?;
        let mut place = self.ledger.second.written;
        for gap in handle.consumer.take_gaps() {
            let end = gap.range.end.get();
            require!(
                gap.reason == GapReason::Dropped && end <= floor,
                "a gap for the second consumer, with the floor at {floor}: {gap:?}"
            );
            place = place.max(end);
            handle.out = handle.out.split_off(&end);
        }
        let missed = passed.iter().find(|at| {
            let is_due = self.ledger.at(**at).is_chosen() && !done(&handle.out, **at);
            is_due && **at >= place
        });
        require!(
            missed.is_none(),
            "the second consumer is not given {missed:?}"
        );
        if count == 0 {
            let due = self.ledger.next_chosen(handle.at);
            let is_full = handle.out.len() >= WINDOW && !handle.out.contains_key(&due);
            require!(
                is_full || due == self.ledger.next(),
                "the second consumer is not given {due}"
            );
            if handle.out.is_empty() {
                place = place.max(handle.consumer.next_sequence().get());
            }
        }
        Ok(place)
    }

    /// Acknowledges `sequence`, or everything that is out up to it.
    fn acknowledge(&mut self, handle: &mut Handle, sequence: u64) -> Judged {
        let through = self.dice.once_in(5);
        let acknowledged = handle
            .out
            .iter_mut()
            .filter(|(at, _)| **at == sequence || through && **at < sequence);
        acknowledged.for_each(|(_, is_done)| *is_done = true);
        let last = handle.out.last_key_value().map_or(0, |(last, _)| last + 1);
        let end = handle.frontier().unwrap_or(handle.at.max(last));
        let place = self.ledger.second.written.max(end);
        self.expect_second(place);
        let consumer = &mut handle.consumer;
        let done = if through {
            consumer.ack_through(Sequence::new(sequence))
        } else {
            consumer.ack(Sequence::new(sequence))
        };
        done.map_err(|error| format!("the second consumer acknowledges: {error}"))?;
        handle.out = handle.out.split_off(&place);
        handle.at = handle.at.max(place);
        self.second_is_at(place);
        Ok(())
    }

    /// Hands out and acknowledges everything, which must be everything.
    pub(crate) fn drain_second(&mut self) -> Judged {
        // More is never out, and each turn acknowledges what is.
        for _ in 0..self.ledger.log.len() + 2 {
            let Some(mut handle) = self.second()? else {
                return Ok(());
            };
            let count = self.hand_out(&mut handle, 3)?;
            let mut waiting = handle.waiting();
            let is_empty = count == 0 && waiting.is_empty();
            self.dice.draw(&mut waiting, WINDOW);
            for sequence in waiting {
                self.acknowledge(&mut handle, sequence)?;
            }
            self.second = Some(handle);
            if is_empty {
                break;
            }
        }
        let (at, next) = (self.ledger.second.written, self.ledger.next());
        require!(
            at == next,
            "the second consumer ends at {at}, not at {next}"
        );
        self.note_durable()
    }

    /// Makes it, behind the newest record or anywhere; where it is there it is handed records.
    pub(super) fn make_second(&mut self, at_end: bool) -> Judged {
        // The other one holds what is acknowledged by nobody.
        let consumer = self.consumer()?;
        self.consumer = Some(consumer);
        if self.ledger.second.presence == Presence::There {
            return self.take(2, false).map(drop);
        }
        let queue = self.queue()?;
        let (first, next) = (queue.first().get(), queue.next().get());
        let count = usize::try_from(next - first).unwrap_or(0);
        let at = first + self.dice.below(count + 1) as u64;
        let (start, at) = if at_end {
            (Start::End, next)
        } else {
            (Start::At(Sequence::new(at)), at)
        };
        Arc::make_mut(&mut self.ledger).second = Second {
            presence: Presence::Either,
            durable: at,
            written: at,
            tried: at,
        };
        self.recorder.expect(&self.ledger);
        let made = self.queue()?.consumer_with(SECOND, &options().start(start));
        let consumer = made.map_err(|error| format!("making the second consumer: {error}"))?;
        let found = consumer.next_sequence().get();
        require!(
            found == at,
            "the second consumer begins at {found}, not at {at}"
        );
        Arc::make_mut(&mut self.ledger).second.presence = Presence::There;
        self.recorder.promise(&self.ledger);
        self.second = Some(Handle {
            consumer,
            out: BTreeMap::new(),
            at,
        });
        Ok(())
    }

    pub(super) fn remove_second(&mut self) -> Judged {
        self.queue()?;
        self.second = None;
        if self.ledger.second.presence != Presence::There {
            return Ok(());
        }
        Arc::make_mut(&mut self.ledger).second.presence = Presence::Either;
        self.recorder.expect(&self.ledger);
        let removed = self.queue()?.remove_consumer(SECOND);
        removed.map_err(|error| format!("removing the second consumer: {error}"))?;
        Arc::make_mut(&mut self.ledger).second.presence = Presence::Gone;
        self.recorder.promise(&self.ledger);
        Ok(())
    }
}
