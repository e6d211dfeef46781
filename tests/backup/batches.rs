//! A record of a batch that was durable is damaged: opening, readers, verifying and a backup all
//! tell that record, and none of its neighbours, as lost.

use std::ops::Range;
use std::sync::Arc;

use forebay::backup::backup_on;
use forebay::inspect::{Severity, VerifyOptions, verify_on};
use forebay::storage::memory::MemoryDirectory;
use forebay::{Integrity, Queue, Sequence};

use crate::stage::{open, options};

const BATCH: Range<u64> = 4..9;
const RECORDS: u64 = 12;
const SEGMENT: &str = "segments/0000000000000001.log";

fn payload(number: u64) -> Vec<u8> {
    format!("<record {number}>").into_bytes()
}

/// Records, a batch of five, and more records up to `next`, all durable, as a kill leaves them.
fn killed(integrity: Integrity, next: u64) -> MemoryDirectory {
    let memory = MemoryDirectory::new();
    let options = options(1).integrity(integrity);
    let queue = options.open_on(Arc::new(memory.clone()));
    let queue = queue.expect("a new queue");
    for number in 0..BATCH.start {
        queue.enqueue(payload(number)).expect("room");
    }
    let batch: Vec<Vec<u8>> = BATCH.map(payload).collect();
    queue.enqueue_batch(&batch).expect("room");
    for number in BATCH.end..next {
        queue.enqueue(payload(number)).expect("room");
    }
    queue.sync().expect("a working disk");
    kill(&memory, queue)
}

fn kill(memory: &MemoryDirectory, queue: Queue) -> MemoryDirectory {
    let left = memory.process_kill();
    drop(queue);
    left
}

/// Where the payload of record `number` stands.
fn place_of(bytes: &[u8], number: u64) -> usize {
    let wanted = payload(number);
    let mut windows = bytes.windows(wanted.len());
    let at = windows.position(|window| window == wanted);
    at.expect("the record's bytes")
}

/// Flips a bit in the payload of each record of `numbers`.
fn flip(memory: &MemoryDirectory, numbers: &[u64]) {
    let mut bytes = memory.file_bytes(SEGMENT).expect("the first segment");
    for number in numbers {
        let at = place_of(&bytes, *number);
        bytes[at] ^= 1;
    }
    memory.put_file(SEGMENT, &bytes);
}

fn numbers(ranges: impl IntoIterator<Item = Range<Sequence>>) -> Vec<u64> {
    let ranges = ranges.into_iter();
    ranges
        .flat_map(|range| range.start.get()..range.end.get())
        .collect()
}

fn verified(memory: &MemoryDirectory) -> Vec<u64> {
    let found = verify_on(memory, &VerifyOptions::new().chain(true), &|_| {}).expect("a queue");
    let tampering = Severity::Tampering;
    assert!(
        found.worst() < Some(tampering),
        "no hash is wrong: {:?}",
        found.findings
    );
    numbers(found.findings.into_iter().map(|finding| finding.range))
}

fn backed_up(memory: &MemoryDirectory) -> Vec<u64> {
    let report = backup_on(memory, &MemoryDirectory::new()).expect("a queue");
    numbers(report.damage.into_iter().map(|damage| damage.range))
}

/// What a new consumer of `queue` is given, and what it is told of instead.
fn read(queue: &Queue) -> (Vec<u64>, Vec<u64>) {
    let mut consumer = queue.consumer("whoever reads it all").expect("a consumer");
    let (mut got, mut told) = (Vec::new(), Vec::new());
    loop {
        match consumer.peek() {
            Ok(None) => return (got, numbers(told)),
            Ok(Some(record)) => {
                let sequence = record.sequence;
                assert_eq!(record.payload, payload(sequence.get()));
                got.push(sequence.get());
                consumer.ack_through(sequence).expect("a working disk");
            }
            Err(error) => {
                let corruption = error.corruption().expect("damage, if anything");
                told.push(corruption.range.clone());
                consumer.skip_corrupt().expect("a working disk");
            }
        }
    }
}

/// All who look at the queue in `memory` tell exactly `lost` of `next` records; opening, which does
/// not look at all of them, tells `opened`.
fn assert_told(what: &str, memory: &MemoryDirectory, next: u64, lost: &[u64], opened: &[u64]) {
    assert_eq!(verified(memory), lost, "verifying {what}");
    assert_eq!(backed_up(memory), lost, "a backup of {what}");
    let queue = open(&memory.copy(), 2);
    let corruption = queue.recovery().corruption.iter();
    let told = numbers(corruption.map(|corruption| corruption.range.clone()));
    assert_eq!(told, opened, "opening {what}");
    assert_eq!(queue.next().get(), next, "the end of {what}");
    let whole = (0..next).filter(|number| !lost.contains(number));
    let expected = (whole.collect(), lost.to_vec());
    assert_eq!(read(&queue), expected, "readers of {what}");
}

/// Records of the batch that are damaged, and what that costs: the frame of a record that stands
/// alone between two holes proves nothing.
fn choices() -> Vec<(Vec<u64>, Vec<u64>)> {
    let mut choices: Vec<_> = BATCH.map(|number| (vec![number], vec![number])).collect();
    choices.extend([
        (vec![4, 5], vec![4, 5]),
        (vec![4, 6], vec![4, 5, 6]),
        (vec![5, 8], vec![5, 8]),
        (vec![7, 8], vec![7, 8]),
    ]);
    choices
}

/// The same of the queue as a kill leaves it, when it was opened and closed, and when its log has
/// gone on behind the damage.
fn assert_told_ever_after(what: &str, memory: &MemoryDirectory, next: u64, lost: &[u64]) {
    assert_told(&format!("{what}, killed"), memory, next, lost, lost);
    let closed = memory.copy();
    open(&closed, 3).close().expect("a clean close");
    assert_told(&format!("{what}, closed"), &closed, next, lost, &[]);
    let queue = open(memory, 4);
    for number in next..next + 3 {
        queue.enqueue(payload(number)).expect("room");
    }
    queue.sync().expect("a working disk");
    let memory = kill(memory, queue);
    assert_told(&format!("{what}, gone on"), &memory, next + 3, lost, &[]);
}

#[test]
fn the_damaged_records_of_a_durable_batch_and_no_others_are_told_as_lost() {
    for integrity in [Integrity::Chained, Integrity::Crc32c] {
        // With the batch in the middle, and with nothing behind it.
        for next in [RECORDS, BATCH.end] {
            for (damaged, lost) in choices() {
                let memory = killed(integrity, next);
                flip(&memory, &damaged);
                let what = format!("{integrity:?}, {next} records, damaged {damaged:?}");
                assert_told_ever_after(&what, &memory, next, &lost);
            }
        }
    }
}

#[test]
fn what_a_file_cut_in_a_durable_batch_held_before_the_cut_is_not_told_as_lost() {
    for cut in BATCH {
        let memory = killed(Integrity::Chained, RECORDS);
        let mut bytes = memory.file_bytes(SEGMENT).expect("the first segment");
        bytes.truncate(place_of(&bytes, cut));
        memory.put_file(SEGMENT, &bytes);
        let lost: Vec<u64> = (cut..RECORDS).collect();
        assert_told_ever_after(&format!("cut in {cut}"), &memory, RECORDS, &lost);
    }
}
