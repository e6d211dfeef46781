//! How much may wait: room for new records, and eviction of the oldest.
//!
//! Records are counted from sequences and bytes from cumulative positions, so that neither grows
//! more expensive with the backlog. Eviction happens after the new records were written and before
//! their call returns; it moves the floor in memory and writes nothing.

use std::time::Duration;

use super::appends::Appends;
use super::floor::Place;
use super::host::is_older;
use super::lookup::{Here, find};
use super::notices::{Notice, Notices};
use super::{Log, Overflow};
use crate::error::{FullReason, Result};
use crate::event::{Gap, GapReason};
use crate::format::{Control, FrameHeader};
use crate::position::Sequence;
use crate::segment::resync;

/// Why a record has to wait, or is refused.
#[derive(Debug)]
pub(super) struct Lacking {
    /// There may be room once the floor is here; `None` when there never can be.
    pub(super) target: Option<Sequence>,
    pub(super) reason: FullReason,
}

/// The oldest record that is not dropped, for eviction by bytes and age.
#[derive(Debug)]
pub(super) struct Oldest {
    here: Here,
    next: Sequence,
}

impl Log {
    fn counts_bytes(&self) -> bool {
        self.settings.max_bytes < u64::MAX
    }

    /// Looks up the frame bytes below the floor, if they are needed and not known. No lock is held.
    pub(super) fn learn_floor_bytes(&self) -> Result<()> {
        if self.counts_bytes() && self.settings.overflow != Overflow::DropOldest {
            self.floor_place()?;
        }
        Ok(())
    }

    /// The floor with its frame bytes. No lock is held.
    pub(crate) fn floor_place(&self) -> Result<Place> {
        self.placed(self.floor.place())
    }

    /// `place` with its frame bytes, looked up where they are not known and no damage hides them.
    pub(crate) fn placed(&self, place: Place) -> Result<Place> {
        let sequence = place.sequence;
        let (next, end_bytes) = {
            let appends = self.appends.lock();
            (appends.next, appends.end().log_bytes)
        };
        let bytes = if sequence >= next {
            // Padding may follow the last record; nobody waits for it.
            return Ok(Place::new(sequence, Some(end_bytes)));
        } else if place.log_bytes.is_some() {
            return Ok(place);
        } else {
            let here = find(self, sequence, |number| self.active_index(number, sequence))?;
            here.map(|here| here.segment.log_bytes_at(here.offset))
        };
        let place = Place::new(sequence, bytes);
        self.floor.learn(place);
        Ok(place)
    }

    /// How long ago the record `sequence` was enqueued; `None` when it is not there or is damaged.
    pub(crate) fn age_of(&self, sequence: Sequence) -> Result<Option<Duration>> {
        if sequence >= self.next_written() {
            return Ok(None);
        }
        let here = find(self, sequence, |number| self.active_index(number, sequence))?;
        let Some(mut here) = here else {
            return Ok(None);
        };
        let header = here.stream.header_at(here.offset, here.limit)?;
        let is_it =
            |header: &FrameHeader| header.sequence == sequence && !header.flags.is_control();
        let header = header.ok().filter(is_it);
        let age = |time| Duration::from_nanos(self.host.now().saturating_sub(time));
        Ok(header.map(|header| age(header.time)))
    }

    /// Whether `records` more, of `bytes`, are too many; with `DropOldest` they never are.
    pub(super) fn lacking_room(
        &self,
        appends: &Appends,
        records: u64,
        bytes: u64,
    ) -> Option<Lacking> {
        let settings = &self.settings;
        if settings.overflow == Overflow::DropOldest {
            return None;
        }
        let next = appends.next.plus(records);
        if next.since(self.floor.sequence()) > settings.max_records {
            let never = records > settings.max_records;
            let target = Sequence::new(next.get().saturating_sub(settings.max_records));
            let reason = FullReason::Records;
            return Some(Lacking {
                target: (!never).then_some(target),
                reason,
            });
        }
        if !self.counts_bytes() {
            return None;
        }
        let floor = self.floor.place();
        // Unknown only where the floor stands at damage: then nothing is held against the caller.
        let below = floor.log_bytes.unwrap_or(appends.end().log_bytes);
        let waiting = appends.next > floor.sequence;
        let held = if waiting {
            appends.end().log_bytes.saturating_sub(below)
        } else {
            0
        };
        if held.saturating_add(bytes) > settings.max_bytes {
            let never = bytes > settings.max_bytes;
            let target = floor.sequence.plus(1);
            let reason = FullReason::Bytes;
            return Some(Lacking {
                target: (!never).then_some(target),
                reason,
            });
        }
        None
    }

    /// Gives up what is too old.
    pub(super) fn evict_expired(&self, appends: &mut Appends, now: u64, notices: &mut Notices) {
        let Some(age) = self.settings.max_age else {
            return;
        };
        self.advance_oldest(appends, |time, _| is_older(time, age, now))
            .map(|to| self.drop_to(to, GapReason::Expired, notices))
            .ok();
    }

    /// Gives up what is too old, and with `DropOldest` what is too much. A record that cannot be
    /// looked at stays for now: the new ones are in the log all the same.
    pub(super) fn evict(&self, appends: &mut Appends, now: u64, notices: &mut Notices) {
        self.evict_expired(appends, now, notices);
        if self.settings.overflow != Overflow::DropOldest {
            return;
        }
        let next = appends.next_written();
        let excess = next
            .since(self.floor.sequence())
            .saturating_sub(self.settings.max_records);
        if excess > 0 {
            let to = self.floor.sequence().plus(excess);
            self.drop_to(Place::new(to, None), GapReason::Dropped, notices);
        }
        if self.counts_bytes() {
            let end = appends.written_bytes();
            let limit = self.settings.max_bytes;
            self.advance_oldest(appends, |_, below| end.saturating_sub(below) > limit)
                .map(|to| self.drop_to(to, GapReason::Dropped, notices))
                .ok();
        }
    }

    /// Drops everything below `to`.
    pub(super) fn drop_to(&self, to: Place, reason: GapReason, notices: &mut Notices) {
        if let Some((range, count)) = self.floor.drop_to(to, reason) {
            notices.push(Notice::Dropped {
                gap: Gap::new(range, reason),
                count,
            });
        }
    }

    /// Whether a record enqueued at `time` is older than `max_age`.
    pub(crate) fn is_expired(&self, time: u64) -> bool {
        let age = self.settings.max_age;
        age.is_some_and(|age| is_older(time, age, self.host.now()))
    }

    /// Gives up everything below `to` for its age, where a consumer has met it.
    pub(crate) fn expire(&self, to: Place) {
        let mut notices = Notices::default();
        self.drop_to(to, GapReason::Expired, &mut notices);
        self.tell_all(notices);
    }

    /// Moves over written records from the floor as long as `gone` says so of a record's time and
    /// the frame bytes of the log before it; returns where it stopped.
    fn advance_oldest(
        &self,
        appends: &mut Appends,
        gone: impl Fn(u64, u64) -> bool,
    ) -> Result<Place> {
        let floor = self.floor.sequence();
        let end = appends.next_written();
        if floor >= end {
            return Ok(Place::new(floor, Some(appends.written_bytes())));
        }
        let known = appends.oldest.take().filter(|oldest| oldest.next == floor);
        let mut oldest = match known {
            Some(oldest) => oldest,
            None => match find(self, floor, |number| appends.index_entry(number, floor))? {
                Some(here) => Oldest { here, next: floor },
                None => return Ok(Place::new(floor, None)),
            },
        };
        let mut place = Place::new(floor, None);
        while oldest.next < end {
            let Some(time) = self.time_of(&mut oldest)? else {
                // What is damaged goes with the first good record behind it, when that goes.
                if self.pass_damage(&mut oldest)? {
                    continue;
                }
                break;
            };
            let below = oldest.here.segment.log_bytes_at(oldest.here.offset);
            if !gone(time, below) {
                break;
            }
            oldest.pass();
            let below = oldest.here.segment.log_bytes_at(oldest.here.offset);
            place = Place::new(oldest.next, Some(below));
        }
        appends.oldest = Some(oldest);
        Ok(place)
    }

    /// Moves past damage to where good records go on; false where they do not.
    fn pass_damage(&self, oldest: &mut Oldest) -> Result<bool> {
        let here = &mut oldest.here;
        if let Some(mark) = resync(&here.segment, here.offset, oldest.next)? {
            here.offset = mark.offset;
            oldest.next = mark.next;
            return Ok(true);
        }
        let mut at = here.segment.number();
        while let Some(following) = self.table.following(at) {
            if let Ok(segment) = self.table.open(following)? {
                oldest.next = segment.base;
                oldest.here = Here::at_start(segment)?;
                return Ok(true);
            }
            at = following;
        }
        Ok(false)
    }

    /// The time of the record that `oldest` is at, past control frames; `None` at damage.
    fn time_of(&self, oldest: &mut Oldest) -> Result<Option<u64>> {
        let mut reread = false;
        loop {
            let here = &mut oldest.here;
            match here.stream.header_at(here.offset, here.limit)? {
                Ok(header)
                    if Control::of(&header) == Ok(Control::Gap) && header.flags.is_control() =>
                {
                    let Ok(span) = here.stream.frame_at(here.offset, here.limit)? else {
                        return Ok(None);
                    };
                    here.offset = span.end;
                    oldest.next = oldest.next.max(span.next);
                }
                Ok(header) if header.flags.is_control() => {
                    if Control::of(&header) != Ok(Control::Footer) {
                        let bytes = here.segment.framing.frame_bytes(header.length);
                        here.offset = here.offset.plus(bytes);
                        continue;
                    }
                    let following = self.table.successor(here.segment.number())?;
                    let Some(following) = following else {
                        return Ok(None);
                    };
                    let Ok(segment) = self.table.open(following)? else {
                        return Ok(None);
                    };
                    oldest.here = Here::at_start(segment)?;
                }
                Ok(header) if header.sequence == oldest.next => return Ok(Some(header.time)),
                Err(_) if !reread => {
                    reread = true;
                    here.refresh()?;
                }
                Ok(_) | Err(_) => return Ok(None),
            }
        }
    }
}

impl Oldest {
    /// Moves past the record whose header is at this place.
    fn pass(&mut self) {
        let here = &mut self.here;
        if let Ok(Ok(header)) = here.stream.header_at(here.offset, here.limit) {
            let bytes = here.segment.framing.frame_bytes(header.length);
            here.offset = here.offset.plus(bytes);
            self.next = self.next.plus(1);
        }
    }
}
