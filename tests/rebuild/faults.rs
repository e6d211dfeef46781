//! A rebuild that is interrupted at any call leaves no queue, or the whole one.

use std::sync::Arc;

use forebay::rebuild::{Rebuild, RebuildOptions};
use forebay::storage::fault::{Failure, Fault, FaultyDirectory};
use forebay::storage::memory::{Fate, MemoryDirectory};

use crate::scene::{content, open, options, records};

const RECORDS: u64 = 60;

fn rebuild_on(faulty: &FaultyDirectory) -> forebay::Result<()> {
    let options = RebuildOptions::new().segment_bytes(8192).seed(11);
    let mut rebuild = Rebuild::create_on(Arc::new(faulty.clone()), &options)?;
    for record in records(RECORDS) {
        rebuild.push(&record.record())?;
    }
    rebuild.finish().map(|_rebuilt| ())
}

/// Whether a queue is there; then it must be the whole one.
fn is_whole(memory: &MemoryDirectory) -> bool {
    let opened = options(1).open_existing();
    match opened.open_on(Arc::new(memory.copy())) {
        Ok(queue) => {
            drop(queue);
            let queue = open(memory);
            assert_eq!(content(&queue).records, records(RECORDS));
            true
        }
        Err(_) => false,
    }
}

#[test]
fn a_rebuild_that_any_call_interrupts_leaves_no_queue_or_the_whole_one() {
    let all = FaultyDirectory::over_memory(MemoryDirectory::new());
    rebuild_on(&all).expect("nothing fails");
    let (mut none, mut whole) = (0, 0);
    // The last one is for none: success.
    for nth in 1..=all.calls() + 1 {
        for failure in [Failure::Io, Failure::Full, Failure::Torn { bytes: 100 }] {
            let memory = MemoryDirectory::new();
            let faulty = FaultyDirectory::over_memory(memory.clone());
            faulty.plan(Fault::nth_call(nth, failure).for_ever());
            let outcome = rebuild_on(&faulty);
            assert_eq!(outcome.is_ok(), nth > all.calls(), "call {nth}");
            let images = [
                memory.crash_keeping_all(),
                memory.crash_losing_all(),
                // The names are there and the bytes are not, and the other way round.
                memory.crash(&mut |unsynced| fate(unsynced, true)),
                memory.crash(&mut |unsynced| fate(unsynced, false)),
            ];
            for image in images {
                let found = is_whole(&image);
                assert!(
                    found || outcome.is_err(),
                    "call {nth}: success, and no queue"
                );
                whole += u32::from(found);
                none += u32::from(!found);
            }
        }
    }
    assert!(
        none > 100 && whole > 0,
        "{none} without, {whole} with a queue"
    );
}

fn fate(unsynced: &forebay::storage::memory::Unsynced, keep_names: bool) -> Fate {
    use forebay::storage::memory::UnsyncedChange;
    let is_name = !matches!(
        unsynced.change,
        UnsyncedChange::Page { .. } | UnsyncedChange::Length { .. }
    );
    if is_name == keep_names {
        Fate::Kept
    } else {
        Fate::Lost
    }
}
