//! The queue's directory as it will be once files have their right names, for reading only.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::format::IDENTITY;
use crate::storage::{Access, Directory, File, Filesystem, Held, Lock};

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
            let path = self.path().join(name);
            return Ok(Arc::new(Held::new(path, bytes.clone())));
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
