//! Damage to what was durable: cases 14, 16 to 19, 21 and 33.

use forebay::storage::Directory;
use forebay::storage::memory::MemoryDirectory;
use forebay::{
    CommitPadding, CorruptionPolicy, Error, ErrorKind, GapReason, Queue, Retention, Sequence,
    SyncPolicy,
};

use crate::support::{
    assert_drains, cut_power, drain, edit, fill, find, open, options, ranges, segments, settle,
    try_open,
};

/// A closed queue of `count` records of `length` bytes in several segments.
fn closed(count: u64, length: usize) -> MemoryDirectory {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, count, length);
    queue.close().expect("nothing fails");
    memory
}

/// Flips a bit in the payload of the record `sequence`.
fn damage_record(memory: &MemoryDirectory, sequence: u64) -> String {
    let needle = format!("record {sequence}:");
    let name = segments(memory)
        .into_iter()
        .find(|name| {
            let bytes = memory.file_bytes(name).expect("it is listed");
            bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes())
        })
        .expect("the record is somewhere");
    let offset = find(memory, &name, needle.as_bytes());
    edit(memory, &name, |bytes| bytes[offset + 20] ^= 4);
    name
}

fn expect_corrupt<T: std::fmt::Debug>(outcome: Result<T, Error>) -> std::ops::Range<u64> {
    let error = outcome.expect_err("the record is damaged");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let corruption = error.corruption().expect("it says where");
    corruption.range.start.get()..corruption.range.end.get()
}

#[test]
fn zeros_are_never_a_frame() {
    // Case 16: a length extended without data, and a zeroed page in the middle.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 2, 900);
    let image = cut_power(&memory, queue);
    let name = segments(&image).remove(0);
    edit(&image, &name, |bytes| bytes.resize(bytes.len() + 65536, 0));
    let queue = open(&image, SyncPolicy::Always);
    assert_eq!(queue.next().get(), 2);
    assert!(queue.recovery().torn.is_none(), "{:?}", queue.recovery());
    assert_drains(&queue, "c", 0..2);
}

/// I5: a power cut alone is no corruption, and what is below the proven watermark is never cut.
#[test]
fn a_zeroed_page_inside_durable_records_is_corruption_and_not_the_end() {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 12, 900);
    settle(&memory);
    let image = cut_power(&memory, queue);
    let name = segments(&image).pop().expect("there are several");
    edit(&image, &name, |bytes| bytes[4096..8192].fill(0));
    let queue = open(&image, SyncPolicy::Always);
    assert_eq!(queue.next().get(), 12, "no durable sequence is used again");
    assert!(
        !queue.recovery().corruption.is_empty(),
        "{:?}",
        queue.recovery()
    );
    let mut consumer = queue.consumer("c").expect("a new consumer");
    let lost = loop {
        match consumer.peek() {
            Ok(Some(record)) => {
                let sequence = record.sequence;
                consumer.ack_through(sequence).expect("nothing fails");
            }
            other => break expect_corrupt(other.map(|_| ())),
        }
    };
    assert_eq!(lost.end, 12);
}

#[test]
fn damage_to_the_newest_group_before_any_statement_of_it_is_cut_and_reported() {
    // Case 18, the residual: the power goes right after the ack, and the medium loses that group.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 3, 900);
    let image = cut_power(&memory, queue);
    let name = damage_record(&image, 2);
    let queue = open(&image, SyncPolicy::Always);
    let torn = queue
        .recovery()
        .torn
        .clone()
        .expect("something was cut off");
    assert!(torn.possibly_acknowledged, "{torn:?}");
    assert!(torn.file.ends_with(&name), "{torn:?}");
    assert_eq!(queue.next().get(), 2);
    let removed = image.file_bytes(&name).expect("it is there");
    fill(&queue, 1, 10);
    let aside: Vec<_> = image
        .names()
        .into_iter()
        .filter(|name| name.starts_with("quarantine/"))
        .collect();
    assert_eq!(aside.len(), 1, "the removed bytes are kept");
    let kept = image.file_bytes(&aside[0]).expect("it is listed");
    let from = usize::try_from(torn.offset.get()).expect("a small file");
    assert_eq!(kept, removed[from..from + kept.len()]);
    assert!(removed[from + kept.len()..].iter().all(|byte| *byte == 0));
    assert_drains(&queue, "c", 0..3);
}

#[test]
fn damage_to_the_newest_record_is_corruption_once_the_log_was_idle() {
    // Case 17: the idle sync of STATE makes the newest record provable.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 3, 900);
    settle(&memory);
    let image = cut_power(&memory, queue);
    damage_record(&image, 2);
    let queue = open(&image, SyncPolicy::Always);
    assert_eq!(
        queue.recovery().corruption.len(),
        1,
        "{:?}",
        queue.recovery()
    );
    assert_eq!(queue.next().get(), 3, "the sequence is not used again");
    fill(&queue, 1, 10);
    let mut consumer = queue.consumer("c").expect("a new consumer");
    for _ in 0..2 {
        let record = consumer
            .peek()
            .expect("two are fine")
            .expect("two are there");
        let sequence = record.sequence;
        consumer.ack_through(sequence).expect("nothing fails");
    }
    assert_eq!(expect_corrupt(consumer.peek().map(|_| ())), 2..3);
    let gap = consumer
        .skip_corrupt()
        .expect("nothing fails")
        .expect("damage is here");
    assert_eq!(
        (ranges(std::slice::from_ref(&gap)), gap.reason),
        (vec![2..3], GapReason::Damaged)
    );
    let rest = drain(&mut consumer).expect("the rest is fine");
    assert_eq!(rest.len(), 1);
}

#[test]
fn a_state_that_claims_more_than_the_log_holds_is_corruption() {
    // Case 19: the device lied about a sync. Durable was promised and broken.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 2, 900);
    let before = segments(&memory).remove(0);
    let old = memory.file_bytes(&before).expect("it is there");
    fill(&queue, 1, 900);
    settle(&memory);
    let image = cut_power(&memory, queue);
    image.put_file(&before, &old);
    let queue = open(&image, SyncPolicy::Always);
    let report = queue.recovery();
    assert_eq!(report.corruption.len(), 1, "{report:?}");
    assert_eq!(
        report.corruption[0].range,
        Sequence::new(2)..Sequence::new(3)
    );
    assert_eq!(report.next.get(), 3);
}

/// Closes a queue of 20 records, damages record 1, and opens it with `policy`.
fn open_damaged(policy: CorruptionPolicy) -> (MemoryDirectory, Queue) {
    let memory = closed(20, 900);
    damage_record(&memory, 1);
    let kept = options(SyncPolicy::Always).retention(Retention::KeepForever);
    let queue = try_open(&memory, kept.corruption_policy(policy))
        .expect("the damage is found when it is read");
    (memory, queue)
}

#[test]
fn damage_in_a_sealed_segment_stops_a_consumer_but_not_the_producer() {
    // Case 21: each time until it is skipped, and nothing but the damaged record is lost.
    let (_memory, queue) = open_damaged(CorruptionPolicy::RefuseRead);
    fill(&queue, 2, 10);
    let mut consumer = queue.consumer("c").expect("a new consumer");
    consumer.peek().expect("it is fine").expect("it is there");
    consumer.ack_through(Sequence::ZERO).expect("nothing fails");
    for _ in 0..3 {
        assert_eq!(expect_corrupt(consumer.peek().map(|_| ())), 1..2);
    }
    consumer
        .skip_corrupt()
        .expect("nothing fails")
        .expect("damage is here");
    let got = drain(&mut consumer).expect("the rest is fine");
    assert!(got.iter().map(|(sequence, _)| *sequence).eq(2..22));
}

#[test]
fn what_follows_skipped_damage_is_there_after_reopening() {
    // The cursor then has no position to go by, and the way to it leads past the damage.
    let (memory, queue) = open_damaged(CorruptionPolicy::RefuseRead);
    let mut consumer = queue.consumer("c").expect("a new consumer");
    consumer.peek().expect("it is fine");
    consumer.ack_through(Sequence::ZERO).expect("nothing fails");
    consumer
        .skip_corrupt()
        .expect("nothing fails")
        .expect("damage is here");
    drop(consumer);
    let mut consumer = queue.consumer("c").expect("the handle is free");
    assert_eq!(
        consumer
            .peek()
            .expect("it is fine")
            .map(|record| record.sequence.get()),
        Some(2)
    );
    drop(consumer);
    queue.close().expect("nothing fails");
    let queue = open(&memory, SyncPolicy::Always);
    assert_drains(&queue, "c", 2..20);
}

#[test]
fn seeking_past_damage_finds_the_good_records() {
    for damaged in 40..80 {
        for target in damaged + 1..damaged + 3 {
            let memory = closed(120, 100);
            damage_record(&memory, damaged);
            let queue = open(&memory, SyncPolicy::Always);
            let mut consumer = queue.consumer("c").expect("a new consumer");
            consumer
                .seek(Sequence::new(target))
                .expect("it is in the log");
            let got = drain(&mut consumer)
                .unwrap_or_else(|error| panic!("{damaged} is damaged, not {target}: {error}"));
            assert!(got.iter().map(|(sequence, _)| *sequence).eq(target..120));
        }
    }
}

#[test]
fn quarantine_passes_damage_reports_the_gap_and_keeps_the_bytes() {
    let (memory, queue) = open_damaged(CorruptionPolicy::Quarantine);
    let damaged = segments(&memory).remove(0);
    let before = memory.file_bytes(&damaged);
    let mut consumer = queue.consumer("c").expect("a new consumer");
    let got = drain(&mut consumer).expect("damage is passed over");
    assert_eq!(got.len(), 19);
    let gaps = consumer.take_gaps();
    assert_eq!(ranges(&gaps), [1..2]);
    assert_eq!(gaps[0].reason, GapReason::Damaged);
    assert!(
        memory
            .names()
            .iter()
            .any(|name| name.starts_with("quarantine/"))
    );
    assert!(
        memory.file_bytes(&damaged) == before,
        "segments are never edited"
    );
}

#[test]
fn refuse_open_refuses_known_damage_and_changes_nothing() {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 3, 900);
    settle(&memory);
    let image = cut_power(&memory, queue);
    damage_record(&image, 1);
    let before = crate::support::contents(&image);
    let strict = options(SyncPolicy::Always).corruption_policy(CorruptionPolicy::RefuseOpen);
    let error = try_open(&image, strict).expect_err("damage is known");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(crate::support::contents(&image) == before);
}

#[test]
fn a_last_segment_that_goes_missing_is_damage_however_the_queue_was_left() {
    for is_recovered in [false, true] {
        let memory = MemoryDirectory::new();
        let queue = open(&memory, SyncPolicy::Always);
        fill(&queue, 9, 900);
        let left = if is_recovered {
            // Opened and closed without a record: nothing will be appended to the segment.
            let image = memory.process_kill();
            open(&image, SyncPolicy::Always).close().expect("no fault");
            image
        } else {
            queue.close().expect("no fault");
            memory
        };
        let last = segments(&left).pop().expect("segments");
        Directory::remove(&left, &last).expect("a file");
        let strict = options(SyncPolicy::Always).corruption_policy(CorruptionPolicy::RefuseOpen);
        let error = try_open(&left, strict).expect_err("durable records are gone");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{is_recovered}: {error}");
        let queue = open(&left, SyncPolicy::Always);
        let told = &queue.recovery().corruption;
        assert_eq!(told.len(), 1, "{is_recovered}: {told:?}");
        assert_eq!(told[0].range.end.get(), 9, "{is_recovered}: {told:?}");
        assert_eq!(queue.next().get(), 9);
    }
}

#[test]
fn a_bad_footer_with_whole_frames_before_it_costs_no_record() {
    // Case 33.
    let memory = closed(12, 900);
    let name = segments(&memory).remove(0);
    let last = memory.file_bytes(&name).expect("it is there");
    let end = last
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("it is not empty");
    edit(&memory, &name, |bytes| bytes[end - 10] ^= 1);
    let queue = open(&memory, SyncPolicy::Always);
    assert_drains(&queue, "c", 0..12);
}

#[test]
fn with_commit_padding_garbage_in_unsynced_pages_costs_no_acknowledged_record() {
    // Case 14: a device that damages the whole page when the power goes while it is written.
    let memory = MemoryDirectory::new();
    let padded = || {
        let large = options(SyncPolicy::Manual).segment_bytes(1 << 16);
        large.commit_padding(CommitPadding::Page)
    };
    let queue = try_open(&memory, padded()).expect("a new queue");
    fill(&queue, 2, 300);
    queue.sync().expect("nothing fails");
    fill(&queue, 3, 300);
    let torn: Vec<_> = memory.unsynced();
    let image = cut_power(&memory, queue);
    for unit in torn.iter().filter(|unit| unit.name.ends_with(".log")) {
        if let forebay::storage::memory::UnsyncedChange::Page { page, .. } = unit.change {
            let start = usize::try_from(page * 4096).expect("a small file");
            edit(&image, &unit.name, |bytes| {
                bytes.resize(bytes.len().max(start + 4096), 0);
                bytes[start..start + 4096].fill(0x5a);
            });
        }
    }
    let queue = try_open(&image, padded()).expect("it opens");
    assert!(
        queue.recovery().corruption.is_empty(),
        "{:?}",
        queue.recovery()
    );
    assert_drains(&queue, "c", 0..2);
}

#[test]
fn a_missing_segment_costs_its_own_records_and_no_others() {
    let whole = closed(20, 900);
    let count = segments(&whole).len();
    for missing in 0..count {
        let memory = whole.copy();
        let name = segments(&memory).remove(missing);
        memory.remove(&name).expect("it is there");
        let queue = open(&memory, SyncPolicy::Always);
        let mut consumer = queue.consumer("c").expect("a new consumer");
        let mut got = Vec::new();
        let mut lost = Vec::new();
        loop {
            match drain(&mut consumer) {
                Ok(rest) if rest.is_empty() => break,
                Ok(rest) => got.extend(rest),
                Err(error) => {
                    let corruption = error.corruption().expect("only damage stops it");
                    // Nothing after the last one could name it.
                    let is_named = corruption.file.ends_with(&name);
                    assert!(is_named || missing + 1 == count, "{error}");
                    lost.push(corruption.range.start.get()..corruption.range.end.get());
                    consumer.skip_corrupt().expect("nothing fails");
                }
            }
        }
        let most = lost
            .iter()
            .map(|range| range.end - range.start)
            .sum::<u64>();
        assert!(lost.len() == 1 && most <= 4, "{name}: {lost:?}");
    }
}
