//! What looking tells of segments, consumers and snapshots beyond their places.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use forebay::inspect::{FilterView, SegmentRole, inspect, timeline};
use forebay::{ConsumerOptions, Entry, Integrity, Queue, Retention, Sequence};

use crate::{damage, fill, options};

/// The hash that the frame header at `offset` of a segment file carries.
fn hash_at(file: &Path, offset: u64) -> [u8; 32] {
    let bytes = fs::read(file).expect("a readable file");
    let at = usize::try_from(offset).expect("a small file") + 40;
    bytes[at..at + 32].try_into().expect("a hash")
}

#[test]
fn a_sealed_segment_s_chain_records_and_bytes_are_those_of_its_footer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue");
    let started = SystemTime::now();
    fill(&path).close().expect("a clean close");

    let found = inspect(&path).expect("a queue");
    let sealed = found.segments.iter().zip(crate::segment_files(&path));
    let sealed: Vec<_> = sealed
        .filter(|(segment, _)| segment.role == SegmentRole::Sealed)
        .collect();
    assert!(sealed.len() > 2, "{found:?}");
    // Header block, start frame (72 bytes and a body of 64), frames, footer.
    let data_start = 4096 + 72 + 64;
    for (segment, file) in &sealed {
        let frame_bytes = segment.frame_bytes.expect("a known end");
        let footer = hash_at(file, data_start + frame_bytes);
        assert_eq!(segment.chain, Some(footer), "{segment:?}");
        let base = segment.base.expect("a base");
        let records = segment.next.expect("an end").since(base);
        assert_eq!(segment.records, Some(records));
        let begun = segment.begun.expect("a time");
        assert!(begun >= started && begun <= SystemTime::now());
    }
    let active = found.segments.last().expect("an active segment");
    let file = crate::segment_files(&path).pop().expect("its file");
    assert!(active.chain.is_some() && active.chain != sealed[0].0.chain);
    let last_frame = active.frame_bytes.expect("a known end");
    assert!(last_frame > 0 && data_start + last_frame <= fs::metadata(file).expect("it").len());
}

#[test]
fn a_queue_without_a_chain_tells_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue");
    let queue = options().integrity(Integrity::Crc32c).open(&path);
    let queue = queue.expect("a new queue");
    queue.enqueue("record").expect("room");
    queue.close().expect("a clean close");
    let found = inspect(&path).expect("a queue");
    assert_eq!(found.segments[0].records, Some(1));
    assert_eq!(found.segments[0].chain, None);
}

#[test]
fn a_consumer_s_lag_is_told_as_the_queue_tells_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue");
    let queue = fill(&path);
    let mut done = queue.consumer("done").expect("a free consumer");
    done.drain(|_| Ok::<_, ()>(())).expect("no damage");
    let lags = ["audit", "done", "ship"].map(|name| queue.lag(name).expect("a consumer"));

    // Beside the writer, and after it.
    let beside = inspect(&path).expect("a queue");
    drop(done);
    let stats = queue.stats().expect("stats");
    queue.close().expect("a clean close");
    let after = inspect(&path).expect("a queue");
    for found in [&beside, &after] {
        for (consumer, lag) in found.consumers.iter().zip(&lags) {
            assert_eq!(consumer.lag, Some(lag.records), "{consumer:?}");
            assert_eq!(consumer.lag_bytes, lag.bytes, "{consumer:?}");
            assert_eq!(consumer.oldest.is_some(), lag.age.is_some());
            assert_eq!(consumer.filter, FilterView::Everything);
        }
        let [audit, _, ship] = &*found.consumers else {
            panic!("{found:?}");
        };
        assert!(ship.lag_bytes > audit.lag_bytes, "{ship:?} {audit:?}");
        assert!(ship.oldest <= audit.oldest, "{ship:?} {audit:?}");
        assert_eq!(found.waiting_bytes, stats.bytes);
    }
}

#[test]
fn a_filter_of_one_kind_is_named_and_one_of_several_is_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue");
    let queue = options().open(&path).expect("a new queue");
    queue.enqueue(Entry::new(b"x").kind(7)).expect("room");
    for (name, kinds) in [("one", &[513][..]), ("two", &[1, 2])] {
        let filter = ConsumerOptions::new().kinds(kinds.iter().copied());
        queue.consumer_with(name, &filter).expect("a new consumer");
    }
    queue.close().expect("a clean close");
    let found = inspect(&path).expect("a queue");
    assert_eq!(found.consumers[0].filter, FilterView::Kind(513));
    let several = found.consumers[1].filter;
    assert!(matches!(several, FilterView::Kinds(_)), "{several:?}");
}

#[test]
fn snapshots_are_shown_and_a_damaged_one_is_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue");
    let options = options().retention(Retention::KeepForever);
    let queue = options.open(&path).expect("a new queue");
    for number in 0..10 {
        queue.enqueue(format!("record {number}")).expect("room");
    }
    queue.sync().expect("a working disk");
    let snapshots = queue.snapshots("totals").expect("a legal name");
    let covers = Sequence::new(7);
    let mut draft = snapshots.begin().expect("room");
    draft.put(b"seven").expect("room");
    draft.finish(covers).expect("durable records");
    drop(snapshots);
    queue.close().expect("a clean close");

    let found = inspect(&path).expect("a queue");
    let [totals] = &*found.snapshots else {
        panic!("{found:?}");
    };
    assert_eq!((&*totals.name, totals.covers), ("totals", Some(covers)));
    assert!(totals.defect.is_none() && !found.is_damaged(), "{found:?}");
    let file = path.join("snapshots/totals.snapshot");
    assert_eq!(totals.file_bytes, fs::metadata(&file).expect("it").len());

    // Under another name it is not that snapshot.
    let other = path.join("snapshots/other.snapshot");
    let bytes = fs::read(&file).expect("a snapshot");
    fs::write(&other, &bytes).expect("room");
    fs::remove_file(&file).expect("a snapshot");
    let found = inspect(&path).expect("a queue");
    assert!(found.is_damaged() && found.snapshots[0].covers.is_none());
    fs::write(&file, &bytes).expect("room");
    fs::remove_file(&other).expect("a snapshot");

    damage(&file, 30);
    let found = inspect(&path).expect("a queue");
    assert!(found.is_damaged(), "{found:?}");
    assert!(found.snapshots[0].defect.is_some() && found.snapshots[0].covers.is_none());
}

#[test]
fn what_lies_in_quarantine_is_counted_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue");
    fill(&path).close().expect("a clean close");
    let before = inspect(&path).expect("a queue");
    fs::create_dir_all(path.join("quarantine")).expect("a folder");
    fs::write(path.join("quarantine/something"), [1; 777]).expect("room");
    let after = inspect(&path).expect("a queue");
    assert_eq!(before.quarantine_bytes, 0);
    assert_eq!(after.quarantine_bytes, 777);
    assert_eq!(after.disk_bytes, before.disk_bytes + 777);
    assert!(after.free_bytes.is_some());
}

#[test]
fn the_timeline_has_both_ends_in_order_and_no_more_than_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue");
    fill(&path).close().expect("a clean close");
    let first = inspect(&path).expect("a queue").first;
    let last = Sequence::new(499);
    for count in [0, 1, 2, 50, 10_000] {
        let moments = timeline(&path, count).expect("a queue");
        let records = usize::try_from(500 - first.get()).expect("few");
        assert_eq!(moments.len(), count.min(records));
        assert!(moments.is_sorted_by_key(|moment| moment.sequence));
        assert!(moments.is_sorted_by_key(|moment| moment.log_bytes));
        assert!(moments.is_sorted_by_key(|moment| moment.enqueued_at));
        let ends = (moments.first(), moments.last());
        if let (true, (Some(oldest), Some(newest))) = (count > 1, ends) {
            assert_eq!((oldest.sequence, newest.sequence), (first, last));
        }
    }
    let empty = folder.path().join("empty");
    Queue::open(&empty).and_then(Queue::close).expect("a queue");
    assert_eq!(timeline(&empty, 10).expect("a queue"), []);
}

#[test]
fn a_segment_that_others_go_on_from_is_shown_as_missing_with_its_records() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue");
    fill(&path).close().expect("a clean close");
    let whole = inspect(&path).expect("a queue");
    for lost in [0, 1] {
        let segment = &whole.segments[lost];
        let file = crate::segment_files(&path).remove(lost);
        let bytes = fs::read(&file).expect("a readable file");
        fs::remove_file(&file).expect("a file");
        let found = inspect(&path).expect("a queue");
        fs::write(&file, bytes).expect("room");

        assert!(found.is_damaged(), "{found:?}");
        let mut others = found.segments.clone();
        let shown = others.remove(lost);
        assert_eq!(shown.number, segment.number);
        assert_eq!(
            (shown.role, shown.next),
            (SegmentRole::Missing, segment.next)
        );
        // Where it began is told by the segment before it.
        let base = segment.base.filter(|_| lost > 0);
        assert_eq!(shown.base, base);
        let mut left = whole.segments.clone();
        left.remove(lost);
        assert_eq!(others, left, "the others are as they were");
    }
    assert_eq!(inspect(&path).expect("a queue").segments, whole.segments);
}

#[test]
fn a_segment_before_a_damaged_one_is_sealed_by_its_own_footer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue");
    fill(&path).close().expect("a clean close");
    let whole = inspect(&path).expect("a queue");
    let files = crate::segment_files(&path);
    damage(&files[1], 40);
    let found = inspect(&path).expect("a queue");
    assert_eq!(found.segments[0], whole.segments[0]);
    let (shown, was) = (&found.segments[1], &whole.segments[1]);
    assert!(shown.defect.is_some(), "{shown:?}");
    assert_eq!((shown.base, shown.next), (was.base, was.next));
    assert_eq!(shown.records, was.records);

    // Without its index nothing says where that footer is.
    fs::remove_file(files[0].with_extension("idx")).expect("an index");
    let found = inspect(&path).expect("a queue");
    assert_eq!(found.segments[0].role, SegmentRole::Unsealed);
    assert_eq!(
        (found.segments[0].next, found.segments[1].base),
        (None, None)
    );
}
