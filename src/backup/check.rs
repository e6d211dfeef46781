//! Compares a backup with its manifest.

use std::collections::BTreeSet;
use std::path::Path;

use super::manifest::{FOLDERS, Flaw, MANIFEST_VERSION, Manifest, ManifestFile};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{MANIFEST, SNAPSHOTS, narrow};
use crate::storage::{
    Access, Directory, DiskDirectory, File, list_if_there, open_if_there, read_range, read_whole,
};

/// What is read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Compares every byte of the backup in the directory `path` with the hashes in its manifest.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] where no backup is, or an unfinished one;
/// [`ErrorKind::UnsupportedVersion`] for one of a later release; [`ErrorKind::Corrupt`] for a file
/// that is missing, was changed, or is not of the backup, with its path; [`ErrorKind::Io`].
///
/// # Examples
///
/// ```
/// use forebay::{Queue, backup};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let (path, copy) = (folder.path().join("queue"), folder.path().join("copy"));
/// Queue::open(&path)?.enqueue(b"kept twice")?;
/// backup::backup(&path, &copy)?;
/// assert_eq!(backup::check(&copy)?.next.get(), 1);
///
/// std::fs::write(copy.join("STATE"), b"something else").unwrap();
/// assert!(backup::check(&copy).is_err());
/// # Ok::<(), forebay::Error>(())
/// ```
pub fn check(path: impl AsRef<Path>) -> Result<Manifest> {
    check_on(&DiskDirectory::open(path.as_ref())?)
}

/// Compares the backup in `directory`, as [`check`] does.
///
/// # Errors
///
/// As for [`check`].
#[cfg_attr(
    not(feature = "test-support"),
    expect(unreachable_pub, reason = "public with the feature test-support")
)]
pub fn check_on(directory: &dyn Directory) -> Result<Manifest> {
    let manifest = read_manifest(directory)?;
    refuse_strangers(directory, &manifest)?;
    for file in &manifest.files {
        let found = hash_file(directory, &file.name)?;
        refuse_changed(directory, file, &found)?;
    }
    Ok(manifest)
}

fn read_manifest(directory: &dyn Directory) -> Result<Manifest> {
    let Some(file) = open_if_there(directory, MANIFEST, Access::Read)? else {
        let what = "no backup is here, or one that was not finished: there is no MANIFEST";
        return Err(Error::at(ErrorKind::NotFound, what, directory.path()));
    };
    let bytes = read_whole(&*file, narrow(file.length()?))?;
    Manifest::decode(&bytes).map_err(|flaw| refused(&flaw, file.path()))
}

fn refused(flaw: &Flaw, path: &Path) -> Error {
    match flaw {
        Flaw::Version(found) => {
            let kind = ErrorKind::UnsupportedVersion {
                found: *found,
                supported: MANIFEST_VERSION,
            };
            let what = format!("the backup has version {found}, known is {MANIFEST_VERSION}");
            Error::at(kind, what, path)
        }
        Flaw::Hash => {
            let what = "the manifest was changed: its last line is not the hash of the others";
            Error::at(ErrorKind::Corrupt, what, path)
        }
        Flaw::Line(line) => {
            let what = format!("line {line} of the manifest names no file of a queue");
            Error::at(ErrorKind::Corrupt, what, path)
        }
    }
}

/// The file `name` as it is now.
fn hash_file(directory: &dyn Directory, name: &str) -> Result<ManifestFile> {
    let Some(file) = open_if_there(directory, name, Access::Read)? else {
        let path = directory.path().join(name);
        let what = "a file of the backup is missing";
        return Err(Error::at(ErrorKind::Corrupt, what, &path));
    };
    let (bytes, hash) = hash_of(&*file)?;
    Ok(ManifestFile {
        name: name.to_owned(),
        bytes,
        hash,
    })
}

fn hash_of(file: &dyn File) -> Result<(u64, [u8; 32])> {
    let mut hasher = blake3::Hasher::new();
    loop {
        let piece = read_range(file, hasher.count(), CHUNK_BYTES)?;
        if piece.is_empty() {
            return Ok((hasher.count(), *hasher.finalize().as_bytes()));
        }
        hasher.update(&piece);
    }
}

/// Refuses `found` unless it is what the manifest says.
pub(super) fn refuse_changed(
    directory: &dyn Directory,
    file: &ManifestFile,
    found: &ManifestFile,
) -> Result<()> {
    if file == found {
        return Ok(());
    }
    let what = if file.bytes == found.bytes {
        "a file of the backup was changed: its hash is not that of the manifest".to_owned()
    } else {
        let (expected, found) = (file.bytes, found.bytes);
        format!("a file of the backup was changed: it had {expected} bytes, and has {found} now")
    };
    let path = directory.path().join(&file.name);
    Err(Error::at(ErrorKind::Corrupt, what, &path))
}

/// Refuses files that the manifest does not name.
fn refuse_strangers(directory: &dyn Directory, manifest: &Manifest) -> Result<()> {
    let mut folders: BTreeSet<&str> = FOLDERS.into_iter().chain([SNAPSHOTS]).collect();
    let mut known: BTreeSet<&str> = BTreeSet::from([MANIFEST]);
    for file in &manifest.files {
        known.insert(&file.name);
        let inner = file.name.match_indices('/');
        folders.extend(inner.filter_map(|(at, _)| file.name.get(..at)));
    }
    for folder in folders.iter().copied().chain([""]) {
        for name in list_if_there(directory, folder)? {
            let name = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            if !known.contains(&*name) && !folders.contains(&*name) {
                let what = "a file is here that is not of the backup";
                let path = directory.path().join(name);
                return Err(Error::at(ErrorKind::Corrupt, what, &path));
            }
        }
    }
    Ok(())
}
