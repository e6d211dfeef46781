//! A format from the future is refused by name, and nothing is changed.

use std::fs;
use std::path::Path;

use forebay::{ErrorKind, Queue};

use crate::scene::{at, enqueue, folder, quick, refused, snapshot};
use crate::tree::copy_tree;

/// Raises the version of the structure at each of `offsets` of `file`, sealed as a later release
/// would have: magic, version, length of the body, body, checksum of all that.
fn from_the_future(file: &Path, offsets: &[usize]) {
    let mut bytes = fs::read(file).expect("there");
    for &offset in offsets {
        bytes[offset + 8..offset + 12].copy_from_slice(&9_u32.to_le_bytes());
        let length = bytes[offset + 12..offset + 16]
            .first_chunk()
            .copied()
            .expect("four bytes");
        let end = offset + 16 + usize::try_from(u32::from_le_bytes(length)).expect("small");
        let checksum = crc32c::crc32c(&bytes[offset..end]);
        bytes[end..end + 4].copy_from_slice(&checksum.to_le_bytes());
    }
    fs::write(file, bytes).expect("can be written");
}

/// A queue of several segments with a consumer; closed, and as a kill left it.
fn make(folder: &Path) -> forebay::Result<()> {
    let path = folder.join("closed");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..200)?;
    let mut consumer = queue.consumer("a")?;
    assert!(consumer.peek()?.is_some());
    consumer.ack_through(at(10))?;
    drop(consumer);
    copy_tree(&path, &folder.join("killed"));
    queue.close()
}

/// All bytes but those of the lock file, which names the process that looked last.
fn bytes_of(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = snapshot(path);
    all.retain(|(name, _)| name != "LOCK");
    all
}

fn future(error: &forebay::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnsupportedVersion { .. })
}

#[test]
fn a_later_version_of_any_file_is_refused_and_nothing_is_changed() -> forebay::Result<()> {
    let folder = folder();
    make(folder.path())?;
    for base in ["closed", "killed"] {
        for (name, offsets) in [
            ("QUEUE", &[0][..]),
            ("STATE", &[0, 4096]),
            ("cursors/a.cursor", &[0, 4096]),
            ("segments/0000000000000005.log", &[0]),
        ] {
            let image = folder
                .path()
                .join(format!("{base} {}", name.replace('/', " ")));
            copy_tree(&folder.path().join(base), &image);
            from_the_future(&image.join(name), offsets);
            let before = bytes_of(&image);
            let opened = Queue::open(&image).map(drop);
            let error = opened.expect_err(name);
            assert!(future(&error), "{base} {name}: {error}");
            let text = error.to_string();
            assert!(text.contains(name) && text.contains('9'), "{text}");
            assert_eq!(bytes_of(&image), before, "{base} {name}");
        }
    }
    Ok(())
}

#[test]
fn a_later_version_in_one_slot_is_enough() -> forebay::Result<()> {
    let folder = folder();
    make(folder.path())?;
    for (name, offset) in [("STATE", 0), ("STATE", 4096), ("cursors/a.cursor", 4096)] {
        let image = folder
            .path()
            .join(format!("{} {offset}", name.replace('/', " ")));
        copy_tree(&folder.path().join("closed"), &image);
        let file = image.join(name);
        let bytes = fs::read(&file).expect("there");
        if bytes
            .get(offset..offset + 8)
            .is_none_or(|magic| magic == [0; 8])
        {
            continue;
        }
        from_the_future(&file, &[offset]);
        let before = bytes_of(&image);
        let error = Queue::open(&image).map(drop).expect_err(name);
        assert!(future(&error), "{name}: {error}");
        assert_eq!(bytes_of(&image), before);
    }
    Ok(())
}

/// Opening a closed queue reads no settled segment: there it shows when it is read.
#[test]
fn a_later_version_of_a_settled_segment_is_refused_when_it_is_read() -> forebay::Result<()> {
    let folder = folder();
    make(folder.path())?;
    let path = folder.path().join("closed");
    let file = path.join("segments/0000000000000001.log");
    from_the_future(&file, &[0]);
    let before = fs::read(&file).expect("there");
    let read = Queue::open(&path).and_then(|queue| {
        let mut consumer = queue.consumer("a")?;
        consumer.peek().map(|record| record.is_some())
    });
    let error = read.expect_err("it cannot be read");
    assert!(future(&error), "{error}");
    assert_eq!(fs::read(&file).expect("there"), before);
    Ok(())
}

#[test]
fn each_file_with_another_magic_is_not_of_a_later_version() -> forebay::Result<()> {
    let folder = folder();
    make(folder.path())?;
    let path = folder.path().join("closed");
    fs::write(path.join("QUEUE"), "something else entirely").expect("can be written");
    let error = refused(Queue::open(&path).map(drop), ErrorKind::Corrupt);
    assert!(error.to_string().contains("QUEUE"), "{error}");
    Ok(())
}
