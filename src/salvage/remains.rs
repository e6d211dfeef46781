//! What the small files of a queue still say.

use crate::error::Result;
use crate::format::{
    CURSORS, CursorSlot, IDENTITY, Identity, KEYS, KeyFile, Pair, SNAPSHOTS, STATE, StateSlot,
    consumer_id, consumer_of, cursor_file, narrow, snapshot_of,
};
use crate::position::{Epoch, QueueId, Sequence};
use crate::slots::{read_slots, refuse_future};
use crate::storage::{Access, Directory, list_if_there, open_if_there, read_whole};

/// What is left besides segments.
#[derive(Debug)]
pub(super) struct Remains {
    pub(super) identity: Option<Identity>,
    /// The good slots of `STATE`, the newest last.
    states: Vec<StateSlot>,
    pub(super) cursors: Vec<Cursor>,
    keys: Option<KeyFile>,
    /// The names of snapshots.
    pub(super) snapshots: Vec<String>,
}

/// One consumer's cursor.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) consumer: String,
    slots: Pair<CursorSlot>,
}

impl Cursor {
    /// Where it is in `queue`, or why that is not known.
    pub(super) fn slot_of(&self, queue: QueueId) -> std::result::Result<&CursorSlot, String> {
        match self.slots.newest_of(queue) {
            None => Err("its cursor is damaged".to_owned()),
            Some((_, slot)) if slot.queue != queue => {
                Err(format!("its cursor is of the queue {}", slot.queue))
            }
            Some((_, slot)) if slot.consumer != consumer_id(&self.consumer) => {
                Err("its cursor is of another consumer".to_owned())
            }
            Some((_, slot)) => Ok(slot),
        }
    }
}

pub(super) fn read_remains(from: &dyn Directory) -> Result<Remains> {
    let pair = read_slots::<StateSlot>(from, STATE)?;
    if let Some(pair) = &pair {
        refuse_future(from, STATE, pair)?;
    }
    let mut states: Vec<StateSlot> = pair.iter().flat_map(|pair| pair.valid().copied()).collect();
    states.sort_by_key(|slot| slot.generation);
    let snapshots = names_in(from, SNAPSHOTS)?;
    let snapshots = snapshots.iter().filter_map(|name| snapshot_of(name));
    let snapshots = snapshots.map(str::to_owned).collect();
    Ok(Remains {
        identity: read_identity(from)?,
        states,
        cursors: read_cursors(from)?,
        keys: read_keys(from)?,
        snapshots,
    })
}

impl Remains {
    /// The newest good slot of `STATE`, if it is of `queue`.
    pub(super) fn state_of(&self, queue: QueueId) -> Option<&StateSlot> {
        let own = self.states.iter().filter(|slot| slot.queue == queue);
        own.max_by_key(|slot| slot.generation)
    }

    /// The largest watermark that a slot of `queue` states.
    pub(super) fn watermark_of(&self, queue: QueueId) -> Sequence {
        let states = self.states.iter().filter(|slot| slot.queue == queue);
        let cursors = self.cursor_slots(queue).map(|slot| slot.watermark);
        let all = states.map(|slot| slot.watermark).chain(cursors);
        all.max().unwrap_or_default()
    }

    /// The newest epoch that a slot of `queue` names.
    pub(super) fn epoch_of(&self, queue: QueueId) -> Epoch {
        let states = self.states.iter().filter(|slot| slot.queue == queue);
        let cursors = self.cursor_slots(queue).map(|slot| slot.epoch);
        let keys = self.keys.iter().filter(|keys| keys.queue == queue);
        let all = states.map(|slot| slot.epoch).chain(cursors);
        let all = all.chain(keys.map(|keys| keys.epoch));
        all.max().unwrap_or_default()
    }

    /// The keys of `queue` that are in no segment.
    pub(super) fn keys_of(&self, queue: QueueId) -> Option<KeyFile> {
        self.keys.clone().filter(|keys| keys.queue == queue)
    }

    /// A queue that anything here names.
    pub(super) fn any_queue(&self) -> Option<QueueId> {
        let state = self.states.last().map(|slot| slot.queue);
        let cursors = self.cursors.iter();
        let mut slots = cursors.flat_map(|cursor| cursor.slots.valid());
        state.or(slots.next().map(|slot| slot.queue))
    }

    fn cursor_slots(&self, queue: QueueId) -> impl Iterator<Item = &CursorSlot> {
        let cursors = self.cursors.iter();
        cursors.filter_map(move |cursor| cursor.slot_of(queue).ok())
    }
}

fn read_identity(from: &dyn Directory) -> Result<Option<Identity>> {
    let Some(file) = open_if_there(from, IDENTITY, Access::Read)? else {
        return Ok(None);
    };
    match Identity::decode(&read_whole(&*file, 4096)?) {
        Ok(identity) => Ok(Some(identity)),
        Err(defect) => {
            defect.refuse_version("the queue's identity", file.path())?;
            Ok(None)
        }
    }
}

fn read_cursors(from: &dyn Directory) -> Result<Vec<Cursor>> {
    let mut cursors = Vec::new();
    for name in names_in(from, CURSORS)? {
        let Some(consumer) = consumer_of(&name) else {
            continue;
        };
        let path = cursor_file(consumer);
        let Some(pair) = read_slots::<CursorSlot>(from, &path)? else {
            continue;
        };
        refuse_future(from, &path, &pair)?;
        cursors.push(Cursor {
            consumer: consumer.to_owned(),
            slots: pair,
        });
    }
    Ok(cursors)
}

/// A damaged file of keys is as good as none: the keys in the frames are what is known.
fn read_keys(from: &dyn Directory) -> Result<Option<KeyFile>> {
    let Some(file) = open_if_there(from, KEYS, Access::Read)? else {
        return Ok(None);
    };
    let bytes = read_whole(&*file, narrow(KeyFile::BYTES_MAX))?;
    Ok(KeyFile::decode(&bytes).ok())
}

/// The names in `folder`, in order; none where there is no such folder.
pub(super) fn names_in(from: &dyn Directory, folder: &str) -> Result<Vec<String>> {
    let mut names = list_if_there(from, folder)?;
    names.sort_unstable();
    Ok(names)
}
