//! A storage whose every call is a place where another thread may go on, before it and after it.
//!
//! A sync takes effect when it begins: what is written while it runs is not covered, which is the
//! least that a device may do. A folder can be made to lie: its next sync fails, and all later ones
//! succeed and do nothing, as on Linux, which tells of a lost page once.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use shuttle::sync::atomic::{AtomicU64, Ordering};

use crate::error::Result;
use crate::error::{Error, ErrorKind};
use crate::storage::{Access, Directory, File, Filesystem, Lock, Map};

/// A folder that lies, and whether it has failed already.
pub(super) type Liar = Arc<Mutex<Option<(&'static str, bool)>>>;

/// Any storage, with steps.
#[derive(Debug)]
pub(super) struct Stepped<T> {
    inner: T,
    steps: Arc<AtomicU64>,
    liar: Liar,
}

impl<T> Stepped<T> {
    pub(super) fn new(inner: T, liar: Liar) -> Self {
        let steps = Arc::new(AtomicU64::new(0));
        Self { inner, steps, liar }
    }

    fn around<R>(&self, call: impl FnOnce(&T) -> R) -> R {
        self.steps.fetch_add(1, Ordering::SeqCst);
        let answer = call(&self.inner);
        self.steps.fetch_add(1, Ordering::SeqCst);
        answer
    }

    fn file(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        let steps = Arc::clone(&self.steps);
        let liar = Arc::clone(&self.liar);
        Arc::new(Stepped {
            inner: file,
            steps,
            liar,
        })
    }
}

impl<T: Directory> Directory for Stepped<T> {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        let opened = self.around(|inner| inner.open(name, access));
        opened.map(|file| self.file(file))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        let created = self.around(|inner| inner.create(name));
        created.map(|file| self.file(file))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.around(|inner| inner.list(folder))
    }

    fn create_folder(&self, folder: &str) -> Result<()> {
        self.around(|inner| inner.create_folder(folder))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.around(|inner| inner.rename(from, to))
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.around(|inner| inner.remove(name))
    }

    fn sync(&self, folder: &str) -> Result<()> {
        self.around(|inner| match &mut *self.liar.lock() {
            Some((name, failed)) if *name == folder => {
                let told = std::mem::replace(failed, true);
                let lost = Error::new(ErrorKind::Io, "the folder's page was lost");
                if told { Ok(()) } else { Err(lost) }
            }
            Some(_) | None => inner.sync(folder),
        })
    }

    fn lock(&self, name: &str, contents: &str) -> Result<Box<dyn Lock>> {
        self.around(|inner| inner.lock(name, contents))
    }

    fn filesystem(&self) -> Filesystem {
        self.inner.filesystem()
    }
}

impl File for Stepped<Arc<dyn File>> {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.around(|inner| inner.read_at(buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.around(|inner| inner.write_at(bytes, offset))
    }

    fn sync(&self) -> Result<()> {
        self.around(|inner| inner.sync())
    }

    fn length(&self) -> Result<u64> {
        self.around(|inner| inner.length())
    }

    fn set_length(&self, bytes: u64) -> Result<()> {
        self.around(|inner| inner.set_length(bytes))
    }

    fn allocate(&self, bytes: u64) -> Result<()> {
        self.around(|inner| inner.allocate(bytes))
    }

    fn map(&self) -> Result<Map> {
        self.around(|inner| inner.map())
    }
}
