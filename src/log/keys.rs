//! The keys that count: which of the newest records has which.
//!
//! A key counts while its record is one of the newest `window` records, the one to come being the
//! first of those. The entries stand in the order of their sequences; slots, found by the key's
//! hash, say where among them a key is. That takes 24 bytes an entry and 5 to 11 for its slots.
//!
//! Which records are the newest is judged by the log's end, which a full disk may move back. So
//! entries are forgotten by what is durable, which never moves back, and judged when asked for.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::Range;

use super::appends::{Appends, Prepared};
use crate::format::{Key, KeyEntry, narrow, wide};
use crate::position::Sequence;

/// Set in a slot that is taken; the other bits count the entries ever noted.
const TAKEN: u64 = 1 << 31;
const SLOTS_MIN: usize = 16;

/// The record that had a key first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    pub(super) sequence: Sequence,
    /// How often records had been taken back when it was found: another may have its place since.
    pub(super) taken_back: u64,
}

/// The keys of the newest records.
#[derive(Debug)]
pub(super) struct KeyWindow {
    window: u64,
    entries: VecDeque<KeyEntry>,
    /// Entries that were forgotten.
    forgotten: u64,
    /// A power of two, some of them free. Taken ones follow each other from where a key belongs.
    slots: Vec<u32>,
    hasher: RandomState,
    taken_back: u64,
}

/// The oldest sequence that counts when `next` is the one to come.
pub(super) fn oldest_known(next: Sequence, window: u64) -> Sequence {
    Sequence::new(next.get().saturating_sub(window))
}

impl KeyWindow {
    /// A window of `window` records with `entries`, in the order of their sequences.
    pub(super) fn new(window: u64, entries: Vec<KeyEntry>) -> Self {
        let mut keys = Self {
            window,
            entries: entries.into(),
            forgotten: 0,
            slots: Vec::new(),
            hasher: RandomState::new(),
            taken_back: 0,
        };
        keys.sort();
        keys
    }

    /// The record with `key`, if that counts when `next` is the sequence to come.
    pub(super) fn find(&self, key: &Key, next: Sequence) -> Option<First> {
        let entry = self.entry(self.place_of(key).ok()?)?;
        (entry.sequence >= oldest_known(next, self.window)).then_some(First {
            sequence: entry.sequence,
            taken_back: self.taken_back,
        })
    }

    /// The record `sequence`, the newest one, has `key`; forgets what cannot count any more when
    /// everything below `durable` is durable.
    pub(super) fn note(&mut self, key: Key, sequence: Sequence, durable: Sequence) {
        self.forget_below(oldest_known(durable, self.window));
        if self.entries.len() == self.entries.capacity() {
            let more = (self.entries.len() / 4).max(SLOTS_MIN);
            self.entries.reserve_exact(more);
        }
        self.entries.push_back(KeyEntry { key, sequence });
        if self.entries.len() > self.slots.len() / 4 * 3 {
            self.sort();
        } else {
            self.take_slot(self.entries.len() - 1);
        }
    }

    /// The records from `next` on were taken back, and with them their keys.
    pub(super) fn take_back(&mut self, next: Sequence) {
        let kept = self.entries.partition_point(|entry| entry.sequence < next);
        if kept < self.entries.len() {
            self.entries.truncate(kept);
            self.taken_back += 1;
            // A key that had passed out of the window, and was used again, counts for its first
            // record again.
            self.sort();
        }
    }

    /// How often records with keys were taken back.
    pub(super) fn taken_back(&self) -> u64 {
        self.taken_back
    }

    /// The keys of the records in `range`.
    pub(super) fn between(&self, range: &Range<Sequence>) -> Vec<KeyEntry> {
        let from = self
            .entries
            .partition_point(|entry| entry.sequence < range.start);
        let to = self
            .entries
            .partition_point(|entry| entry.sequence < range.end);
        self.entries.range(from..to.max(from)).copied().collect()
    }

    fn forget_below(&mut self, oldest: Sequence) {
        while let Some(entry) = self.entries.front().filter(|entry| entry.sequence < oldest) {
            // A later record may have the key by now.
            if let Ok(place) = self.place_of(&entry.key)
                && self.index_in(place) == Some(0)
            {
                self.free_slot(place);
            }
            self.entries.pop_front();
            self.forgotten += 1;
        }
    }

    /// Gives all entries their slots anew, with room for half as many more.
    fn sort(&mut self) {
        let wanted = (self.entries.len() * 3 / 2)
            .next_power_of_two()
            .max(SLOTS_MIN);
        self.slots.clear();
        self.slots.shrink_to(wanted);
        self.slots.resize(wanted, 0);
        for index in 0..self.entries.len() {
            self.take_slot(index);
        }
    }

    /// Makes the slot of the entry's key point to the entry.
    fn take_slot(&mut self, index: usize) {
        let Some(entry) = self.entries.get(index) else {
            return;
        };
        let (Ok(place) | Err(place)) = self.place_of(&entry.key);
        let number = (self.forgotten + wide(index)) % TAKEN;
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = u32::try_from(number | TAKEN).unwrap_or(0);
        }
    }

    /// The slot of `key`, or the free one where it would be.
    fn place_of(&self, key: &Key) -> Result<usize, usize> {
        let mut place = self.home_of(key);
        // Some are always free.
        while let Some(entry) = self.entry(place) {
            if entry.key == *key {
                return Ok(place);
            }
            place = self.after(place);
        }
        Err(place)
    }

    /// Frees a slot, and moves those up that were behind it only because it was taken.
    fn free_slot(&mut self, mut free: usize) {
        let mut place = self.after(free);
        while let Some(entry) = self.entry(place) {
            let home = self.home_of(&entry.key);
            if self.distance(home, place) >= self.distance(free, place) {
                self.slots.swap(free, place);
                free = place;
            }
            place = self.after(place);
        }
        if let Some(slot) = self.slots.get_mut(free) {
            *slot = 0;
        }
    }

    fn home_of(&self, key: &Key) -> usize {
        narrow(self.hasher.hash_one(key) & wide(self.mask()))
    }

    fn after(&self, place: usize) -> usize {
        place.wrapping_add(1) & self.mask()
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.mask()
    }

    fn mask(&self) -> usize {
        self.slots.len().wrapping_sub(1)
    }

    fn entry(&self, place: usize) -> Option<&KeyEntry> {
        self.entries.get(self.index_in(place)?)
    }

    /// Which entry a slot points to; `None` for a free one.
    fn index_in(&self, place: usize) -> Option<usize> {
        let slot = u64::from(self.slots.get(place).copied()?);
        let number = slot.checked_sub(TAKEN)?;
        let forgotten = self.forgotten % TAKEN;
        Some(narrow((number + TAKEN - forgotten) % TAKEN))
    }
}

impl Appends {
    /// The record that has the key of one of `records`, where that counts.
    pub(super) fn first_with_key(&self, records: &[Prepared<'_>]) -> Option<First> {
        let keys = self.keys.as_ref()?;
        let mut known = records.iter().filter_map(|record| record.key);
        known.find_map(|key| keys.find(&key, self.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn at(sequence: u64) -> Sequence {
        Sequence::new(sequence)
    }

    fn key(number: u64) -> Key {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.to_le_bytes());
        key
    }

    fn found(keys: &KeyWindow, number: u64, next: u64) -> Option<u64> {
        let first = keys.find(&key(number), at(next));
        first.map(|first| first.sequence.get())
    }

    #[test]
    fn a_key_counts_while_its_record_is_one_of_the_newest() {
        let mut keys = KeyWindow::new(3, Vec::new());
        keys.note(key(1), at(10), at(10));
        assert_eq!(found(&keys, 1, 11), Some(10));
        assert_eq!(found(&keys, 1, 13), Some(10));
        assert_eq!(found(&keys, 1, 14), None);
        assert_eq!(found(&keys, 2, 11), None);
    }

    #[test]
    fn a_window_of_no_records_knows_nothing() {
        let mut keys = KeyWindow::new(0, Vec::new());
        keys.note(key(1), at(0), at(0));
        assert_eq!(found(&keys, 1, 1), None);
        assert_eq!(found(&KeyWindow::new(5, Vec::new()), 1, 1), None);
    }

    #[test]
    fn a_key_used_again_after_its_window_counts_for_its_first_record_once_that_is_taken_back() {
        let mut keys = KeyWindow::new(2, Vec::new());
        keys.note(key(1), at(0), at(0));
        for sequence in 1..3 {
            keys.note(key(100 + sequence), at(sequence), at(0));
        }
        assert_eq!(found(&keys, 1, 3), None);
        keys.note(key(1), at(3), at(0));
        assert_eq!(found(&keys, 1, 4), Some(3));
        let before = keys.taken_back();
        keys.take_back(at(2));
        assert_eq!(found(&keys, 1, 2), Some(0));
        assert_eq!(keys.taken_back(), before + 1);
        keys.take_back(at(2));
        assert_eq!(keys.taken_back(), before + 1, "nothing was taken back");
    }

    #[test]
    fn of_a_range_exactly_its_keys_are_told() {
        let mut keys = KeyWindow::new(100, Vec::new());
        for sequence in 0..10 {
            keys.note(key(sequence), at(sequence * 2), at(0));
        }
        let told = keys.between(&(at(3)..at(8)));
        let told: Vec<u64> = told.iter().map(|entry| entry.sequence.get()).collect();
        assert_eq!(told, [4, 6]);
        assert!(keys.between(&(at(8)..at(3))).is_empty());
    }

    #[test]
    fn the_window_agrees_with_a_map_whatever_is_noted_forgotten_and_taken_back() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut roll = |sides: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % sides
        };
        for window in [1, 7, 64, 300] {
            let mut keys = KeyWindow::new(window, Vec::new());
            let mut records: Vec<Option<u64>> = Vec::new();
            let mut durable = 0;
            for _ in 0..20_000 {
                let next = wide(records.len());
                let number = roll(window * 2);
                let newest: HashMap<u64, u64> = (next.saturating_sub(window)..next)
                    .filter_map(|at| Some((records[narrow(at)]?, at)))
                    .collect();
                let expected = newest.get(&number).copied();
                assert_eq!(found(&keys, number, next), expected, "{number} at {next}");
                match roll(20) {
                    0 => durable = next,
                    1 => {
                        let back = durable + roll(next - durable + 1);
                        records.truncate(narrow(back));
                        keys.take_back(at(back));
                    }
                    2..5 => records.push(None),
                    _ if expected.is_none() => {
                        keys.note(key(number), at(next), at(durable));
                        records.push(Some(number));
                    }
                    _ => {}
                }
            }
            let all = wide(keys.entries.len());
            assert!(all <= wide(records.len()) - durable + window + 1, "{all}");
        }
    }

    #[test]
    fn a_full_window_takes_about_forty_bytes_a_key() {
        let mut keys = KeyWindow::new(65_536, Vec::new());
        for sequence in 0..200_000 {
            keys.note(key(sequence), at(sequence), at(sequence));
        }
        let bytes = keys.entries.capacity() * size_of::<KeyEntry>() + keys.slots.capacity() * 4;
        assert!(bytes / keys.entries.len() <= 40, "{bytes}");
        assert!(keys.entries.len() <= 65_537);
    }
}
