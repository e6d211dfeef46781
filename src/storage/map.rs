//! Read-only views of files, a page that a fork finds empty, and a system call that the standard
//! library lacks: the one file with `unsafe`.
//!
//! # Safety
//!
//! Only index files are mapped, and one page without a file (see [`ProcessMark`]). An index is
//! written whole under a temporary name and never changed or shortened by us after it has its own
//! name; a new one replaces it by rename, which leaves the mapped file as it was. A mapping of bytes
//! that the medium does not give back, or of a file that another program shortens, raises SIGBUS:
//! so all of a file is read before it is mapped, and it is mapped only as long as one look-up takes.
#![allow(
    unsafe_code,
    reason = "mapping memory is unsafe by nature; this is the only place"
)]

use std::ops::Deref;

/// The bytes of a file: mapped, or held in memory where a mapping would be no use.
#[derive(Debug)]
pub struct Map(Bytes);

#[derive(Debug)]
enum Bytes {
    Mapped(memmap2::Mmap),
    Held(Vec<u8>),
}

impl Map {
    /// Maps all of `file`.
    pub(super) fn of_file(file: &std::fs::File) -> std::io::Result<Self> {
        // SAFETY: `Mmap::map` asks that the file is not changed or shortened while mapped.
        // 1. We open it for reading and keep no writable handle to it.
        // 2. A file under an index's name is never written again; replacing it renames another.
        // 3. The queue's lock keeps other forebay writers out while we hold the mapping.
        let map = unsafe { memmap2::Mmap::map(file) }?;
        Ok(Self(Bytes::Mapped(map)))
    }

    /// A view of bytes that are already in memory.
    #[must_use]
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self(Bytes::Held(bytes))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Mapped(map) => map,
            Bytes::Held(bytes) => bytes,
        }
    }
}

/// A byte that is set in the process that made it and zero in every fork of it, so that a fork is
/// noticed without a system call.
#[derive(Debug)]
pub(crate) struct ProcessMark {
    /// Raw on purpose: no reference to the page ever lives while a fork empties it.
    #[cfg(target_os = "linux")]
    page: memmap2::MmapRaw,
}

impl ProcessMark {
    /// Marks this process; `None` where the system cannot empty a page for forks (Linux since 4.14
    /// can).
    #[cfg(target_os = "linux")]
    pub(crate) fn set() -> Option<Self> {
        const PAGE: usize = 1;
        let page = memmap2::MmapOptions::new().len(PAGE).map_anon().ok()?;
        let page = memmap2::MmapRaw::from(page);
        // SAFETY: `madvise` asks for a mapping of ours that begins on a page. `page` is one, made
        // here, private and without a file; what this advice changes is what a fork finds in it.
        let advised =
            unsafe { libc::madvise(page.as_mut_ptr().cast(), PAGE, libc::MADV_WIPEONFORK) };
        if advised != 0 {
            return None;
        }
        // SAFETY: the pointer is to the page, which is writable and nobody else's.
        unsafe { page.as_mut_ptr().write_volatile(1) };
        Some(Self { page })
    }

    /// Marks nothing: no such page can be had.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn set() -> Option<Self> {
        None
    }

    /// Whether this is the process that set the mark, and no fork of it.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_here(&self) -> bool {
        // SAFETY: the page is mapped as long as `self` lives, a fork's copy included, and nothing
        // writes to it after `set`, so there is no race. The kernel empties it in the fork before
        // the fork runs. Volatile, because that happens behind the compiler's back: every call
        // reads, and none is answered from an earlier one.
        unsafe { self.page.as_ptr().read_volatile() == 1 }
    }

    /// There never is one.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn is_here(&self) -> bool {
        false
    }
}

/// Asks the system to write what is dirty of `range` to the device, without waiting for it and
/// without making it durable (`sync_file_range(2)`). Where the file system cannot, its own time has
/// to do.
#[cfg(target_os = "linux")]
pub(super) fn start_writeback(file: &std::fs::File, range: std::ops::Range<u64>) {
    use std::os::fd::AsRawFd;
    let whole = (
        i64::try_from(range.start),
        i64::try_from(range.end.saturating_sub(range.start)),
    );
    let (Ok(offset), Ok(bytes)) = whole else {
        return;
    };
    let descriptor = file.as_raw_fd();
    // SAFETY: the call takes no pointer, only a descriptor, which `file` keeps open meanwhile, and
    // numbers, which the kernel checks.
    unsafe { libc::sync_file_range(descriptor, offset, bytes, libc::SYNC_FILE_RANGE_WRITE) };
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_process_that_set_a_mark_finds_it_from_every_thread() {
        let mark = ProcessMark::set().expect("Linux since 4.14");
        assert!(mark.is_here());
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(mark.is_here(), "threads are no forks"));
        });
        assert!(mark.is_here());
    }
}
