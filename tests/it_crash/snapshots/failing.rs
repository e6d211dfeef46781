//! The Nth storage call fails, for every N of publishing: an error, and the old one intact.

use std::sync::Arc;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::{ErrorKind, Sequence};

use super::{FILE, NEW, OLD, Told, check, open_on, prepared, save};
use crate::support::{guard, tell};

/// Publishes with one fault at call `nth` of it; false when there are fewer calls.
fn publish_with(nth: u64, failure: Failure) -> bool {
    let what = format!("call {nth} {failure:?}");
    let memory = prepared();
    let storage = FaultyDirectory::over_memory(memory.clone());
    let queue = open_on(Arc::new(storage.clone()));
    let store = queue.snapshots("view").expect("a free name");
    let old = memory.file_bytes(FILE);
    storage.record();
    storage.plan(Fault::nth_call(nth, failure));
    let outcome = save(&store, NEW[0]);
    let failed = storage.failures() > 0;
    let mut told = Told {
        published: OLD,
        durable: 0,
    };
    match outcome {
        Ok(()) => told.published = NEW[0],
        Err(error) if error.kind() == ErrorKind::Poisoned => {
            let error = store.load().expect_err("nothing is read after poison");
            assert_eq!(error.kind(), ErrorKind::Poisoned, "{what}");
        }
        Err(error) => {
            assert!(failed, "{what}: {error}");
            assert!(memory.file_bytes(FILE) == old, "{what}: {error}");
            let loaded = store.load().expect("the old one is whole");
            let covers = loaded.map(|kept| kept.covers);
            assert_eq!(covers, Some(Sequence::new(OLD)), "{what}");
            // The same handle goes on, and nothing of the failure is left.
            check(&memory.crash_losing_all(), told, &what);
            save(&store, NEW[0]).unwrap_or_else(|error| panic!("{what}, again: {error}"));
            told.published = NEW[0];
        }
    }
    for image in [
        memory.process_kill(),
        memory.crash_losing_all(),
        memory.crash_keeping_all(),
    ] {
        check(&image, told, &what);
    }
    failed
}

#[test]
fn whatever_call_of_publishing_fails_the_old_snapshot_is_intact_and_the_next_try_works() {
    let failures = [
        Failure::Io,
        Failure::Full,
        Failure::Torn { bytes: 50 },
        Failure::TornFull { bytes: 50 },
        Failure::Forget,
    ];
    for failure in failures {
        let mut count = 0;
        for nth in 1.. {
            let what = format!("call {nth} {failure:?}");
            if !guard(&what, move || publish_with(nth, failure)) {
                break;
            }
            count = nth;
        }
        tell(&format!("{failure:?}: {count} calls"));
        assert!(count >= 10, "{failure:?}: {count}");
    }
}

#[test]
fn a_piece_that_did_not_fit_cannot_be_finished_over() {
    let memory = prepared();
    let storage = FaultyDirectory::over_memory(memory.clone());
    let queue = open_on(Arc::new(storage.clone()));
    let store = queue.snapshots("view").expect("a free name");
    let mut draft = store.begin().expect("no fault is planned");
    storage.plan(Fault::nth_of(
        1,
        &[CallKind::Write],
        Failure::TornFull { bytes: 9 },
    ));
    let full = draft.put(&vec![1; 300_000]).expect_err("there is no room");
    assert!(matches!(full.kind(), ErrorKind::Full { .. }), "{full}");
    let again = draft.put(b"more").expect_err("it has a hole");
    assert_eq!(again.kind(), full.kind());
    let finished = draft.finish(Sequence::new(NEW[0]));
    let error = finished.expect_err("it has a hole");
    assert_eq!(error.kind(), full.kind());
    let kept = store.load().expect("the old one is whole");
    assert_eq!(kept.map(|kept| kept.covers), Some(Sequence::new(OLD)));
}

/// What could not be read is not damaged: it may be there the next time.
#[test]
fn a_snapshot_that_cannot_be_read_is_an_error_and_no_reason_to_replay() {
    let memory = prepared();
    let storage = FaultyDirectory::over_memory(memory.clone());
    let queue = open_on(Arc::new(storage.clone()));
    let store = queue.snapshots("view").expect("a free name");
    for kind in [CallKind::Open, CallKind::Length, CallKind::Read] {
        for nth in 1..=2 {
            storage.clear();
            storage.plan(Fault::nth_of(nth, &[kind], Failure::Io).on(FILE));
            let before = storage.failures();
            let outcome = store.recover(|_| (), |(), _| {});
            if storage.failures() > before {
                let error = outcome.expect_err("the call failed");
                assert_eq!(error.kind(), ErrorKind::Io, "{kind:?} {nth}: {error}");
            }
        }
    }
    assert!(storage.failures() >= 5, "{}", storage.failures());
    storage.clear();
    assert!(store.replay().is_ok());
}
