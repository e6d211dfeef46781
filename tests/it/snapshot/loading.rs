//! What a loader says of files that are not what was written (AQ-57).

use std::path::PathBuf;

use forebay::{Error, ErrorKind, Queue, Result};

use super::{edit, file, mend, open, recover, save, save_bytes};
use crate::scene::{at, enqueue, folder, refused};

/// A queue with one snapshot of 100 bytes.
fn saved() -> (tempfile::TempDir, PathBuf, Queue) {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..9).expect("there is room");
    let store = queue.snapshots("view").expect("a free name");
    save_bytes(&store, &[5; 100], 7).expect("nothing fails");
    drop(store);
    (folder, path, queue)
}

/// What loading says after `change`.
fn load_after(change: impl FnOnce(&mut Vec<u8>)) -> Error {
    let (_folder, path, queue) = saved();
    edit(&path, "view", change);
    let loaded = queue.snapshots("view").expect("a free name").load();
    let error = loaded.expect_err("it is not what was written");
    assert_eq!(error.path(), Some(file(&path, "view").as_path()), "{error}");
    error
}

#[test]
fn a_missing_snapshot_is_none() -> Result<()> {
    let folder = folder();
    let queue = open(&folder.path().join("queue"));
    assert_eq!(queue.snapshots("view")?.load()?, None);
    Ok(())
}

#[test]
fn an_empty_file_is_damage_and_not_none() {
    let error = load_after(Vec::clear);
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("found 0 bytes"), "{error}");
}

#[test]
fn version_length_checksums_and_magic_are_told_apart() {
    let later = load_after(|bytes| {
        bytes[8] = 9;
        mend(bytes);
    });
    let kind = ErrorKind::UnsupportedVersion {
        found: 9,
        supported: 1,
    };
    assert_eq!(later.kind(), kind, "{later}");
    let says = |error: &Error, what: &str| {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(what), "{error}");
    };
    says(&load_after(|bytes| bytes[0] = b'X'), "expected magic");
    says(&load_after(|bytes| bytes[56] ^= 1), "expected checksum");
    says(&load_after(|bytes| bytes[130] ^= 1), "payload checksum");
    says(
        &load_after(|bytes| bytes.truncate(200)),
        "228 bytes, found 200",
    );
    says(&load_after(|bytes| bytes.push(0)), "228 bytes, found 229");
}

#[test]
fn a_snapshot_cut_short_anywhere_or_with_any_bit_flipped_is_refused() -> Result<()> {
    let (_folder, path, queue) = saved();
    let store = queue.snapshots("view")?;
    let whole = std::fs::read(file(&path, "view")).expect("it is there");
    let load = |bytes: &[u8]| {
        std::fs::write(file(&path, "view"), bytes).expect("it can be written");
        store.load()
    };
    for length in 0..whole.len() {
        refused(load(&whole[..length]), ErrorKind::Corrupt);
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let loaded = load(&flipped);
        if (88..128).contains(&(bit / 8)) {
            assert!(loaded.is_ok(), "byte {} is ignored", bit / 8);
        } else {
            refused(loaded, ErrorKind::Corrupt);
        }
    }
    assert_eq!(load(&whole)?.map(|kept| kept.covers), Some(at(7)));
    Ok(())
}

#[test]
fn a_snapshot_renamed_to_another_name_is_refused() -> Result<()> {
    let (_folder, path, queue) = saved();
    std::fs::copy(file(&path, "view"), file(&path, "other")).expect("it can be copied");
    let store = queue.snapshots("other")?;
    let error = refused(store.load(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("another name"), "{error}");
    refused(recover(&store), ErrorKind::Corrupt);
    Ok(())
}

#[test]
fn a_later_version_is_never_replaced_nor_passed_over() -> Result<()> {
    let (_folder, path, queue) = saved();
    edit(&path, "view", |bytes| {
        bytes[8] = 2;
        mend(bytes);
    });
    let store = queue.snapshots("view")?;
    let kind = ErrorKind::UnsupportedVersion {
        found: 2,
        supported: 1,
    };
    refused(recover(&store), kind);
    refused(save(&store, 9), kind);
    Ok(())
}
