//! Queues on disk, the same bytes each time they are made, and the damage that is done to them.
//!
//! Each has [`RECORDS`] records of several lengths and kinds in several segments, and two consumers
//! at different places. They are made in the folder of a test, in `q`.

mod damage;
mod making;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub(crate) use damage::{
    cursor_gone, foreign_beside, header_gone, identity_gone, missing_segment, mixed_queues,
    one_flip, state_gone, swapped_files, torn_tail, zeroed_page,
};
pub(crate) use making::{copy, killed, kind, payload, whole};
pub(crate) use reading::{drained, files, frames, records, segment, segments};

/// How many records every scene was given.
pub(crate) const RECORDS: u64 = 200;
/// The next record for each consumer.
pub(crate) const CURSORS: [(&str, u64); 2] = [("audit", 20), ("ship", 120)];
/// The queue's name in the folder of its scene.
pub(crate) const QUEUE: &str = "q";
/// The segment that most damage is done to: a settled one in the middle.
pub(crate) const MIDDLE: u64 = 3;

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
