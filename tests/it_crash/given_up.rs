//! Gap frames: records that a repair gave up are told as a gap, and are no damage.

use std::sync::Arc;

use forebay::storage::memory::MemoryDirectory;
use forebay::{
    CorruptionPolicy, Follower, GapReason, Integrity, Preallocate, Queue, QueueOptions, Retention,
    Sequence, Start, SyncPolicy,
};

use crate::planted_gaps::crafted::{frame, mask, put_u32};
use crate::support::{drain, fill, kill, options, ranges, segments, try_open};

/// Header, payload and padding of a record of 100 bytes.
const FRAME_BYTES: usize = 144;
const FIRST_FRAME: usize = 4096 + 40 + 64;

fn plain(policy: CorruptionPolicy) -> QueueOptions {
    options(SyncPolicy::Always)
        .integrity(Integrity::Crc32c)
        .preallocate(Preallocate::None)
        .retention(Retention::KeepForever)
        .corruption_policy(policy)
}

/// A gap frame of `length` bytes, as it would stand at `offset`.
fn gap(bytes: &[u8], offset: usize, (from, to): (u64, u64), length: usize) -> Vec<u8> {
    let mut frame = vec![0; length];
    let body = frame.len() - 40;
    frame[40..48].copy_from_slice(&to.to_le_bytes());
    let mask = mask(bytes, offset);
    let checksum = crc32c::crc32c(&frame[40..]) ^ mask;
    put_u32(&mut frame, 4, checksum);
    put_u32(&mut frame, 8, u32::try_from(body).expect("a small hole"));
    frame[12..16].copy_from_slice(&[4, 0, 9, 0]);
    frame[16..24].copy_from_slice(&from.to_le_bytes());
    frame[32..40].copy_from_slice(&from.to_le_bytes());
    let checksum = crc32c::crc32c(&frame[4..40]) ^ mask;
    put_u32(&mut frame, 0, checksum);
    frame
}

/// Puts a gap frame in the place of the records `[from, to)` of the first segment.
fn give_up(memory: &MemoryDirectory, from: usize, to: usize) {
    let name = segments(memory).remove(0);
    let mut bytes = memory.file_bytes(&name).expect("the file is there");
    let offset = FIRST_FRAME + from * FRAME_BYTES;
    let records = (from as u64, to as u64);
    let frame = gap(&bytes, offset, records, (to - from) * FRAME_BYTES);
    bytes[offset..offset + frame.len()].copy_from_slice(&frame);
    memory.put_file(&name, &bytes);
}

/// A queue of 60 records in some segments, killed or closed, of which `[from, to)` are given up.
fn scene(is_closed: bool, from: usize, to: usize) -> MemoryDirectory {
    let memory = MemoryDirectory::new();
    let queue = try_open(&memory, plain(CorruptionPolicy::RefuseOpen)).expect("a new queue");
    fill(&queue, 60, 100);
    let image = if is_closed {
        queue.close().expect("nothing fails");
        memory
    } else {
        kill(&memory, queue)
    };
    assert!(segments(&image).len() > 1);
    give_up(&image, from, to);
    image
}

fn sequences_without(from: u64, to: u64) -> Vec<u64> {
    (0..from).chain(to..60).collect()
}

fn got(queue: &Queue, name: &str) -> (Vec<u64>, Vec<std::ops::Range<u64>>) {
    let mut consumer = queue.consumer(name).expect("the consumer opens");
    let records = drain(&mut consumer).expect("nothing is damaged");
    let gaps = consumer.take_gaps();
    assert!(gaps.iter().all(|gap| gap.reason == GapReason::Damaged));
    let sequences = records.into_iter().map(|(sequence, _)| sequence);
    (sequences.collect(), ranges(&gaps))
}

#[test]
fn what_was_given_up_is_a_gap_under_every_policy_and_told_once() {
    let policies = [
        CorruptionPolicy::RefuseOpen,
        CorruptionPolicy::RefuseRead,
        CorruptionPolicy::Quarantine,
    ];
    for (from, to) in [(0, 1), (0, 5), (2, 4), (7, 8)] {
        for (policy, is_closed) in policies.into_iter().zip([true, false, true]) {
            let image = scene(is_closed, from, to);
            let (from, to) = (from as u64, to as u64);
            let expected = (sequences_without(from, to), vec![from..to]);
            let queue = try_open(&image, plain(policy)).expect("nothing is damaged");
            assert!(queue.recovery().corruption.is_empty());
            assert_eq!(got(&queue, "one"), expected);
            assert_eq!(got(&queue, "one"), (vec![], vec![]));
            queue.close().expect("nothing fails");
            let aside = |name: &String| name.starts_with("quarantine/");
            assert!(!image.names().iter().any(aside), "nothing is copied aside");
            let queue = try_open(&image, plain(policy)).expect("nothing is damaged");
            assert_eq!(got(&queue, "one"), (vec![], vec![]));
            assert_eq!(got(&queue, "two"), expected);
        }
    }
}

#[test]
fn a_place_within_a_gap_leads_to_its_end() {
    let image = scene(true, 2, 6);
    let queue = try_open(&image, plain(CorruptionPolicy::RefuseOpen)).expect("it opens");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    for from in 2..6 {
        consumer
            .seek(Sequence::new(from))
            .expect("it is in the log");
        let record = consumer.peek().expect("nothing is damaged");
        assert_eq!(record.expect("one follows").sequence.get(), 6);
        assert_eq!(ranges(&consumer.take_gaps()), [from..6]);
        let start = Start::At(Sequence::new(from));
        let mut follower =
            Follower::open_on(Arc::new(image.clone()), start).expect("it can be followed");
        let record = follower.next().expect("nothing is damaged");
        assert_eq!(record.expect("one follows").sequence.get(), 6);
        assert_eq!(ranges(&follower.take_gaps()), [from..6]);
    }
    assert_eq!(consumer.skip_corrupt().expect("nothing fails"), None);
}

#[test]
fn damage_before_and_behind_a_gap_ends_there() {
    // A flipped bit in the record before, in the gap frame itself, and in the record behind.
    for (record, lost, gap) in [
        (1, 1..2, Some(2..4)),
        (2, 2..4, None),
        (4, 4..5, Some(2..4)),
    ] {
        let image = scene(false, 2, 4);
        let name = segments(&image).remove(0);
        let mut bytes = image.file_bytes(&name).expect("the file is there");
        bytes[FIRST_FRAME + record * FRAME_BYTES + 20] ^= 1;
        image.put_file(&name, &bytes);
        let queue = try_open(&image, plain(CorruptionPolicy::Quarantine)).expect("it opens");
        let expected: Vec<u64> = (0..60)
            .filter(|sequence| !lost.contains(sequence) && !(2..4).contains(sequence))
            .collect();
        let (records, gaps) = got(&queue, "c");
        assert_eq!(records, expected);
        let whole = gap.map_or(lost.clone(), |gap| {
            gap.start.min(lost.start)..gap.end.max(lost.end)
        });
        assert_eq!(gaps, [whole]);
    }
}

#[test]
fn eviction_goes_over_a_gap() {
    let image = scene(true, 2, 6);
    let bounded = plain(CorruptionPolicy::RefuseOpen)
        .overflow(forebay::Overflow::DropOldest)
        .max_bytes(10 * FRAME_BYTES as u64);
    let queue = try_open(&image, bounded).expect("it opens");
    fill(&queue, 1, 100);
    let (records, _) = got(&queue, "c");
    assert_eq!(records, (51..61).collect::<Vec<u64>>());
}

#[test]
fn a_gap_longer_than_its_bytes_is_found_behind_damage() {
    // The bytes between the damage and the next record have no room for the records given up.
    let memory = MemoryDirectory::new();
    let queue = try_open(&memory, plain(CorruptionPolicy::RefuseRead)).expect("a new queue");
    fill(&queue, 3, 100);
    let image = kill(&memory, queue);
    let name = segments(&image).remove(0);
    let mut bytes = image.file_bytes(&name).expect("the file is there");
    let mut offset = FIRST_FRAME + 3 * FRAME_BYTES;
    bytes.truncate(offset);
    let frame_of_gap = gap(&bytes, offset, (3, 1000), 48);
    bytes.extend_from_slice(&frame_of_gap);
    offset += 48;
    for sequence in [1000, 1001] {
        let record = frame(&bytes, offset, sequence, 3);
        bytes.extend_from_slice(&record);
        offset += 40;
    }
    bytes[FIRST_FRAME + 2 * FRAME_BYTES + 50] ^= 1;
    image.put_file(&name, &bytes);
    let queue = try_open(&image, plain(CorruptionPolicy::Quarantine)).expect("it opens");
    assert_eq!(queue.next().get(), 1002, "{:?}", queue.recovery());
    let (records, gaps) = got(&queue, "c");
    assert_eq!((records, gaps), (vec![0, 1, 1000, 1001], vec![2..1000]));
}

#[test]
fn without_a_chain_damage_at_the_end_leaves_none_in_the_state() {
    let memory = MemoryDirectory::new();
    let queue = try_open(&memory, plain(CorruptionPolicy::Quarantine)).expect("a new queue");
    fill(&queue, 60, 100);
    let image = kill(&memory, queue);
    let name = segments(&image).pop().expect("several");
    let mut bytes = image.file_bytes(&name).expect("the file is there");
    let last = bytes.iter().rposition(|byte| *byte != 0).expect("records");
    bytes[last] ^= 1;
    image.put_file(&name, &bytes);
    let queue = try_open(&image, plain(CorruptionPolicy::Quarantine)).expect("it opens");
    assert_eq!(queue.recovery().corruption.len(), 1);
    let state = image.file_bytes("STATE").expect("it is there");
    for slot in [0, 4096] {
        assert_eq!(state[slot + 96..slot + 128], [0; 32], "the slot at {slot}");
    }
}
