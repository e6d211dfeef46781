//! Published snapshots: their headers, and the sums over their states.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::files::beyond_the_log;
use super::found::{Finding, Severity};
use super::ground::Ground;
use crate::error::Result;
use crate::format::{
    Defect, SNAPSHOTS, SnapshotHeader, StateSum, consumer_id, snapshot_file, snapshot_of, wide,
};
use crate::position::Offset;
use crate::storage::{Access, Directory, File, list_if_there, open_if_there, read_range};

/// How much of a state is read at once.
const CHUNK_BYTES: usize = 256 << 10;

/// What is wrong with them, by name.
pub(super) fn check_snapshots(directory: &dyn Directory, ground: &Ground) -> Result<Vec<Finding>> {
    let mut names = list_if_there(directory, SNAPSHOTS)?;
    names.sort_unstable();
    let mut findings = Vec::new();
    for snapshot in names.iter().filter_map(|name| snapshot_of(name)) {
        let name = snapshot_file(snapshot);
        let Some(file) = open_if_there(directory, &name, Access::Read)? else {
            continue;
        };
        if let Err((offset, defect)) = judge(directory, ground, &*file, snapshot)? {
            let file = directory.path().join(&name);
            findings.push(Finding::of(Severity::Damage, file, offset, defect));
        }
    }
    Ok(findings)
}

fn judge(
    directory: &dyn Directory,
    ground: &Ground,
    file: &dyn File,
    snapshot: &str,
) -> Result<std::result::Result<(), (Offset, Defect)>> {
    let front = read_range(file, 0, SnapshotHeader::STATE_OFFSET)?;
    let header = match SnapshotHeader::decode(&front, file.length()?) {
        Ok(header) => header,
        Err(defect) => return Ok(Err((Offset::ZERO, defect))),
    };
    if let Some(defect) = foreign(directory, ground, &header, snapshot) {
        return Ok(Err((Offset::ZERO, defect)));
    }
    let begin = wide(SnapshotHeader::STATE_OFFSET);
    let mut sum = StateSum::default();
    loop {
        let piece = read_range(file, begin.saturating_add(sum.bytes), CHUNK_BYTES)?;
        if piece.is_empty() {
            break;
        }
        sum.add(&piece);
    }
    Ok(header
        .check(sum)
        .map_err(|defect| (Offset::new(begin), defect)))
}

fn foreign(
    directory: &dyn Directory,
    ground: &Ground,
    header: &SnapshotHeader,
    snapshot: &str,
) -> Option<Defect> {
    if header.queue != ground.identity.queue {
        return Some(Defect::Owner { name: "queue" });
    }
    if header.name != consumer_id(snapshot) {
        return Some(Defect::Owner { name: "snapshot" });
    }
    let watermark = ("watermark", header.watermark);
    beyond_the_log(directory, ground, header.epoch, watermark)
}
