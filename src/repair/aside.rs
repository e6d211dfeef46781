//! Copies in `quarantine`: nothing is removed or replaced before one of it is durable.

use crate::error::Result;
use crate::format::{QUARANTINE, temporary, wide};
use crate::storage::{Access, Directory, File, open_if_there, read_range};

/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Where a copy of the file `name`, as it is now, goes. The name follows from the bytes, so that a
/// copy that was finished before an interruption is known again, and no other one is replaced.
pub(super) fn place_of(directory: &dyn Directory, name: &str) -> Result<String> {
    let file = directory.open(name, Access::Read)?;
    let mut hasher = blake3::Hasher::new();
    for_each_chunk(&*file, file.length()?, |_, bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    let sum = hasher.finalize().to_hex();
    let short = sum.get(..8).unwrap_or_default();
    let last = name.rsplit('/').next().unwrap_or(name);
    // A name may be as long as names get: of such a one only the end is kept.
    let kept = last.char_indices().rev().nth(199);
    let last = last.get(kept.map_or(0, |(at, _)| at)..).unwrap_or_default();
    Ok(format!("{QUARANTINE}/{short}-{last}"))
}

/// Copies the file `name` to `place`, unless that was done before.
///
/// # Durability
///
/// The copy survives power loss on return.
pub(super) fn copy(directory: &dyn Directory, name: &str, place: &str) -> Result<()> {
    directory.create_folder(QUARANTINE)?;
    directory.sync("")?;
    if open_if_there(directory, place, Access::Read)?.is_none() {
        let from = directory.open(name, Access::Read)?;
        let unfinished = temporary(place);
        directory.remove(&unfinished)?;
        let to = directory.create(&unfinished)?;
        copy_bytes(&*from, &*to, from.length()?)?;
        to.sync()?;
        directory.rename(&unfinished, place)?;
    }
    directory.sync(QUARANTINE)
}

/// Copies the first `bytes` of `from` to `to`.
pub(super) fn copy_bytes(from: &dyn File, to: &dyn File, bytes: u64) -> Result<()> {
    for_each_chunk(from, bytes, |offset, bytes| to.write_at(bytes, offset))
}

fn for_each_chunk(
    file: &dyn File,
    end: u64,
    mut take: impl FnMut(u64, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut offset = 0;
    while offset < end {
        let left = usize::try_from(end - offset).unwrap_or(usize::MAX);
        let bytes = read_range(file, offset, CHUNK_BYTES.min(left))?;
        if bytes.is_empty() {
            break;
        }
        take(offset, &bytes)?;
        offset += wide(bytes.len());
    }
    Ok(())
}
