//! Faults and power cuts at every storage call: a backup is whole or none, and so is a queue that
//! is restored.

use std::sync::Arc;

use forebay::backup::{backup_on, check_on, restore_on};
use forebay::storage::fault::{Failure, Fault, FaultyDirectory};
use forebay::storage::memory::{Fate, MemoryDirectory};
use forebay::{ErrorKind, Result};

use crate::stage::{RECORDS, assert_has_all, filled, open, options};

/// What may be on the medium after the power went now, and what a kill leaves.
fn images(memory: &MemoryDirectory, seed: u64) -> Vec<MemoryDirectory> {
    let mut images = vec![
        memory.crash_losing_all(),
        memory.crash_keeping_all(),
        memory.process_kill(),
    ];
    for round in 0..3 {
        let mut drawn = seed * 3 + round + 1;
        images.push(memory.crash(&mut |_| {
            drawn = drawn.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            match drawn >> 60 {
                0..6 => Fate::Lost,
                6..12 => Fate::Kept,
                _ => Fate::Torn {
                    sectors: drawn.to_le_bytes()[3],
                },
            }
        }));
    }
    images
}

/// Runs `work` with no call to its target failing, and with each of them, once or from there on;
/// `judge` is given what each leaves, and whether the work said that it was done.
fn fail_each_call(
    work: impl Fn(&FaultyDirectory) -> Result<()>,
    judge: impl Fn(&MemoryDirectory, bool, &str),
) {
    let target = MemoryDirectory::new();
    let counted = FaultyDirectory::over_memory(target.clone());
    work(&counted).expect("nothing fails yet");
    let calls = counted.calls();
    assert!(calls > 50, "{calls} calls");
    for image in images(&target, 0) {
        judge(&image, true, "nothing failed");
    }
    for nth in 1..=calls {
        for (failure, is_once) in [
            (Failure::Io, true),
            (Failure::Io, false),
            (Failure::Torn { bytes: 700 }, false),
            (Failure::Forget, true),
        ] {
            let target = MemoryDirectory::new();
            let faulty = FaultyDirectory::over_memory(target.clone());
            let fault = Fault::nth_call(nth, failure);
            faulty.plan(if is_once { fault } else { fault.for_ever() });
            let done = work(&faulty).is_ok();
            assert!(faulty.failures() > 0, "call {nth}");
            let what = format!("{failure:?} at call {nth}, once: {is_once}");
            for image in images(&target, nth) {
                judge(&image, done, &what);
            }
        }
    }
}

#[test]
fn after_a_fault_or_a_power_cut_a_backup_is_whole_or_none() {
    let (memory, queue) = filled(1);
    queue.close().expect("a clean close");
    fail_each_call(
        |target| backup_on(&memory, target).map(|_| ()),
        |image, done, what| match check_on(image) {
            Ok(manifest) => {
                assert_eq!(manifest.next.get(), RECORDS, "{what}");
                assert_eq!(image.names().len(), manifest.files.len() + 1, "{what}");
            }
            Err(error) => {
                assert!(!done, "{what}: {error}");
                assert_eq!(error.kind(), ErrorKind::NotFound, "{what}: {error}");
            }
        },
    );
}

#[test]
fn after_a_fault_or_a_power_cut_a_restored_queue_is_whole_or_none() {
    let (memory, queue) = filled(1);
    queue.close().expect("a clean close");
    let backup = MemoryDirectory::new();
    backup_on(&memory, &backup).expect("a queue");
    fail_each_call(
        |target| restore_on(&backup, target).map(|_| ()),
        |image, done, what| {
            let directory = Arc::new(image.clone());
            match options(3).open_existing().open_on(directory) {
                Ok(queue) => {
                    assert!(queue.recovery().corruption.is_empty(), "{what}");
                    assert_has_all(&queue, RECORDS);
                }
                Err(error) => {
                    assert!(!done, "{what}: {error}");
                    assert!(!image.names().contains(&"QUEUE".to_owned()), "{what}");
                }
            }
        },
    );
}

/// Whatever cannot be read of the queue, no backup is made of the rest.
#[test]
fn a_queue_that_cannot_be_read_gives_no_backup_or_a_whole_one() {
    let (memory, queue) = filled(1);
    queue.close().expect("a clean close");
    let counted = FaultyDirectory::over_memory(memory.copy());
    backup_on(&counted, &MemoryDirectory::new()).expect("nothing fails yet");
    let mut failed = 0;
    for nth in 1..=counted.calls() {
        for is_once in [true, false] {
            let faulty = FaultyDirectory::over_memory(memory.copy());
            let fault = Fault::nth_call(nth, Failure::Io);
            faulty.plan(if is_once { fault } else { fault.for_ever() });
            let target = MemoryDirectory::new();
            let made = backup_on(&faulty, &target);
            if made.is_ok() {
                let place = MemoryDirectory::new();
                restore_on(&target, &place).expect("a whole backup");
                assert_has_all(&open(&place, 2), RECORDS);
            } else {
                failed += 1;
                let error = check_on(&target).expect_err("no backup");
                assert_eq!(error.kind(), ErrorKind::NotFound, "call {nth}: {error}");
            }
        }
    }
    assert!(failed > 20, "{failed} failed");
}
