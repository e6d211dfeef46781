//! Copies in `quarantine`: nothing is removed or replaced before one of it is durable.

use crate::error::{Error, ErrorKind, Result};
use crate::format::{QUARANTINE, temporary, wide};
use crate::storage::{Access, Directory, File, open_if_there, read_range, replace_whole};

/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Where a copy of the file `name`, as it is now, goes. The name follows from the bytes, so that a
/// copy that was finished before an interruption is known again; one that other bytes have is left.
pub(super) fn place_of(directory: &dyn Directory, name: &str) -> Result<String> {
    let sum = sum_of(&*directory.open(name, Access::Read)?)?;
    let hex = sum.to_hex();
    let short = hex.get(..8).unwrap_or_default();
    let last = name.rsplit('/').next().unwrap_or(name);
    // A name may be as long as names get: of such a one only the end is kept.
    let kept = last.char_indices().rev().nth(199);
    let last = last.get(kept.map_or(0, |(at, _)| at)..).unwrap_or_default();
    let mut place = format!("{QUARANTINE}/{short}-{last}");
    let mut others: u64 = 0;
    while let Some(found) = open_if_there(directory, &place, Access::Read)?
        && sum_of(&*found)? != sum
    {
        others += 1;
        place = format!("{QUARANTINE}/{short}.{others}-{last}");
    }
    Ok(place)
}

/// Copies the file `name` to `place`, unless that was done before.
///
/// # Durability
///
/// The copy survives power loss on return.
pub(super) fn copy(directory: &dyn Directory, name: &str, place: &str) -> Result<()> {
    directory.create_folder(QUARANTINE)?;
    directory.sync("")?;
    let from = directory.open(name, Access::Read)?;
    if let Some(found) = open_if_there(directory, place, Access::Read)? {
        if sum_of(&*found)? != sum_of(&*from)? {
            let what = "another file has this name since it was planned; plan again";
            return Err(Error::at(ErrorKind::InvalidInput, what, found.path()));
        }
    } else {
        replace_whole(directory, (&temporary(place), place), |to| {
            copy_bytes(&*from, &**to, from.length()?)
        })?;
    }
    directory.sync(QUARANTINE)
}

fn sum_of(file: &dyn File) -> Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    for_each_chunk(file, file.length()?, |_, bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    Ok(hasher.finalize())
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
