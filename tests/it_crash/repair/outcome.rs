//! What a repair leaves: every record that can be read, a gap for every other one.

use std::collections::BTreeSet;

use forebay::storage::memory::MemoryDirectory;
use forebay::{CorruptionPolicy, Integrity, repair};

use super::scene::{DAMAGES, RECORDS, assert_whole, lost, make, payload, scene_options};
use crate::support::{contents, try_open};

fn numbers(lost: Vec<std::ops::Range<forebay::Sequence>>) -> BTreeSet<u64> {
    let plain = lost
        .into_iter()
        .map(|range| range.start.get()..range.end.get());
    plain.flatten().collect()
}

#[test]
fn every_undamaged_record_is_there_and_every_other_one_is_named() {
    for integrity in [Integrity::Chained, Integrity::Crc32c] {
        for is_closed in [true, false] {
            let whole = make(integrity, is_closed);
            for (name, damage) in DAMAGES {
                let what = format!("{name}, {integrity:?}, closed: {is_closed}");
                let memory = whole.copy();
                damage(&memory);
                let gone = lost(&whole, &memory);
                let before = contents(&memory);
                let plan = repair::plan_on(&memory);
                let plan = plan.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(contents(&memory), before, "{what}: a plan changes nothing");
                assert_eq!(plan.is_empty(), *name == "nothing", "{what}: {plan:?}");
                assert_eq!(numbers(plan.lost()), gone, "{what}: {plan:#?}");
                let report = repair::apply_on(&memory);
                let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(report.done, plan.steps, "{what}");
                assert_kept(&before, &memory, &what);
                let again = repair::plan_on(&memory).expect("it can be planned again");
                assert!(again.is_empty(), "{what}: {again:#?}");
                assert_whole(&memory, &gone, &what);
                let again = repair::plan_on(&memory).expect("it can be planned again");
                assert!(again.is_empty(), "{what}, opened: {again:#?}");
            }
        }
    }
}

/// Asserts that all bytes of `before` which are not where they were are in quarantine.
fn assert_kept(
    before: &std::collections::BTreeMap<String, Vec<u8>>,
    memory: &MemoryDirectory,
    what: &str,
) {
    let after = contents(memory);
    for (name, bytes) in before {
        let is_ours = name.ends_with(".log") || name.starts_with("cursors/");
        let is_there = after.values().any(|found| found == bytes);
        assert!(is_there || !is_ours, "{what}: the bytes of {name} are gone");
    }
}

#[test]
fn a_repaired_queue_goes_on() {
    for (name, damage) in DAMAGES {
        let whole = make(Integrity::Chained, true);
        let memory = whole.copy();
        damage(&memory);
        let gone = lost(&whole, &memory);
        repair::apply_on(&memory).expect("it can be repaired");
        for round in 0..2 {
            let queue = try_open(&memory, scene_options(CorruptionPolicy::RefuseOpen));
            let queue = queue.expect("it opens");
            for number in 0..40 {
                let next = RECORDS + round * 40 + number;
                let given = queue.enqueue(payload(next)).expect("room");
                assert_eq!(given.get(), next, "{name}");
            }
            queue.close().expect("nothing fails");
        }
        let plan = repair::plan_on(&memory).expect("it can be planned again");
        assert!(plan.is_empty(), "{name}: {plan:#?}");
        let queue = try_open(&memory, scene_options(CorruptionPolicy::RefuseOpen));
        let queue = queue.expect("it opens");
        let records = crate::support::drain_all(&queue, "all of it");
        let expected: Vec<u64> = (0..RECORDS + 80)
            .filter(|one| !gone.contains(one))
            .collect();
        let sequences: Vec<u64> = records.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(sequences, expected, "{name}");
    }
}
