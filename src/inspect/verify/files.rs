//! The small files of a queue: identity, state, keys; and what lies in quarantine.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::path::{Path, PathBuf};

use super::found::{Finding, Severity};
use super::ground::Ground;
use crate::error::{ErrorKind, Result};
use crate::format::{
    Defect, IDENTITY, KEYS, KeyFile, Pair, QUARANTINE, STATE, Slot, StateSlot, is_zero, narrow,
};
use crate::inspect::settled::{Glance, settled_glance};
use crate::position::{Epoch, Offset, QueueId, Sequence};
use crate::recovery::read_identity;
use crate::storage::{Access, Directory, open_if_there, read_whole};

/// How often a slot is read until it can be: a writer may be in the middle of it.
const READS_MAX: usize = 8;

pub(super) fn check_identity(directory: &dyn Directory) -> Result<Option<Finding>> {
    let file = directory.path().join(IDENTITY);
    Ok(match read_identity(directory)? {
        Some(Ok(_)) => None,
        Some(Err(defect)) => Some(Finding::of(Severity::Damage, file, Offset::ZERO, defect)),
        None => Some(missing(file)),
    })
}

fn missing(file: PathBuf) -> Finding {
    let words = ("a file".to_owned(), "none".to_owned());
    Finding::plain(Severity::Damage, file, Offset::ZERO, words)
}

/// The slots of `STATE`: a spare one that is bad is minor.
pub(super) fn check_state(directory: &dyn Directory, ground: &Ground) -> Result<Vec<Finding>> {
    let file = directory.path().join(STATE);
    let Some(defects) = slot_defects::<StateSlot>(directory, STATE, ground.identity.queue)? else {
        return Ok(vec![missing(file)]);
    };
    Ok(of_slots(&file, &defects))
}

/// The findings about the slots of `file`.
pub(super) fn of_slots(file: &Path, defects: &[SlotDefect]) -> Vec<Finding> {
    let is_lost = defects.iter().all(|slot| slot.unusable);
    let severity = if is_lost {
        Severity::Damage
    } else {
        Severity::Minor
    };
    let told = defects.iter().filter_map(|slot| {
        let words = match slot.defect {
            Some(defect) => (defect.expected(), defect.found()),
            None if is_lost => ("a slot".to_owned(), "zeros".to_owned()),
            None => return None,
        };
        Some(Finding::plain(
            severity,
            file.to_path_buf(),
            slot.offset,
            words,
        ))
    });
    told.collect()
}

/// What is wrong with one slot.
#[derive(Debug)]
pub(super) struct SlotDefect {
    offset: Offset,
    /// It does not count.
    unusable: bool,
    /// Why, unless it was never written.
    defect: Option<Defect>,
}

/// Both slots of the file `name`; `None` where there is no such file.
pub(super) fn slot_defects<S: Slot>(
    directory: &dyn Directory,
    name: &str,
    queue: QueueId,
) -> Result<Option<Vec<SlotDefect>>> {
    let mut last = None;
    for _ in 0..READS_MAX {
        let Some(file) = open_if_there(directory, name, Access::Read)? else {
            return Ok(None);
        };
        let bytes = read_whole(&*file, narrow(Pair::<S>::FILE_BYTES))?;
        let pair = Pair::<S>::decode(&bytes);
        let both = pair.slots.iter().enumerate().map(|(which, slot)| {
            let offset = Pair::<S>::offset(which);
            let block = bytes.get(narrow(offset.get())..).unwrap_or_default();
            let block = block.get(..narrow(4096).min(block.len()));
            let blank = is_zero(block.unwrap_or_default());
            let defect = match slot {
                Ok(slot) if slot.queue() == queue => None,
                Ok(_) => Some(Defect::Owner { name: "queue" }),
                Err(defect) => Some(*defect),
            };
            SlotDefect {
                offset,
                unusable: defect.is_some(),
                defect: defect.filter(|_| !blank),
            }
        });
        let both: Vec<_> = both.collect();
        let is_fine = both.iter().all(|slot| slot.defect.is_none());
        last = Some(both);
        if is_fine {
            break;
        }
    }
    Ok(last)
}

/// The file of the keys, if there is one.
pub(super) fn check_keys(directory: &dyn Directory, ground: &Ground) -> Result<Option<Finding>> {
    let Some(file) = open_if_there(directory, KEYS, Access::Read)? else {
        return Ok(None);
    };
    let bytes = read_whole(&*file, narrow(KeyFile::BYTES_MAX))?;
    let defect = match KeyFile::decode(&bytes) {
        Ok(keys) if keys.queue != ground.identity.queue => Some(Defect::Owner { name: "queue" }),
        Ok(keys) => {
            let covered = ("covered sequence", keys.covered);
            beyond_the_log(directory, ground, keys.epoch, covered)
        }
        Err(defect) => Some(defect),
    };
    let Some(defect) = defect else {
        return Ok(None);
    };
    let file = directory.path().join(KEYS);
    let found = Finding::of(Severity::Damage, file, Offset::ZERO, defect);
    Ok(Some(found))
}

/// What the log has not reached of an epoch and a sequence that a file claims, which was read
/// before this. A writer has gone on since the ground was laid: the log is looked at again first.
pub(super) fn beyond_the_log(
    directory: &dyn Directory,
    ground: &Ground,
    epoch: Epoch,
    (name, sequence): (&'static str, Sequence),
) -> Option<Defect> {
    let judge = |next: Sequence, newest: Option<Epoch>| {
        let (name, found) = if newest.is_some_and(|newest| epoch > newest) {
            ("epoch", epoch.get())
        } else if sequence > next {
            (name, sequence.get())
        } else {
            return None;
        };
        Some(Defect::Field { name, found })
    };
    let defect = judge(ground.next, ground.epoch)?;
    let Ok(Glance { look, .. }) = settled_glance(directory) else {
        return Some(defect);
    };
    judge(
        look.end.next.max(ground.next),
        ground.epoch.max(Some(look.opening.epoch)),
    )
}

/// How many files lie in quarantine, and their bytes.
pub(super) fn count_quarantine(directory: &dyn Directory) -> Result<(usize, u64)> {
    let names = match directory.list(QUARANTINE) {
        Ok(names) => names,
        Err(error) if error.kind() == ErrorKind::NotFound || error.is_missing() => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut counted = (0_usize, 0_u64);
    for name in names {
        let file = match open_if_there(directory, &format!("{QUARANTINE}/{name}"), Access::Read) {
            // Somebody's folder, or what a repair found in the place of a file.
            Err(error) if error.kind() == ErrorKind::Foreign => continue,
            file => file?,
        };
        let bytes = file.map_or(Ok(0), |file| file.length())?;
        counted = (counted.0.saturating_add(1), counted.1.saturating_add(bytes));
    }
    Ok(counted)
}
