//! What a queue says about its log: read before the log is, so that it says no more than that holds.

use std::sync::Arc;

use crate::error::Result;
use crate::format::{
    CURSORS, CursorSlot, Pair, SNAPSHOTS, STATE, Slot, StateSlot, consumer_of, cursor_file, narrow,
    snapshot_file, snapshot_of,
};
use crate::position::{QueueId, SegmentNumber};
use crate::storage::{Access, Directory, File, list_if_there, open_if_there, read_whole};

/// How often to look at most until nothing was reclaimed meanwhile, or a file holds still.
const LOOKS_MAX: usize = 16;

/// Cursors, snapshots and `STATE`, as they were one after the other.
#[derive(Debug)]
pub(super) struct Claims {
    /// The files of two slots, by name.
    pub(super) slots: Vec<(String, Vec<u8>)>,
    /// The snapshots by name, open: another that is published meanwhile is another file.
    pub(super) snapshots: Vec<(String, Arc<dyn File>)>,
    /// The slot of `STATE` that counts.
    pub(super) state: Option<StateSlot>,
}

impl Claims {
    /// Reads what `directory`, the queue `queue`, claims; `None` where segments are deleted all the
    /// time.
    pub(super) fn read(directory: &dyn Directory, queue: QueueId) -> Result<Option<Self>> {
        let (_, mut before) = read_state(directory, queue)?;
        for _ in 0..LOOKS_MAX {
            let cursors = read_cursors(directory)?;
            let snapshots = open_snapshots(directory)?;
            let (bytes, state) = read_state(directory, queue)?;
            // Segments that went meanwhile may have had what a cursor was still to deliver then.
            if first_of(state) == first_of(before) {
                let state_file = bytes.map(|bytes| (STATE.to_owned(), bytes));
                return Ok(Some(Self {
                    slots: cursors.into_iter().chain(state_file).collect(),
                    snapshots,
                    state,
                }));
            }
            before = state;
        }
        Ok(None)
    }

    /// The first segment of the log: lower ones are deleted.
    pub(super) fn first_segment(&self) -> SegmentNumber {
        first_of(self.state)
    }
}

fn first_of(state: Option<StateSlot>) -> SegmentNumber {
    state.map_or(SegmentNumber::NONE, |state| state.first_segment)
}

/// The bytes of `STATE`, if it is there, and the slot in it that counts.
pub(super) fn read_state(
    directory: &dyn Directory,
    queue: QueueId,
) -> Result<(Option<Vec<u8>>, Option<StateSlot>)> {
    let bytes = read_slots_at_rest::<StateSlot>(directory, STATE)?;
    let state = bytes.as_deref().and_then(|bytes| state_in(bytes, queue));
    Ok((bytes, state))
}

/// The slot in the bytes of a `STATE` file that counts for `queue`.
pub(super) fn state_in(bytes: &[u8], queue: QueueId) -> Option<StateSlot> {
    Pair::decode(bytes).newest_own(queue).copied()
}

fn read_cursors(directory: &dyn Directory) -> Result<Vec<(String, Vec<u8>)>> {
    let mut cursors = Vec::new();
    for name in list_if_there(directory, CURSORS)? {
        let Some(path) = consumer_of(&name).map(cursor_file) else {
            continue;
        };
        let bytes = read_slots_at_rest::<CursorSlot>(directory, &path)?;
        cursors.extend(bytes.map(|bytes| (path, bytes)));
    }
    Ok(cursors)
}

fn open_snapshots(directory: &dyn Directory) -> Result<Vec<(String, Arc<dyn File>)>> {
    let mut snapshots = Vec::new();
    for name in list_if_there(directory, SNAPSHOTS)? {
        let Some(path) = snapshot_of(&name).map(snapshot_file) else {
            continue;
        };
        let file = open_if_there(directory, &path, Access::Read)?;
        snapshots.extend(file.map(|file| (path, file)));
    }
    Ok(snapshots)
}

/// The bytes of a file of two slots, not while one is being written: both are good, or they are
/// the same as in the look before.
fn read_slots_at_rest<S: Slot>(directory: &dyn Directory, name: &str) -> Result<Option<Vec<u8>>> {
    let mut before = None;
    for _ in 0..LOOKS_MAX {
        let Some(file) = open_if_there(directory, name, Access::Read)? else {
            return Ok(None);
        };
        let bytes = read_whole(&*file, narrow(Pair::<S>::FILE_BYTES))?;
        let both_good = Pair::<S>::decode(&bytes).valid().count() == 2;
        if both_good || before.as_ref() == Some(&bytes) {
            return Ok(Some(bytes));
        }
        before = Some(bytes);
    }
    Ok(before)
}
