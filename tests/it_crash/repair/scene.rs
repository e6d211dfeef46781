//! Queues that are damaged in every way that a repair knows, and what of them cannot be read.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use forebay::inspect::{Finding, Severity, VerifyOptions, verify_on};
use forebay::repair::{self, RepairReport};
use forebay::storage::Directory;
use forebay::storage::memory::MemoryDirectory;
use forebay::{
    CorruptionPolicy, Integrity, Preallocate, Queue, QueueOptions, Retention, Sequence, SyncPolicy,
};

use crate::golden::still_host;
use crate::support::{edit, kill, options, ranges, segments, try_open};

pub(crate) const RECORDS: u64 = 150;
/// What the consumer `half` has acknowledged.
pub(crate) const ACKED: u64 = 20;
pub(crate) const BLOCK: usize = 4096;

const SNAPSHOT: &str = "snapshots/state.snapshot";

/// A way to damage a queue.
pub(crate) type Damage = fn(&MemoryDirectory);

/// All of them, by name.
pub(crate) const DAMAGES: &[(&str, Damage)] = &[
    ("nothing", |_| ()),
    ("a flipped bit", |memory| flip(memory, 2, 6000)),
    ("two flipped bits", |memory| {
        flip(memory, 2, 5000);
        flip(memory, 2, 9000);
    }),
    ("a page of zeros", |memory| zero(memory, 3, 8192..12288)),
    ("the first page of frames", |memory| {
        zero(memory, 3, 4096..8192);
    }),
    ("all frames", |memory| zero(memory, 3, 4096..1 << 20)),
    ("a missing segment", |memory| memory.forget(2)),
    ("two missing segments", |memory| {
        memory.forget(2);
        memory.forget(3);
    }),
    ("the first segment missing", |memory| memory.forget(1)),
    ("the first two segments missing", |memory| {
        memory.forget(1);
        memory.forget(2);
    }),
    ("the first two headers", |memory| {
        zero(memory, 1, 0..BLOCK);
        zero(memory, 2, 0..BLOCK);
    }),
    ("the last segment missing", |memory| {
        memory.forget(last(memory));
    }),
    ("two swapped segments", |memory| permute(memory, &[2, 3])),
    ("three permuted segments", |memory| {
        permute(memory, &[2, 4, 3]);
    }),
    ("swapped with the last", |memory| {
        permute(memory, &[2, last(memory)]);
    }),
    ("one under a missing one's name", |memory| {
        let bytes = memory.file_bytes(&name(3)).expect("it is there");
        memory.forget(3);
        memory.put_file(&name(2), &bytes);
    }),
    ("a header", |memory| zero(memory, 2, 0..BLOCK)),
    ("two headers", |memory| {
        zero(memory, 2, 0..BLOCK);
        zero(memory, 3, 0..BLOCK);
    }),
    ("the last header", |memory| {
        zero(memory, last(memory), 0..BLOCK);
    }),
    ("a start frame", |memory| flip(memory, 2, BLOCK + 30)),
    ("the first start frame", |memory| {
        flip(memory, 1, BLOCK + 30);
    }),
    ("the last start frame", |memory| {
        flip(memory, last(memory), BLOCK + 30);
    }),
    ("the last frame of a segment", |memory| {
        let place = footer(memory, 2) - 20;
        flip(memory, 2, place);
    }),
    ("a footer", |memory| {
        let place = footer(memory, 2) + 20;
        flip(memory, 2, place);
    }),
    ("the end of a segment", |memory| {
        let place = footer(memory, 2);
        zero(memory, 2, place - 700..place + 200);
    }),
    ("a segment cut short", |memory| {
        edit(memory, &name(2), |bytes| bytes.truncate(9000));
    }),
    ("cut inside a batch, and the next one missing", |memory| {
        cut_in_batch(memory, 2);
        memory.forget(3);
    }),
    (
        "cut inside a batch, and no header in the next one",
        |memory| {
            cut_in_batch(memory, 2);
            zero(memory, 3, 0..BLOCK);
        },
    ),
    ("STATE missing", |memory| {
        use forebay::storage::Directory;
        memory.remove("STATE").expect("memory works");
        memory.sync("").expect("memory works");
    }),
    ("a missing segment behind a damaged one", |memory| {
        let place = footer(memory, 2);
        zero(memory, 2, place - 700..place + 200);
        memory.forget(3);
    }),
    ("a bit in the last segment", |memory| {
        flip(memory, last(memory), 4096 + 500);
    }),
    ("both slots of STATE", |memory| slots(memory, "STATE")),
    ("STATE and a record", |memory| {
        slots(memory, "STATE");
        flip(memory, 2, 6000);
    }),
    ("a cursor", |memory| slots(memory, "cursors/half.cursor")),
    ("a snapshot of another queue", |memory| {
        let (other, queue) = another();
        memory.put_file(SNAPSHOT, &published(&other, &queue, "state"));
    }),
    ("a snapshot of another name", |memory| {
        let copy = memory.copy();
        let queue = reopened(&copy);
        memory.put_file(SNAPSHOT, &published(&copy, &queue, "other"));
    }),
    ("a snapshot of a log that went on", |memory| {
        let later = memory.copy();
        let queue = reopened(&later);
        queue.enqueue(payload(RECORDS)).expect("room");
        memory.put_file(SNAPSHOT, &published(&later, &queue, "state"));
    }),
    ("QUEUE missing", |memory| {
        memory.remove("QUEUE").expect("memory works");
        memory.sync("").expect("memory works");
    }),
    ("QUEUE", |memory| {
        edit(memory, "QUEUE", |bytes| bytes[20] ^= 1);
    }),
    ("a segment of another queue", |memory| foreign(memory, 2)),
    ("one of another queue behind the last", |memory| {
        foreign(memory, last(memory) + 1);
    }),
    ("much of all", |memory| {
        edit(memory, "QUEUE", |bytes| bytes[20] ^= 1);
        slots(memory, "cursors/half.cursor");
        permute(memory, &[2, 4]);
        flip(memory, 2, 6000);
        zero(memory, 3, 0..BLOCK);
    }),
];

fn reopened(memory: &MemoryDirectory) -> Queue {
    let queue = try_open(memory, scene_options(CorruptionPolicy::RefuseRead));
    queue.expect("it opens")
}

/// The file of a snapshot of all that `queue` holds.
fn published(memory: &MemoryDirectory, queue: &Queue, name: &str) -> Vec<u8> {
    let store = queue.snapshots(name).expect("a good name");
    let mut draft = store.begin().expect("memory works");
    draft.put(b"state").expect("memory works");
    draft.finish(queue.next()).expect("it is in the log");
    let bytes = memory.file_bytes(&format!("snapshots/{name}.snapshot"));
    bytes.expect("it is there")
}

pub(crate) trait Forget {
    fn forget(&self, number: u64);
}

impl Forget for MemoryDirectory {
    fn forget(&self, number: u64) {
        self.remove(&name(number)).expect("memory works");
        self.sync("segments").expect("memory works");
    }
}

pub(crate) fn name(number: u64) -> String {
    format!("segments/{number:016}.log")
}

pub(crate) fn last(memory: &MemoryDirectory) -> u64 {
    segments(memory).len() as u64
}

pub(crate) fn flip(memory: &MemoryDirectory, number: u64, at: usize) {
    edit(memory, &name(number), |bytes| bytes[at] ^= 0x10);
}

pub(crate) fn zero(memory: &MemoryDirectory, number: u64, range: Range<usize>) {
    edit(memory, &name(number), |bytes| {
        let end = range.end.min(bytes.len());
        bytes[range.start..end].fill(0);
    });
}

/// Cuts a segment inside the record after the first one of its last batch.
fn cut_in_batch(memory: &MemoryDirectory, number: u64) {
    edit(memory, &name(number), |bytes| {
        let frames = frames(bytes);
        let first = frames
            .windows(2)
            .rfind(|pair| goes_on(bytes, &pair[1]) && !goes_on(bytes, &pair[0]));
        let cut = first.expect("a batch")[1].0.end + 26;
        bytes.truncate(cut);
    });
}

/// Whether more records of the same batch follow the frame.
fn goes_on(bytes: &[u8], (range, _): &(Range<usize>, Option<u64>)) -> bool {
    bytes[range.start + 14] & 2 != 0
}

fn slots(memory: &MemoryDirectory, file: &str) {
    edit(memory, file, |bytes| {
        bytes[40] ^= 1;
        bytes[BLOCK + 40] ^= 1;
    });
}

/// Gives each of the files the bytes of the next one.
fn permute(memory: &MemoryDirectory, numbers: &[u64]) {
    let read = |number: &u64| memory.file_bytes(&name(*number)).expect("it is there");
    let mut bytes: Vec<_> = numbers.iter().map(read).collect();
    bytes.rotate_left(1);
    for (number, bytes) in numbers.iter().zip(bytes) {
        memory.put_file(&name(*number), &bytes);
    }
}

fn foreign(memory: &MemoryDirectory, number: u64) {
    let (other, _queue) = another();
    let bytes = other.file_bytes(&name(2)).expect("it is there");
    memory.put_file(&name(number), &bytes);
}

/// The queue of a machine that draws other numbers.
fn another() -> (MemoryDirectory, Queue) {
    let other = MemoryDirectory::new();
    let options = options(SyncPolicy::Manual).preallocate(Preallocate::None);
    let queue = fill(&other, options.segment_bytes(16384));
    (other, queue)
}

/// Where the footer of a segment stands.
pub(crate) fn footer(memory: &MemoryDirectory, number: u64) -> usize {
    let bytes = memory.file_bytes(&name(number)).expect("it is there");
    let frames = frames(&bytes);
    frames.last().expect("a footer").0.start
}

/// Where the frames of a whole segment stand, and which records they are.
pub(super) fn frames(bytes: &[u8]) -> Vec<(Range<usize>, Option<u64>)> {
    let header = if bytes[56] == 1 { 72 } else { 40 };
    let mut frames = Vec::new();
    let mut start = BLOCK;
    while let Some(front) = bytes.get(start..start + header) {
        if front.iter().all(|byte| *byte == 0) {
            break;
        }
        let length = u32::from_le_bytes(front[8..12].try_into().expect("four bytes"));
        let sequence = u64::from_le_bytes(front[16..24].try_into().expect("eight bytes"));
        let length = usize::try_from(length).expect("a short record");
        let end = start + (header + length).next_multiple_of(8);
        let is_record = front[14] & 8 == 0;
        frames.push((start..end, is_record.then_some(sequence)));
        start = end;
    }
    frames
}

/// What record `number` holds; now and then nothing.
pub(crate) fn payload(number: u64) -> Vec<u8> {
    if number % 7 == 3 {
        return Vec::new();
    }
    let length = usize::try_from(number * 131 % 900).expect("a short record");
    crate::support::payload(number, length)
}

pub(crate) fn scene_options(policy: CorruptionPolicy) -> QueueOptions {
    options(SyncPolicy::Manual)
        .segment_bytes(16384)
        .preallocate(Preallocate::None)
        .retention(Retention::KeepForever)
        .corruption_policy(policy)
        .host(still_host())
}

fn fill(memory: &MemoryDirectory, options: QueueOptions) -> Queue {
    let queue = try_open(memory, options).expect("a new queue");
    for number in 0..RECORDS {
        if number % 10 == 4 && number + 2 < RECORDS {
            // The records of a batch are numbered on.
            let batch = [payload(number), payload(number + 1), payload(number + 2)];
            if queue.next().get() == number {
                queue
                    .enqueue_batch(batch.iter().map(Vec::as_slice))
                    .expect("room");
            }
        } else if queue.next().get() == number {
            queue.enqueue(payload(number)).expect("room");
        }
    }
    queue.sync().expect("memory works");
    let mut consumer = queue.consumer("half").expect("a new consumer");
    consumer
        .ack_through(Sequence::new(ACKED - 1))
        .expect("durable");
    drop(consumer);
    queue.run_background();
    queue
}

/// A queue, closed or killed.
pub(crate) fn make(integrity: Integrity, is_closed: bool) -> MemoryDirectory {
    let memory = MemoryDirectory::new();
    let options = scene_options(CorruptionPolicy::RefuseRead).integrity(integrity);
    let queue = fill(&memory, options);
    if is_closed {
        queue.close().expect("nothing fails");
        return memory;
    }
    kill(&memory, queue)
}

/// The records of `whole` whose bytes are not there any more in `damaged`, under whatever name.
pub(crate) fn lost(whole: &MemoryDirectory, damaged: &MemoryDirectory) -> BTreeSet<u64> {
    let mut lost = BTreeSet::new();
    for segment in segments(whole) {
        let bytes = whole.file_bytes(&segment).expect("it is there");
        let files = damaged.names().into_iter();
        let files = files.filter_map(|name| damaged.file_bytes(&name));
        let own = files
            .into_iter()
            .find(|file| file.get(..68) == bytes.get(..68));
        for (range, record) in frames(&bytes) {
            let is_there = own
                .as_ref()
                .is_some_and(|own| own.get(range.clone()) == bytes.get(range));
            lost.extend(record.filter(|_| !is_there));
        }
    }
    lost
}

/// What repair says where the chain before the first record of a segment is lost for good.
const UNPROVEN: &str = "nothing proves the chain before its first record";

/// Asserts that the repair `report` has left nothing wrong but a chain of which it said so, and
/// nothing to be repaired.
pub(crate) fn assert_sound_but(memory: &MemoryDirectory, report: &RepairReport, what: &str) {
    let told = verify_on(memory, &VerifyOptions::new().chain(true), &|_| {});
    let told = told.unwrap_or_else(|error| panic!("{what}: {error}"));
    let unproven = report.done.iter();
    let unproven: Vec<_> = unproven
        .filter(|step| step.problem.contains(UNPROVEN))
        .map(|step| &step.file)
        .collect();
    let is_told = |finding: &&Finding| {
        let mut told = unproven.iter();
        let is_chain = finding.severity == Severity::Tampering;
        is_chain && told.any(|file| finding.file.ends_with(file))
    };
    let wrong = told.findings.iter().filter(|finding| !is_told(finding));
    assert_eq!(wrong.collect::<Vec<_>>(), [] as [&Finding; 0], "{what}");
    let again = repair::plan_on(memory).expect("it can be planned again");
    assert!(again.is_empty(), "{what}: {again:#?}");
}

/// Asserts that a repair has left nothing wrong but lost indexes, and nothing to be repaired.
pub(crate) fn assert_sound(memory: &MemoryDirectory, what: &str) {
    let told = verify_on(memory, &VerifyOptions::new().chain(true), &|_| {});
    let told = told.unwrap_or_else(|error| panic!("{what}: {error}"));
    let is_index = |finding: &&Finding| finding.file.extension() == Some("idx".as_ref());
    let wrong = told.findings.iter().filter(|finding| !is_index(finding));
    assert_eq!(wrong.collect::<Vec<_>>(), [] as [&Finding; 0], "{what}");
    let again = repair::plan_on(memory).expect("it can be planned again");
    assert!(again.is_empty(), "{what}: {again:#?}");
}

/// Asserts that the queue opens as an undamaged one, and gives all that is not `lost`, with gaps
/// for just that.
pub(crate) fn assert_whole(memory: &MemoryDirectory, lost: &BTreeSet<u64>, what: &str) {
    assert_whole_on(Arc::new(memory.clone()), lost, what);
}

/// The same on any storage.
pub(crate) fn assert_whole_on(storage: Arc<dyn Directory>, lost: &BTreeSet<u64>, what: &str) {
    let queue = scene_options(CorruptionPolicy::RefuseOpen).open_on(storage);
    let queue = queue.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(queue.recovery().corruption.is_empty(), "{what}");
    assert_eq!(
        queue.next().get(),
        RECORDS,
        "{what}: {:?}",
        queue.recovery()
    );
    let mut consumer = queue.consumer("all of it").expect("a new consumer");
    let records = crate::support::drain(&mut consumer);
    let records = records.unwrap_or_else(|error| panic!("{what}: {error}"));
    let expected: Vec<u64> = (0..RECORDS)
        .filter(|number| !lost.contains(number))
        .collect();
    let sequences: Vec<u64> = records.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(sequences, expected, "{what}");
    for (sequence, bytes) in records {
        assert!(bytes == payload(sequence), "{what}: {sequence} is another");
    }
    let gaps = ranges(&consumer.take_gaps()).into_iter().flatten();
    assert_eq!(gaps.collect::<BTreeSet<_>>(), *lost, "{what}");
    drop(consumer);
    queue.close().expect("nothing fails");
}
