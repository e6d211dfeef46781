//! Snapshots: a state that is saved whole, loaded with care, and equal to a full replay.

mod loading;
mod publishing;
mod recovering;
mod retention;
mod unusable;

use std::path::{Path, PathBuf};

use forebay::snapshot::{Recovered, Store};
use forebay::{Queue, QueueOptions, Record, Result, SyncPolicy};

use crate::scene::at;

/// What every test folds records into: their payloads, a line each.
pub(super) type Lines = Vec<u8>;

pub(super) fn begin(state: Option<&[u8]>) -> Lines {
    state.map_or_else(Vec::new, <[u8]>::to_vec)
}

pub(super) fn add(lines: &mut Lines, record: &Record<'_>) {
    lines.extend_from_slice(record.payload);
    lines.push(b'\n');
}

/// The state of the first `count` records that [`crate::scene::enqueue`] makes.
pub(super) fn lines(count: u64) -> Lines {
    let line = |number| format!("record {number}\n").into_bytes();
    (0..count).flat_map(line).collect()
}

pub(super) fn recover(store: &Store) -> Result<Recovered<Lines>> {
    store.recover(begin, add)
}

/// Publishes the state of the first `covers` records.
pub(super) fn save(store: &Store, covers: u64) -> Result<()> {
    save_bytes(store, &lines(covers), covers)
}

pub(super) fn save_bytes(store: &Store, state: &[u8], covers: u64) -> Result<()> {
    let mut draft = store.begin()?;
    draft.put(state)?;
    draft.finish(at(covers))
}

/// A queue that deletes nothing that nobody has told it to.
pub(super) fn open(path: &Path) -> Queue {
    options().open(path).expect("the queue opens")
}

pub(super) fn options() -> QueueOptions {
    crate::scene::quick().sync_policy(SyncPolicy::Manual)
}

/// Where the snapshot `name` of the queue at `path` is.
pub(super) fn file(path: &Path, name: &str) -> PathBuf {
    path.join("snapshots").join(format!("{name}.snapshot"))
}

/// The names in one folder of the queue, sorted; none where there is no folder.
pub(super) fn names(path: &Path, folder: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(path.join(folder)) else {
        return Vec::new();
    };
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.expect("the folder can be listed");
        entry.file_name().into_string().expect("a name of ours")
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

/// Changes the bytes of the snapshot `name`.
pub(super) fn edit(path: &Path, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let file = file(path, name);
    let mut bytes = std::fs::read(&file).expect("the snapshot is there");
    change(&mut bytes);
    std::fs::write(&file, bytes).expect("it can be written");
}

/// Puts the header's checksum right after a change.
pub(super) fn mend(bytes: &mut [u8]) {
    let sum = crc32c::crc32c(&bytes[..84]).to_le_bytes();
    bytes[84..88].copy_from_slice(&sum);
}
