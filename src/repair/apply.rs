//! Carries a plan out, one file at a time.

use super::aside::{copy, copy_bytes, move_there};
use super::draft::Draft;
use super::step::{RepairStep, Work};
use super::unreadable::is_a_file;
use crate::error::{ErrorKind, Result};
use crate::format::{SEGMENTS, STATE, SegmentFile, StateSlot, segment_file, temporary};
use crate::position::{Offset, QueueId};
use crate::slots::SlotFile;
use crate::storage::{Directory, replace_whole};

/// Does all of `steps`.
pub(super) fn apply_steps(directory: &dyn Directory, steps: &[RepairStep]) -> Result<()> {
    for step in steps {
        // Before anything is changed: what is there now is in `quarantine`, durable.
        if let Some(kept) = step.kept.as_ref().and_then(|kept| kept.to_str()) {
            if is_a_file(&step.unreadable) {
                copy(directory, &step.file, kept, &step.unreadable)?;
            } else {
                move_there(directory, &step.file, kept)?;
            }
        }
        let folder = step.file.rsplit_once('/').map_or("", |(folder, _)| folder);
        match &step.work {
            Work::SetAside => directory.remove(&step.file)?,
            Work::Rename { to } => directory.rename(&step.file, to)?,
            Work::Write { bytes } => {
                let names = (&*temporary(&step.file), &*step.file);
                replace_whole(directory, names, |file| file.write_at(bytes, 0))?;
            }
            Work::Draft(draft) => write_draft(directory, step, draft)?,
            Work::Copy => write_copy(directory, step)?,
            Work::MarkUnclean { queue } => mark_unclean(directory, *queue)?,
        }
        directory.sync(folder)?;
    }
    Ok(())
}

/// Puts a copy of the file in its place.
fn write_copy(directory: &dyn Directory, step: &RepairStep) -> Result<()> {
    let name = step.file.as_str();
    replace_whole(directory, (&temporary(name), name), |file| {
        copy_bytes((directory, name, &step.unreadable), &**file, u64::MAX)
    })?;
    Ok(())
}

/// Puts the segment of `draft` in the place of the file of `step`.
fn write_draft(directory: &dyn Directory, step: &RepairStep, draft: &Draft) -> Result<()> {
    let name = step.file.as_str();
    replace_whole(directory, (&temporary(name), name), |file| {
        if draft.keeps {
            let end = draft.end.map_or(u64::MAX, Offset::get);
            copy_bytes((directory, name, &step.unreadable), &**file, end)?;
        }
        draft.write(file)
    })?;
    directory.sync(SEGMENTS)?;
    // It tells of the file that was here before.
    let number = draft.header.number;
    directory.remove(&segment_file(number, SegmentFile::Index))
}

/// Has `STATE` say that the log's end is not known.
fn mark_unclean(directory: &dyn Directory, queue: QueueId) -> Result<()> {
    let slots = SlotFile::<StateSlot>::open(directory, STATE, queue)?;
    let path = directory.path().join(STATE);
    let mut slots =
        slots.map_err(|defect| defect.into_error(ErrorKind::Corrupt, "STATE changed", &path))?;
    let slot = StateSlot {
        clean: false,
        ..*slots.newest()
    };
    slots.commit(slot)
}
