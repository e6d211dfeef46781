//! The folder beside the queue in which it is made, so that a queue has its name once it is whole.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::note;

/// The file that says what the folder is; locked by the import that works in it.
const MARK: &str = "IMPORT";
const MARK_TEXT: &str = "forebay import-sqlite works in this folder; it may be deleted\n";

/// A folder that goes when this does.
#[derive(Debug)]
pub(super) struct Staging {
    path: PathBuf,
    /// Closed before the folder is removed.
    lock: Option<File>,
}

impl Staging {
    /// Makes the folder beside `queue`, which must not be there.
    pub(super) fn begin(queue: &Path) -> Result<Self, Failure> {
        if fs::symlink_metadata(queue).is_ok() {
            return Err(Failure::Input {
                what: format!("something is there already: {}", queue.display()),
                remedy: "an import makes a new queue: choose another path",
            });
        }
        let Some(name) = queue.file_name() else {
            return Err(Failure::Input {
                what: format!("{} is no name for a queue", queue.display()),
                remedy: "name a directory that is to be made",
            });
        };
        let mut name = name.to_owned();
        name.push(".importing");
        let path = queue.with_file_name(name);
        remove_left_over(&path)?;
        let lock = make(&path).map_err(failed("make", &path))?;
        Ok(Self {
            path,
            lock: Some(lock),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the queue is made.
    pub(super) fn queue(&self) -> PathBuf {
        self.path.join("queue")
    }

    /// Gives the queue its name.
    pub(super) fn publish(self, queue: &Path) -> Result<(), Failure> {
        rename(&self.queue(), queue).map_err(failed("make", queue))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        drop(self.lock.take());
        // What stays is removed by the next import.
        fs::remove_dir_all(&self.path).ok();
    }
}

fn make(path: &Path) -> io::Result<File> {
    fs::create_dir_all(path)?;
    let mut mark = File::create_new(path.join(MARK))?;
    mark.try_lock().map_err(io::Error::from)?;
    mark.write_all(MARK_TEXT.as_bytes())?;
    Ok(mark)
}

/// Removes what an interrupted import left, and nothing else.
fn remove_left_over(path: &Path) -> Result<(), Failure> {
    let Err(error) = fs::symlink_metadata(path) else {
        return remove_ours(path);
    };
    if error.kind() == io::ErrorKind::NotFound {
        return Ok(());
    }
    Err(failed("look at", path)(error))
}

fn remove_ours(path: &Path) -> Result<(), Failure> {
    let mark = path.join(MARK);
    let text = fs::read(&mark).unwrap_or_default();
    // It may have been interrupted before it had written everything.
    let is_ours = MARK_TEXT.as_bytes().starts_with(&text) && mark.is_file();
    if !is_ours {
        return Err(Failure::Input {
            what: format!("something else is there: {}", path.display()),
            remedy: "the import works in a folder of this name: move what is there away",
        });
    }
    let locked = File::open(&mark).map_err(failed("open", &mark))?;
    match locked.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Failure::Input {
                what: format!("another import works in {}", path.display()),
                remedy: "let it end first",
            });
        }
        Err(TryLockError::Error(error)) => return Err(failed("lock", &mark)(error)),
    }
    drop(locked);
    fs::remove_dir_all(path).map_err(failed("remove", path))?;
    let path = path.display();
    note(&format!("removed what an interrupted import left: {path}"));
    Ok(())
}

/// Renames a folder, also for after a power cut.
#[expect(
    clippy::disallowed_methods,
    reason = "the directory is synced right here"
)]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    // A folder that came meanwhile is not replaced, were it an empty one.
    if fs::symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_folder(parent.unwrap_or(Path::new(".")))
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn failed(act: &str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    Failure::io(format!("cannot {act} {}", path.display()))
}
