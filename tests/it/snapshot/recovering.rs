//! A state and the records after it, equal to a full replay.

use std::path::Path;

use forebay::{ErrorKind, Result, SyncPolicy, repair};

use super::{add, begin, lines, open, options, recover, save};
use crate::scene::{at, enqueue, folder, payload, quick, refused};

/// AQ-63, A1W-03, A1W-04: wherever the cut is, also at the ends of segments, after a restart too.
#[test]
fn a_snapshot_at_any_cut_and_the_tail_equal_a_full_replay() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let mut queue = open(&path);
    enqueue(&queue, 0..200)?;
    assert!(queue.stats()?.segments > 2, "the cuts are in several");
    for covers in 0..=200 {
        if covers % 40 == 0 {
            queue.close()?;
            queue = open(&path);
        }
        let store = queue.snapshots("view")?;
        let before = recover(&store)?;
        assert_eq!(before.state, lines(200), "from {:?}", before.report);
        save(&store, covers)?;
        let after = recover(&store)?;
        assert!(after.state == lines(200), "covers {covers}");
        assert_eq!(after.next, at(200));
        assert_eq!(after.report.snapshot, Some(at(covers)));
        assert_eq!(after.report.read, at(covers)..at(200));
        assert_eq!(after.report.replayed(), 200 - covers);
        assert!(after.report.unusable.is_none());
    }
    Ok(())
}

/// AQ-64, AQ-60: nothing there is nothing, and the folder is made when it is needed.
#[test]
fn without_a_snapshot_the_whole_log_is_replayed() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    let store = queue.snapshots("view")?;
    let none = recover(&store)?;
    assert_eq!((none.state, none.next), (Vec::new(), at(0)));
    assert!(!path.join("snapshots").exists(), "reading makes nothing");
    enqueue(&queue, 0..9)?;
    let all = recover(&store)?;
    assert_eq!((all.state, all.next), (lines(9), at(9)));
    assert_eq!(all.report.snapshot, None);
    assert!(all.report.unusable.is_none());
    Ok(())
}

#[test]
fn a_replay_ends_with_what_was_accepted_before_it_and_a_consumer_goes_on_there() -> Result<()> {
    let folder = folder();
    let queue = open(&folder.path().join("queue"));
    enqueue(&queue, 0..5)?;
    let store = queue.snapshots("view")?;
    save(&store, 2)?;
    let mut replay = store.replay()?;
    enqueue(&queue, 5..8)?;
    let mut state = begin(replay.state());
    while let Some(record) = replay.next_record()? {
        add(&mut state, &record);
    }
    assert_eq!(state, lines(5));
    assert_eq!(replay.report().read, at(2)..at(5));
    assert!(replay.next_record()?.is_none(), "the end stays the end");
    let mut consumer = queue.consumer("view")?;
    consumer.seek(replay.report().read.end)?;
    assert_eq!(
        consumer.drain(|record| {
            add(&mut state, record);
            Ok::<(), ()>(())
        })?,
        3
    );
    assert_eq!(state, lines(8));
    Ok(())
}

#[test]
fn replaying_makes_written_records_durable_first_and_moves_no_consumer() -> Result<()> {
    let folder = folder();
    let queue = quick()
        .sync_policy(SyncPolicy::Manual)
        .open(folder.path().join("queue"))?;
    let consumer = queue.consumer("view")?;
    enqueue(&queue, 0..5)?;
    let store = queue.snapshots("view")?;
    let replay = store.replay()?;
    assert_eq!(queue.durable(), at(5));
    drop(replay);
    assert_eq!(recover(&store)?.state, lines(5));
    assert_eq!((consumer.next_sequence(), queue.len()), (at(0), 5));
    Ok(())
}

#[test]
fn the_caller_may_stop_a_replay_with_an_error_of_its_own() -> Result<()> {
    let folder = folder();
    let queue = open(&folder.path().join("queue"));
    enqueue(&queue, 0..5)?;
    let store = queue.snapshots("view")?;
    let mut replay = store.replay()?;
    let mut stop = || -> std::result::Result<(), Box<dyn std::error::Error>> {
        while let Some(record) = replay.next_record()? {
            if record.payload == payload(2) {
                return Err("enough".into());
            }
        }
        Ok(())
    };
    let error = stop().expect_err("the third record stops it");
    assert_eq!(error.to_string(), "enough");
    assert_eq!(replay.report().read, at(0)..at(2));
    Ok(())
}

/// A1W-03: no record is passed over because it is not there.
#[test]
fn records_after_the_snapshot_that_are_gone_are_a_hard_error_with_their_range() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..200)?;
    let store = queue.snapshots("view")?;
    save(&store, 3)?;
    let mut consumer = queue.consumer("ship")?;
    consumer.drain(|_| Ok::<(), ()>(()))?;
    queue.reclaim()?;
    assert!(queue.first() > at(0));
    let first = queue.first();
    assert!(first > at(3));
    let mut called = false;
    let outcome = store.recover(|_| called = true, |(), _| {});
    let error = refused(outcome, ErrorKind::OutOfRange);
    assert!(
        error.to_string().contains(&format!("3..{first}")),
        "{error}"
    );
    assert!(!called);
    // What was given up is not needed by a snapshot that covers it.
    save(&store, first.get())?;
    assert_eq!(recover(&store)?.report.replayed(), 200 - first.get());
    refused(save(&queue.snapshots("late")?, 3), ErrorKind::OutOfRange);
    let late = refused(recover(&queue.snapshots("late")?), ErrorKind::OutOfRange);
    assert!(late.to_string().contains(&format!("0..{first}")), "{late}");
    Ok(())
}

/// Flips a bit of record `number` of the queue at `path`.
fn damage(path: &Path, number: u64) {
    let segment = path.join("segments/0000000000000001.log");
    let mut bytes = std::fs::read(&segment).expect("it is there");
    let needle = payload(number);
    let place = bytes
        .windows(needle.len())
        .position(|window| window == needle)
        .expect("the record is there");
    bytes[place] ^= 1;
    std::fs::write(&segment, bytes).expect("it can be written");
}

#[test]
fn damage_in_the_tail_is_never_passed_over_whatever_the_policy() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..5)?;
    save(&queue.snapshots("view")?, 2)?;
    queue.close()?;
    damage(&path, 3);
    let policy = forebay::CorruptionPolicy::Quarantine;
    let queue = options().corruption_policy(policy).open(&path)?;
    let store = queue.snapshots("view")?;
    let mut seen = Vec::new();
    let outcome = store.recover(|_| (), |(), record| seen.push(record.sequence));
    let error = refused(outcome, ErrorKind::Corrupt);
    let damage = error.corruption().expect("its place");
    assert_eq!(damage.range, at(3)..at(4));
    assert_eq!(seen, [at(2)]);
    Ok(())
}

#[test]
fn records_in_the_tail_that_a_repair_gave_up_are_a_hard_error_with_their_range() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..8)?;
    save(&queue.snapshots("view")?, 2)?;
    queue.close()?;
    damage(&path, 3);
    damage(&path, 4);
    repair::plan(&path)?.apply()?;
    let queue = open(&path);
    let store = queue.snapshots("view")?;
    let mut seen = Vec::new();
    let outcome = store.recover(|_| (), |(), record| seen.push(record.sequence));
    let error = refused(outcome, ErrorKind::Corrupt);
    let gone = error.corruption().expect("its place");
    assert_eq!(gone.range, at(3)..at(5));
    assert!(gone.file.ends_with("0000000000000001.log"), "{gone:?}");
    assert!(
        error.to_string().contains("gave up the records 3..5"),
        "{error}"
    );
    assert_eq!(seen, [at(2)]);
    // A state that has them from elsewhere goes on behind the gap; in its middle none does.
    save(&store, 4)?;
    let error = refused(recover(&store), ErrorKind::Corrupt);
    assert_eq!(
        error.corruption().map(|gone| gone.range.clone()),
        Some(at(4)..at(5))
    );
    save(&store, 5)?;
    assert_eq!(recover(&store)?.state, lines(8));
    Ok(())
}
