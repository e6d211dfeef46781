//! Which snapshots are published, by what stands at the front of their files.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::inspection::SnapshotView;
use super::look::Look;
use crate::error::Result;
use crate::format::{Defect, SNAPSHOTS, SnapshotHeader, consumer_id, snapshot_file, snapshot_of};
use crate::storage::{Access, Directory, read_range};

/// Every published snapshot, by name. One that is replaced meanwhile is one of the two.
pub(super) fn view_snapshots(directory: &dyn Directory, look: &Look) -> Vec<SnapshotView> {
    let mut listed = directory.list(SNAPSHOTS).unwrap_or_default();
    listed.sort_unstable();
    let names = listed.iter().filter_map(|name| snapshot_of(name));
    names
        .filter_map(|name| match view(directory, look, name) {
            Ok(view) => Some(view),
            Err(error) if error.is_missing() => None,
            Err(error) => Some(SnapshotView {
                name: name.to_owned(),
                covers: None,
                file_bytes: 0,
                defect: Some(error.to_string()),
            }),
        })
        .collect()
}

fn view(directory: &dyn Directory, look: &Look, name: &str) -> Result<SnapshotView> {
    let file = directory.open(&snapshot_file(name), Access::Read)?;
    let front = read_range(&*file, 0, SnapshotHeader::STATE_OFFSET)?;
    let file_bytes = file.length()?;
    let header = SnapshotHeader::decode(&front, file_bytes)
        .and_then(|header| own(look, name, header))
        .map_err(|defect| defect.to_string());
    Ok(SnapshotView {
        name: name.to_owned(),
        covers: header.as_ref().ok().map(|header| header.covers),
        file_bytes,
        defect: header.err(),
    })
}

/// A file of another queue, or of another name, is not this snapshot.
fn own(
    look: &Look,
    name: &str,
    header: SnapshotHeader,
) -> std::result::Result<SnapshotHeader, Defect> {
    if header.queue != look.identity.queue {
        return Err(Defect::Owner { name: "queue" });
    }
    if header.name != consumer_id(name) {
        return Err(Defect::Owner { name: "snapshot" });
    }
    Ok(header)
}
