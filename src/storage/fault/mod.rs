//! A storage that counts its calls, and fails the ones it was told to.
//!
//! A test counts the calls of a workload once and then fails the first, the second and so on, each
//! in a run of its own; or it records the calls and asserts their order.

mod medium;
mod plan;
#[cfg(test)]
mod tests;

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::memory::{MemoryDirectory, input_output_error};
use super::{Access, Directory, File, Filesystem, Lock, Map, failed, sync_failed};
use crate::error::{Error, Result};

pub use plan::{Call, CallKind, Failure, Fault, Repeat};

use medium::Medium;
use plan::Plan;

/// Any storage, with faults. A clone is another handle to the same one.
#[derive(Clone, Debug)]
pub struct FaultyDirectory {
    inner: Arc<dyn Directory>,
    memory: Option<MemoryDirectory>,
    plan: Arc<Plan>,
    medium: Arc<Medium>,
}

impl FaultyDirectory {
    /// `inner`, without any fault yet.
    #[must_use]
    pub fn new(inner: Arc<dyn Directory>) -> Self {
        Self {
            inner,
            memory: None,
            plan: Arc::default(),
            medium: Arc::default(),
        }
    }

    /// `memory`, without any fault yet; the one storage where [`Failure::Forget`] can happen.
    #[must_use]
    pub fn over_memory(memory: MemoryDirectory) -> Self {
        Self {
            memory: Some(memory.clone()),
            ..Self::new(Arc::new(memory))
        }
    }

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.plan.calls()
    }

    /// How many calls were made to fail.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.plan.failures()
    }

    /// Adds a fault. Of several that are for one call the one planned first happens.
    pub fn plan(&self, fault: Fault) {
        self.plan.add(fault);
    }

    /// Forgets all faults; the counters stay.
    pub fn clear(&self) {
        self.plan.clear();
    }

    /// From now on every read that touches the block `number`, of 4 KiB, of the file `name` fails,
    /// until the whole block is written or the file is replaced.
    pub fn break_block(&self, name: &str, number: u64) {
        self.medium.break_block(name, number);
    }

    /// Records all calls from now on, and forgets the ones recorded before.
    pub fn record(&self) {
        self.plan.record();
    }

    /// The calls since [`record`](Self::record), in order.
    #[must_use]
    pub fn log(&self) -> Vec<Call> {
        self.plan.log()
    }

    fn ask(&self, kind: CallKind, name: &str) -> Result<()> {
        let path = self.inner.path().join(name);
        self.plan
            .ask(kind, name)
            .map_or(Ok(()), |failure| Err(error_of(failure, kind, &path)))
    }

    fn file(&self, name: &str, inner: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(FaultyFile {
            inner,
            name: name.to_owned(),
            memory: self.memory.clone(),
            plan: Arc::clone(&self.plan),
            medium: Arc::clone(&self.medium),
        })
    }
}

impl Directory for FaultyDirectory {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        self.ask(CallKind::Open, name)?;
        Ok(self.file(name, self.inner.open(name, access)?))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        self.ask(CallKind::Create, name)?;
        Ok(self.file(name, self.inner.create(name)?))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.ask(CallKind::List, folder)?;
        self.inner.list(folder)
    }

    fn create_folder(&self, folder: &str) -> Result<()> {
        self.ask(CallKind::CreateFolder, folder)?;
        self.inner.create_folder(folder)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.ask(CallKind::Rename, &format!("{from} -> {to}"))?;
        self.inner.rename(from, to)?;
        self.medium.rename(from, to);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.ask(CallKind::Remove, name)?;
        self.inner.remove(name)?;
        self.medium.forget(name);
        Ok(())
    }

    fn sync(&self, folder: &str) -> Result<()> {
        self.ask(CallKind::SyncFolder, folder)?;
        self.inner.sync(folder)
    }

    fn lock(&self, name: &str, contents: &str) -> Result<Box<dyn Lock>> {
        self.ask(CallKind::Lock, name)?;
        self.inner.lock(name, contents)
    }

    fn filesystem(&self) -> Filesystem {
        self.inner.filesystem()
    }
}

#[derive(Debug)]
struct FaultyFile {
    inner: Arc<dyn File>,
    name: String,
    memory: Option<MemoryDirectory>,
    plan: Arc<Plan>,
    medium: Arc<Medium>,
}

impl FaultyFile {
    /// Fails where the medium does not give back what is in `range`.
    fn refuse_broken(&self, range: &Range<u64>, kind: CallKind) -> Result<()> {
        if self.medium.is_broken(&self.name, range) {
            return Err(error_of(Failure::Io, kind, self.inner.path()));
        }
        Ok(())
    }

    fn ask(&self, kind: CallKind) -> Result<()> {
        let failure = self.plan.ask(kind, &self.name);
        failure.map_or(Ok(()), |failure| {
            Err(error_of(failure, kind, self.inner.path()))
        })
    }
}

impl File for FaultyFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.ask(CallKind::Read)?;
        let end = offset.saturating_add(buffer.len() as u64);
        let end = end.min(self.inner.length()?);
        self.refuse_broken(&(offset..end), CallKind::Read)?;
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let Some(failure) = self.plan.ask(CallKind::Write, &self.name) else {
            self.inner.write_at(bytes, offset)?;
            let end = offset.saturating_add(bytes.len() as u64);
            self.medium.rewritten(&self.name, &(offset..end));
            return Ok(());
        };
        if let Failure::Torn { bytes: count } | Failure::TornFull { bytes: count } = failure {
            self.inner
                .write_at(&bytes[..count.min(bytes.len())], offset)?;
        }
        Err(error_of(failure, CallKind::Write, self.inner.path()))
    }

    fn sync(&self) -> Result<()> {
        let Some(failure) = self.plan.ask(CallKind::SyncFile, &self.name) else {
            return self.inner.sync();
        };
        if failure == Failure::Forget
            && let Some(memory) = &self.memory
            && memory.file_bytes(&self.name).is_some()
        {
            memory.fail_next_sync_and_mark_clean(&self.name);
            return self.inner.sync();
        }
        Err(error_of(failure, CallKind::SyncFile, self.inner.path()))
    }

    fn length(&self) -> Result<u64> {
        self.ask(CallKind::Length)?;
        self.inner.length()
    }

    fn set_length(&self, bytes: u64) -> Result<()> {
        self.ask(CallKind::SetLength)?;
        self.inner.set_length(bytes)
    }

    fn allocate(&self, bytes: u64) -> Result<()> {
        self.ask(CallKind::Allocate)?;
        self.inner.allocate(bytes)
    }

    fn start_writeback(&self, range: Range<u64>) {
        self.inner.start_writeback(range);
    }

    fn map(&self) -> Result<Map> {
        self.ask(CallKind::Map)?;
        self.refuse_broken(&(0..self.inner.length()?), CallKind::Map)?;
        self.inner.map()
    }
}

/// The error of a failed call, as `disk` makes it.
fn error_of(failure: Failure, kind: CallKind, path: &Path) -> Error {
    let source = match failure {
        Failure::Io | Failure::Torn { .. } | Failure::Forget => input_output_error(),
        Failure::Full | Failure::TornFull { .. } => io::ErrorKind::StorageFull.into(),
        Failure::Interrupted => io::ErrorKind::Interrupted.into(),
    };
    match kind {
        CallKind::SyncFile | CallKind::SyncFolder => sync_failed(kind.operation(), path)(source),
        CallKind::Open
        | CallKind::Create
        | CallKind::List
        | CallKind::CreateFolder
        | CallKind::Rename
        | CallKind::Remove
        | CallKind::Lock
        | CallKind::Read
        | CallKind::Write
        | CallKind::Length
        | CallKind::SetLength
        | CallKind::Allocate
        | CallKind::Map => failed(kind.operation(), path)(source),
    }
}
