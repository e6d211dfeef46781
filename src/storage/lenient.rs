//! Reading on where the medium does not give its bytes back: for those who only look or rescue.
//!
//! A block that cannot be read counts as zeros, and what is no file counts as an empty one; both
//! are noted, for a report. Whoever decides where a log ends must not read like this: zeros behind
//! the durable watermark look like its end.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::held::Held;
use super::{Access, Directory, File, Filesystem, Lock, Map, what_is_no_file};
use crate::error::{Error, Result, Unreadable};

/// What is read by itself where reading more together fails, aligned in the file: a page, which is
/// the least that a system reads of a medium.
const BLOCK_BYTES: u64 = 4096;

/// A directory whose files can be read though not all of them can be.
#[derive(Debug)]
pub(crate) struct Lenient<D> {
    inner: D,
    notes: Arc<Mutex<BTreeMap<String, Notes>>>,
}

/// What of one file is noted.
#[derive(Debug, Default)]
struct Notes {
    /// The ends of ranges by their beginnings, each with the system's error. None touch that have
    /// the same error.
    ranges: BTreeMap<u64, (u64, String)>,
    /// What is there instead of a file.
    instead: Option<String>,
}

impl<D> Lenient<D>
where
    D: Deref,
    D::Target: Directory,
{
    pub(crate) fn over(inner: D) -> Self {
        Self {
            inner,
            notes: Arc::default(),
        }
    }

    /// Everything noted so far, by file and place.
    pub(crate) fn noted(&self) -> Vec<Unreadable> {
        let notes = self.notes.lock();
        let told = notes
            .iter()
            .flat_map(|(name, notes)| self.told(name, notes));
        told.collect()
    }

    /// What is noted of the file `name`.
    pub(crate) fn noted_of(&self, name: &str) -> Vec<Unreadable> {
        let notes = self.notes.lock();
        let own = notes.get(name);
        own.map_or_else(Vec::new, |notes| self.told(name, notes))
    }

    /// Whether nothing else than a file was met in the place of the file `name`.
    pub(crate) fn is_a_file(&self, name: &str) -> bool {
        let notes = self.notes.lock();
        notes.get(name).is_none_or(|own| own.instead.is_none())
    }

    /// The names of the files that something is noted of.
    pub(crate) fn noted_names(&self) -> Vec<String> {
        self.notes.lock().keys().cloned().collect()
    }

    fn told(&self, name: &str, notes: &Notes) -> Vec<Unreadable> {
        let file = self.inner.path().join(name);
        let instead = notes.instead.iter();
        let whole = instead.map(|found| Unreadable::no_file(file.clone(), found.clone()));
        let ranges = notes.ranges.iter();
        let ranges = ranges.map(|(start, (end, found))| {
            Unreadable::bytes(file.clone(), &(*start..*end), found.clone())
        });
        whole.chain(ranges).collect()
    }
}

impl<D> Directory for Lenient<D>
where
    D: Deref + Debug + Send + Sync,
    D::Target: Directory,
{
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        match self.inner.open(name, access) {
            Ok(inner) if access == Access::Read => Ok(Arc::new(LenientFile {
                inner,
                name: name.to_owned(),
                notes: Arc::clone(&self.notes),
            })),
            Err(error) if access == Access::Read => {
                let instead = what_is_no_file(&error).ok_or(error)?;
                let mut notes = self.notes.lock();
                notes.entry(name.to_owned()).or_default().instead = Some(instead);
                let path = self.inner.path().join(name);
                Ok(Arc::new(Held::new(path, Vec::new())))
            }
            opened => opened,
        }
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        self.inner.create(name)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.inner.list(folder)
    }

    fn create_folder(&self, folder: &str) -> Result<()> {
        self.inner.create_folder(folder)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.inner.remove(name)
    }

    fn sync(&self, folder: &str) -> Result<()> {
        self.inner.sync(folder)
    }

    fn lock(&self, name: &str, contents: &str) -> Result<Box<dyn Lock>> {
        self.inner.lock(name, contents)
    }

    fn filesystem(&self) -> Filesystem {
        self.inner.filesystem()
    }

    fn free_bytes(&self) -> Result<Option<u64>> {
        self.inner.free_bytes()
    }
}

#[derive(Debug)]
struct LenientFile {
    inner: Arc<dyn File>,
    name: String,
    notes: Arc<Mutex<BTreeMap<String, Notes>>>,
}

impl LenientFile {
    /// Whether any of `range` is known to be unreadable: a medium that fails takes its time for it,
    /// and what was zeros once must not be something else the next time.
    fn is_noted(&self, range: &Range<u64>) -> bool {
        let notes = self.notes.lock();
        let own = notes.get(&self.name);
        let before = own.and_then(|own| own.ranges.range(..range.end).next_back());
        before.is_some_and(|(_, (end, _))| *end > range.start)
    }

    /// Notes the block around `offset`, in a file of `length` bytes.
    fn note(&self, offset: u64, length: u64, error: &Error) {
        let start = offset - offset % BLOCK_BYTES;
        let end = start.saturating_add(BLOCK_BYTES).min(length);
        if self.is_noted(&(start..end)) {
            return;
        }
        let why = error.io_error().map(ToString::to_string);
        let why = why.unwrap_or_else(|| error.to_string());
        let mut notes = self.notes.lock();
        let own = &mut notes.entry(self.name.clone()).or_default().ranges;
        let mut range = start..end;
        if let Some((before, (_, _))) = own
            .range(..start)
            .next_back()
            .filter(|(_, (end, found))| *end == start && *found == why)
        {
            range.start = *before;
        }
        if own.get(&end).is_some_and(|(_, found)| *found == why)
            && let Some((behind, _)) = own.remove(&end)
        {
            range.end = behind;
        }
        own.insert(range.start, (range.end, why));
    }

    /// Reads block by block.
    fn read_blocks(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let length = self.inner.length()?;
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let from = offset.saturating_add(done as u64);
            let left = BLOCK_BYTES - from % BLOCK_BYTES;
            let in_file = length.saturating_sub(from).min(left);
            let wanted = usize::try_from(in_file).map_or(rest.len(), |left| left.min(rest.len()));
            let (block, _) = rest.split_at_mut(wanted);
            if block.is_empty() {
                break;
            }
            let range = from..from.saturating_add(wanted as u64);
            let found = if self.is_noted(&range) {
                block.fill(0);
                wanted
            } else {
                match self.inner.read_at(block, from) {
                    Err(error) if error.is_of_medium() => {
                        self.note(from, length, &error);
                        block.fill(0);
                        wanted
                    }
                    read => read?,
                }
            };
            done = done.saturating_add(found);
            if found < wanted {
                break;
            }
        }
        Ok(done)
    }
}

impl File for LenientFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let range = offset..offset.saturating_add(buffer.len() as u64);
        if self.is_noted(&range) {
            return self.read_blocks(buffer, offset);
        }
        match self.inner.read_at(buffer, offset) {
            Err(error) if error.is_of_medium() => self.read_blocks(buffer, offset),
            read => read,
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.inner.write_at(bytes, offset)
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()
    }

    fn length(&self) -> Result<u64> {
        self.inner.length()
    }

    fn set_length(&self, bytes: u64) -> Result<()> {
        self.inner.set_length(bytes)
    }

    fn allocate(&self, bytes: u64) -> Result<()> {
        self.inner.allocate(bytes)
    }

    /// The bytes are read: of a mapping nobody is told what could not be, but by a signal.
    fn map(&self) -> Result<Map> {
        let bytes = super::read_whole(self, usize::MAX)?;
        Ok(Map::of_bytes(bytes))
    }
}

#[cfg(all(test, feature = "test-support"))]
mod tests {
    use super::*;
    use crate::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
    use crate::storage::memory::MemoryDirectory;

    const NAME: &str = "a";

    fn faulty(bytes: &[u8]) -> FaultyDirectory {
        let memory = MemoryDirectory::new();
        memory.put_file(NAME, bytes);
        FaultyDirectory::over_memory(memory)
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..count)
            .map(|at| u8::try_from(at % 250 + 1).expect("a byte"))
            .collect()
    }

    #[test]
    fn blocks_that_cannot_be_read_are_zeros_and_told_and_all_others_are_as_they_are() {
        let whole = bytes(5 * 4096 + 100);
        for broken in 0_usize..6 {
            let storage = faulty(&whole);
            storage.break_block(NAME, broken as u64);
            let mut expected = whole.clone();
            let range = broken * 4096..((broken + 1) * 4096).min(whole.len());
            expected[range.clone()].fill(0);
            for (offset, count) in [(0, whole.len() + 50), (3000, 9000), (range.start + 7, 20)] {
                let lenient = Lenient::over(&storage as &dyn Directory);
                let file = lenient.open(NAME, Access::Read).expect("it is there");
                let mut buffer = vec![9; count];
                let found = file.read_at(&mut buffer, offset as u64).expect("forgiven");
                let left = &expected[offset..(offset + count).min(whole.len())];
                assert_eq!(&buffer[..found], left);
                let told = lenient.noted();
                let is_hit = offset < range.end && offset + count > range.start;
                assert_eq!(told.len(), usize::from(is_hit), "{told:?}");
                for one in told {
                    assert_eq!(one.offset.get(), range.start as u64);
                    assert_eq!(one.bytes, Some(range.len() as u64));
                }
            }
        }
    }

    #[test]
    fn ranges_that_touch_are_one_where_the_error_is_the_same_and_all_are_told() {
        let error = |number| {
            let source = std::io::Error::from_raw_os_error(number);
            Error::io("read", Path::new(NAME), source)
        };
        let storage = faulty(&bytes(4 * 4096));
        let lenient = Lenient::over(&storage as &dyn Directory);
        let file = LenientFile {
            inner: storage.open(NAME, Access::Read).expect("it is there"),
            name: NAME.to_owned(),
            notes: Arc::clone(&lenient.notes),
        };
        for (block, number) in [(2, 5), (1, 6), (3, 5), (0, 6)] {
            file.note(block * 4096, 4 * 4096, &error(number));
        }
        let told = lenient.noted();
        let ranges = told.iter().map(|one| (one.offset.get(), one.bytes));
        let expected = [(0, Some(2 * 4096)), (2 * 4096, Some(2 * 4096))];
        assert!(ranges.eq(expected), "{told:?}");
    }

    #[test]
    fn what_fails_for_another_reason_than_the_medium_is_no_zeros() {
        let storage = faulty(&bytes(3 * 4096));
        let fault = Fault::nth_of(1, &[CallKind::Read], Failure::Interrupted);
        storage.plan(fault.for_ever());
        let lenient = Lenient::over(&storage as &dyn Directory);
        let file = lenient.open(NAME, Access::Read).expect("it is there");
        let read = file.read_at(&mut [0; 4096], 0);
        assert!(read.is_err(), "{:?}", lenient.noted());
        assert!(lenient.noted().is_empty());
    }

    #[test]
    fn neighbours_are_told_as_one_in_whatever_order_they_are_met() {
        for order in [[1, 2, 3], [3, 2, 1], [1, 3, 2], [2, 1, 3]] {
            let storage = faulty(&bytes(6 * 4096));
            for block in [1, 2, 3, 5] {
                storage.break_block(NAME, block);
            }
            let lenient = Lenient::over(&storage as &dyn Directory);
            let file = lenient.open(NAME, Access::Read).expect("it is there");
            for block in order {
                file.read_at(&mut [0; 10], block * 4096).expect("forgiven");
            }
            file.read_at(&mut vec![0; 6 * 4096], 0).expect("forgiven");
            let told = lenient.noted();
            let ranges: Vec<_> = told
                .iter()
                .map(|one| (one.offset.get(), one.bytes))
                .collect();
            assert_eq!(ranges, [(4096, Some(3 * 4096)), (5 * 4096, Some(4096))]);
        }
    }

    #[test]
    fn a_map_has_the_bytes_that_can_be_read() {
        let whole = bytes(3 * 4096);
        let storage = faulty(&whole);
        storage.break_block(NAME, 1);
        let lenient = Lenient::over(&storage as &dyn Directory);
        let file = lenient.open(NAME, Access::Read).expect("it is there");
        let map = file.map().expect("read, not mapped");
        assert_eq!(map[..4096], whole[..4096]);
        assert_eq!(map[4096..8192], [0; 4096]);
    }
}
