//! Symbolic links: followed to the queue, never inside it.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use forebay::{ErrorKind, Queue, QueueOptions};

use crate::scene::{drain_exactly, enqueue, folder, quick, refused, snapshot};

#[test]
fn a_link_to_nowhere_is_refused_and_nothing_is_made() {
    let folder = folder();
    let (link, target) = (folder.path().join("link"), folder.path().join("target"));
    symlink(&target, &link).expect("can be linked");
    let error = refused(Queue::open(&link), ErrorKind::Foreign).to_string();
    assert!(error.contains("link"), "{error}");
    refused(
        QueueOptions::new().open_existing().open(&link),
        ErrorKind::Foreign,
    );
    assert!(!target.exists());
    let round = folder.path().join("round");
    symlink(&round, &round).expect("can be linked");
    refused(Queue::open(&round), ErrorKind::Foreign);
}

#[test]
fn a_link_to_a_folder_is_followed() -> forebay::Result<()> {
    let folder = folder();
    let (link, target) = (folder.path().join("link"), folder.path().join("target"));
    fs::create_dir(&target).expect("can be made");
    symlink(&target, &link).expect("can be linked");
    enqueue(&Queue::open(&link)?, 0..1)?;
    assert!(target.join("QUEUE").is_file());
    Ok(())
}

/// Moves `name` out of the queue and puts a link in its place.
fn replace(path: &Path, name: &str, aside: &Path) {
    let moved = std::process::Command::new("mv")
        .arg(path.join(name))
        .arg(aside)
        .status();
    assert!(moved.expect("it runs").success());
    symlink(aside, path.join(name)).expect("can be linked");
}

#[test]
fn a_link_in_the_place_of_a_file_of_the_queue_is_refused() -> forebay::Result<()> {
    let names = [
        "LOCK",
        "QUEUE",
        "STATE",
        "segments",
        "cursors",
        "quarantine",
        "segments/0000000000000005.log",
    ];
    for name in names {
        let folder = folder();
        let path = folder.path().join("q");
        let queue = quick().open(&path)?;
        enqueue(&queue, 0..200)?;
        assert_eq!(queue.stats()?.segments, 5);
        drop(queue.consumer("a")?);
        queue.close()?;
        let aside = folder.path().join("aside");
        replace(&path, name, &aside);
        let before = snapshot(folder.path());
        let opened = quick().open(&path).map(drop);
        let error = opened.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Foreign, "{name}: {error}");
        assert!(
            error.to_string().contains("symbolic link"),
            "{name}: {error}"
        );
        assert!(error.to_string().contains(name), "{name}: {error}");
        assert_eq!(snapshot(folder.path()), before, "{name}");
    }
    Ok(())
}

#[test]
fn a_link_in_the_place_of_a_settled_segment_is_not_read_through() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..200)?;
    queue.close()?;
    let aside = folder.path().join("aside");
    replace(&path, "segments/0000000000000001.log", &aside);
    let before = fs::read(&aside).expect("there");
    // At open or at the first read: never its records.
    let read = quick().open(&path).and_then(|queue| {
        let mut consumer = queue.consumer("a")?;
        consumer.peek().map(|record| record.is_some())
    });
    let error = read.expect_err("a link is not a segment");
    assert!(
        matches!(error.kind(), ErrorKind::Foreign | ErrorKind::Corrupt),
        "{error}"
    );
    assert_eq!(fs::read(&aside).expect("there"), before);
    Ok(())
}

#[test]
fn a_link_in_the_place_of_an_index_is_neither_followed_nor_in_the_way() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..200)?;
    queue.close()?;
    let index = path.join("segments/0000000000000001.idx");
    let aside = folder.path().join("aside");
    fs::write(&aside, "precious").expect("can be written");
    fs::remove_file(&index).ok();
    symlink(&aside, &index).expect("can be linked");
    let queue = quick().open(&path)?;
    let mut consumer = queue.consumer("a")?;
    consumer.seek(crate::scene::at(20))?;
    drain_exactly(&mut consumer, 20..200)?;
    queue.reclaim()?;
    assert_eq!(fs::read_to_string(&aside).expect("there"), "precious");
    Ok(())
}

#[test]
fn a_link_where_a_file_is_to_be_made_is_not_written_through() {
    let names = [
        "QUEUE.tmp",
        "STATE.tmp",
        "cursors/a.cursor.tmp",
        "segments/0000000000000001.log",
        "segments/0000000000000002.log",
        "segments/0000000000000001.idx",
        "segments/0000000000000001.idx.tmp",
    ];
    for name in names {
        let folder = folder();
        let path = folder.path().join("q");
        let aside = folder.path().join("aside");
        fs::write(&aside, "precious").expect("can be written");
        let link = path.join(name);
        fs::create_dir_all(link.parent().expect("below q")).expect("can be made");
        symlink(&aside, &link).expect("can be linked");
        let used = quick().open(&path).and_then(|queue| {
            drop(queue.consumer("a")?);
            enqueue(&queue, 0..200)?;
            queue.close()
        });
        drop(used);
        assert_eq!(
            fs::read_to_string(&aside).expect("there"),
            "precious",
            "{name}"
        );
    }
}
