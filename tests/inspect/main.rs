//! Looking at a queue: on a closed one, on one that was killed, beside a live writer, on damage,
//! and without changing a byte.

mod details;
mod moments;
#[path = "../stage/tree.rs"]
mod tree;
mod verify;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use forebay::backup::backup;
use forebay::inspect::{Inspection, SegmentRole, inspect};
use forebay::{
    ErrorKind, Host, Preallocate, Queue, QueueOptions, QueueStats, Sequence, SyncPolicy,
};

use self::tree::copy_tree;

/// A machine without threads: what a queue does in the background it does when told to.
#[derive(Debug)]
struct Still;

impl Host for Still {
    fn now(&self) -> u64 {
        0
    }

    fn random(&self) -> u64 {
        1
    }

    fn process(&self) -> u32 {
        std::process::id()
    }

    fn has_threads(&self) -> bool {
        false
    }
}

/// Small segments, so that a few hundred records fill several.
fn options() -> QueueOptions {
    Queue::options()
        .segment_bytes(8192)
        .sync_policy(SyncPolicy::Manual)
}

/// A queue of 500 records in several segments: "ship" has acknowledged 120 of them, "audit" 300.
fn fill(path: &Path) -> Queue {
    let queue = options().open(path).expect("a new queue");
    for number in 0..500 {
        queue.enqueue(format!("record {number}")).expect("room");
    }
    queue.sync().expect("a working disk");
    for (name, acked) in [("ship", 120), ("audit", 300)] {
        let mut consumer = queue.consumer(name).expect("a free consumer");
        let last = Sequence::new(acked - 1);
        consumer.ack_through(last).expect("a durable record");
    }
    queue.reclaim().expect("a working disk");
    queue
}

/// Every file below `folder` with its bytes and the time of its last change.
fn files(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let changed = fs::metadata(&path).and_then(|metadata| metadata.modified());
        let changed = changed.expect("a time of change");
        if path.is_dir() {
            found.extend(files(&path));
            found.insert(path, (Vec::new(), changed));
        } else {
            let bytes = fs::read(&path).expect("a readable file");
            found.insert(path, (bytes, changed));
        }
    }
    found
}

/// The segment files of a queue, in order.
fn segment_files(queue: &Path) -> Vec<PathBuf> {
    let folder = fs::read_dir(queue.join("segments")).expect("a queue");
    let mut paths: Vec<_> = folder
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    paths.sort();
    paths
}

fn damage(file: &Path, at: usize) {
    let mut bytes = fs::read(file).expect("a readable file");
    bytes[at] ^= 0x10;
    fs::write(file, bytes).expect("a writable file");
}

fn assert_agrees(found: &Inspection, stats: &QueueStats) {
    assert_eq!(found.first, stats.first);
    assert_eq!(found.next, stats.next);
    assert_eq!(found.durable, stats.durable);
    assert_eq!(found.floor, stats.floor);
    assert_eq!(found.epoch, stats.epoch);
    assert_eq!(found.waiting_records, stats.records);
    assert_eq!(found.waiting_bytes, stats.bytes);
    assert_eq!(found.consumers.len(), stats.consumers);
}

#[test]
fn a_closed_queue_looks_as_it_did_to_its_owner() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue");
    let started = SystemTime::now();
    let queue = fill(&path);
    let (stats, id) = (queue.stats().expect("stats"), queue.id());
    queue.close().expect("a clean close");

    let found = inspect(&path).expect("a queue");
    assert_agrees(&found, &stats);
    assert_eq!(found.id, id);
    assert!(found.opening.clean, "{}", found.opening.event);
    assert!(!found.is_damaged(), "{found:?}");
    assert!(found.created >= started);
    let oldest = found.oldest_waiting.expect("records wait");
    assert!(oldest >= started && oldest <= SystemTime::now());
    let names: Vec<_> = found.consumers.iter().map(|found| &found.name).collect();
    assert_eq!(names, ["audit", "ship"]);
    assert_eq!(found.consumers[0].lag, Some(200));
    assert_eq!(found.consumers[1].next, Some(Sequence::new(120)));
    let lengths = files(&path)
        .into_values()
        .map(|(bytes, _)| u64::try_from(bytes.len()).expect("a length"));
    assert_eq!(found.disk_bytes, lengths.sum::<u64>());
}

#[test]
fn segments_touch_and_only_the_last_is_active() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue");
    fill(&path).close().expect("a clean close");

    let segments = inspect(&path).expect("a queue").segments;
    assert!(segments.len() > 3, "{segments:?}");
    for pair in segments.windows(2) {
        assert_eq!(pair[0].role, SegmentRole::Sealed);
        assert_eq!(pair[0].next, pair[1].base);
    }
    let last = segments.last().expect("some");
    assert_eq!(last.role, SegmentRole::Active);
    assert_eq!(last.next, Some(Sequence::new(500)));
}

#[test]
fn a_killed_queue_shows_what_opening_would_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, killed) = (folder.path().join("queue"), folder.path().join("killed"));
    let queue = fill(&path);
    copy_tree(&path, &killed);
    let found = inspect(&killed).expect("a queue");
    assert_agrees(&found, &queue.stats().expect("stats"));
    assert!(!found.opening.clean);
    assert!(found.opening.torn.is_none());

    let active = segment_files(&killed)
        .into_iter()
        .zip(&found.segments)
        .find(|(_, segment)| segment.role == SegmentRole::Active)
        .expect("an active segment")
        .0;
    let mut bytes = fs::read(&active).expect("a readable file");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("records");
    bytes.truncate(end / 8 * 8 + 8);
    bytes.extend_from_slice(&[7; 100]);
    fs::write(&active, bytes).expect("a writable file");

    let found = inspect(&killed).expect("a queue");
    assert!(!found.is_damaged());
    let torn = found.opening.torn.clone().expect("a torn tail");
    assert_eq!(torn.bytes, 100);
    let opened = options().open(&killed).expect("recoverable");
    let report = opened.recovery();
    assert_eq!(report.event, found.opening.event);
    assert_eq!(report.next, found.opening.next);
    assert_eq!(report.scanned_bytes, found.opening.scanned_bytes);
    assert_eq!(report.torn.as_ref(), Some(&torn));
}

#[test]
fn looking_beside_a_live_writer_never_fails_and_finds_no_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue");
    let queue = options().segment_bytes(32 << 10).open(&path).expect("new");
    let mut consumer = queue.consumer("ship").expect("a free consumer");
    let done = AtomicBool::new(false);
    let mut looks = 0_u64;
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                let payload = "x".repeat(number % 900);
                queue.enqueue(payload).expect("room");
                if number % 50 == 0 {
                    queue.sync().expect("a working disk");
                }
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                consumer.drain(|_| Ok::<_, ()>(())).expect("no damage");
            }
        });
        let until = Instant::now() + Duration::from_secs(3);
        let mut last = Sequence::ZERO;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while Instant::now() < until {
                let found = inspect(&path).expect("a queue");
                assert!(!found.is_damaged(), "{found:#?}");
                assert!(found.next >= last, "{} after {last}", found.next);
                assert!(found.floor <= found.next);
                last = found.next;
                looks += 1;
            }
        }));
        done.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
    assert!(looks > 20, "only {looks} looks");
    queue.close().expect("the writer noticed nothing");
}

/// A power cut leaves any bytes where the log was about to go on.
#[test]
fn a_segment_that_was_torn_as_it_was_begun_is_a_torn_tail_and_no_damage() {
    for preallocate in [Preallocate::None, Preallocate::Zero] {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, killed) = (folder.path().join("queue"), folder.path().join("killed"));
        let options = options().preallocate(preallocate);
        let still = options.host(Arc::new(Still));
        let queue = still.open(&path).expect("a new queue");
        queue.enqueue("record").expect("room");
        queue.run_background();
        copy_tree(&path, &killed);
        let prepared = &segment_files(&killed)[1];
        let mut bytes = fs::read(prepared).expect("a readable file");
        bytes.resize(bytes.len().max(8192), 0);
        bytes[4096..4196].fill(7);
        fs::write(prepared, bytes).expect("a writable file");

        let found = inspect(&killed).expect("a queue");
        let roles: Vec<_> = found.segments.iter().map(|segment| segment.role).collect();
        assert_eq!(roles, [SegmentRole::Active, SegmentRole::Stray]);
        let torn = found.opening.torn.as_ref().expect("a torn tail");
        assert_eq!(torn.file.file_name(), prepared.file_name());
        assert!(!found.is_damaged(), "{preallocate:?}: {found:?}");
        let report = backup(&killed, folder.path().join("backup")).expect("a queue");
        assert_eq!(report.damage, [], "{preallocate:?}");
    }
}

#[test]
fn damage_is_shown_where_it_is_and_the_rest_stays_readable() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue");
    fill(&path).close().expect("a clean close");
    let segments = segment_files(&path);
    damage(&segments[1], 40);
    damage(&path.join("cursors/ship.cursor"), 40);
    damage(&path.join("cursors/ship.cursor"), 4096 + 40);

    let found = inspect(&path).expect("a queue all the same");
    assert!(found.is_damaged());
    assert!(found.segments[0].defect.is_none());
    let defect = found.segments[1].defect.as_deref().expect("a defect");
    assert!(defect.contains("checksum"), "{defect}");
    let ship = &found.consumers[1];
    assert!(ship.defect.is_some() && ship.next.is_none(), "{ship:?}");
    assert_eq!(found.floor, Sequence::new(300));
    assert_eq!(found.next, Sequence::new(500));
}

#[test]
fn damage_below_the_watermark_is_told_as_opening_would() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, killed) = (folder.path().join("queue"), folder.path().join("killed"));
    let queue = options().segment_bytes(1 << 20).open(&path).expect("new");
    for number in 0..100 {
        queue.enqueue(format!("record {number}")).expect("room");
    }
    queue.sync().expect("a working disk");
    queue.enqueue("states what is durable").expect("room");
    queue.sync().expect("a working disk");
    copy_tree(&path, &killed);
    damage(&segment_files(&killed)[0], 6000);

    let found = inspect(&killed).expect("a queue all the same");
    assert!(found.is_damaged());
    let [corruption] = &*found.opening.corruption else {
        panic!("{:?}", found.opening);
    };
    assert_eq!(
        corruption.range.end.since(corruption.range.start),
        1,
        "{corruption}"
    );
    let opened = options().open(&killed).expect("damage is left to readers");
    assert_eq!(opened.recovery().corruption, found.opening.corruption);
}

#[test]
fn where_no_queue_is_the_error_says_what_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let kind_at = |path: &Path| inspect(path).expect_err("no queue").kind();
    assert_eq!(kind_at(folder.path()), ErrorKind::NotFound);
    assert_eq!(kind_at(&folder.path().join("none")), ErrorKind::NotFound);
    let file = folder.path().join("file");
    fs::write(&file, "text").expect("a file");
    assert_eq!(kind_at(&file), ErrorKind::Foreign);
    let path = folder.path().join("queue");
    fill(&path).close().expect("a clean close");
    fs::remove_file(path.join("QUEUE")).expect("the identity");
    assert_eq!(kind_at(&path), ErrorKind::Corrupt);
}

/// I15: what looks changes nothing, and after a clean close opening reads no frame.
#[test]
fn looking_changes_no_byte_and_no_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, killed) = (folder.path().join("queue"), folder.path().join("killed"));
    let queue = fill(&path);
    copy_tree(&path, &killed);
    queue.close().expect("a clean close");
    damage(&segment_files(&killed)[1], 5000);
    for queue in [&path, &killed] {
        let before = files(queue);
        inspect(queue).expect("a queue");
        assert!(
            before == files(queue),
            "looking changed {}",
            queue.display()
        );
    }
}

/// Made ready without blocks of its own, its file ends with the header block.
#[test]
fn the_next_segment_that_is_made_ready_is_no_damage() {
    for preallocate in [Preallocate::None, Preallocate::Allocate, Preallocate::Zero] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("queue");
        let options = options().preallocate(preallocate);
        let still = options.host(Arc::new(Still));
        let queue = still.open(&path).expect("a new queue");
        queue.enqueue("record").expect("room");
        queue.run_background();
        let found = inspect(&path).expect("a queue");
        let roles: Vec<_> = found.segments.iter().map(|segment| segment.role).collect();
        assert_eq!(roles, [SegmentRole::Active, SegmentRole::Prepared]);
        assert!(!found.is_damaged(), "{preallocate:?}: {found:?}");
    }
}
