//! Verifying: every byte that could be another one, forged history, and queues that change
//! meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay::inspect::{
    Anchor, AnchorOutcome, Finding, Severity, Verification, VerifyOptions, head_on, verify_on,
};
use forebay::storage::memory::MemoryDirectory;
use forebay::{
    CorruptionPolicy, Entry, Integrity, Preallocate, Queue, QueueOptions, Retention, Sequence,
    SyncPolicy,
};

const RECORDS: u64 = 120;
const BLOCK: usize = 4096;

fn segment(number: u64) -> String {
    format!("segments/{number:016}.log")
}

fn options() -> QueueOptions {
    Queue::options()
        .segment_bytes(8192)
        .preallocate(Preallocate::None)
        .sync_policy(SyncPolicy::Manual)
        .retention(Retention::KeepForever)
        .host(Arc::new(super::Still))
}

/// A small queue of several segments, with a batch and a consumer, closed.
fn closed(options: &QueueOptions) -> MemoryDirectory {
    let (memory, queue) = open(options);
    queue.close().expect("a clean close");
    memory
}

/// The same as a kill leaves it.
fn killed() -> MemoryDirectory {
    let (memory, queue) = open(&options());
    queue.sync().expect("a working disk");
    let left = memory.process_kill();
    drop(queue);
    left
}

fn open(options: &QueueOptions) -> (MemoryDirectory, Queue) {
    let memory = MemoryDirectory::new();
    let queue = options.clone().open_on(Arc::new(memory.clone()));
    let queue = queue.expect("a new queue");
    let first: Vec<Vec<u8>> = (0..4).map(payload).collect();
    queue.enqueue_batch(&first).expect("room");
    for number in 4..RECORDS {
        let bytes = payload(number);
        let entry = Entry::new(&bytes);
        queue.enqueue(entry).expect("room");
        if number % 7 == 0 {
            queue.sync().expect("a working disk");
        }
    }
    let mut consumer = queue.consumer("ship").expect("a free consumer");
    let last = Sequence::new(20);
    consumer.ack_through(last).expect("a durable record");
    drop(consumer);
    queue.run_background();
    (memory, queue)
}

fn payload(number: u64) -> Vec<u8> {
    format!("record {number:x}").into_bytes()
}

fn verify_all(memory: &MemoryDirectory) -> Verification {
    let thorough = VerifyOptions::new().chain(true).jobs(1);
    verify_on(memory, &thorough, &|_| {}).expect("a queue")
}

/// What a program is given by the queue, and where its consumer stands.
fn contents(memory: &MemoryDirectory) -> (BTreeMap<u64, Vec<u8>>, Option<u64>) {
    let queue = options()
        .corruption_policy(CorruptionPolicy::Quarantine)
        .open_on(Arc::new(memory.copy()))
        .expect("a queue that opens");
    let ship = queue.consumer("ship").ok();
    let ship = ship.map(|consumer| consumer.next_sequence().get());
    let mut all = queue.consumer("all").expect("a free consumer");
    let mut found = BTreeMap::new();
    all.drain(|record| {
        found.insert(record.sequence.get(), record.payload.to_vec());
        Ok::<_, ()>(())
    })
    .expect("damage is passed over");
    (found, ship)
}

/// The records that are told as lost.
fn lost(findings: &[Finding]) -> Vec<u64> {
    let lost = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Loss);
    lost.flat_map(|finding| finding.range.start.get()..finding.range.end.get())
        .collect()
}

/// Whether verifying says anything of the queue but that it is closed and whole.
fn is_told(found: &Verification) -> bool {
    let quiet = found
        .opening
        .as_ref()
        .is_ok_and(|opening| opening.torn.is_none() && opening.clean);
    !found.findings.is_empty() || !quiet
}

#[test]
fn every_flipped_byte_is_told_with_what_it_costs_or_costs_nothing() {
    let whole = closed(&options());
    let (records, ship) = contents(&whole);
    assert_eq!(records.len() as u64, RECORDS);
    assert!(!is_told(&verify_all(&whole)), "{:?}", verify_all(&whole));
    let (mut told, mut harmless) = (0, 0);
    for name in whole.names() {
        let bytes = whole.file_bytes(&name).unwrap_or_default();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            let damaged = whole.copy();
            damaged.put_file(&name, &flipped);
            let found = verify_all(&damaged);
            if is_told(&found) {
                told += 1;
            } else {
                harmless += 1;
            }
            // Without its identity no program is given anything.
            if name == "QUEUE" {
                assert!(is_told(&found), "byte {at} of {name}");
                continue;
            }
            // Most bytes are zeros that nobody reads: one in a few of them is looked at.
            if !is_told(&found) && at % 64 != 0 {
                continue;
            }
            let (left, place) = contents(&damaged);
            // With one slot gone the other one counts, which is no later than the first.
            let of_cursor = |finding: &Finding| finding.file.ends_with("ship.cursor");
            let place_told = place <= ship && found.findings.iter().any(of_cursor);
            assert!(
                place == ship || place_told,
                "byte {at} of {name}: {found:#?}"
            );
            let gone: Vec<u64> = records
                .keys()
                .copied()
                .filter(|number| left.get(number) != records.get(number))
                .collect();
            assert_eq!(
                lost(&found.findings),
                gone,
                "byte {at} of {name}: {found:#?}"
            );
        }
    }
    assert!(
        told > 5000 && harmless > 5000,
        "{told} told, {harmless} harmless"
    );
}

/// Where the log was not closed, what a flip leaves unproven is torn, and told by opening; all that
/// is below the watermark is told as lost.
#[test]
fn after_a_kill_a_flip_costs_what_is_told_or_what_opening_calls_torn() {
    let whole = killed();
    let (records, _) = contents(&whole);
    assert_eq!(records.len() as u64, RECORDS);
    assert!(verify_all(&whole).findings.is_empty());
    for name in whole.names() {
        let bytes = whole.file_bytes(&name).unwrap_or_default();
        for at in (0..bytes.len()).step_by(7).filter(|_| name != "QUEUE") {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            let damaged = whole.copy();
            damaged.put_file(&name, &flipped);
            let found = verify_all(&damaged);
            let (left, _) = contents(&damaged);
            let gone: Vec<u64> = records
                .keys()
                .copied()
                .filter(|number| left.get(number) != records.get(number))
                .collect();
            let durable = gone
                .iter()
                .copied()
                .filter(|number| *number < found.durable.get());
            assert_eq!(
                lost(&found.findings),
                durable.collect::<Vec<_>>(),
                "byte {at} of {name}: {found:#?}"
            );
            let opening = found.opening.as_ref().expect("a queue that opens");
            assert!(
                gone.iter().all(|number| *number < found.durable.get()) || opening.torn.is_some(),
                "byte {at} of {name}: {found:#?}"
            );
        }
    }
}

#[test]
fn a_bad_cache_and_a_bad_spare_slot_are_minor() {
    let whole = closed(&options());
    let state = whole.file_bytes("STATE").expect("a state");
    let generation = |at: usize| u64::from_le_bytes(*state[at..].first_chunk().expect("a slot"));
    let spare = if generation(16) < generation(BLOCK + 16) {
        0
    } else {
        BLOCK
    };
    for (name, at) in [
        ("segments/0000000000000001.idx", 130),
        ("STATE", spare + 40),
    ] {
        let damaged = whole.copy();
        let mut bytes = whole.file_bytes(name).expect("a file");
        bytes[at] ^= 1;
        damaged.put_file(name, &bytes);
        let found = verify_all(&damaged);
        assert_eq!(found.worst(), Some(Severity::Minor), "{name}: {found:#?}");
        assert!(found.is_sound());
        assert!(found.findings[0].file.ends_with(name));
    }
}

#[test]
fn a_file_that_ends_early_loses_exactly_what_it_had_behind_that() {
    let whole = closed(&options());
    let (records, _) = contents(&whole);
    for number in 1..=2 {
        let name = segment(number);
        let bytes = whole.file_bytes(&name).expect("a segment");
        for length in (0..bytes.len()).step_by(97) {
            let damaged = whole.copy();
            damaged.put_file(&name, &bytes[..length]);
            let found = verify_all(&damaged);
            let (left, _) = contents(&damaged);
            let gone: Vec<u64> = records
                .keys()
                .copied()
                .filter(|number| !left.contains_key(number))
                .collect();
            assert_eq!(
                lost(&found.findings),
                gone,
                "{name} cut at {length}: {found:#?}"
            );
            assert!(!found.is_sound(), "{name} cut at {length}");
        }
    }
}

#[test]
fn where_no_slot_is_left_a_slot_is_what_was_expected_also_in_the_one_never_written() {
    let whole = closed(&options());
    for name in ["STATE", "cursors/ship.cursor"] {
        let damaged = whole.copy();
        damaged.put_file(name, &[0; 2 * BLOCK]);
        let found = verify_all(&damaged).findings;
        let told = found.iter().filter(|found| found.file.ends_with(name));
        let told: Vec<_> = told
            .map(|found| (found.offset.get(), &*found.expected, &*found.found))
            .collect();
        let expected = [(0, "a slot", "zeros"), (4096, "a slot", "zeros")];
        assert_eq!(told, expected, "{name}");
    }
}

mod anchors;
mod claims;
mod forged;
mod meanwhile;
