//! The real tree of a queue. Platform differences live here, in `disk_file` and in `filesystem`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs2::FileExt as _;

use super::disk_file::DiskFile;
use super::regular::{refuse_opened, refuse_other_than_file};
use super::{Access, Directory, File, Filesystem, Lock, failed, kind_of, sync_failed};
use crate::error::{Error, ErrorKind, Result};

/// A queue's tree on disk.
#[derive(Debug)]
pub struct DiskDirectory {
    path: PathBuf,
}

impl DiskDirectory {
    /// The tree at the existing directory `path`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] where nothing is, [`ErrorKind::Foreign`] where something else is.
    pub fn open(path: &Path) -> Result<Self> {
        refuse_file(path)?;
        let path = fs::canonicalize(path).map_err(failed("open the queue's directory", path))?;
        Ok(Self { path })
    }

    /// The tree at `path`, made with all its ancestors where they are missing.
    ///
    /// # Durability
    ///
    /// Every new directory's name survives power loss on return.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Foreign`] where a file is, [`ErrorKind::Io`] where the system refuses.
    pub fn create(path: &Path) -> Result<Self> {
        refuse_file(path)?;
        create_with_ancestors(path, &mut sync_folder)?;
        Self::open(path)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Creates `path` and what is missing above it, each with its name synced before the next.
fn create_with_ancestors(path: &Path, sync: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_with_ancestors(parent, sync)?;
    }
    match private_folder().create(path) {
        Ok(()) => {}
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(source) => return Err(failed("create directory", path)(source)),
    }
    sync(parent.unwrap_or(Path::new(".")))
}

/// An error that says what is in the way when `path` is not a directory.
fn refuse_file(path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "the path of the queue is empty",
        ));
    }
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if metadata.is_symlink() && fs::metadata(path).is_err() {
        return Err(Error::at(
            ErrorKind::Foreign,
            "the path is a symbolic link to nowhere",
            path,
        ));
    }
    if !fs::metadata(path)
        .map_err(failed("look at", path))?
        .is_file()
    {
        return Ok(());
    }
    let mut start = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        let read = io::Read::read_to_end(&mut io::Read::take(file, 16), &mut start);
        read.map_err(failed("read", path))?;
    }
    let what = if start == *b"SQLite format 3\0" {
        "the path is a SQLite database, a queue is a directory; choose another path; \
         `forebay import-sqlite` moves the events over"
    } else {
        "the path is a file, a queue is a directory"
    };
    Err(Error::at(ErrorKind::Foreign, what, path))
}

#[cfg(unix)]
fn private_folder() -> fs::DirBuilder {
    use std::os::unix::fs::DirBuilderExt;

    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(not(unix))]
fn private_folder() -> fs::DirBuilder {
    fs::DirBuilder::new()
}

/// Options that never follow a symbolic link to the file itself nor wait for somebody at the other
/// end of it, and create private files.
#[cfg(unix)]
fn options() -> fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;

    let mut options = fs::OpenOptions::new();
    options
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

#[cfg(not(unix))]
fn options() -> fs::OpenOptions {
    fs::OpenOptions::new()
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> Result<()> {
    let folder = fs::File::open(path).map_err(sync_failed("open directory to sync", path))?;
    folder
        .sync_all()
        .map_err(sync_failed("sync directory", path))
}

/// Windows keeps directory entries in its own journal and has no call to sync them.
#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> Result<()> {
    Ok(())
}

/// Refuses a symbolic link in the place of one of the queue's own folders.
fn refuse_link(path: &Path) -> Result<()> {
    let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    if is_link {
        let what = "a symbolic link is where a folder of the queue should be";
        return Err(Error::at(ErrorKind::Foreign, what, path));
    }
    Ok(())
}

impl Directory for DiskDirectory {
    fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        let path = self.place(name);
        refuse_other_than_file(&path)?;
        let file = options()
            .read(true)
            .write(access == Access::Write)
            .open(&path)
            .map_err(failed("open", &path))?;
        refuse_opened(&file, &path)?;
        Ok(Arc::new(DiskFile { path, file }))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        let path = self.place(name);
        let file = options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(failed("create", &path))?;
        Ok(Arc::new(DiskFile { path, file }))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.place(folder);
        refuse_link(&path)?;
        let entries = fs::read_dir(&path).map_err(failed("list", &path))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("list", &path))?;
            // A name that is not Unicode is not one of ours.
            names.extend(entry.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn create_folder(&self, folder: &str) -> Result<()> {
        let path = self.place(folder);
        refuse_link(&path)?;
        match private_folder().create(&path) {
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            made => made.map_err(failed("create directory", &path)),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "callers sync the folders, as documented"
    )]
    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (self.place(from), self.place(to));
        fs::rename(&from, &to).map_err(failed("rename", &from))
    }

    fn remove(&self, name: &str) -> Result<()> {
        let path = self.place(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(failed("remove", &path)),
        }
    }

    fn sync(&self, folder: &str) -> Result<()> {
        sync_folder(&self.place(folder))
    }

    fn lock(&self, name: &str, contents: &str) -> Result<Box<dyn Lock>> {
        let path = self.place(name);
        refuse_other_than_file(&path)?;
        let mut file = options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed("open lock", &path))?;
        refuse_opened(&file, &path)?;
        if let Err(source) = file.try_lock_exclusive() {
            if source.raw_os_error() != fs2::lock_contended_error().raw_os_error() {
                return Err(failed("lock", &path)(source));
            }
            let mut hint = String::new();
            let pid = io::Read::read_to_string(&mut file, &mut hint)
                .ok()
                .and_then(|_| hint.split_whitespace().next()?.parse().ok());
            let by = pid.map_or_else(String::new, |pid| format!(" by process {pid}"));
            let what = format!("the queue is open elsewhere, locked{by}");
            return Err(Error::at(ErrorKind::Locked { pid }, what, &path));
        }
        // The contents are a hint: a full disk must not keep a queue from being drained.
        let hint = file
            .set_len(0)
            .and_then(|()| file.write_all(contents.as_bytes()));
        if let Err(source) = hint
            && !matches!(kind_of(&source), ErrorKind::Full { .. })
        {
            return Err(failed("write lock", &path)(source));
        }
        Ok(Box::new(DiskLock {
            file,
            process: std::process::id(),
        }))
    }

    fn filesystem(&self) -> Filesystem {
        Filesystem::of(&self.path)
    }

    fn free_bytes(&self) -> Result<Option<u64>> {
        fs2::available_space(&self.path)
            .map(Some)
            .map_err(failed("look for free space", &self.path))
    }
}

/// The kernel releases the lock at the latest when the process dies.
#[derive(Debug)]
struct DiskLock {
    file: fs::File,
    process: u32,
}

impl Drop for DiskLock {
    fn drop(&mut self) {
        // flock(2) belongs to the open file, which a child that another thread is just spawning
        // shares until it execs: closing would leave the queue locked for that long. A fork that
        // drops its copy must not unlock its parent, though.
        if std::process::id() == self.process {
            self.file.unlock().ok();
        }
    }
}

impl Lock for DiskLock {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_every_new_folder_is_synced_before_the_next_is_made() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = root.path().join("a/b/c");
        let mut synced = Vec::new();
        create_with_ancestors(&path, &mut |folder| {
            let below = fs::read_dir(folder).expect("it is there").count();
            synced.push((folder.to_path_buf(), below));
            Ok(())
        })
        .expect("nothing is in the way");
        let expected = ["", "a", "a/b"].map(|name| (root.path().join(name), 1));
        assert_eq!(synced.len(), 3);
        for ((folder, below), expected) in synced.iter().zip(&expected) {
            assert_eq!((folder.components(), below), (expected.0.components(), &1));
        }
        assert!(path.is_dir());
    }

    #[test]
    fn a_new_folder_whose_name_cannot_be_synced_is_an_error() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = root.path().join("a/b");
        let refuse = &mut |_: &Path| Err(Error::new(ErrorKind::Io, "no sync"));
        create_with_ancestors(&path, refuse).expect_err("nobody knows whether it lasts");
        assert!(!path.exists(), "nothing is built on it");
    }
}
