//! Writing bytes again past the page cache.
//!
//! After a failed sync, pages may look clean in the cache and not be on the medium. To write them
//! again through the cache is not enough: ext4 takes blocks that it has mapped once for written,
//! so that the next sync succeeds, and yet leaves them unwritten where the failed one did, and
//! they read as zeros after the next mount (seen with Linux 6.18, reserved blocks or not). A direct
//! write goes by the medium's own state of the block, and drops the page.

use std::ops::Range;

use super::File;
use crate::error::Result;

/// Bytes rewritten at once.
const STEP_BYTES: usize = 1 << 20;

/// What direct writes are aligned to. A device with larger blocks refuses them.
#[cfg(target_os = "linux")]
const BLOCK_BYTES: usize = 4096;
#[cfg(target_os = "linux")]
const BLOCK: u64 = BLOCK_BYTES as u64;

/// Rewrites `range` of `file` by ordinary reads and writes.
pub(super) fn rewrite_through_cache<F: File + ?Sized>(file: &F, range: Range<u64>) -> Result<()> {
    let mut buffer = Vec::new();
    let mut place = range.start;
    while place < range.end {
        let left = usize::try_from(range.end - place).unwrap_or(usize::MAX);
        buffer.resize(left.min(STEP_BYTES), 0);
        let found = file.read_at(&mut buffer, place)?;
        if found == 0 {
            break;
        }
        file.write_at(&buffer[..found], place)?;
        place += found as u64;
    }
    Ok(())
}

/// Rewrites the blocks around `range` of `file`, which is open as `cached`, past the page cache
/// where the file system can.
#[cfg(target_os = "linux")]
pub(super) fn rewrite_past_cache(
    file: &dyn File,
    cached: &std::fs::File,
    range: Range<u64>,
) -> Result<()> {
    use std::io::ErrorKind;

    // There are no direct writes here, or no space behind the file's last bytes.
    let refusals = [
        ErrorKind::InvalidInput,
        ErrorKind::Unsupported,
        ErrorKind::StorageFull,
        ErrorKind::QuotaExceeded,
        ErrorKind::FileTooLarge,
    ];
    // Whole blocks need no space. Where the last one, which is not whole, finds none, it alone
    // goes through the cache.
    let whole = file.length()? / BLOCK * BLOCK;
    let middle = range.end.min(whole).max(range.start);
    for range in [range.start..middle, middle..range.end] {
        if range.is_empty() {
            continue;
        }
        match rewrite_directly(file.path(), cached, &range) {
            Ok(()) => {}
            Err(source) if refusals.contains(&source.kind()) => rewrite_through_cache(file, range)?,
            Err(source) => return Err(super::failed("rewrite", file.path())(source)),
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn rewrite_directly(
    path: &std::path::Path,
    cached: &std::fs::File,
    range: &Range<u64>,
) -> std::io::Result<()> {
    use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};

    let length = cached.metadata()?.len();
    let end = range.end.min(length).next_multiple_of(BLOCK);
    let mut place = range.start / BLOCK * BLOCK;
    if place >= end {
        return Ok(());
    }
    let direct = std::fs::OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_DIRECT | libc::O_NOFOLLOW)
        .open(path)?;
    let left = usize::try_from(end - place).unwrap_or(usize::MAX);
    let mut buffer = vec![0; left.min(STEP_BYTES) + BLOCK_BYTES];
    let lead = buffer.as_ptr().align_offset(BLOCK_BYTES);
    let blocks = &mut buffer[lead..];
    while place < end {
        let left = usize::try_from(end - place).unwrap_or(usize::MAX);
        let step = left.min(STEP_BYTES);
        let blocks = &mut blocks[..step];
        let found = usize::try_from(length.saturating_sub(place)).unwrap_or(usize::MAX);
        let found = found.min(step);
        cached.read_exact_at(&mut blocks[..found], place)?;
        blocks[found..].fill(0);
        let written = direct.write_all_at(blocks, place);
        place += step as u64;
        if place > length {
            // Zeros in the last block for a moment: nothing that is ever taken for a frame.
            cached.set_len(length)?;
        }
        written?;
    }
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use crate::storage::{Access, Directory, DiskDirectory};

    #[test]
    fn rewriting_changes_no_byte_and_no_length() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let directory = DiskDirectory::open(folder.path()).expect("it is there");
        for length in [0_u64, 1, 4095, 4096, 4097, 3 << 20, (3 << 20) + 77] {
            let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let path = folder.path().join("file");
            std::fs::write(&path, &content).expect("it fits");
            let file = directory.open("file", Access::Write).expect("it is there");
            for range in [0..length, 0..1, 5000..5001, length / 2..length + 9000] {
                file.rewrite(range.clone()).expect("the disk works");
                let found = std::fs::read(&path).expect("it is there");
                assert!(found == content, "{length} bytes, {range:?}");
            }
        }
    }
}
