//! Queues on disk, the same bytes each time they are made, and the damage that is done to them.
//!
//! Each has [`RECORDS`] records of several lengths and kinds in several segments, and two consumers
//! at different places. They are made in the folder of a test, in `q`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay::{
    ConsumerOptions, CorruptionPolicy, Entry, Host, Preallocate, Queue, QueueOptions, Retention,
    Sequence, SyncPolicy,
};
use tempfile::TempDir;

/// How many records every scene was given.
pub(crate) const RECORDS: u64 = 200;
/// The next record for each consumer.
pub(crate) const CURSORS: [(&str, u64); 2] = [("audit", 20), ("ship", 120)];
/// The queue's name in the folder of its scene.
pub(crate) const QUEUE: &str = "q";
/// The segment that most damage is done to: a settled one in the middle.
pub(crate) const MIDDLE: u64 = 3;

const SEGMENT_BYTES: u64 = 16 << 10;
const BLOCK: usize = 4096;
/// Header of a frame, with its hash.
const HEADER: usize = 72;

/// How a scene is made.
pub(crate) type Make = fn() -> Scene;

/// Every scene, by name.
pub(crate) const ALL: [(&str, Make); 13] = [
    ("whole", whole),
    ("killed", killed),
    ("one_flip", one_flip),
    ("zeroed_page", zeroed_page),
    ("missing_segment", missing_segment),
    ("swapped_files", swapped_files),
    ("torn_tail", torn_tail),
    ("mixed_queues", mixed_queues),
    ("foreign_beside", foreign_beside),
    ("state_gone", state_gone),
    ("header_gone", header_gone),
    ("cursor_gone", cursor_gone),
    ("identity_gone", identity_gone),
];

/// A queue on disk, and what was done to it.
#[derive(Debug)]
pub(crate) struct Scene {
    folder: TempDir,
    /// The sequences of the records whose bytes are gone or changed; all others are as they were.
    pub(crate) damaged: BTreeSet<u64>,
}

impl Scene {
    /// The folder that commands run in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The queue's directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(QUEUE)
    }

    /// The file `name` of the queue.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The records that must be left, with their sequences.
    pub(crate) fn undamaged(&self) -> BTreeMap<u64, Vec<u8>> {
        (0..RECORDS)
            .filter(|number| !self.damaged.contains(number))
            .map(|number| (number, payload(number)))
            .collect()
    }

    /// Changes the bytes of the file `name`.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.file(name);
        let mut bytes = fs::read(&path).expect("a file of the queue");
        change(&mut bytes);
        fs::write(path, bytes).expect("a writable file");
    }
}

/// What record `number` holds: text, or now and then bytes that are none, or nothing.
pub(crate) fn payload(number: u64) -> Vec<u8> {
    match number % 20 {
        7 => Vec::new(),
        13 => (0..=255).collect(),
        rest => {
            let filler = "lorem ipsum dolor sit amet ";
            let copies = usize::try_from(rest * 7 % 20).expect("a small number");
            format!("record {number} {}", filler.repeat(copies)).into_bytes()
        }
    }
}

/// The kind of record `number`.
pub(crate) fn kind(number: u64) -> u16 {
    u16::try_from(number % 3).expect("a small number")
}

/// The name of a segment's file.
pub(crate) fn segment(number: u64) -> String {
    format!("segments/{number:016}.log")
}

/// A machine whose clock moves on by a millisecond each time it is read, and whose random numbers
/// follow from its seed.
#[derive(Debug)]
struct Machine {
    clock: AtomicU64,
    random: AtomicU64,
}

impl Machine {
    fn new(seed: u64) -> Self {
        Self {
            clock: AtomicU64::new(1_700_000_000_000 + seed * 1_000_000),
            random: AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        }
    }
}

impl Host for Machine {
    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed) * 1_000_000
    }

    fn random(&self) -> u64 {
        let mut mixed = self
            .random
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn process(&self) -> u32 {
        1
    }

    /// The same each time: nothing happens in the background.
    fn has_threads(&self) -> bool {
        false
    }
}

fn options(seed: u64) -> QueueOptions {
    QueueOptions::new()
        .segment_bytes(SEGMENT_BYTES)
        .preallocate(Preallocate::None)
        .sync_policy(SyncPolicy::Manual)
        .retention(Retention::KeepForever)
        .host(Arc::new(Machine::new(seed)))
}

/// A queue in the making, with all its records.
fn filled(path: &Path, seed: u64) -> Queue {
    let queue = options(seed).open(path).expect("a new queue");
    for number in 0..RECORDS {
        let bytes = payload(number);
        let entry = Entry::new(&bytes).kind(kind(number));
        queue.enqueue(entry).expect("room");
        if number % 10 == 9 {
            queue.sync().expect("a working disk");
        }
    }
    for (name, next) in CURSORS {
        let mut consumer = queue.consumer(name).expect("a new consumer");
        let last = Sequence::new(next - 1);
        consumer.ack_through(last).expect("durable records");
    }
    queue.run_background();
    queue
}

/// Closed as it should be; nothing is wrong with it.
pub(crate) fn whole() -> Scene {
    closed(1)
}

fn closed(seed: u64) -> Scene {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = filled(&folder.path().join(QUEUE), seed);
    queue.close().expect("a clean close");
    Scene {
        folder,
        damaged: BTreeSet::new(),
    }
}

/// Its program was killed; nothing is lost by that.
pub(crate) fn killed() -> Scene {
    let (made, folder) = (tempfile::tempdir(), tempfile::tempdir());
    let (made, folder) = (made.expect("a folder"), folder.expect("a folder"));
    let queue = filled(&made.path().join(QUEUE), 1);
    copy(&made.path().join(QUEUE), &folder.path().join(QUEUE));
    drop(queue);
    Scene {
        folder,
        damaged: BTreeSet::new(),
    }
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("room for a copy");
        }
    }
}

/// One bit of one record is another, in a settled segment.
pub(crate) fn one_flip() -> Scene {
    let mut scene = whole();
    let frames = frames(&scene, MIDDLE);
    let frame = frames
        .iter()
        .skip(frames.len() / 2)
        .find(|frame| frame.record.is_some() && frame.end - frame.start > HEADER + 100);
    let frame = frame.expect("a long record");
    let at = frame.start + HEADER + 50;
    scene.change(&segment(MIDDLE), |bytes| bytes[at] ^= 0x10);
    scene.damaged.extend(frame.record);
    scene
}

/// A page in the middle of a settled segment was never written, or lost.
pub(crate) fn zeroed_page() -> Scene {
    let mut scene = whole();
    let page = 2 * BLOCK..3 * BLOCK;
    let hit: Vec<_> = frames(&scene, MIDDLE)
        .into_iter()
        .filter(|frame| frame.start < page.end && frame.end > page.start)
        .collect();
    scene
        .damaged
        .extend(hit.iter().filter_map(|hit| hit.record));
    scene.change(&segment(MIDDLE), |bytes| bytes[page].fill(0));
    scene
}

/// The file of a settled segment is not there.
pub(crate) fn missing_segment() -> Scene {
    let mut scene = whole();
    scene.damaged = records(&scene, MIDDLE);
    fs::remove_file(scene.file(&segment(MIDDLE))).expect("a segment");
    scene
}

/// The files of two settled segments have each other's names. The records are there, but not where
/// they are looked for: they count as damaged, which salvage may do better than.
pub(crate) fn swapped_files() -> Scene {
    let mut scene = whole();
    let (one, other) = (segment(MIDDLE - 1), segment(MIDDLE));
    scene.damaged = records(&scene, MIDDLE - 1);
    scene.damaged.append(&mut records(&scene, MIDDLE));
    let read = |name: &str| fs::read(scene.file(name)).expect("a segment");
    let (first, second) = (read(&one), read(&other));
    fs::write(scene.file(&one), second).expect("a writable file");
    fs::write(scene.file(&other), first).expect("a writable file");
    scene
}

/// Its program was killed in the middle of a write: what follows the log's end is no frame.
pub(crate) fn torn_tail() -> Scene {
    let scene = killed();
    // The last file may be a segment made ahead of need, which has no frame.
    let numbers = segments(&scene).into_iter().rev();
    let mut ends = numbers.filter_map(|number| Some((number, frames(&scene, number).last()?.end)));
    let (last, end) = ends.next().expect("an active segment");
    scene.change(&segment(last), |bytes| {
        bytes.truncate(end);
        bytes.extend((0..100_u8).map(|number| number.wrapping_mul(37) | 1));
    });
    scene
}

/// A settled segment was replaced by that of another queue.
pub(crate) fn mixed_queues() -> Scene {
    let mut scene = whole();
    scene.damaged = records(&scene, MIDDLE);
    fs::write(scene.file(&segment(MIDDLE)), foreign_segment(MIDDLE)).expect("a writable file");
    scene
}

/// A segment of another queue lies behind the last one.
pub(crate) fn foreign_beside() -> Scene {
    let scene = whole();
    let number = segments(&scene).last().expect("a segment") + 1;
    fs::write(scene.file(&segment(number)), foreign_segment(MIDDLE)).expect("room");
    scene
}

fn foreign_segment(number: u64) -> Vec<u8> {
    let other = closed(2);
    fs::read(other.file(&segment(number))).expect("a segment of the other queue")
}

/// Both slots of STATE are damaged, and the program was killed.
pub(crate) fn state_gone() -> Scene {
    let scene = killed();
    scene.change("STATE", |bytes| damage_slots(bytes));
    scene
}

/// The first block of a settled segment is zeros.
pub(crate) fn header_gone() -> Scene {
    let mut scene = whole();
    scene.damaged = records(&scene, MIDDLE);
    scene.change(&segment(MIDDLE), |bytes| bytes[..BLOCK].fill(0));
    scene
}

/// Both slots of a consumer's cursor are damaged.
pub(crate) fn cursor_gone() -> Scene {
    let scene = whole();
    scene.change("cursors/ship.cursor", |bytes| damage_slots(bytes));
    scene
}

/// The file that says which queue this is has gone.
pub(crate) fn identity_gone() -> Scene {
    let scene = whole();
    fs::remove_file(scene.file("QUEUE")).expect("an identity");
    scene
}

fn damage_slots(bytes: &mut [u8]) {
    for slot in [0, BLOCK] {
        bytes[slot + 40] ^= 0x10;
    }
}

/// The numbers of the segments, in order.
pub(crate) fn segments(scene: &Scene) -> Vec<u64> {
    let folder = fs::read_dir(scene.file("segments")).expect("a queue");
    let mut numbers: Vec<u64> = folder
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".log")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// The records in a segment.
pub(crate) fn records(scene: &Scene, number: u64) -> BTreeSet<u64> {
    let frames = frames(scene, number);
    frames.iter().filter_map(|frame| frame.record).collect()
}

/// A frame in a segment that is whole.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The sequence of its record; `None` in a control frame.
    pub(crate) record: Option<u64>,
}

/// The frames of a segment that is whole, read by their lengths alone.
pub(crate) fn frames(scene: &Scene, number: u64) -> Vec<Frame> {
    let bytes = fs::read(scene.file(&segment(number))).expect("a segment");
    let mut frames = Vec::new();
    let mut start = BLOCK;
    while let Some(header) = bytes.get(start..start + HEADER) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        let field = |at| u32::from_le_bytes(*header[at..].first_chunk().expect("a header"));
        let length = usize::try_from(field(8)).expect("a short record");
        let sequence = u64::from_le_bytes(*header[16..].first_chunk().expect("a header"));
        let is_control = header[14] & 8 != 0;
        let end = start + (HEADER + length).next_multiple_of(8);
        frames.push(Frame {
            start,
            end,
            record: (!is_control).then_some(sequence),
        });
        start = end;
    }
    frames
}

/// Every file below `folder` with its bytes.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).expect("a readable file");
            found.insert(path, bytes);
        }
    }
    found
}

/// What a new consumer is given by a program that passes over damage.
pub(crate) fn drained(path: &Path) -> BTreeMap<u64, Vec<u8>> {
    let queue = Queue::options()
        .open_existing()
        .retention(Retention::KeepForever)
        .corruption_policy(CorruptionPolicy::Quarantine)
        .open(path)
        .expect("a queue that opens");
    let options = ConsumerOptions::new();
    let mut consumer = queue.consumer_with("all", &options).expect("a consumer");
    let mut found = BTreeMap::new();
    consumer
        .drain(|record| {
            found.insert(record.sequence.get(), record.payload.to_vec());
            Ok::<_, ()>(())
        })
        .expect("damage is passed over");
    queue.close().expect("a clean close");
    found
}

#[test]
fn a_scene_is_the_same_each_time() {
    for (name, make) in ALL {
        let (one, other) = (make(), make());
        let relative = |scene: &Scene| {
            let found = files(&scene.path()).into_iter();
            let found = found.map(|(path, bytes)| {
                let path = path.strip_prefix(scene.folder()).expect("inside");
                (path.to_owned(), bytes)
            });
            found.collect::<BTreeMap<_, _>>()
        };
        let (one, other) = (relative(&one), relative(&other));
        assert!(one.keys().eq(other.keys()), "{name}");
        for (path, bytes) in one {
            assert!(bytes == other[&path], "{name}: {} differs", path.display());
        }
    }
}

#[test]
fn a_scene_has_several_segments_and_its_middle_one_is_settled() {
    let scene = whole();
    let numbers = segments(&scene);
    assert!(numbers.len() > 4, "{numbers:?}");
    assert!(numbers.contains(&MIDDLE) && numbers.contains(&(MIDDLE + 2)));
    let found = numbers.iter().flat_map(|number| records(&scene, *number));
    assert!(found.eq(0..RECORDS));
}

/// The scenes know what they damaged: a program that passes over damage is given the rest.
#[test]
fn what_a_scene_leaves_undamaged_can_be_read() {
    for (name, make) in ALL {
        if name == "identity_gone" {
            continue;
        }
        let scene = make();
        let undamaged = scene.undamaged();
        let found = drained(&scene.path());
        assert!(found.keys().eq(undamaged.keys()), "{name}: {found:?}");
        assert!(found == undamaged, "{name}");
    }
}

#[test]
fn damage_hits_as_many_records_as_it_should() {
    let in_middle = records(&whole(), MIDDLE).len();
    let in_both = in_middle + records(&whole(), MIDDLE - 1).len();
    for (make, hit) in [
        (one_flip as Make, 1..2),
        (zeroed_page, 5..in_middle),
        (missing_segment, in_middle..in_middle + 1),
        (swapped_files, in_both..in_both + 1),
        (mixed_queues, in_middle..in_middle + 1),
        (header_gone, in_middle..in_middle + 1),
        (torn_tail, 0..1),
        (state_gone, 0..1),
    ] {
        let damaged = make().damaged;
        assert!(hit.contains(&damaged.len()), "{damaged:?}");
    }
}
