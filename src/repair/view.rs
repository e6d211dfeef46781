//! The queue's directory as it will be once files have their right names, for reading only.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::format::{IDENTITY, wide};
use crate::storage::{Access, Directory, File, Filesystem, Lock, Map};

/// A directory in which some files have other names, and some are not there.
#[derive(Debug)]
pub(super) struct View<'a> {
    inner: &'a dyn Directory,
    /// Names as they will be, and as they are.
    pub(super) renamed: BTreeMap<String, String>,
    pub(super) hidden: BTreeSet<String>,
    /// What `QUEUE` will hold, where that is something else.
    pub(super) identity: Option<Vec<u8>>,
}

impl<'a> View<'a> {
    pub(super) fn new(inner: &'a dyn Directory) -> Self {
        Self {
            inner,
            renamed: BTreeMap::new(),
            hidden: BTreeSet::new(),
            identity: None,
        }
    }

    fn refuse<T>(&self) -> Result<T> {
        let what = "a plan changes nothing";
        Err(Error::at(ErrorKind::InvalidInput, what, self.path()))
    }
}

impl Directory for View<'_> {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        if access == Access::Write {
            return self.refuse();
        }
        if let Some(bytes) = self.identity.as_ref().filter(|_| name == IDENTITY) {
            return Ok(Arc::new(Bytes {
                path: self.path().join(name),
                bytes: bytes.clone(),
            }));
        }
        if let Some(real) = self.renamed.get(name) {
            return self.inner.open(real, access);
        }
        let is_elsewhere = self.renamed.values().any(|real| real == name);
        if is_elsewhere || self.hidden.contains(name) {
            let path = self.path().join(name);
            let source = io::ErrorKind::NotFound.into();
            return Err(Error::io_of_kind(
                ErrorKind::NotFound,
                "open",
                &path,
                source,
            ));
        }
        self.inner.open(name, access)
    }

    fn create(&self, _name: &str) -> Result<Arc<dyn File>> {
        self.refuse()
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = format!("{folder}/");
        let mut names: BTreeSet<String> = self.inner.list(folder)?.into_iter().collect();
        let gone = self.hidden.iter().chain(self.renamed.values());
        for name in gone.filter_map(|name| name.strip_prefix(&prefix)) {
            names.remove(name);
        }
        let come = self.renamed.keys();
        names.extend(come.filter_map(|name| Some(name.strip_prefix(&prefix)?.to_owned())));
        Ok(names.into_iter().collect())
    }

    fn create_folder(&self, _folder: &str) -> Result<()> {
        self.refuse()
    }

    fn rename(&self, _from: &str, _to: &str) -> Result<()> {
        self.refuse()
    }

    fn remove(&self, _name: &str) -> Result<()> {
        self.refuse()
    }

    fn sync(&self, _folder: &str) -> Result<()> {
        self.refuse()
    }

    fn lock(&self, _name: &str, _contents: &str) -> Result<Box<dyn Lock>> {
        self.refuse()
    }

    fn filesystem(&self) -> Filesystem {
        self.inner.filesystem()
    }
}

/// A file that is not there yet.
#[derive(Debug)]
struct Bytes {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Bytes {
    fn refuse<T>(&self) -> Result<T> {
        let what = "a plan changes nothing";
        Err(Error::at(ErrorKind::InvalidInput, what, &self.path))
    }
}

impl File for Bytes {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let left = self.bytes.get(from..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        let pairs = buffer.iter_mut().zip(left);
        pairs.for_each(|(to, from)| *to = *from);
        Ok(count)
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> Result<()> {
        self.refuse()
    }

    fn sync(&self) -> Result<()> {
        self.refuse()
    }

    fn length(&self) -> Result<u64> {
        Ok(wide(self.bytes.len()))
    }

    fn set_length(&self, _bytes: u64) -> Result<()> {
        self.refuse()
    }

    fn allocate(&self, _bytes: u64) -> Result<()> {
        self.refuse()
    }

    fn map(&self) -> Result<Map> {
        self.refuse()
    }
}
