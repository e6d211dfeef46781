//! The peers, one file each.

mod fjall;
mod forebay;
mod okaywal;
mod open_wal;
mod queue_file;
mod raft_engine;
mod raw;
mod redb;
mod sqlite;
mod wal_db;
mod walrus;
mod yaque;

use crate::peer::Entry;

/// The bare device, which every round measures beside the peers.
pub const RAW: &str = "raw";

/// All that can be measured; the bare device first, then forebay, then the others by name.
pub const ENTRIES: &[Entry] = &[
    raw::ENTRY,
    forebay::CHAINED,
    forebay::CHECKSUMMED,
    forebay::UNGATHERED,
    fjall::ENTRY,
    okaywal::ENTRY,
    open_wal::ENTRY,
    queue_file::ENTRY,
    raft_engine::ENTRY,
    redb::ENTRY,
    sqlite::NORMAL,
    sqlite::FULL,
    wal_db::ENTRY,
    walrus::ENTRY,
    yaque::ENTRY,
];

pub fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}
