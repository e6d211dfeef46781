//! What the queue's files take on the device, and what is left there.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use crate::format::{
    CURSORS, IDENTITY, KEYS, LOCK, QUARANTINE, SEGMENTS, SNAPSHOTS, STATE, SegmentFile,
    consumer_of, snapshot_of,
};
use crate::storage::{Access, Directory};

/// Lengths of files, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct DiskUse {
    /// All files that are ours, those in quarantine included.
    pub(super) total: u64,
    pub(super) quarantine: u64,
    pub(super) free: Option<u64>,
}

/// Adds up what is there. A file that vanishes meanwhile counts nothing.
pub(super) fn disk_use(directory: &dyn Directory) -> DiskUse {
    let roots: Vec<String> = [IDENTITY, STATE, KEYS, LOCK].map(str::to_owned).to_vec();
    let quarantine = folder_bytes(directory, QUARANTINE, |_| true);
    let others = [
        lengths(directory, &roots),
        folder_bytes(directory, SEGMENTS, |name| {
            SegmentFile::parse(name).is_some()
        }),
        folder_bytes(directory, CURSORS, |name| consumer_of(name).is_some()),
        folder_bytes(directory, SNAPSHOTS, |name| snapshot_of(name).is_some()),
    ];
    DiskUse {
        total: others.into_iter().fold(quarantine, u64::saturating_add),
        quarantine,
        free: directory.free_bytes().ok().flatten(),
    }
}

fn folder_bytes(directory: &dyn Directory, folder: &str, is_ours: fn(&str) -> bool) -> u64 {
    let listed = directory.list(folder).unwrap_or_default();
    let ours = listed.into_iter().filter(|name| is_ours(name));
    let names: Vec<String> = ours.map(|name| format!("{folder}/{name}")).collect();
    lengths(directory, &names)
}

fn lengths(directory: &dyn Directory, names: &[String]) -> u64 {
    let lengths = names.iter().filter_map(|name| {
        let file = directory.open(name, Access::Read).ok()?;
        file.length().ok()
    });
    lengths.fold(0, u64::saturating_add)
}
