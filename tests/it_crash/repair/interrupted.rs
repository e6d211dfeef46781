//! A repair that stops anywhere and is begun again ends the same.

use std::collections::HashSet;
use std::sync::Arc;

use forebay::storage::fault::{Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{Integrity, repair};

use super::scene::{DAMAGES, assert_sound, assert_whole, lost, make};
use crate::support::{Dice, contents};

/// All files that count: generations in `STATE` do not.
fn comparable(memory: &MemoryDirectory) -> Vec<(String, Vec<u8>)> {
    let files = contents(memory).into_iter();
    let is_cache = |name: &str| name.ends_with(".idx") || name.ends_with(".tmp");
    let is_finished = |name: &String| name != "STATE" && !is_cache(name);
    files.filter(|(name, _)| is_finished(name)).collect()
}

fn finish(memory: &MemoryDirectory, ended: &[(String, Vec<u8>)], what: &str) {
    repair::apply_on(memory).unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = comparable(memory);
    let names = |files: &[(String, Vec<u8>)]| {
        files
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&found), names(ended), "{what}");
    assert!(found == ended, "{what}: a file has other bytes");
    assert_sound(memory, what);
    // What the first one did and did not sync is on the medium now, its names too.
    let cut = comparable(&memory.crash_losing_all());
    assert!(cut == ended, "{what}: power loss took something");
}

#[test]
fn a_call_that_fails_anywhere_leaves_a_queue_that_is_repaired_the_same() {
    for (name, damage) in DAMAGES {
        let whole = make(Integrity::Chained, true);
        let damaged = whole.copy();
        damage(&damaged);
        let gone = lost(&whole, &damaged);
        let memory = damaged.copy();
        let counted = FaultyDirectory::new(Arc::new(memory.clone()));
        repair::apply_on(&counted).expect("nothing fails");
        let ended = comparable(&memory);
        let calls = counted.calls();
        let mut finished = HashSet::new();
        for nth in 1..=calls {
            let what = format!("{name}, call {nth} of {calls}");
            let memory = damaged.copy();
            let faulty = FaultyDirectory::new(Arc::new(memory.clone()));
            let failure = match nth % 3 {
                0 => Failure::Io,
                1 => Failure::Torn { bytes: 700 },
                _ => Failure::Full,
            };
            faulty.plan(Fault::nth_call(nth, failure));
            if repair::apply_on(&faulty).is_ok() {
                continue;
            }
            let mut dice = Dice::new(nth);
            for image in [
                memory.process_kill(),
                memory.crash_losing_all(),
                memory.crash(&mut |unit| dice.fate(unit)),
            ] {
                // Most calls only read: what reads the same, and is the same on the medium, ends
                // the same.
                let all = |_: &str| false;
                let seen = (
                    image.fingerprint(all),
                    image.crash_losing_all().fingerprint(all),
                );
                if finished.insert(seen) {
                    finish(&image, &ended, &what);
                    assert_whole(&image, &gone, &what);
                }
            }
        }
    }
}

#[test]
fn a_repair_that_returned_survives_power_loss() {
    for (name, damage) in DAMAGES {
        let whole = make(Integrity::Chained, true);
        let memory = whole.copy();
        damage(&memory);
        let gone = lost(&whole, &memory);
        repair::apply_on(&memory).expect("it can be repaired");
        let image = memory.crash_losing_all();
        assert_sound(&image, name);
        assert_whole(&image, &gone, name);
    }
}
