//! One thread that enqueues, and tells what it was promised.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use forebay::{Error, ErrorKind, Result, SyncPolicy, Ticket};

use super::ledger::Event;
use super::load::{Load, Peril, Switch};
use super::random::Random;
use super::record::Name;

/// How a producer hands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Single,
    Batch,
    Ticket,
}

/// A record that has its place but not yet the promise.
struct Pending {
    sequence: u64,
    name: Name,
    /// It was handed in after the end.
    late: bool,
    ticket: Option<Ticket>,
}

pub(crate) struct Producer<'a> {
    load: &'a Load<'a>,
    name: u32,
    style: Style,
    random: Random,
    number: u32,
    /// Sizes are below this; it shrinks on a full disk.
    limit: u32,
    pending: VecDeque<Pending>,
    /// Calls that failed otherwise than by poison.
    errors: u32,
}

const LIMIT_MAX: u32 = 20_000;
const ERRORS_MAX: u32 = 50;

impl<'a> Producer<'a> {
    pub(crate) fn new(load: &'a Load<'a>, producer: u32, style: Style, random: Random) -> Self {
        Self {
            load,
            name: producer,
            style,
            random,
            number: 0,
            limit: LIMIT_MAX,
            pending: VecDeque::new(),
            errors: 0,
        }
    }

    pub(crate) fn run(mut self) {
        while !Switch::is(&self.load.switch.stop) {
            let names = self.names();
            let late = Switch::is(&self.load.switch.cut);
            let went_on = match self.hand_in(&names) {
                Ok((first, ticket)) => {
                    self.accepted(&names, first, (late, ticket));
                    self.promise_some()
                }
                Err(error) => self.refused(&names, &error),
            };
            if !went_on {
                return;
            }
        }
        self.promise_rest();
    }

    fn names(&mut self) -> Vec<Name> {
        let count = match self.style {
            Style::Batch => 2 + self.random.below(4),
            Style::Single | Style::Ticket => 1,
        };
        (0..count).map(|_| self.name()).collect()
    }

    /// Most records are small, some span pages, a few are larger than a small segment.
    fn name(&mut self) -> Name {
        let most = match self.random.below(40) {
            0 => self.limit,
            1..6 => self.limit.min(3000),
            _ => self.limit.min(400),
        };
        let extra = self.random.below(u64::from(most.max(1)));
        self.number += 1;
        Name {
            producer: self.name,
            cycle: self.load.cycle,
            number: self.number,
            bytes: Name::BYTES + u32::try_from(extra).expect("below the limit"),
        }
    }

    fn hand_in(&self, names: &[Name]) -> Result<(u64, Option<Ticket>)> {
        let queue = self.load.queue;
        match self.style {
            Style::Single => {
                let sequence = queue.enqueue(names[0].payload())?;
                Ok((sequence.get(), None))
            }
            Style::Batch => {
                let range = queue.enqueue_batch(names.iter().map(Name::payload))?;
                Ok((range.start.get(), None))
            }
            Style::Ticket => {
                let ticket = queue.submit(names[0].payload())?;
                Ok((ticket.sequence().get(), Some(ticket)))
            }
        }
    }

    fn accepted(&mut self, names: &[Name], first: u64, (late, ticket): (bool, Option<Ticket>)) {
        self.load.switch.successes.fetch_add(1, Ordering::SeqCst);
        self.limit = (self.limit + self.limit / 4).min(LIMIT_MAX);
        let mut ticket = ticket;
        for (sequence, name) in (first..).zip(names) {
            self.pending.push_back(Pending {
                sequence,
                name: *name,
                late,
                ticket: ticket.take(),
            });
        }
    }

    /// Whether acceptance is promise enough.
    fn is_promised_at_once(&self) -> bool {
        let durable = self.load.policy == SyncPolicy::Always && self.style != Style::Ticket;
        durable || self.load.peril == Peril::Kill
    }

    /// Gets the promise for what waits for it, now and then; false when it is over.
    fn promise_some(&mut self) -> bool {
        if self.is_promised_at_once() {
            self.promised(u64::MAX);
            return true;
        }
        if self.pending.len() < 12 {
            return true;
        }
        self.promise_pending()
    }

    fn promise_pending(&mut self) -> bool {
        let through = match self.pending.front() {
            None => return true,
            Some(Pending {
                ticket: Some(ticket),
                ..
            }) => ticket.wait().map(|sequence| sequence.get() + 1),
            Some(_) if matches!(self.load.policy, SyncPolicy::Interval(_)) => {
                let last = self.pending.back().expect("not empty").sequence;
                let sequence = forebay::Sequence::new(last);
                let waited = self
                    .load
                    .queue
                    .wait_durable(sequence, Duration::from_secs(20));
                waited.map(|()| last + 1)
            }
            Some(_) => self.load.queue.sync().map(forebay::Sequence::get),
        };
        match through {
            Ok(through) => {
                self.promised(through);
                true
            }
            Err(error) => self.refused(&[], &error),
        }
    }

    /// Everything below `through` that waits was promised just now.
    fn promised(&mut self, through: u64) {
        while let Some(pending) = self.pending.pop_front_if(|front| front.sequence < through) {
            // Asked after the promise: when the cut had not begun by now, it came before the cut.
            if pending.late {
                let sequence = pending.sequence;
                self.load
                    .broken(format!("{sequence} was acknowledged after the end"));
            } else if !Switch::is(&self.load.switch.cutting) {
                (self.load.tell)(Event::Promised {
                    sequence: pending.sequence,
                    epoch: self.load.queue.epoch().get(),
                    name: pending.name,
                });
            }
        }
    }

    fn promise_rest(&mut self) {
        while !self.pending.is_empty() && self.promise_pending() {}
    }

    /// A call failed; whether to go on.
    fn refused(&mut self, names: &[Name], error: &Error) -> bool {
        let load = self.load;
        let full = Load::is_full(error) && load.peril == Peril::FullDisk;
        if full && !Switch::is(&load.switch.cutting) {
            for name in names {
                (load.tell)(Event::Refused(*name));
            }
            load.switch.refusals.fetch_add(1, Ordering::SeqCst);
            self.limit /= 2;
            std::thread::sleep(Duration::from_micros(300));
            return true;
        }
        if error.kind() == ErrorKind::Poisoned && load.may_fail() {
            Switch::set(&load.switch.cut);
            return false;
        }
        if (error.kind() == ErrorKind::Io || full) && load.may_fail() {
            self.errors += 1;
            std::thread::sleep(Duration::from_millis(1));
            return self.errors < ERRORS_MAX;
        }
        load.broken(format!("handing in: {:?}: {error}", error.kind()));
        false
    }
}
