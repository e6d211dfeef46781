//! What is pushed comes out, and the queue that comes of it is one like any other.

use std::sync::Arc;

use forebay::inspect::inspect_on;
use forebay::rebuild::{Rebuild, RebuildOptions};
use forebay::storage::Directory;
use forebay::storage::memory::MemoryDirectory;
use forebay::{Entry, ErrorKind, Integrity, QueueId, Retention, Sequence};
use proptest::prelude::*;

use crate::scene::{Kept, assert_sound, content, is_segment, open, options, rebuild, records};

const BOTH: [Integrity; 2] = [Integrity::Chained, Integrity::Crc32c];

fn any_records() -> impl Strategy<Value = Vec<Kept>> {
    let payload = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..200),
        1 => prop::collection::vec(any::<u8>(), 9000..10_000),
    ];
    let steps = (
        prop_oneof![6 => Just(0_u64), 1 => 1..5_u64, 1 => any::<u32>().prop_map(u64::from)],
        0..8_u64,
    );
    let rest = (
        any::<u16>(),
        any::<u64>(),
        any::<Option<[u8; 16]>>(),
        payload,
    );
    prop::collection::vec((steps, rest), 1..60).prop_map(|drawn| {
        let (mut sequence, mut epoch) = (0, 1 << 32);
        let mut records = Vec::new();
        for ((skipped, newer), (kind, time, key, payload)) in drawn {
            sequence += skipped;
            epoch += u64::from(newer == 0) << 32;
            records.push(Kept {
                sequence,
                epoch,
                kind,
                // `SystemTime` has room for it on every platform.
                time: time >> 1,
                key,
                payload,
            });
            sequence += 1;
        }
        records
    })
}

/// The ranges between the records.
fn gaps(records: &[Kept]) -> Vec<std::ops::Range<u64>> {
    let pairs = records.iter().zip(records.iter().skip(1));
    let between = pairs.map(|(one, next)| one.sequence + 1..next.sequence);
    between.filter(|gap| !gap.is_empty()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_pushed_comes_out_with_gaps_where_records_are_missing(
        records in any_records(),
        chained: bool,
    ) {
        let integrity = if chained { Integrity::Chained } else { Integrity::Crc32c };
        let memory = MemoryDirectory::new();
        let rebuilt = rebuild(&memory, integrity, &records).expect("memory works");
        prop_assert_eq!(rebuilt.records, records.len() as u64);
        assert_sound(&memory);
        let queue = open(&memory);
        let found = content(&queue);
        prop_assert_eq!(&found.gaps, &gaps(&records));
        prop_assert!(found.records == records);
    }
}

#[test]
fn the_new_queue_shows_no_damage_and_opens_cleanly_even_after_power_loss() {
    for integrity in BOTH {
        let memory = MemoryDirectory::new();
        let rebuilt = rebuild(&memory, integrity, &records(300)).expect("memory works");
        assert!(rebuilt.segments > 5);
        assert_sound(&memory);
        let memory = memory.crash_losing_all();
        let found = inspect_on(&memory).expect("a queue");
        assert!(!found.is_damaged() && found.opening.clean, "{found:?}");
        assert_eq!(found.integrity, integrity);
        assert_eq!((found.first, found.next), (rebuilt.first, rebuilt.next));
        assert_eq!(found.durable, rebuilt.next);
        assert_eq!(content(&open(&memory)).records, records(300));
    }
}

/// The statements in its frames are true, so that the loss of `STATE` costs nothing.
#[test]
fn without_its_state_every_record_is_still_proven_durable() {
    for integrity in BOTH {
        let memory = MemoryDirectory::new();
        let rebuilt = rebuild(&memory, integrity, &records(300)).expect("memory works");
        memory.remove("STATE").expect("it is there");
        let found = inspect_on(&memory).expect("a queue");
        assert_eq!(found.durable, rebuilt.next);
        assert_eq!(content(&open(&memory)).records, records(300));
    }
}

#[test]
fn what_is_enqueued_later_has_an_id_that_no_other_rebuild_gives() {
    let mut ids = std::collections::HashSet::new();
    for seed in 0..3 {
        let memory = MemoryDirectory::new();
        let options = RebuildOptions::new().id(QueueId::new([5; 16])).seed(seed);
        let mut rebuild =
            Rebuild::create_on(Arc::new(memory.clone()), &options).expect("an empty place");
        let all = records(20);
        for record in &all {
            rebuild.push(&record.record()).expect("in order");
        }
        let newest = all.last().expect("some").epoch;
        rebuild.finish().expect("memory works");
        let queue = open(&memory);
        queue.enqueue(b"new").expect("room");
        queue.sync().expect("memory works");
        let last = content(&queue).records.pop().expect("a record");
        assert!(last.epoch >> 32 > newest >> 32, "{:x}", last.epoch);
        assert!(ids.insert((last.epoch, last.sequence)));
    }
}

#[test]
fn an_epoch_that_none_of_the_records_has_is_not_used_again_either() {
    let memory = MemoryDirectory::new();
    let above = forebay::Epoch::new(9 << 32);
    let options = RebuildOptions::new().epoch_above(above);
    let mut rebuild =
        Rebuild::create_on(Arc::new(memory.clone()), &options).expect("an empty place");
    rebuild.push(&records(1)[0].record()).expect("the first");
    let made = rebuild.finish().expect("memory works");
    assert!(made.epoch.counter() > above.counter());
    assert_eq!(inspect_on(&memory).expect("a queue").epoch, made.epoch);
}

#[test]
fn a_key_of_a_retained_record_is_still_a_duplicate_also_once_it_is_reclaimed() {
    let memory = MemoryDirectory::new();
    let all = records(300);
    rebuild(&memory, Integrity::Chained, &all).expect("memory works");
    let keyed: Vec<&Kept> = all.iter().filter(|record| record.key.is_some()).collect();
    let queue = options(1)
        .retention(Retention::UntilAcked)
        .open_on(Arc::new(memory.clone()))
        .expect("a queue");
    let mut consumer = queue.consumer("ship").expect("a new consumer");
    consumer.drain(|_| Ok::<_, ()>(())).expect("no damage");
    queue.run_background();
    queue.reclaim().expect("memory works");
    let logs = memory.list("segments").expect("a folder").into_iter();
    assert!(logs.filter(|name| is_segment(name)).count() < 3);
    for record in [keyed[0], keyed[40], keyed[keyed.len() - 1]] {
        let key = record.key.expect("one with a key");
        let found = queue
            .enqueue_once(key, Entry::new(b"again"))
            .expect("known");
        assert_eq!(found, Sequence::new(record.sequence));
    }
}

#[test]
fn nothing_at_all_makes_an_empty_queue_that_begins_where_it_was_told() {
    for first in [0, 1000] {
        let memory = MemoryDirectory::new();
        let options = RebuildOptions::new().first(Sequence::new(first));
        let rebuild =
            Rebuild::create_on(Arc::new(memory.clone()), &options).expect("an empty place");
        let made = rebuild.finish().expect("memory works");
        assert_eq!((made.first.get(), made.next.get()), (first, first));
        let queue = open(&memory);
        assert_eq!(queue.enqueue(b"one").expect("room").get(), first);
        queue.close().expect("memory works");
        assert_eq!(content(&open(&memory)).records.len(), 1);
    }
}

#[test]
fn records_missing_at_both_ends_are_gaps() {
    let memory = MemoryDirectory::new();
    let options = RebuildOptions::new().first(Sequence::new(2));
    let mut rebuild =
        Rebuild::create_on(Arc::new(memory.clone()), &options).expect("an empty place");
    let record = Kept {
        sequence: 5,
        ..records(1).remove(0)
    };
    rebuild.push(&record.record()).expect("in order");
    rebuild.skip_to(Sequence::new(9)).expect("memory works");
    rebuild.finish().expect("memory works");
    let queue = open(&memory);
    assert_eq!(queue.enqueue(b"next").expect("room").get(), 9);
    queue.sync().expect("memory works");
    let found = content(&queue);
    assert_eq!(found.gaps, [2..5, 6..9]);
    queue.close().expect("memory works");
    assert_sound(&memory);
    assert_eq!(found.records[0], record);
}

#[test]
fn what_is_out_of_order_is_refused_and_others_may_follow() {
    let memory = MemoryDirectory::new();
    let options = RebuildOptions::new();
    let mut rebuild =
        Rebuild::create_on(Arc::new(memory.clone()), &options).expect("an empty place");
    let all = records(100);
    rebuild.push(&all[80].record()).expect("the first");
    for wrong in [&all[80], &all[3]] {
        let refused = rebuild.push(&wrong.record()).expect_err("out of order");
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    }
    let falling = Kept {
        epoch: 1,
        ..all[81].clone()
    };
    let refused = rebuild.push(&falling.record()).expect_err("a lower epoch");
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    rebuild.push(&all[81].record()).expect("in order");
    rebuild.finish().expect("memory works");
    assert_eq!(content(&open(&memory)).records, all[80..82]);
}

#[test]
fn a_directory_with_anything_in_it_is_refused_and_left_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("letter"), b"dear").expect("room");
    let refused = Rebuild::create(folder.path(), &RebuildOptions::new());
    let refused = refused.expect_err("not empty");
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    assert!(refused.to_string().contains("letter"), "{refused}");
    let names = std::fs::read_dir(folder.path()).expect("a folder");
    assert_eq!(names.count(), 1);
    let file = folder.path().join("letter");
    let refused = Rebuild::create(&file, &RebuildOptions::new()).expect_err("a file");
    assert_eq!(refused.kind(), ErrorKind::Foreign);
}
