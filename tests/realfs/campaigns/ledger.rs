//! What the queue has promised so far, kept where its file system cannot reach it.

use std::collections::{BTreeMap, HashSet};

use super::failure::{Failure, Outcome};
use super::record::Name;

/// One thing that a caller of the queue was told, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The record has this place and survives what the campaign does next.
    Promised {
        sequence: u64,
        epoch: u64,
        name: Name,
    },
    /// The record was refused for want of space: it is not in the queue.
    Refused(Name),
    /// A consumer was handed the record, and is about to acknowledge it. What is handed out is
    /// durable; where a power cut is under way that cannot be counted on.
    Delivered {
        consumer: usize,
        sequence: u64,
        epoch: u64,
        name: Name,
        is_certain: bool,
    },
    /// A consumer was told that it has acknowledged everything below `next`.
    Acknowledged { consumer: usize, next: u64 },
    /// A promise was broken in front of the caller.
    Broken(String),
}

/// How a life of the queue ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Closed,
    Killed,
    PowerCut,
    /// By a failed sync, and the page cache is still there.
    Poisoned,
}

/// Where a consumer may be found.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// It has tried to acknowledge everything below this.
    most: u64,
    /// It was told so of everything below this.
    returned: u64,
    /// It was found here, on the medium.
    durable: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The current life.
    pub(crate) cycle: u32,
    promised: BTreeMap<u64, Name>,
    /// By sequence and epoch: one payload each, for ever.
    named: BTreeMap<(u64, u64), Name>,
    refused: HashSet<Name>,
    places: [Place; CONSUMERS.len()],
    /// The first broken promise that a caller saw.
    broken: Option<String>,
    /// Promises of all lives.
    pub(crate) promises: u64,
    pub(crate) refusals: u64,
    pub(crate) deliveries: u64,
}

/// Every queue here has these consumers: one that goes its way, one that looks at everything.
pub(crate) const CONSUMERS: [&str; 2] = ["shipper", "auditor"];
pub(crate) const SHIPPER: usize = 0;
pub(crate) const AUDITOR: usize = 1;

impl Ledger {
    pub(crate) fn apply(&mut self, event: Event) {
        let noted = match event {
            Event::Promised {
                sequence,
                epoch,
                name,
            } => {
                self.promises += 1;
                self.promise(sequence, epoch, name)
            }
            Event::Refused(name) => {
                self.refusals += 1;
                self.refused.insert(name);
                Ok(())
            }
            Event::Delivered {
                consumer,
                sequence,
                epoch,
                name,
                is_certain,
            } => {
                self.deliveries += 1;
                let place = &mut self.places[consumer];
                place.most = place.most.max(sequence + 1);
                if is_certain {
                    self.promise(sequence, epoch, name)
                } else {
                    self.name(sequence, epoch, name)
                }
            }
            Event::Acknowledged { consumer, next } => {
                self.places[consumer].returned = next;
                Ok(())
            }
            Event::Broken(what) => Failure::broken(what),
        };
        if let Err(Failure::Broken(what)) = noted {
            self.broken.get_or_insert(what);
        }
    }

    /// The record is at `sequence`, and stays there.
    fn promise(&mut self, sequence: u64, epoch: u64, name: Name) -> Outcome {
        let known = *self.promised.entry(sequence).or_insert(name);
        if known != name {
            return Failure::broken(format!("{sequence} is {known:?} and {name:?}"));
        }
        self.name(sequence, epoch, name)
    }

    fn name(&mut self, sequence: u64, epoch: u64, name: Name) -> Outcome {
        if self.refused.contains(&name) {
            return Failure::broken(format!("{name:?} was refused and is at {sequence}"));
        }
        let known = *self.named.entry((sequence, epoch)).or_insert(name);
        if known != name {
            let what = format!("{sequence} of epoch {epoch:x} names {known:?} and {name:?}");
            return Failure::broken(what);
        }
        Ok(())
    }

    /// Fails when a caller saw a promise broken.
    pub(crate) fn check_broken(&self) -> Outcome {
        match &self.broken {
            Some(what) => Failure::broken(what.clone()),
            None => Ok(()),
        }
    }

    /// The log's end was found at `next`.
    pub(crate) fn check_end(&self, next: u64) -> Outcome {
        let Some((last, name)) = self.promised.last_key_value() else {
            return Ok(());
        };
        if *last >= next {
            let count = self.promised.range(next..).count();
            return Failure::broken(format!(
                "LOST: {count} acknowledged records from {next} to {last}, the last is {name:?}"
            ));
        }
        Ok(())
    }

    /// A record was found after a life had ended.
    pub(crate) fn check_found(&mut self, sequence: u64, epoch: u64, name: Name) -> Outcome {
        match self.promised.get(&sequence) {
            Some(known) if *known != name => {
                return Failure::broken(format!(
                    "LOST: {known:?} at {sequence}, there is {name:?}"
                ));
            }
            None if name.cycle < self.cycle => {
                let what = format!("{name:?} of an earlier life came back at {sequence}");
                return Failure::broken(what);
            }
            Some(_) | None => {}
        }
        // The queue hands it out: from now on it has to stay.
        self.promise(sequence, epoch, name)
    }

    /// A consumer was found at `next`.
    pub(crate) fn check_place(&mut self, consumer: usize, next: u64, ending: Ending) -> Outcome {
        let place = &mut self.places[consumer];
        let least = match ending {
            Ending::Closed | Ending::Killed => place.returned,
            Ending::PowerCut | Ending::Poisoned => place.durable,
        };
        if next < least || next > place.most {
            let who = CONSUMERS[consumer];
            return Failure::broken(format!(
                "{who} is at {next} after {ending:?}; it was at {least} for certain and went to {}",
                place.most
            ));
        }
        place.returned = next;
        // The others say nothing of the medium.
        if ending == Ending::PowerCut {
            place.durable = next;
        }
        Ok(())
    }

    /// A consumer acknowledges everything below `next`.
    pub(crate) fn went_to(&mut self, consumer: usize, next: u64) {
        let place = &mut self.places[consumer];
        place.most = place.most.max(next);
    }

    /// A consumer went back to `next`, to look at records again.
    pub(crate) fn went_back(&mut self, consumer: usize, next: u64) {
        let place = &mut self.places[consumer];
        place.returned = next;
        place.durable = place.durable.min(next);
    }

    /// Everything was looked at: a new life begins. Forgets what no consumer needs any more.
    pub(crate) fn begin(&mut self) {
        self.cycle += 1;
        // A power cut takes consumers back to where they were last found.
        let places = self.places.iter().map(|place| place.durable);
        let needed_from = places.min().unwrap_or(0);
        self.promised = self.promised.split_off(&needed_from);
        self.named = self.named.split_off(&(needed_from, 0));
        self.refused.clear();
    }
}
