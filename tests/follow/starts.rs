//! Where a follower begins, what it needs to be there, and how it waits.

use std::time::{Duration, UNIX_EPOCH};

use forebay::storage::Filesystem;
use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, Follower, Queue, Sequence, Start, SyncPolicy};

use crate::stage::{Seen, Stage, at, fill, follow, follow_from, open, refused, still};

fn scene() -> (MemoryDirectory, Queue) {
    let memory = MemoryDirectory::new();
    let queue = open(still(1, SyncPolicy::Always), &Stage::new(&memory));
    fill(&queue, 0, 60);
    (memory, queue)
}

#[test]
fn a_follower_begins_where_it_is_told_to() {
    let (memory, queue) = scene();
    let reader = Stage::read_only(&memory);
    for sequence in 0..=60 {
        let mut follower = follow_from(&reader, Start::At(at(sequence))).expect("it is there");
        assert_eq!(follower.next_sequence(), at(sequence));
        assert_eq!(follower.lag().expect("no error"), 60 - sequence);
        let mut seen = Seen::from(sequence);
        seen.take_all(&mut follower).expect("nothing fails");
        assert_eq!(seen.next(), 60);
        seen.assert_of_life(0);
    }
    let mut follower = follow_from(&reader, Start::End).expect("it is there");
    assert!(follower.next().expect("no error").is_none());
    fill(&queue, 0, 30);
    let mut seen = Seen::from(60);
    seen.take_all(&mut follower).expect("nothing fails");
    assert_eq!(seen.next(), 90);
    seen.assert_of_life(0);
}

#[test]
fn a_follower_begins_at_the_first_record_of_a_time() {
    let (memory, queue) = scene();
    let mut times = Vec::new();
    let mut consumer = queue.consumer("c").expect("the only one");
    let drained = consumer.drain(|record| {
        times.push(record.enqueued_at);
        Ok::<(), ()>(())
    });
    drained.expect("nothing fails");
    let reader = Stage::read_only(&memory);
    let start = |time| {
        let follower = follow_from(&reader, Start::Time(time)).expect("no error");
        follower.next_sequence()
    };
    for (sequence, time) in (0..).zip(&times) {
        assert_eq!(start(*time), at(sequence));
        assert_eq!(start(*time + Duration::from_nanos(1)), at(sequence + 1));
    }
    assert_eq!(start(UNIX_EPOCH), Sequence::ZERO);
    assert_eq!(start(UNIX_EPOCH - Duration::from_secs(1)), Sequence::ZERO);
}

#[test]
fn a_start_beyond_the_end_is_refused_and_one_below_the_first_record_is_a_gap() {
    let (memory, queue) = scene();
    let reader = Stage::read_only(&memory);
    refused(
        follow_from(&reader, Start::At(at(61))),
        ErrorKind::OutOfRange,
    );
    drop(queue);
    refused(
        follow_from(&reader, Start::At(at(61))),
        ErrorKind::OutOfRange,
    );
    let queue = open(still(2, SyncPolicy::Always), &Stage::new(&memory));
    let mut consumer = queue.consumer("c").expect("the only one");
    consumer.ack_through(at(49)).expect("delivered");
    queue.reclaim().expect("nothing fails");
    let first = queue.first().get();
    assert!(first > 5, "{first}");
    let mut follower = follow_from(&reader, Start::At(at(3))).expect("a gap is no error");
    let mut seen = Seen::from(3);
    seen.take_all(&mut follower).expect("nothing fails");
    assert_eq!(seen.next(), 60);
    let ranges: Vec<_> = seen.gaps.iter().map(|(range, _)| range.clone()).collect();
    assert_eq!(ranges, std::slice::from_ref(&(3..first)));
    assert_eq!(follow(&reader).next_sequence().get(), first);
}

#[test]
fn a_start_that_only_the_frames_know_of_after_a_power_cut_is_waited_for() {
    let (memory, _queue) = scene();
    let state = memory.file_bytes("STATE").expect("it is there");
    let (later, queue) = scene();
    fill(&queue, 0, 5);
    // `STATE` is older than the frames, as it may be where it was not synced.
    later.put_file("STATE", &state);
    let reader = Stage::read_only(&later);
    let mut follower = follow_from(&reader, Start::At(at(65))).expect("it was durable");
    assert!(follower.next().expect("no error").is_none());
    refused(
        follow_from(&reader, Start::At(at(66))),
        ErrorKind::OutOfRange,
    );
}

#[test]
fn what_the_frames_prove_durable_is_handed_out_though_state_is_older() {
    let (memory, _queue) = scene();
    let state = memory.file_bytes("STATE").expect("it is there");
    let (later, queue) = scene();
    fill(&queue, 0, 5);
    later.put_file("STATE", &state);
    let mut seen = Seen::from(0);
    let mut follower = follow(&Stage::read_only(&later));
    seen.take_all(&mut follower).expect("nothing fails");
    // The last frame states what was durable when it was written.
    assert_eq!(seen.next(), 64);
    seen.assert_of_life(0);
}

#[test]
fn where_no_queue_is_there_is_nothing_to_follow() {
    let reader = Stage::read_only(&MemoryDirectory::new());
    refused(follow_from(&reader, Start::First), ErrorKind::NotFound);
    let folder = tempfile::tempdir().expect("a temporary folder");
    refused(Follower::open(folder.path()), ErrorKind::NotFound);
    let missing = folder.path().join("missing");
    refused(Follower::open(&missing), ErrorKind::NotFound);
    assert!(!missing.exists(), "nothing is made");
    std::fs::write(folder.path().join("file"), "x").expect("can be written");
    refused(
        Follower::open(folder.path().join("file")),
        ErrorKind::Foreign,
    );
    let reader = Stage::read_only(&damaged_identity());
    refused(follow_from(&reader, Start::First), ErrorKind::Corrupt);
}

fn damaged_identity() -> MemoryDirectory {
    let (memory, _queue) = scene();
    memory.put_file("QUEUE", b"FBYQUEUE and no more");
    memory
}

#[test]
fn a_queue_without_a_record_and_one_on_a_network_can_be_followed() {
    let memory = MemoryDirectory::new();
    let queue = open(still(1, SyncPolicy::Always), &Stage::new(&memory));
    memory.set_filesystem(Filesystem::Network);
    let mut follower = follow(&Stage::read_only(&memory));
    assert!(follower.next().expect("no error").is_none());
    assert!(!follower.wait(Duration::from_millis(3)).expect("no error"));
    assert_eq!(follower.lag().expect("no error"), 0);
    fill(&queue, 0, 1);
    assert!(follower.wait(Duration::ZERO).expect("no error"));
    assert_eq!(follower.durable().expect("no error"), at(1));
    assert!(follower.next().expect("no error").is_some());
}

#[test]
fn whoever_waits_is_told_of_a_record_that_comes_meanwhile() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let queue = Queue::open(folder.path().join("q")).expect("a new queue");
    let mut follower = Follower::open(folder.path().join("q")).expect("it is there");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| follower.wait(Duration::from_mins(1)));
        queue.enqueue("news").expect("there is room");
        assert!(waiting.join().expect("no panic").expect("no error"));
    });
    let record = follower.next().expect("no error").expect("it came");
    assert_eq!(
        (record.payload, record.epoch),
        (&b"news"[..], queue.epoch())
    );
}

#[test]
fn handles_on_one_directory_write_and_read_side_by_side() {
    // A writer and two independent readers, all opened before there is a record.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("q");
    let queue = Queue::open(&path).expect("a new queue");
    let mut ingest = Follower::open(&path).expect("it is there");
    let mut view = Follower::open(&path).expect("it is there");
    for number in 0..50_u64 {
        queue.enqueue(number.to_string()).expect("there is room");
        for reader in [&mut ingest, &mut view] {
            // Told within 100 ms: at once, unless STATE is being synced just then.
            assert!(reader.wait(Duration::from_mins(1)).expect("no error"));
            let record = reader.next().expect("no error").expect("acknowledged");
            assert_eq!(record.payload, number.to_string().as_bytes());
        }
    }
}
