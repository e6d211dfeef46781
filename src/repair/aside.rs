//! Copies in `quarantine`: nothing is removed or replaced before one of it is durable.

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result, Unreadable};
use crate::format::{QUARANTINE, temporary, wide};
use crate::storage::{Access, Directory, File, Lenient, open_if_there, read_range, replace_whole};

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

/// Copies the file `name` to `place`, unless that was done before: zeros for what is `unreadable`.
///
/// # Durability
///
/// The copy survives power loss on return.
pub(super) fn copy(
    directory: &dyn Directory,
    name: &str,
    place: &str,
    unreadable: &[Unreadable],
) -> Result<()> {
    make_quarantine(directory)?;
    if let Some(found) = open_if_there(directory, place, Access::Read)? {
        let from = Lenient::over(directory).open(name, Access::Read)?;
        if sum_of(&*found)? != sum_of(&*from)? {
            let what = "another file has this name since it was planned; plan again";
            return Err(Error::at(ErrorKind::InvalidInput, what, found.path()));
        }
    } else {
        replace_whole(directory, (&temporary(place), place), |to| {
            copy_bytes((directory, name, unreadable), &**to, u64::MAX)
        })?;
    }
    directory.sync(QUARANTINE)
}

fn sum_of(file: &dyn File) -> Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    for_each_chunk(file, 0..file.length()?, |_, bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    Ok(hasher.finalize())
}

/// Moves what is no file, and has the name of one, to `place`.
pub(super) fn move_there(directory: &dyn Directory, name: &str, place: &str) -> Result<()> {
    make_quarantine(directory)?;
    directory.rename(name, place)?;
    directory.sync(QUARANTINE)
}

fn make_quarantine(directory: &dyn Directory) -> Result<()> {
    directory.create_folder(QUARANTINE)?;
    directory.sync("")
}

/// Copies the first `bytes` of the file `name` to `to`, zeros for what is `unreadable`. Nothing
/// else may be missing, and all of that has to be: the plan counts on it.
pub(super) fn copy_bytes(
    (directory, name, unreadable): (&dyn Directory, &str, &[Unreadable]),
    to: &dyn File,
    bytes: u64,
) -> Result<()> {
    let lenient = Lenient::over(directory);
    let from = lenient.open(name, Access::Read)?;
    let end = from.length()?.min(bytes);
    for_each_chunk(&*from, 0..end, |offset, bytes| to.write_at(bytes, offset))?;
    let met = lenient.noted_of(name);
    let is_new = |found: &&Unreadable| !is_within(found, unreadable, u64::MAX);
    // Its records would be given up, though they are there again.
    let is_back = |found: &&Unreadable| found.offset.get() < end && !is_within(found, &met, end);
    let what = if let Some(found) = met.iter().find(is_new) {
        format!("it cannot be read as it was planned for; plan again: {found}")
    } else if let Some(found) = unreadable.iter().find(is_back) {
        format!("it can be read, and could not when it was planned for; plan again: {found}")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Io, what))
}

/// Whether one of `others` has all of `found`, as far as that is before `end`.
fn is_within(found: &Unreadable, others: &[Unreadable], end: u64) -> bool {
    let stop_of = |one: &Unreadable| Some(one.offset.get().saturating_add(one.bytes?));
    let stop = stop_of(found).map(|stop| stop.min(end));
    let mut others = others.iter();
    others.any(|other| other.offset <= found.offset && stop_of(other) >= stop)
}

/// Hands the bytes `range` of `file`, as far as there are any, to `take`, with the offset of each.
pub(super) fn for_each_chunk(
    file: &dyn File,
    range: Range<u64>,
    mut take: impl FnMut(u64, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut offset = range.start;
    while offset < range.end {
        let left = usize::try_from(range.end - offset).unwrap_or(usize::MAX);
        let bytes = read_range(file, offset, CHUNK_BYTES.min(left))?;
        if bytes.is_empty() {
            break;
        }
        take(offset, &bytes)?;
        offset += wide(bytes.len());
    }
    Ok(())
}
