//! Backups that are not what they were are refused, with the name of the file, and so is a place
//! that holds something. Nothing is made then.

use forebay::backup::{backup, backup_on, check, check_on, restore, restore_on};
use forebay::storage::memory::MemoryDirectory;
use forebay::{Error, ErrorKind, Queue};

use crate::stage::filled;

fn backup_of_filled() -> MemoryDirectory {
    let (memory, queue) = filled(1);
    queue.close().expect("a clean close");
    let copy = MemoryDirectory::new();
    backup_on(&memory, &copy).expect("a queue");
    copy
}

/// Refused by the check and by a restore, which makes nothing.
fn assert_refused(backup: &MemoryDirectory, name: &str, kind: ErrorKind) {
    let place = MemoryDirectory::new();
    let errors: [Error; 2] = [
        check_on(backup).expect_err("a backup that was changed"),
        restore_on(backup, &place).expect_err("a backup that was changed"),
    ];
    for error in errors {
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(name), "{name} in {error}");
    }
    assert!(place.names().is_empty(), "{:?}", place.names());
}

#[test]
fn a_flipped_bit_in_any_file_is_refused() {
    let backup = backup_of_filled();
    check_on(&backup).expect("a whole backup");
    let names = backup.names();
    assert!(names.len() > 8, "{names:?}");
    for name in names {
        let bytes = backup.file_bytes(&name).expect("a listed file");
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let changed = backup.copy();
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            changed.put_file(&name, &bytes);
            assert_refused(&changed, &name, ErrorKind::Corrupt);
        }
    }
}

#[test]
fn a_file_that_is_longer_or_shorter_is_refused() {
    let backup = backup_of_filled();
    for name in backup.names() {
        let bytes = backup.file_bytes(&name).expect("a listed file");
        for changed_bytes in [[&*bytes, b"\0"].concat(), bytes[..bytes.len() - 1].to_vec()] {
            let changed = backup.copy();
            changed.put_file(&name, &changed_bytes);
            assert_refused(&changed, &name, ErrorKind::Corrupt);
        }
    }
}

#[test]
fn a_missing_file_is_refused_and_without_a_manifest_there_is_no_backup() {
    let backup = backup_of_filled();
    for name in backup.names() {
        let changed = backup.copy();
        forebay::storage::Directory::remove(&changed, &name).expect("a file");
        let kind = if name == "MANIFEST" {
            ErrorKind::NotFound
        } else {
            ErrorKind::Corrupt
        };
        assert_refused(&changed, &name, kind);
    }
}

#[test]
fn an_extra_file_is_refused_wherever_it_is() {
    let backup = backup_of_filled();
    for name in [
        "LOCK",
        "note",
        "MANIFEST.tmp",
        "segments/0000000000000099.log",
        "segments/0000000000000003.idx",
        "cursors/other.cursor",
        "snapshots/other.snapshot",
        "quarantine/more",
    ] {
        let changed = backup.copy();
        changed.put_file(name, b"");
        assert_refused(&changed, name, ErrorKind::Corrupt);
    }
}

#[test]
fn a_place_that_holds_something_is_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let queue = Queue::open(at("queue")).expect("a new queue");
    queue.enqueue("record").expect("room");
    std::fs::create_dir(at("filled")).expect("a folder");
    std::fs::write(at("filled").join("note"), "text").expect("a file");
    std::fs::write(at("file"), "text").expect("a file");
    std::fs::create_dir(at("empty")).expect("a folder");
    for (name, kind) in [
        ("filled", ErrorKind::InvalidInput),
        ("queue", ErrorKind::InvalidInput),
        ("file", ErrorKind::Foreign),
    ] {
        let error = backup(at("queue"), at(name)).expect_err("a place in use");
        assert_eq!(error.kind(), kind, "{error}");
    }
    backup(at("queue"), at("empty")).expect("an empty directory");
    check(at("empty")).expect("a whole backup");
    for (name, kind) in [
        ("filled", ErrorKind::InvalidInput),
        ("queue", ErrorKind::InvalidInput),
        ("file", ErrorKind::Foreign),
    ] {
        let error = restore(at("empty"), at(name)).expect_err("a place in use");
        assert_eq!(error.kind(), kind, "{error}");
    }
    let names = std::fs::read_dir(at("filled")).expect("a folder").count();
    assert_eq!(names, 1);
    assert_eq!(std::fs::read(at("file")).expect("a file"), b"text");
}

#[test]
fn where_no_queue_is_nothing_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("empty")).expect("a folder");
    std::fs::write(at("file"), "text").expect("a file");
    for (name, kind) in [
        ("none", ErrorKind::NotFound),
        ("empty", ErrorKind::NotFound),
        ("file", ErrorKind::Foreign),
    ] {
        let error = backup(at(name), at("copy")).expect_err("no queue");
        assert_eq!(error.kind(), kind, "{error}");
        let error = restore(at(name), at("copy")).expect_err("no backup");
        assert_eq!(error.kind(), kind, "{error}");
    }
    assert!(!at("copy").exists());
}

/// What a person might try instead: the manifest of another backup, with a good hash of its own.
#[test]
fn files_of_another_backup_are_refused() {
    let (one, other) = (backup_of_filled(), MemoryDirectory::new());
    let (memory, _queue) = filled(9);
    backup_on(&memory, &other).expect("a queue");
    for name in ["MANIFEST", "QUEUE", "STATE"] {
        let mixed = one.copy();
        let bytes = other.file_bytes(name).expect("a file of the backup");
        mixed.put_file(name, &bytes);
        assert!(check_on(&mixed).is_err(), "{name}");
    }
}
