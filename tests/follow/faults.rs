//! Calls that fail under a follower, a state that is caught half written, and what it never asks.

use std::sync::Arc;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, Follower, Start, SyncPolicy};

use crate::stage::{Seen, Stage, at, fill, follow, open, still};

fn scene() -> MemoryDirectory {
    let memory = MemoryDirectory::new();
    let queue = open(still(1, SyncPolicy::Always), &Stage::new(&memory));
    fill(&queue, 0, 60);
    queue.run_background();
    memory.process_kill()
}

/// Opens a follower and reads to the end, again and again from where an error left it.
fn read_through(faulty: &FaultyDirectory, start: Start, errors: &mut u64) -> Seen {
    let mut opened = None;
    while opened.is_none() {
        match Follower::open_on(Arc::new(faulty.clone()), start) {
            Ok(follower) => opened = Some(follower),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Io, "{error}");
                *errors += 1;
            }
        }
    }
    let mut follower = opened.expect("just opened");
    let mut seen = Seen::from(follower.next_sequence().get());
    loop {
        match seen.take(&mut follower, 4) {
            Ok(0) => return seen,
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Io, "{error}");
                *errors += 1;
            }
        }
    }
}

#[test]
fn a_call_that_fails_is_an_error_and_costs_no_record() {
    let memory = scene();
    for start in [Start::First, Start::At(at(37)), Start::End] {
        let mut calls = 1;
        let mut nth = 1;
        while nth <= calls {
            let faulty = FaultyDirectory::new(Arc::new(memory.clone()));
            faulty.plan(Fault::nth_call(nth, Failure::Io));
            let mut errors = 0;
            let seen = read_through(&faulty, start, &mut errors);
            assert_eq!(seen.next(), 60, "{start:?}, call {nth}");
            assert!(seen.gaps.is_empty());
            seen.assert_of_life(0);
            // An index that cannot be read is done without.
            assert!(errors <= faulty.failures());
            calls = faulty.calls();
            nth += 1;
        }
    }
}

#[test]
fn a_follower_opens_lists_reads_and_nothing_else() {
    let memory = scene();
    let before = memory.fingerprint(|_| false);
    let faulty = FaultyDirectory::new(Arc::new(memory.clone()));
    faulty.record();
    for start in [Start::First, Start::At(at(37)), Start::End] {
        read_through(&faulty, start, &mut 0);
    }
    let mut follower = Follower::open_on(Arc::new(faulty.clone()), Start::First).expect("there");
    follower.lag().expect("nothing fails");
    follower.wait(std::time::Duration::ZERO).expect("no error");
    follower.skip_corrupt().expect("nothing fails");
    drop(follower);
    let asked: Vec<_> = faulty.log().into_iter().map(|call| call.kind).collect();
    let harmless = [
        CallKind::Open,
        CallKind::List,
        CallKind::Read,
        CallKind::Length,
    ];
    let other = asked.iter().find(|kind| !harmless.contains(kind));
    assert_eq!(other, None);
    assert_eq!(memory.fingerprint(|_| false), before);
}

#[test]
fn a_follower_on_an_idle_queue_looks_at_the_state_and_nothing_else() {
    let faulty = FaultyDirectory::new(Arc::new(scene()));
    let mut follower = Follower::open_on(Arc::new(faulty.clone()), Start::First).expect("there");
    Seen::from(0)
        .take_all(&mut follower)
        .expect("nothing fails");
    faulty.record();
    for _ in 0..10 {
        assert!(follower.next().expect("nothing fails").is_none());
    }
    let log = faulty.log();
    assert!(log.iter().all(|call| call.name == "STATE"), "{log:?}");
    assert_eq!(log.len(), 30);
}

#[test]
fn a_follower_crosses_into_the_next_segment_without_looking_through_the_folder() {
    let memory = MemoryDirectory::new();
    let queue = open(still(1, SyncPolicy::Always), &Stage::new(&memory));
    fill(&queue, 0, 1);
    let faulty = FaultyDirectory::new(Arc::new(memory));
    let mut follower = Follower::open_on(Arc::new(faulty.clone()), Start::First).expect("there");
    let mut seen = Seen::from(0);
    seen.take_all(&mut follower).expect("nothing fails");
    faulty.record();
    for _ in 0..100 {
        fill(&queue, 0, 1);
        seen.take_all(&mut follower).expect("nothing fails");
    }
    assert_eq!(seen.next(), 101);
    let log = faulty.log();
    assert!(
        log.iter().all(|call| call.kind != CallKind::List),
        "{log:?}"
    );
}

/// The bytes of `STATE` with the slot of the higher generation cut short after `bytes`.
fn half_written(memory: &MemoryDirectory, bytes: usize) -> Vec<u8> {
    let mut state = memory.file_bytes("STATE").expect("it is there");
    let generation = |at: usize| u64::from_le_bytes(*state[at + 16..].first_chunk().expect("8"));
    let newest = if generation(0) > generation(4096) {
        0
    } else {
        4096
    };
    state[newest + bytes..newest + 164].fill(0xa5);
    state
}

#[test]
fn a_state_caught_half_written_is_read_again_and_never_an_older_log() {
    for bytes in 0..164 {
        let memory = MemoryDirectory::new();
        let queue = open(still(1, SyncPolicy::Always), &Stage::new(&memory));
        let reader = Stage::read_only(&memory);
        let mut follower = follow(&reader);
        let mut seen = Seen::from(0);
        fill(&queue, 0, 20);
        seen.take_all(&mut follower).expect("nothing fails");
        fill(&queue, 0, 5);
        let whole = memory.file_bytes("STATE").expect("it is there");
        memory.put_file("STATE", &half_written(&memory, bytes));
        // As long as it is so, there is nothing new.
        seen.take_all(&mut follower).expect("no older log");
        assert_eq!(seen.next(), 20, "{bytes}");
        // It becomes whole between two looks of one call.
        let later = memory.clone();
        reader.hook(move |call| {
            if call == 4 {
                later.put_file("STATE", &whole);
            }
        });
        seen.take_all(&mut follower).expect("nothing fails");
        reader.unhook();
        assert_eq!(seen.next(), 25, "{bytes}");
    }
}

#[test]
fn a_state_without_a_good_slot_is_an_error_until_there_is_one() {
    let memory = scene();
    let whole = memory.file_bytes("STATE").expect("it is there");
    let reader = Stage::read_only(&memory);
    let mut follower = follow(&reader);
    let mut seen = Seen::from(0);
    seen.take_all(&mut follower).expect("nothing fails");
    for broken in [vec![], vec![0xa5; 8192]] {
        memory.put_file("STATE", &broken);
        let error = follower.next().expect_err("there is no state");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    memory.put_file("STATE", &whole);
    assert!(follower.next().expect("it is back").is_none());
}
