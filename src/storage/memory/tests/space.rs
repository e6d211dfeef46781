//! A disk that is full.

use super::*;
use crate::error::FullReason;

const FULL: ErrorKind = ErrorKind::Full {
    reason: FullReason::Disk,
};

/// A disk of four pages.
fn small() -> MemoryDirectory {
    MemoryDirectory::with_capacity(4 * PAGE as u64)
}

#[test]
fn a_full_disk_refuses_new_pages_and_names_but_not_overwriting() {
    let directory = small();
    let file = directory.create("f").unwrap();
    file.write_at(&[1; 4 * PAGE], 0).unwrap();
    let refused = [
        file.write_at(b"x", 4 * PAGE as u64).unwrap_err(),
        file.allocate(5 * PAGE as u64).unwrap_err(),
        directory.create("g").unwrap_err(),
        directory.create_folder("folder").unwrap_err(),
        directory.lock("LOCK", "1").unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind(), FULL, "{error}");
    }
    file.write_at(&[2; 4 * PAGE], 0).unwrap();
    file.allocate(4 * PAGE as u64).unwrap();
    file.sync().unwrap();
    directory.rename("f", "g").unwrap();
    directory.sync("").unwrap();
}

#[test]
fn a_lock_file_that_is_there_can_be_taken_on_a_full_disk() {
    let directory = small();
    directory.lock("LOCK", "1").unwrap();
    directory.set_capacity(Some(0));
    directory.lock("LOCK", "2").unwrap();
}

#[test]
fn a_write_that_meets_the_end_of_the_disk_puts_down_what_fits() {
    let directory = small();
    let file = directory.create("f").unwrap();
    let error = file.write_at(&[1; 4 * PAGE], 100).unwrap_err();
    assert_eq!(error.kind(), FULL);
    assert!(
        error.to_string().starts_with("write: /memory/f: "),
        "{error}"
    );
    assert_eq!(file.length().unwrap(), 4 * PAGE as u64);
    assert_eq!(directory.used_bytes(), 4 * PAGE as u64);
}

#[test]
fn cutting_and_removing_give_space_back() {
    let directory = small();
    let file = directory.create("f").unwrap();
    file.write_at(&[1; 4 * PAGE], 0).unwrap();
    file.set_length(PAGE as u64 + 1).unwrap();
    assert_eq!(directory.used_bytes(), 2 * PAGE as u64);
    let other = directory.create("g").unwrap();
    other.write_at(&[1; 2 * PAGE], 0).unwrap();
    drop(other);
    directory.remove("g").unwrap();
    assert_eq!(directory.used_bytes(), 2 * PAGE as u64);
    file.allocate(4 * PAGE as u64).unwrap();
}

#[test]
fn a_removed_file_takes_space_until_its_last_handle_is_closed() {
    let directory = small();
    let file = directory.create("f").unwrap();
    let twin = directory.open("f", Access::Read).unwrap();
    file.write_at(&[1; 4 * PAGE], 0).unwrap();
    directory.remove("f").unwrap();
    drop(file);
    assert_eq!(directory.used_bytes(), 4 * PAGE as u64);
    assert_eq!(directory.process_kill().used_bytes(), 0);
    drop(twin);
    assert_eq!(directory.used_bytes(), 0);
    assert_eq!(bytes(&crash_keeping(&directory, &[0]), "f"), b"");
}

#[test]
fn holes_take_no_space_and_allocated_pages_are_there_to_be_written() {
    let directory = small();
    let file = directory.create("f").unwrap();
    file.set_length(100 * PAGE as u64).unwrap();
    assert_eq!(directory.used_bytes(), 0);
    file.write_at(b"x", 3 * PAGE as u64).unwrap();
    file.allocate(4 * PAGE as u64).unwrap();
    assert_eq!(directory.used_bytes(), 4 * PAGE as u64);
    file.write_at(&[1; 4 * PAGE], 0).unwrap();
    file.write_at(b"x", 4 * PAGE as u64).unwrap_err();
}

#[test]
fn a_disk_that_grows_or_shrinks_changes_only_what_may_be_added() {
    let directory = small();
    let file = directory.create("f").unwrap();
    file.write_at(&[1; 4 * PAGE], 0).unwrap();
    directory.set_capacity(Some(PAGE as u64));
    file.write_at(&[2; 4 * PAGE], 0).unwrap();
    file.set_length(2 * PAGE as u64).unwrap();
    file.write_at(b"x", 2 * PAGE as u64).unwrap_err();
    directory.set_capacity(None);
    file.write_at(&vec![3; 9 * PAGE], 0).unwrap();
}

#[test]
fn an_image_has_the_capacity_of_its_disk_and_the_space_of_what_survived() {
    let directory = small();
    directory.put_file("f", &[1; PAGE]);
    let file = directory.open("f", Access::Write).unwrap();
    file.write_at(&[1; 3 * PAGE], PAGE as u64).unwrap();
    let image = directory.crash_losing_all();
    assert_eq!(image.used_bytes(), PAGE as u64);
    let file = image.open("f", Access::Write).unwrap();
    file.write_at(&[1; 3 * PAGE], PAGE as u64).unwrap();
    assert_eq!(
        file.write_at(b"x", 4 * PAGE as u64).unwrap_err().kind(),
        FULL
    );
}

#[test]
fn a_file_longer_than_any_file_can_be_is_refused_as_full() {
    let directory = MemoryDirectory::new();
    let file = directory.create("f").unwrap();
    assert_eq!(file.write_at(b"x", u64::MAX).unwrap_err().kind(), FULL);
    assert_eq!(file.set_length(1 << 63).unwrap_err().kind(), FULL);
    assert_eq!(file.allocate(1 << 63).unwrap_err().kind(), FULL);
}
