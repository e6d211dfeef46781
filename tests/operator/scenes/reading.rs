//! What is in a queue, read from its files and by a program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use forebay::{ConsumerOptions, CorruptionPolicy, Queue, Retention};

use super::{BLOCK, HEADER, Scene};

/// The name of a segment's file.
pub(crate) fn segment(number: u64) -> String {
    format!("segments/{number:016}.log")
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
