//! One opener at a time, and what is left of one that was killed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use forebay::{ErrorKind, EventBuffer, Queue, QueueOptions};

use crate::scene::{drain_exactly, enqueue, folder, quick, refused, snapshot};
use crate::tree::copy_tree;

const HOLD: &str = "FOREBAY_TEST_HOLD";

/// Not a test by itself: a process that holds the queue until its input ends.
#[test]
fn hold_a_queue_when_told_to() -> forebay::Result<()> {
    let Some(path) = std::env::var_os(HOLD) else {
        return Ok(());
    };
    let queue = Queue::open(path)?;
    let mut out = std::io::stdout();
    out.write_all(b"\nholding\n")
        .and_then(|()| out.flush())
        .expect("the parent reads");
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .expect("the parent closes it");
    queue.close()
}

fn hold(path: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().expect("this one"))
        .args([
            "--exact",
            "--nocapture",
            "input::sharing::hold_a_queue_when_told_to",
        ])
        .env(HOLD, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let out = child.stdout.take().expect("piped");
    let held = BufReader::new(out)
        .lines()
        .any(|line| line.is_ok_and(|line| line == "holding"));
    assert!(held, "the child did not open the queue");
    child
}

#[test]
fn a_second_process_is_told_which_one_has_the_queue() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    enqueue(&Queue::open(&path)?, 0..3)?;
    let mut child = hold(&path);
    let locked = ErrorKind::Locked {
        pid: Some(child.id()),
    };
    let error = refused(Queue::open(&path), locked);
    assert!(
        error.to_string().contains(&child.id().to_string()),
        "{error}"
    );
    refused(QueueOptions::new().open_existing().open(&path), locked);
    refused(EventBuffer::<u32>::new(&path, 10).map(drop), locked);
    // Killed, it holds nothing any more.
    child.kill().expect("it runs");
    child.wait().expect("it was ours");
    drain_exactly(&mut Queue::open(&path)?.consumer("a")?, 0..3)
}

#[test]
fn a_second_open_in_one_process_is_locked_too() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = Queue::open(&path)?;
    enqueue(&queue, 0..1)?;
    let locked = ErrorKind::Locked {
        pid: Some(std::process::id()),
    };
    let before = snapshot(&path);
    for _ in 0..3 {
        refused(Queue::open(&path), locked);
    }
    assert_eq!(snapshot(&path), before);
    enqueue(&queue, 1..2)?;
    drop(queue);
    assert_eq!(Queue::open(&path)?.len(), 2);
    Ok(())
}

#[test]
fn whatever_is_in_the_lock_file_is_no_lock() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    enqueue(&Queue::open(&path)?, 0..1)?;
    for contents in [&b"99999999\n"[..], b"", b"\xff\xfe not a number", b"1"] {
        fs::write(path.join("LOCK"), contents).expect("can be written");
        assert_eq!(Queue::open(&path)?.len(), 1);
    }
    fs::remove_file(path.join("LOCK")).expect("can be removed");
    assert_eq!(Queue::open(&path)?.len(), 1);
    Ok(())
}

#[test]
fn a_lock_file_with_no_number_still_locks() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = Queue::open(&path)?;
    fs::write(path.join("LOCK"), "\u{e4}").expect("can be written");
    refused(Queue::open(&path), ErrorKind::Locked { pid: None });
    drop(queue);
    Ok(())
}

/// A second writer that got in all the same (the lock file was replaced) is noticed before a
/// segment is written over.
#[test]
fn a_second_writer_is_noticed_at_the_next_segment() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let first = quick().open(&path)?;
    enqueue(&first, 0..10)?;
    first.sync()?;
    fs::remove_file(path.join("LOCK")).expect("can be removed");
    let second = quick().open(&path)?;
    // A file that the first one makes ready meanwhile may be in the way, once.
    let wrote = (0..3).any(|_| second.enqueue(b"second").is_ok());
    assert!(wrote, "the second one goes on");
    second.sync()?;
    let ended = (0..2000).find_map(|_| first.enqueue(b"xxxxxxxx").err());
    assert_eq!(ended.map(|error| error.kind()), Some(ErrorKind::Poisoned));
    Ok(())
}

#[test]
fn files_of_another_queue_mixed_in_are_told_from_its_own() -> forebay::Result<()> {
    let folder = folder();
    let (path, other) = (folder.path().join("q"), folder.path().join("other"));
    for place in [&path, &other] {
        let queue = quick().open(place)?;
        enqueue(&queue, 0..200)?;
        queue.close()?;
    }
    // A sealed segment of the other queue in the place of ours: damage, never its records.
    let name = "segments/0000000000000002.log";
    let image = folder.path().join("image");
    copy_tree(&path, &image);
    fs::copy(other.join(name), image.join(name)).expect("can be copied");
    let queue = quick().open(&image)?;
    let mut consumer = queue.consumer("a")?;
    let error = refused(consumer.drain(|_| Ok::<(), ()>(())), ErrorKind::Corrupt);
    assert!(
        error.to_string().contains("0000000000000002.log"),
        "{error}"
    );
    let gap = consumer.skip_corrupt()?.expect("there is damage");
    drain_exactly(&mut consumer, gap.range.end.get()..200)?;
    // Its STATE or its identity.
    for name in ["STATE", "QUEUE"] {
        let image = folder.path().join(format!("with {name}"));
        copy_tree(&path, &image);
        fs::copy(other.join(name), image.join(name)).expect("can be copied");
        match quick().open(&image) {
            Ok(queue) => {
                let report = queue.recovery();
                assert_eq!(queue.next().get(), 200, "with {name}: {report:?}");
                assert!(report.state_rebuilt);
                drain_exactly(&mut queue.consumer("a")?, 0..200)?;
            }
            Err(error) => {
                assert_eq!(
                    (name, error.kind()),
                    ("QUEUE", ErrorKind::Corrupt),
                    "{error}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn a_segment_that_is_not_of_the_log_is_set_aside_and_nothing_is_lost() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..200)?;
    queue.close()?;
    // Somebody copied a segment to a later number.
    let duplicate = path.join("segments/0000000000000077.log");
    fs::copy(path.join("segments/0000000000000002.log"), &duplicate).expect("can be copied");
    let bytes = fs::read(&duplicate).expect("there");
    for round in 2..5 {
        let queue = quick().open(&path)?;
        assert_eq!(queue.next().get(), round * 100);
        enqueue(&queue, round * 100..(round + 1) * 100)?;
    }
    let mut consumer = quick().open(&path)?.consumer("a")?;
    drain_exactly(&mut consumer, 0..500)?;
    drop(consumer);
    let kept = snapshot(&path).into_iter().any(|(_, found)| found == bytes);
    assert!(kept, "bytes are never destroyed");
    Ok(())
}
