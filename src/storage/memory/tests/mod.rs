//! One claim for each rule of the model; `sweep` checks them together on random histories.

mod crashes;
mod names;
mod space;
mod sweep;

use super::*;

/// A directory with the durable file `"f"` of two pages, all bytes `'o'`, open for writing.
fn old_file() -> (MemoryDirectory, Arc<dyn File>) {
    let directory = MemoryDirectory::new();
    directory.put_file("f", &[b'o'; 2 * PAGE]);
    let file = directory.open("f", Access::Write).unwrap();
    (directory, file)
}

fn bytes(directory: &MemoryDirectory, name: &str) -> Vec<u8> {
    directory
        .file_bytes(name)
        .unwrap_or_else(|| panic!("{name} is there"))
}

/// A power cut in which `kept` survives of what is not synced, by its place in the order.
fn crash_keeping(directory: &MemoryDirectory, kept: &[usize]) -> MemoryDirectory {
    let mut index = 0;
    directory.crash(&mut |_| {
        index += 1;
        if kept.contains(&(index - 1)) {
            Fate::Kept
        } else {
            Fate::Lost
        }
    })
}

#[test]
fn what_is_written_is_read_at_once_across_pages_and_up_to_the_end() {
    let directory = MemoryDirectory::new();
    let file = directory.create("f").unwrap();
    let written: Vec<u8> = (0..=250).cycle().take(3 * PAGE).collect();
    file.write_at(&written, 1000).unwrap();
    assert_eq!(file.length().unwrap(), 1000 + 3 * PAGE as u64);
    let mut buffer = vec![1; 4 * PAGE];
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 1000 + 3 * PAGE);
    assert!(buffer[..1000].iter().all(|byte| *byte == 0));
    assert_eq!(buffer[1000..][..3 * PAGE], written);
    assert_eq!(file.read_at(&mut buffer, 1 << 40).unwrap(), 0);
    assert_eq!(*file.map().unwrap(), *bytes(&directory, "f"));
}

#[test]
fn a_file_that_is_cut_and_extended_reads_zeros_in_between() {
    let (directory, file) = old_file();
    file.set_length(10).unwrap();
    file.set_length(20).unwrap();
    file.allocate(30).unwrap();
    file.allocate(5).unwrap();
    assert_eq!(
        bytes(&directory, "f"),
        [[b'o'; 10].as_slice(), &[0; 20]].concat()
    );
}

#[test]
fn a_write_of_nothing_changes_nothing() {
    let (directory, file) = old_file();
    file.write_at(b"", 1 << 30).unwrap();
    assert_eq!(
        (file.length().unwrap(), directory.unsynced_count()),
        (2 * PAGE as u64, 0)
    );
}

#[test]
fn a_handle_for_reading_refuses_to_write() {
    let (directory, _file) = old_file();
    let file = directory.open("f", Access::Read).unwrap();
    assert_eq!(file.write_at(b"x", 0).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(file.set_length(0).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(file.allocate(1).unwrap_err().kind(), ErrorKind::Io);
    file.sync().unwrap();
}

#[test]
fn a_clone_is_the_same_tree_and_a_copy_is_another() {
    let (directory, file) = old_file();
    let (clone, copy) = (directory.clone(), directory.copy());
    file.write_at(b"new", 0).unwrap();
    assert_eq!(bytes(&clone, "f")[..3], *b"new");
    assert_eq!(bytes(&copy, "f")[..3], *b"ooo");
    copy.put_file("g", b"");
    assert_eq!(directory.names(), ["f"]);
}

#[test]
fn a_copy_and_a_killed_process_leave_unsynced_what_was_unsynced() {
    let (directory, file) = old_file();
    file.write_at(b"new", 0).unwrap();
    let _new = directory.create("g").unwrap();
    for left in [directory.process_kill(), directory.copy()] {
        assert_eq!(bytes(&left, "f")[..3], *b"new");
        assert_eq!(left.unsynced(), directory.unsynced());
        assert_eq!(bytes(&left.crash_losing_all(), "f")[..3], *b"ooo");
        assert_eq!(left.crash_losing_all().names(), ["f"]);
    }
}

#[test]
fn a_lock_is_exclusive_until_it_is_dropped() {
    let directory = MemoryDirectory::new();
    let held = directory.lock("LOCK", "4711 host\n").unwrap();
    let error = directory.clone().lock("LOCK", "1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked { pid: Some(4711) });
    assert!(
        error.to_string().contains("locked by process 4711"),
        "{error}"
    );
    drop(held);
    let _held = directory.lock("LOCK", "no number").unwrap();
    assert_eq!(
        directory.lock("LOCK", "1").unwrap_err().kind(),
        ErrorKind::Locked { pid: None }
    );
    assert_eq!(bytes(&directory, "LOCK"), *b"no number");
}

#[test]
fn a_lock_does_not_outlive_the_process_or_the_power() {
    let directory = MemoryDirectory::new();
    let _held = directory.lock("LOCK", "1").unwrap();
    directory.process_kill().lock("LOCK", "2").unwrap();
    directory.crash_keeping_all().lock("LOCK", "2").unwrap();
    directory.copy().lock("LOCK", "2").unwrap();
    directory.lock("LOCK", "2").unwrap_err();
}

#[test]
fn the_file_system_is_local_until_it_is_said_to_be_another() {
    let directory = MemoryDirectory::new();
    assert_eq!(directory.filesystem(), Filesystem::Local);
    directory.set_filesystem(Filesystem::Network);
    assert_eq!(
        directory.crash_losing_all().filesystem(),
        Filesystem::Network
    );
}

#[test]
fn a_planted_file_is_durable_with_its_folders() {
    let directory = MemoryDirectory::new();
    directory.put_file("a/b/c", b"1");
    directory.put_file("a/b/c", b"23");
    let image = directory.crash_losing_all();
    assert_eq!(bytes(&image, "a/b/c"), *b"23");
    assert_eq!(image.names(), ["a/b/c"]);
}

#[test]
fn a_planted_file_replaces_what_was_not_synced_under_its_name() {
    let directory = MemoryDirectory::new();
    directory.put_file("f", b"old");
    directory.remove("f").unwrap();
    directory.put_file("f", b"new");
    assert_eq!(directory.unsynced(), []);
    assert_eq!(bytes(&directory.crash_keeping_all(), "f"), *b"new");
}
