//! A queue whose first segments are reclaimed, damaged where it begins now.

use std::collections::BTreeSet;

use forebay::storage::memory::MemoryDirectory;
use forebay::{CorruptionPolicy, Integrity, Retention, Sequence, repair};

use super::scene::{
    BLOCK, Forget, RECORDS, assert_sound_but, flip, lost, make, name, scene_options, zero,
};
use crate::support::{drain, ranges, segments, try_open};

/// What is done to the first segment that is left.
type Harm = (&'static str, fn(&MemoryDirectory, u64));

const HARMS: &[Harm] = &[
    ("missing", |memory, first| memory.forget(first)),
    ("its header", |memory, first| zero(memory, first, 0..BLOCK)),
    ("its start frame", |memory, first| {
        flip(memory, first, BLOCK + 30);
    }),
    ("its first page", |memory, first| {
        zero(memory, first, BLOCK..2 * BLOCK);
    }),
    ("missing, with the next one", |memory, first| {
        memory.forget(first);
        memory.forget(first + 1);
    }),
    ("missing, and the start of the next one", |memory, first| {
        memory.forget(first);
        flip(memory, first + 1, BLOCK + 30);
    }),
    ("all but the last", |memory, first| {
        for number in first..first + segments(memory).len() as u64 - 1 {
            memory.forget(number);
        }
    }),
    ("all", |memory, first| {
        for number in first..first + segments(memory).len() as u64 {
            memory.forget(number);
        }
    }),
];

/// The first segment that is there.
fn first(memory: &MemoryDirectory) -> u64 {
    let is_there = |number: &u64| memory.file_bytes(&name(*number)).is_some();
    (1..99).find(is_there).expect("a segment")
}

fn reclaimed(integrity: Integrity) -> (MemoryDirectory, u64) {
    let memory = make(integrity, true);
    let options = scene_options(CorruptionPolicy::RefuseRead).retention(Retention::UntilAcked);
    let queue = try_open(&memory, options).expect("it is whole");
    let mut consumer = queue.consumer("half").expect("it is there");
    consumer
        .ack_through(Sequence::new(RECORDS / 3))
        .expect("durable");
    drop(consumer);
    queue.run_background();
    let from = queue.first().get();
    queue.close().expect("nothing fails");
    (memory, from)
}

#[test]
fn a_repair_of_where_a_reclaimed_log_begins_leaves_nothing_wrong() {
    for integrity in [Integrity::Chained, Integrity::Crc32c] {
        let (whole, from) = reclaimed(integrity);
        let first = first(&whole);
        assert!(first > 1 && from > 0, "something is reclaimed");
        for (name, harm) in HARMS {
            let what = format!("{name}, {integrity:?}");
            let memory = whole.copy();
            harm(&memory, first);
            let gone = lost(&whole, &memory);
            let report = repair::apply_on(&memory);
            let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_sound_but(&memory, &report, &what);
            let queue = try_open(&memory, scene_options(CorruptionPolicy::RefuseOpen));
            let queue = queue.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(queue.next().get(), RECORDS, "{what}");
            let mut consumer = queue.consumer("all of it").expect("a new consumer");
            let records = drain(&mut consumer);
            let records = records.unwrap_or_else(|error| panic!("{what}: {error}"));
            let got: BTreeSet<u64> = records.iter().map(|(sequence, _)| *sequence).collect();
            let told = ranges(&consumer.take_gaps()).into_iter().flatten();
            assert_eq!(told.collect::<BTreeSet<_>>(), gone, "{what}");
            assert_eq!(&got | &gone, (from..RECORDS).collect(), "{what}");
            drop(consumer);
            queue.close().expect("nothing fails");
            assert_sound_but(&memory, &report, &format!("{what}, opened"));
        }
    }
}
