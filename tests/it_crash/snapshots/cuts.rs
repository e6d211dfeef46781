//! The power goes, or the process is killed, at every storage call of a life with snapshots.

use std::sync::Arc;

use forebay::storage::fault::{Failure, Fault, FaultyDirectory};
use forebay::storage::memory::{Fate, MemoryDirectory};
use forebay::{Queue, Sequence};

use super::{FILE, OLD, Told, add, check, live, numbers, open_on, prepared, save};
use crate::support::{Dice, guard, tell};

/// Every image that a cut now may leave, among them each single thing kept alone and lost alone.
fn for_each_image(
    memory: &MemoryDirectory,
    seed: u64,
    mut check: impl FnMut(&MemoryDirectory, &str),
) {
    check(&memory.process_kill(), "killed");
    check(&memory.crash_losing_all(), "all lost");
    check(&memory.crash_keeping_all(), "all kept");
    let units = memory.unsynced();
    for (at, unit) in units.iter().enumerate() {
        for (chosen, others) in [(Fate::Kept, Fate::Lost), (Fate::Lost, Fate::Kept)] {
            let mut index = 0;
            let image = memory.crash(&mut |_| {
                index += 1;
                if index == at + 1 { chosen } else { others }
            });
            check(&image, &format!("{chosen:?} {unit:?}, others {others:?}"));
        }
    }
    for random in 0..6 {
        let mut dice = Dice::new(seed * 7919 + random);
        let image = memory.crash(&mut |unit| dice.fate(unit));
        check(&image, &format!("random {random}"));
    }
}

/// Lives until the storage stops at call `nth`, and judges every image; false when it never did.
fn cut_at(nth: u64, failure: Failure, images: &mut u64) -> bool {
    let memory = prepared();
    let storage = FaultyDirectory::over_memory(memory.clone());
    storage.plan(Fault::nth_call(nth, failure).for_ever());
    let mut told = Told {
        published: OLD,
        durable: 0,
    };
    let outcome = live(Arc::new(storage.clone()), &mut told);
    for_each_image(&memory, nth, |image, how| {
        *images += 1;
        let what = format!("call {nth} {failure:?} {how}; {outcome:?}");
        check(image, told, &what);
    });
    storage.failures() > 0
}

fn cut_everywhere(failure: Failure) {
    let (mut calls, mut images) = (0, 0);
    for nth in 1.. {
        if !cut_at(nth, failure, &mut images) {
            break;
        }
        calls = nth;
    }
    tell(&format!("{failure:?}: {calls} calls, {images} images"));
    assert!(calls > 100, "{calls} calls are not a life with snapshots");
}

#[test]
fn a_cut_at_any_call_leaves_the_old_snapshot_or_the_new_one_and_what_it_needs() {
    guard("cuts between calls", || cut_everywhere(Failure::Io));
}

#[test]
fn a_cut_inside_any_write_leaves_the_old_snapshot_or_the_new_one_and_what_it_needs() {
    guard("cuts inside writes", || {
        cut_everywhere(Failure::Torn { bytes: 70 });
    });
}

/// The state of `queue`, by whatever snapshot there is.
fn recovered(queue: &Queue, what: &str) -> Option<Sequence> {
    let store = queue.snapshots("view").expect("a free name");
    let recovered = store.recover(|state| state.map_or_else(Vec::new, <[u8]>::to_vec), add);
    let recovered = recovered.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(recovered.state == numbers(queue.next().get()), "{what}");
    recovered.report.snapshot
}

/// The damaged one counts for nothing, so that at no moment there is less than nothing.
#[test]
fn a_cut_while_a_damaged_snapshot_is_replaced_costs_a_full_replay_at_most() {
    let mut stopped = 0;
    for nth in 1.. {
        let memory = prepared();
        let mut bytes = memory.file_bytes(FILE).expect("it is there");
        *bytes.last_mut().expect("a state") ^= 1;
        memory.put_file(FILE, &bytes);
        let queue = open_on(Arc::new(memory.clone()));
        queue.sync().expect("nothing fails");
        drop(queue);
        let storage = FaultyDirectory::over_memory(memory.clone());
        storage.plan(Fault::nth_call(nth, Failure::Io).for_ever());
        let done = super::still()
            .open_on(Arc::new(storage.clone()))
            .and_then(|queue| save(&queue.snapshots("view")?, 20));
        for_each_image(&memory, nth, |image, how| {
            let what = format!("call {nth} {how}");
            let queue = open_on(Arc::new(image.clone()));
            let covers = recovered(&queue, &what);
            let new = Some(Sequence::new(20));
            assert!(
                covers == new || (covers.is_none() && done.is_err()),
                "{what}"
            );
            let aside = |name: &String| name.starts_with("quarantine/") || name == FILE;
            let kept = |name: &String| image.file_bytes(name).is_some_and(|kept| kept == bytes);
            let names = image.names();
            assert!(names.iter().filter(|name| aside(name)).any(kept), "{what}");
        });
        if storage.failures() == 0 {
            break;
        }
        stopped = nth;
    }
    tell(&format!("replaced in {stopped} calls"));
}
