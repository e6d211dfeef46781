//! What was handed in, and what was promised about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dice::mix;
use crate::promises::{Acks, Presence, Saved, Second, State};
use crate::workload::{CAPACITY, KEPT_BYTES, Keep};

/// One record that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Which of all payloads it is.
    pub(crate) id: u32,
    pub(crate) length: usize,
    pub(crate) epoch: u64,
    /// Whether more of the same batch follow.
    pub(crate) continues: bool,
}

/// The kind of records that the second consumer is given.
pub(crate) const CHOSEN: u16 = 1;

impl Entry {
    pub(crate) fn kind(&self) -> u16 {
        if self.id % 5 < 2 { CHOSEN } else { 0 }
    }

    pub(crate) fn is_chosen(&self) -> bool {
        self.kind() == CHOSEN
    }

    /// The payload: no other record has it, except where it is too short to tell.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let mut bytes = format!("{}:", self.id).into_bytes();
        let filler = self.id.to_le_bytes()[0] | 1;
        bytes.resize(self.length, filler);
        bytes
    }
}

/// All that was promised.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// By sequence, also what is being handed in right now.
    pub(crate) log: Vec<Entry>,
    /// Everything below survives a kill.
    pub(crate) written: u64,
    /// Everything below survives power loss.
    pub(crate) durable: u64,
    pub(crate) acks: Acks,
    pub(crate) second: Second,
    pub(crate) saved: Saved,
    /// Everything below is seen by what stands beside the queue, as long as the power is not cut.
    pub(crate) stated: u64,
    /// Everything below was seen by what stands beside the queue.
    pub(crate) followed: u64,
    /// The epoch that records get now.
    pub(crate) run: u64,
    /// The last epoch that survives whatever comes: one that was told and begun, or used.
    pub(crate) epoch: u64,
    /// Which payload a (count of the epoch, sequence) names, once anybody knows the name.
    pub(crate) names: BTreeMap<(u64, u64), u32>,
    pub(crate) next_id: u32,
    /// Whether records may be durable by a recovery: those have no sector or page of their own.
    pub(crate) is_recovered: bool,
}

/// The part of an epoch that counts; the random part must never be what tells two runs apart.
pub(crate) fn count_of(epoch: u64) -> u64 {
    epoch >> 32
}

impl Ledger {
    pub(crate) fn next(&self) -> u64 {
        self.log.len() as u64
    }

    /// Notes records that are about to be handed in as one batch.
    pub(crate) fn submit(&mut self, lengths: &[usize]) -> Vec<Vec<u8>> {
        let first = self.log.len();
        for (at, length) in lengths.iter().enumerate() {
            self.log.push(Entry {
                id: self.next_id,
                length: *length,
                epoch: self.run,
                continues: at + 1 < lengths.len(),
            });
            self.next_id += 1;
        }
        self.log[first..].iter().map(Entry::payload).collect()
    }

    /// The records from `first` on were accepted: their names are known from now on.
    pub(crate) fn accept(&mut self, first: u64) -> Result<(), String> {
        for sequence in first..self.next() {
            self.name(sequence)?;
        }
        self.written = self.next();
        self.epoch = self.run;
        Ok(())
    }

    /// Somebody knows the record `sequence` by its name.
    pub(crate) fn name(&mut self, sequence: u64) -> Result<(), String> {
        let entry = self.at(sequence);
        let name = (count_of(entry.epoch), sequence);
        let named = *self.names.entry(name).or_insert(entry.id);
        if named == entry.id {
            return Ok(());
        }
        let id = entry.id;
        Err(format!("{name:?} names payload {named} and payload {id}"))
    }

    pub(crate) fn at(&self, sequence: u64) -> Entry {
        let at = usize::try_from(sequence).expect("a sequence fits into memory");
        self.log[at]
    }

    /// Whether the log can end before `sequence`: a batch is whole or gone.
    pub(crate) fn may_end_at(&self, sequence: u64) -> bool {
        sequence == 0 || !self.at(sequence - 1).continues
    }

    /// Opening found that the log ends before `next`: all of that is durable, the rest is gone.
    pub(crate) fn recover(&mut self, next: u64, epoch: u64) {
        self.log
            .truncate(usize::try_from(next).expect("a sequence fits into memory"));
        self.written = next;
        self.durable = next;
        self.stated = next;
        self.run = epoch;
        // Whatever was passed beyond the end, what is enqueued there now is passed by nobody.
        let acks = &mut self.acks;
        for place in [&mut acks.durable, &mut acks.written, &mut acks.tried] {
            *place = next.min(*place);
        }
        let second = &mut self.second;
        for place in [&mut second.durable, &mut second.written, &mut second.tried] {
            *place = next.min(*place);
        }
    }

    /// Nothing from here on can be gone with this setup: it was neither dropped nor, as far as it
    /// had to be, acknowledged, saved, or old.
    pub(crate) fn kept_from(&self, keep: Keep) -> u64 {
        let dropped = self.next().saturating_sub(CAPACITY);
        let mut done = self.acks.tried;
        if self.second.presence == Presence::There {
            done = done.min(self.second.tried);
        }
        let done = match keep {
            Keep::Nothing => done,
            Keep::UntilSnapshot => done.min(self.saved.durable.unwrap_or(0)),
            Keep::Bytes => done.min(self.first_of_last(KEPT_BYTES)),
        };
        done.max(dropped)
    }

    /// The first of the last records that take up less than `bytes`, however they are padded.
    fn first_of_last(&self, bytes: u64) -> u64 {
        /// Header, alignment, and a page that is filled up.
        const AROUND: u64 = 80 + 8 + 4096;
        let mut left = bytes;
        let kept = self.log.iter().rev().take_while(|entry| {
            let needed = entry.length as u64 + AROUND;
            let fits = left.checked_sub(needed);
            left = fits.unwrap_or(0);
            fits.is_some()
        });
        self.next() - kept.count() as u64
    }

    /// The first record from `sequence` on that the second consumer is given, or the end.
    pub(crate) fn next_chosen(&self, sequence: u64) -> u64 {
        let mut all = sequence..self.next();
        all.find(|at| self.at(*at).is_chosen())
            .unwrap_or(sequence.max(self.next()))
    }

    /// What a user's state of all records below `covers` is: their number, and a sum of their bytes
    /// in order.
    pub(crate) fn state(&self, covers: u64) -> State {
        let mut state = State::default();
        for sequence in 0..covers {
            state.add(&self.at(sequence).payload());
        }
        state
    }

    /// The power was cut: what only a kill had spared is no longer promised.
    pub(crate) fn lose_power(self: &mut Arc<Self>) {
        let written = (self.written, self.acks.written, self.second.written);
        let durable = (self.durable, self.acks.durable, self.second.durable);
        if (written, self.saved.written, self.stated) != (durable, self.saved.durable, 0) {
            let own = Arc::make_mut(self);
            own.stated = 0;
            own.written = own.durable;
            own.acks.written = own.acks.durable;
            own.second.written = own.second.durable;
            own.saved.written = own.saved.durable;
        }
    }

    /// Notes that everything below `sequence` is durable.
    pub(crate) fn note_durable(&mut self, sequence: u64) {
        self.durable = self.durable.max(sequence);
    }

    /// A number that tells promises apart.
    pub(crate) fn fingerprint(&self) -> u64 {
        let Acks {
            exists,
            durable,
            written,
            tried,
        } = self.acks;
        let numbers = [
            self.written,
            self.durable,
            u64::from(exists) | u64::from(self.is_recovered) << 1,
            durable,
            written,
            tried,
            self.epoch,
            self.run,
            self.second.presence as u64,
            self.second.durable,
            self.second.written,
            self.second.tried,
            self.stated,
            self.followed,
        ];
        let Saved {
            durable,
            written,
            tried,
        } = self.saved;
        let saved = [durable, written, tried].map(|covers| covers.map_or(0, |covers| covers + 1));
        let promised = numbers.into_iter().chain(saved).fold(0, mix);
        let records = self
            .log
            .iter()
            .map(|entry| mix(entry.id.into(), entry.epoch));
        records.fold(promised, mix)
    }
}
