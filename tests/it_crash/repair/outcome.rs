//! What a repair leaves: every record that can be read, a gap for every other one.

use std::collections::BTreeSet;

use forebay::storage::memory::MemoryDirectory;
use forebay::{CorruptionPolicy, ErrorKind, Integrity, SyncPolicy, repair};

use super::scene::{
    BLOCK, DAMAGES, Damage, Forget as _, RECORDS, assert_sound, assert_whole, last, lost, make,
    payload, scene_options,
};
use crate::support::{contents, edit, kill, ranges, segments, try_open};

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
                assert_sound(&memory, &what);
                assert_whole(&memory, &gone, &what);
                assert_sound(&memory, &format!("{what}, opened"));
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

/// A queue of three lives, each of them killed, with several segments in the last two.
fn lives() -> MemoryDirectory {
    let mut memory = MemoryDirectory::new();
    for (from, to) in [(0, 5), (5, 60), (60, 120)] {
        let queue = try_open(&memory, scene_options(CorruptionPolicy::RefuseRead));
        let queue = queue.expect("it opens");
        for number in from..to {
            queue.enqueue(payload(number)).expect("room");
        }
        queue.sync().expect("memory works");
        queue.run_background();
        memory = kill(&memory, queue);
    }
    memory
}

#[test]
fn what_stands_for_a_lost_segment_breaks_no_chain_where_an_epoch_begins_beside_it() {
    use forebay::storage::Directory;

    let whole = lives();
    let names = segments(&whole);
    let (_, names) = names.split_last().expect("several segments");
    for name in names {
        for is_missing in [true, false] {
            let what = format!("{name}, missing: {is_missing}");
            let memory = whole.copy();
            if is_missing {
                memory.remove(name).expect("memory works");
                memory.sync("segments").expect("memory works");
            } else {
                edit(&memory, name, |bytes| bytes[..BLOCK].fill(0));
            }
            let report = repair::apply_on(&memory);
            let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(numbers(report.lost()), lost(&whole, &memory), "{what}");
            assert_sound(&memory, &what);
        }
    }
}

/// A closed queue with the damage of that name.
fn damaged(name: &str) -> MemoryDirectory {
    let memory = make(Integrity::Chained, true);
    let named = DAMAGES.iter().find(|(known, _)| *known == name);
    let damage: Damage = named.expect("a damage of that name").1;
    damage(&memory);
    memory
}

#[test]
fn a_gap_told_is_not_told_again() {
    let memory = damaged("all frames");
    let report = repair::apply_on(&memory).expect("it can be repaired");
    let lost = report.lost().remove(0);
    let queue = try_open(&memory, scene_options(CorruptionPolicy::RefuseOpen));
    let queue = queue.expect("it opens");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    consumer.seek(lost.start).expect("it is in the log");
    let record = consumer.peek().expect("nothing is damaged");
    assert_eq!(record.expect("one follows").sequence, lost.end);
    let told = ranges(&consumer.take_gaps());
    assert_eq!(told, [lost.start.get()..lost.end.get()]);
    drop(consumer);
    let image = kill(&memory, queue);
    let queue = try_open(&image, scene_options(CorruptionPolicy::RefuseOpen));
    let queue = queue.expect("it opens");
    let mut consumer = queue.consumer("c").expect("the consumer opens");
    assert!(consumer.peek().expect("nothing is damaged").is_some());
    assert_eq!(ranges(&consumer.take_gaps()), []);
}

#[test]
fn a_gap_is_bound_into_the_chain() {
    // Opening binds the same gap in where it finds that the end of the log is lost.
    let heads = [false, true].map(|is_repaired| {
        let memory = damaged("the last segment missing");
        if is_repaired {
            repair::apply_on(&memory).expect("it can be repaired");
        }
        let queue = try_open(&memory, scene_options(CorruptionPolicy::RefuseRead));
        let (_, sequence, chain) = queue.expect("it opens").chain_head();
        (sequence, chain)
    });
    assert_eq!(heads[0], heads[1]);
}

#[test]
fn a_repair_begins_a_new_epoch() {
    let memory = damaged("a flipped bit");
    let epoch = |memory: &MemoryDirectory| {
        let queue = try_open(memory, scene_options(CorruptionPolicy::RefuseRead));
        queue.expect("it opens").epoch()
    };
    let before = epoch(&memory);
    repair::apply_on(&memory).expect("it can be repaired");
    assert!(epoch(&memory) > before);
}

#[test]
fn a_writer_that_has_the_queue_keeps_repairs_off() {
    let memory = damaged("a flipped bit");
    let queue = try_open(&memory, scene_options(CorruptionPolicy::RefuseRead));
    let queue = queue.expect("it opens");
    let before = contents(&memory);
    let error = repair::apply_on(&memory).expect_err("it is locked");
    assert!(matches!(error.kind(), ErrorKind::Locked { .. }), "{error}");
    assert_eq!(contents(&memory), before);
    drop(queue);
    repair::apply_on(&memory).expect("it can be repaired");
}

#[test]
fn a_queue_that_went_on_behind_damage_is_repaired_too() {
    let mut repaired = 0;
    for is_closed in [true, false] {
        let whole = make(Integrity::Chained, is_closed);
        for (name, damage) in DAMAGES {
            let what = format!("{name}, closed: {is_closed}");
            let memory = whole.copy();
            damage(&memory);
            let gone = lost(&whole, &memory);
            let Ok(queue) = try_open(&memory, scene_options(CorruptionPolicy::RefuseRead)) else {
                continue;
            };
            let next = queue.next().get();
            assert_eq!(next, RECORDS, "{what}");
            for number in next..next + 40 {
                queue.enqueue(payload(number)).expect("room");
            }
            queue.close().expect("nothing fails");
            let plan = repair::plan_on(&memory);
            let plan = plan.unwrap_or_else(|error| panic!("{what}: {error}"));
            repair::apply_on(&memory).expect("it can be repaired");
            // Whole records in a file that opening could not tell to be the last one: the log went
            // on without it, and the next segment has bound the gap into its chain.
            let is_passed_by = ["swapped with the last", "the last start frame"].contains(name);
            if is_passed_by {
                let again = repair::plan_on(&memory).expect("it can be planned again");
                assert!(again.is_empty(), "{what}: {again:#?}");
            } else {
                assert_sound(&memory, &what);
            }
            let queue = try_open(&memory, scene_options(CorruptionPolicy::RefuseOpen));
            let queue = queue.unwrap_or_else(|error| panic!("{what}: {error}"));
            let mut consumer = queue.consumer("all of it").expect("a new consumer");
            let records = crate::support::drain(&mut consumer);
            let records = records.unwrap_or_else(|error| panic!("{what}: {error}"));
            let got: BTreeSet<u64> = records.iter().map(|(sequence, _)| *sequence).collect();
            assert!(
                records.iter().all(|(one, bytes)| *bytes == payload(*one)),
                "{what}"
            );
            let told: BTreeSet<u64> = ranges(&consumer.take_gaps())
                .into_iter()
                .flatten()
                .collect();
            assert_eq!(told, numbers(plan.lost()), "{what}");
            let all: BTreeSet<u64> = (0..RECORDS + 40).collect();
            assert_eq!(&all - &told, got, "{what}");
            assert!(gone.is_subset(&told), "{what}");
            if !is_passed_by {
                assert_eq!(told, gone, "{what}");
            }
            repaired += usize::from(!told.is_empty());
        }
    }
    assert!(repaired > 20);
}

#[test]
fn one_repair_is_enough_where_a_segment_and_what_proves_the_next_one_are_missing() {
    use forebay::storage::Directory;
    use std::sync::Arc;

    let mut passed_by = 0;
    for synced in 0..RECORDS {
        let memory = MemoryDirectory::new();
        let options = scene_options(CorruptionPolicy::RefuseRead).sync_policy(SyncPolicy::Manual);
        let queue = options.open_on(Arc::new(memory.clone()));
        let queue = queue.expect("a new queue");
        for number in 0..RECORDS {
            queue.enqueue(payload(number)).expect("room");
            if number == synced {
                queue.sync().expect("memory works");
            }
        }
        let memory = kill(&memory, queue);
        memory.remove("STATE").expect("memory works");
        for number in 1..last(&memory) {
            let what = format!("segment {number}, synced: {synced}");
            let memory = memory.copy();
            memory.forget(number);
            let Ok(report) = repair::apply_on(&memory) else {
                continue;
            };
            let again = repair::plan_on(&memory).expect("it can be planned again");
            assert!(again.is_empty(), "{what}: {}", again.steps[0]);
            let mut done = report.done.iter();
            passed_by += usize::from(done.any(|step| step.problem.contains("went on without")));
        }
    }
    assert!(passed_by > 0);
}

#[test]
fn beside_the_identity_of_another_queue_nothing_is_touched() {
    let memory = damaged("nothing");
    let other = MemoryDirectory::new();
    drop(try_open(&other, crate::support::options(SyncPolicy::Always)).expect("a new queue"));
    let foreign = other.file_bytes("QUEUE").expect("it is there");
    memory.put_file("QUEUE", &foreign);
    let before = contents(&memory);
    for error in [
        repair::plan_on(&memory).map(drop),
        repair::apply_on(&memory).map(drop),
    ] {
        let error = error.expect_err("the segments are of another queue");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("is of another queue"), "{error}");
    }
    assert_eq!(contents(&memory), before);
}
