//! Carries out what was decided. Only `log` may call this.

use super::plan::Recovery;
use super::{SegmentFact, Survey};
use crate::error::Result;
use crate::format::{
    BLOCK_BYTES, CURSORS, End, IDENTITY, Identity, QUARANTINE, SEGMENTS, STATE, SegmentFile,
    StateSlot, segment_file, temporary,
};
use crate::position::{Epoch, Offset, SegmentNumber, Sequence};
use crate::segment::Segment;
use crate::slots::SlotFile;
use crate::storage::{Access, Directory, replace_whole};

/// Makes a new queue in `directory` and returns its `STATE`.
///
/// # Durability
///
/// The queue exists once this returns; a crash before leaves nothing that counts.
pub(crate) fn create_queue(
    directory: &dyn Directory,
    identity: &Identity,
    state: StateSlot,
) -> Result<SlotFile<StateSlot>> {
    // 1. Folders.  2. STATE, synced.  3. The names of all of them.
    // 4. QUEUE under another name, synced.  5. Rename.  6. Its name: the commit point.
    for folder in [SEGMENTS, CURSORS, QUARANTINE] {
        directory.create_folder(folder)?;
    }
    let slots = SlotFile::create(directory, STATE, state)?;
    directory.sync("")?;
    replace_whole(directory, (&temporary(IDENTITY), IDENTITY), |file| {
        file.write_at(&identity.encode(), 0)
    })?;
    directory.sync("")?;
    Ok(slots)
}

/// Commits the decision after an unclean end.
///
/// # Durability
///
/// On return every record below the end survives power loss, and the decision does. An error
/// leaves everything as it was: the next open decides the same.
pub(crate) fn apply_recovery(
    directory: &dyn Directory,
    survey: &Survey,
    recovery: &Recovery,
    (epoch, opener): (Epoch, u64),
) -> Result<SlotFile<StateSlot>> {
    // 1. Rewrite what W* does not vouch for: after a failed sync, or a background write-back
    //    error, pages look clean in the cache and are not on the medium.
    // 2. Sync the names of the segments and of the cursors.
    // 3. One STATE slot, synced: from here on the decision is read, not made again.
    for fact in &survey.segments {
        if recovery.walked.members.contains(&fact.number) {
            rewrite(directory, fact, survey.watermark, recovery.walked.end)?;
        }
    }
    for folder in [SEGMENTS, CURSORS, QUARANTINE] {
        directory.create_folder(folder)?;
    }
    for folder in ["", SEGMENTS, CURSORS] {
        directory.sync(folder)?;
    }
    let slot = committed_state(directory, survey, recovery, (epoch, opener))?;
    if recovery.state.is_some()
        && let Ok(mut slots) =
            SlotFile::<StateSlot>::open(directory, STATE, recovery.identity.queue)?
    {
        slots.commit(slot)?;
        return Ok(slots);
    }
    let slots = SlotFile::create(directory, STATE, slot)?;
    directory.sync("")?;
    Ok(slots)
}

/// The slot that makes the decision final.
fn committed_state(
    directory: &dyn Directory,
    survey: &Survey,
    recovery: &Recovery,
    (epoch, opener): (Epoch, u64),
) -> Result<StateSlot> {
    let end = recovery.walked.end;
    let last = match recovery.state {
        Some(state) => state,
        None => state_from_segments(directory, survey, recovery.identity)?,
    };
    Ok(StateSlot {
        opener,
        queue: recovery.identity.queue,
        clean: true,
        continues: false,
        damaged: recovery.walked.damaged_end,
        epoch,
        end,
        watermark: end.next,
        floor: last.floor.min(end.next),
        ..last
    })
}

/// What the oldest segment tells of a lost `STATE`: nothing before it is left.
fn state_from_segments(
    directory: &dyn Directory,
    survey: &Survey,
    identity: Identity,
) -> Result<StateSlot> {
    let oldest = survey
        .numbers
        .first()
        .copied()
        .unwrap_or(SegmentNumber::NONE);
    let mut state = StateSlot {
        first_segment: oldest,
        ..StateSlot::default()
    };
    // Where the oldest segment cannot be read, what it held is damaged, not dropped.
    if let Some(number) = survey.numbers.first()
        && let Ok(segment) = Segment::open(directory, identity.queue, *number, Access::Read)?
    {
        state.floor = segment.base;
        state.first_base = segment.base;
    }
    Ok(state)
}

/// Rewrites in place, unchanged, what of a segment is not proven durable: its header and start
/// frame, and every frame from `watermark` to the end of the log in it.
fn rewrite(
    directory: &dyn Directory,
    fact: &SegmentFact,
    watermark: Sequence,
    end: End,
) -> Result<()> {
    let Ok(started) = fact.started else {
        return Ok(());
    };
    let name = segment_file(fact.number, SegmentFile::Log);
    let file = directory.open(&name, Access::Write)?;
    let is_last = end.position.segment == fact.number;
    let to = if is_last {
        end.position.offset
    } else {
        fact.scan.used
    };
    let proven = fact.scan.index.at_or_before(watermark);
    let from = proven.map_or(started.data_start, |entry| entry.offset);
    // A footer may come behind the end.
    let to = to.plus(BLOCK_BYTES);
    for (from, to) in [(Offset::ZERO, started.data_start), (from, to)] {
        file.rewrite(from.get()..to.get())?;
    }
    file.sync()
}
