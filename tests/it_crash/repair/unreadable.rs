//! Every block of every file that the medium does not give back: told, and no more than it hid is
//! lost to whoever looks or rescues.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use forebay::backup::{backup_on, restore_on};
use forebay::inspect::{Severity, Verification, VerifyOptions, verify_on};
use forebay::repair::RepairReport;
use forebay::salvage::{SalvageOptions, salvage_on};
use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{CorruptionPolicy, Follower, Integrity, Start, SyncPolicy, Unreadable, repair};

use super::scene::{RECORDS, assert_whole, assert_whole_on, frames, make, payload, scene_options};
use crate::support::{edit, fill, open, segments};

const BLOCK: usize = 4096;

/// A queue with one block that cannot be read.
struct Broken {
    whole: MemoryDirectory,
    /// The same, as far as it was written to since.
    memory: MemoryDirectory,
    storage: FaultyDirectory,
    name: String,
    number: usize,
    is_closed: bool,
}

impl Broken {
    fn block(&self) -> Range<usize> {
        let bytes = self.whole.file_bytes(&self.name).expect("a listed file");
        let start = self.number * BLOCK;
        start..(start + BLOCK).min(bytes.len())
    }

    /// The records whose frames touch the block.
    fn hit(&self) -> BTreeSet<u64> {
        let block = self.block();
        self.records_where(|frame| frame.start < block.end && frame.end > block.start)
    }

    /// All records of the file.
    fn records(&self) -> BTreeSet<u64> {
        self.records_where(|_| true)
    }

    fn records_where(&self, is_meant: impl Fn(&Range<usize>) -> bool) -> BTreeSet<u64> {
        if !segments(&self.whole).contains(&self.name) {
            return BTreeSet::new();
        }
        let bytes = self.whole.file_bytes(&self.name).expect("a segment");
        let all = frames(&bytes).into_iter();
        let meant = all.filter(|(frame, _)| is_meant(frame));
        meant.filter_map(|(_, record)| record).collect()
    }

    /// The bytes that can be read, with zeros for the others.
    fn readable(&self) -> Vec<u8> {
        let mut bytes = self.whole.file_bytes(&self.name).expect("a listed file");
        bytes[self.block()].fill(0);
        bytes
    }

    fn is_told(&self, told: &Unreadable) -> bool {
        let block = self.block();
        told.file == Path::new("/memory").join(&self.name)
            && told.offset.get() == block.start as u64
            && told.bytes == Some(block.len() as u64)
            && told.found.contains("os error 5")
    }

    fn assert_told(&self, told: &[Unreadable]) {
        let is_told = told.len() == 1 && told.iter().all(|one| self.is_told(one));
        assert!(is_told, "{}: {told:#?}", self.what());
    }

    fn what(&self) -> String {
        let closed = if self.is_closed { "closed" } else { "killed" };
        format!("block {} of {}, {closed}", self.number, self.name)
    }

    fn is_index(&self) -> bool {
        self.name.ends_with(".idx")
    }
}

/// Has `judge` look at a queue with every block of it broken in turn.
fn for_every_block(judge: impl Fn(&Broken)) {
    let mut blocks = 0;
    for is_closed in [true, false] {
        let whole = make(Integrity::Chained, is_closed);
        assert!(segments(&whole).len() > 3);
        for name in whole.names().into_iter().filter(|name| name != "LOCK") {
            let bytes = whole.file_bytes(&name).expect("a listed file");
            for number in 0..bytes.len().div_ceil(BLOCK) {
                let memory = whole.copy();
                let storage = FaultyDirectory::over_memory(memory.clone());
                storage.break_block(&name, number as u64);
                judge(&Broken {
                    whole: whole.copy(),
                    memory,
                    storage,
                    name: name.clone(),
                    number,
                    is_closed,
                });
                blocks += 1;
            }
        }
    }
    assert!(blocks > 50, "{blocks}");
}

fn verified(broken: &Broken) -> Verification {
    let options = VerifyOptions::new().chain(true).jobs(1);
    let found = verify_on(&broken.storage, &options, &|_| {});
    found.unwrap_or_else(|error| panic!("{}: {error}", broken.what()))
}

#[test]
fn verify_tells_exactly_the_block_and_the_records_that_it_hides() {
    for_every_block(|broken| {
        let what = broken.what();
        let found = verified(broken);
        let is_of_medium = |found: &str| found.contains("os error 5");
        let told = found.findings.iter().filter(|one| is_of_medium(&one.found));
        let told: Vec<_> = told.collect();
        assert_eq!(told.len(), 1, "{what}: {:#?}", found.findings);
        let block = broken.block();
        assert_eq!(told[0].offset.get(), block.start as u64, "{what}");
        assert_eq!(told[0].bytes, Some(block.len() as u64), "{what}");
        assert!(told[0].file.ends_with(&broken.name), "{what}");
        assert!(told[0].severity > Severity::Minor && !found.is_sound());
        let losses = found.findings.iter();
        let losses = losses.filter(|one| one.severity == Severity::Loss);
        let lost: BTreeSet<u64> = losses
            .flat_map(|one| one.range.start.get()..one.range.end.get())
            .collect();
        // Without its beginning a segment is left to salvage.
        let is_beginning = broken.number < 2;
        let hidden = if is_beginning {
            broken.records()
        } else {
            broken.hit()
        };
        if broken.is_closed {
            assert_eq!(lost, hidden, "{what}: {:#?}", found.findings);
        }
        assert!(lost.is_subset(&hidden), "{what}: {lost:?} of {hidden:?}");
    });
}

#[test]
fn verify_says_that_opening_fails_exactly_where_it_does() {
    for_every_block(|broken| {
        let what = broken.what();
        let told = verified(broken).opening;
        let before = broken.memory.copy();
        let options = scene_options(CorruptionPolicy::RefuseRead);
        let opened = options.open_on(Arc::new(broken.storage.clone())).map(drop);
        match (told, opened) {
            (Ok(_), Ok(())) => {}
            (Err(told), Err(met)) => assert_eq!(told.to_string(), met.to_string(), "{what}"),
            (told, met) => panic!("{what}: {told:?} and {met:?}"),
        }
        let segments = segments(&before).into_iter();
        let changed =
            segments.filter(|name| before.file_bytes(name) != broken.memory.file_bytes(name));
        let changed: Vec<String> = changed.collect();
        assert!(
            changed.is_empty() || !changed.contains(&broken.name),
            "{what}"
        );
    });
}

#[test]
fn salvage_gets_out_every_record_outside_of_the_block() {
    for_every_block(|broken| {
        let what = broken.what();
        let to = MemoryDirectory::new();
        let options = SalvageOptions::new();
        let found = salvage_on(&broken.storage, Arc::new(to.clone()), &options);
        let found = found.unwrap_or_else(|error| panic!("{what}: {error}"));
        if broken.is_index() {
            assert!(found.is_whole(), "{what}: an index is not read");
        } else {
            broken.assert_told(&found.unreadable);
            assert!(!found.is_whole());
        }
        let hit = broken.hit();
        let queue = scene_options(CorruptionPolicy::RefuseOpen).open_on(Arc::new(to));
        let queue = queue.unwrap_or_else(|error| panic!("{what}: {error}"));
        let records = crate::support::drain_all(&queue, "all of it");
        let expected = (0..RECORDS).filter(|number| !hit.contains(number));
        let expected: Vec<_> = expected.map(|number| (number, payload(number))).collect();
        assert!(records == expected, "{what}");
    });
}

#[test]
fn a_follower_that_forgives_gets_every_record_outside_of_the_block() {
    for_every_block(|broken| {
        let what = broken.what();
        let storage = Arc::new(broken.storage.clone());
        let follower = Follower::open_forgiving_on(storage, Start::First);
        let Ok(mut follower) = follower else {
            assert_eq!(broken.name, "QUEUE", "{what}");
            return;
        };
        let mut records = BTreeSet::new();
        loop {
            match follower.next_batch(1000) {
                Ok(batch) if batch.is_empty() => break,
                Ok(batch) => records.extend(batch.iter().map(|record| record.sequence.get())),
                Err(error) => {
                    assert!(error.corruption().is_some(), "{what}: {error}");
                    follower.skip_corrupt().expect("it is passed over");
                }
            }
        }
        for told in follower.unreadable() {
            assert!(broken.is_told(&told), "{what}: {told}");
        }
        let hidden = if broken.number < 2 {
            broken.records()
        } else {
            broken.hit()
        };
        let is_state = broken.name == "STATE";
        let missing = (0..RECORDS).filter(|number| !records.contains(number));
        let missing: BTreeSet<u64> = missing.collect();
        assert!(
            is_state || missing.is_subset(&hidden),
            "{what}: {missing:?}"
        );
        assert!(
            missing.is_empty() || !follower.unreadable().is_empty(),
            "{what}"
        );
    });
}

#[test]
fn a_repaired_queue_opens_and_has_every_record_outside_of_the_block() {
    for_every_block(|broken| {
        let what = broken.what();
        let plan = match repair::plan_on(&broken.storage) {
            Ok(plan) => plan,
            Err(error) => {
                assert!(!broken.is_closed, "{what}: {error}");
                return;
            }
        };
        // No repair reads an index, and nobody needs one.
        if !broken.is_index() {
            let told = plan.steps.iter().flat_map(|step| step.unreadable.clone());
            broken.assert_told(&told.collect::<Vec<_>>());
            let is_said = |step: &repair::RepairStep| step.to_string().contains("os error 5");
            assert!(plan.steps.iter().any(is_said), "{what}: {plan:#?}");
        }
        let report =
            repair::apply_on(&broken.storage).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(report.done, plan.steps, "{what}");
        for step in report
            .done
            .iter()
            .filter(|step| !step.unreadable.is_empty())
        {
            let kept = step.kept.as_ref().and_then(|kept| kept.to_str());
            let kept = broken
                .memory
                .file_bytes(kept.expect("what was there is kept"));
            assert!(kept == Some(broken.readable()), "{what}");
        }
        let hidden = if broken.number == 0 {
            broken.records()
        } else {
            broken.hit()
        };
        assert_eq!(
            report
                .lost()
                .iter()
                .map(|range| range.end.since(range.start))
                .sum::<u64>(),
            hidden.len() as u64,
            "{what}"
        );
        let again = repair::plan_on(&broken.storage).expect("it can be planned again");
        assert!(again.is_empty(), "{what}: {again:#?}");
        assert_whole(&broken.memory.copy(), &hidden, &what);
        assert_whole_on(Arc::new(broken.storage.clone()), &hidden, &what);
    });
}

#[test]
fn a_repair_of_a_log_that_may_end_in_the_block_is_refused() {
    let refused = std::cell::Cell::new(0);
    for_every_block(|broken| {
        let what = broken.what();
        let bytes = broken
            .whole
            .file_bytes(&broken.name)
            .expect("a listed file");
        let written = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        let holds_end = segments(&broken.whole).last() == Some(&broken.name)
            && broken.block().contains(&written);
        match repair::plan_on(&broken.storage) {
            Err(error) => {
                let told = error.to_string();
                let is_last = segments(&broken.whole).last() <= Some(&broken.name);
                assert!(!broken.is_closed && is_last, "{what}: {told}");
                assert!(told.contains("salvage"), "{what}: {told}");
                assert!(told.contains("os error 5"), "{what}: {told}");
                refused.set(refused.get() + 1);
            }
            Ok(plan) => assert!(broken.is_closed || !holds_end, "{what}: {plan:#?}"),
        }
    });
    assert!(refused.get() > 0);
}

/// Repairs a whole log, of a segment of which `fail` has the first read fail, then the next, until
/// none fails. Where that is refused it says `why`, and the segment is as it was.
fn repair_with_every_failing_read(
    fail: impl Fn(&FaultyDirectory, &str, u64),
    why: &str,
    check: impl Fn(&MemoryDirectory, (&str, &[u8]), &RepairReport),
) {
    let whole = make(Integrity::Chained, true);
    let name = segments(&whole).swap_remove(1);
    let bytes = whole.file_bytes(&name).expect("a segment");
    let mut refused = 0;
    for nth in 1.. {
        let memory = whole.copy();
        let storage = FaultyDirectory::over_memory(memory.clone());
        fail(&storage, &name, nth);
        match repair::apply_on(&storage) {
            Ok(report) => check(&memory, (&name, &bytes), &report),
            Err(error) => {
                assert!(error.to_string().contains(why), "{nth}: {error}");
                assert!(memory.file_bytes(&name).as_ref() == Some(&bytes), "{nth}");
                refused += 1;
            }
        }
        if storage.failures() == 0 {
            break;
        }
    }
    assert!(refused > 0);
}

#[test]
fn what_cannot_be_read_any_more_when_it_is_copied_is_not_taken_for_zeros() {
    let fail = |storage: &FaultyDirectory, name: &str, nth| {
        storage.break_block(name, 2);
        let from_then_on = Fault::nth_of(nth, &[CallKind::Read], Failure::Io);
        storage.plan(from_then_on.on(name).for_ever());
    };
    repair_with_every_failing_read(fail, "os error 5", |memory, (name, bytes), report| {
        let step = report.done.iter().find(|step| step.file == name);
        let step = step.expect("a step for the segment");
        let kept = step.kept.as_ref().and_then(|kept| kept.to_str());
        let kept = memory.file_bytes(kept.expect("it is kept"));
        let mut expected = bytes.to_vec();
        for told in &step.unreadable {
            let start = usize::try_from(told.offset.get()).expect("a small file");
            let count = usize::try_from(told.bytes.expect("bytes")).expect("a small file");
            expected[start..start + count].fill(0);
        }
        assert!(kept == Some(expected));
    });
}

#[test]
fn what_can_be_read_again_when_it_is_copied_is_not_given_up() {
    let fail = |storage: &FaultyDirectory, name: &str, nth| {
        // The read of many blocks, and that of its first one alone.
        for nth in [nth, nth + 1] {
            storage.plan(Fault::nth_of(nth, &[CallKind::Read], Failure::Io).on(name));
        }
    };
    repair_with_every_failing_read(fail, "plan again", |memory, (name, bytes), report| {
        assert!(memory.file_bytes(name).as_deref() == Some(bytes));
        assert!(report.lost().is_empty(), "{report:#?}");
    });
}

#[test]
fn a_backup_tells_the_block_and_is_restored_with_every_record_outside_of_it() {
    for_every_block(|broken| {
        let what = broken.what();
        let to = MemoryDirectory::new();
        let report = match backup_on(&broken.storage, &to) {
            Ok(report) => report,
            Err(error) => {
                assert_eq!(broken.name, "QUEUE", "{what}: {error}");
                assert!(error.to_string().contains("salvage"), "{error}");
                assert!(error.to_string().contains("os error 5"), "{error}");
                return;
            }
        };
        let restored = MemoryDirectory::new();
        restore_on(&to, &restored).unwrap_or_else(|error| panic!("{what}: {error}"));
        let copied = restored.file_bytes(&broken.name);
        if copied.is_none() || broken.is_index() {
            return;
        }
        broken.assert_told(&report.unreadable);
        assert!(report.is_damaged(), "{what}");
        let mut copied = copied.unwrap_or_default();
        copied.resize(broken.readable().len(), 0);
        // A restored queue begins a new epoch.
        let is_new = broken.name == "STATE";
        assert!(is_new || copied == broken.readable(), "{what}");
    });
}

#[test]
fn what_cannot_be_read_behind_the_end_of_the_log_is_told_too() {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 3, 100);
    queue.close().expect("nothing fails");
    let name = segments(&memory).pop().expect("a segment");
    // Blocks that were reserved, further than what is read together with the last frame.
    edit(&memory, &name, |bytes| bytes.resize(256 * BLOCK, 0));
    let storage = FaultyDirectory::over_memory(memory);
    storage.break_block(&name, 255);
    let told = verify_on(&storage, &VerifyOptions::new(), &|_| {}).expect("a queue");
    let [unreadable] = &*told.unreadable else {
        panic!("one block: {:?}", told.unreadable);
    };
    assert_eq!(unreadable.offset.get(), 255 * 4096);
    assert_eq!(told.lost_records(), 0);
}
