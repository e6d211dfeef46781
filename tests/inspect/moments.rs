//! Looks that meet a queue at one moment after another, as beside a writer at work.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use forebay::inspect::{Inspection, inspect_on};
use forebay::storage::memory::MemoryDirectory;
use forebay::storage::{Access, Directory, File, Filesystem, Lock};
use forebay::{ErrorKind, Queue, Result};

/// How often looking looks at most.
const LOOKS_MAX: usize = 8;
const SEGMENT: &str = "segments/0000000000000002.log";
const CURSOR: &str = "cursors/ship.cursor";

/// A queue whose every look meets the next moment; the last one stays.
#[derive(Debug)]
struct Moments {
    moments: Vec<MemoryDirectory>,
    looks: AtomicUsize,
}

impl Moments {
    fn now(&self) -> &MemoryDirectory {
        let look = self.looks.load(Ordering::Relaxed).saturating_sub(1);
        let last = self.moments.last().expect("a moment");
        self.moments.get(look).unwrap_or(last)
    }
}

impl Directory for Moments {
    fn path(&self) -> &Path {
        Path::new("/moments")
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        self.now().open(name, access)
    }

    fn create(&self, _: &str) -> Result<Arc<dyn File>> {
        panic!("looking creates nothing")
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        if folder == "segments" {
            self.looks.fetch_add(1, Ordering::Relaxed);
        }
        self.now().list(folder)
    }

    fn create_folder(&self, _: &str) -> Result<()> {
        panic!("looking creates nothing")
    }

    fn rename(&self, _: &str, _: &str) -> Result<()> {
        panic!("looking renames nothing")
    }

    fn remove(&self, _: &str) -> Result<()> {
        panic!("looking removes nothing")
    }

    fn sync(&self, _: &str) -> Result<()> {
        panic!("looking syncs nothing")
    }

    fn lock(&self, _: &str, _: &str) -> Result<Box<dyn Lock>> {
        panic!("looking locks nothing")
    }

    fn filesystem(&self) -> Filesystem {
        self.now().filesystem()
    }
}

fn whole() -> MemoryDirectory {
    let memory = MemoryDirectory::new();
    let queue = Queue::options()
        .segment_bytes(8192)
        .open_on(Arc::new(memory.clone()))
        .expect("a new queue");
    for number in 0..100 {
        queue.enqueue(format!("record {number}")).expect("room");
    }
    queue.consumer("ship").expect("a free consumer");
    queue.close().expect("a clean close");
    memory
}

fn without(memory: &MemoryDirectory, name: &str) -> MemoryDirectory {
    let damaged = memory.copy();
    let length = damaged.file_bytes(name).expect("a file").len();
    damaged.put_file(name, &vec![7; length]);
    damaged
}

/// What looking finds, and how many looks that took.
fn look_at(moments: &[&MemoryDirectory]) -> Result<(Inspection, usize)> {
    let moments = Moments {
        moments: moments.iter().copied().cloned().collect(),
        looks: AtomicUsize::new(0),
    };
    let found = inspect_on(&moments)?;
    // The size on disk lists the folder once more.
    Ok((found, moments.looks.into_inner() - 1))
}

/// The segments and the consumers of which a defect is told.
fn defects(found: &Inspection) -> (usize, usize) {
    let segments = found.segments.iter();
    let consumers = found.consumers.iter();
    (
        segments.filter(|segment| segment.defect.is_some()).count(),
        consumers
            .filter(|consumer| consumer.defect.is_some())
            .count(),
    )
}

#[test]
fn what_only_one_look_sees_is_not_told() {
    let whole = whole();
    for name in [SEGMENT, CURSOR] {
        let (found, looks) = look_at(&[&without(&whole, name), &whole]).expect("a queue");
        assert!(!found.is_damaged(), "{name}: {found:#?}");
        assert_eq!(looks, 2, "{name}");
    }
}

#[test]
fn what_two_looks_in_a_row_see_is_told() {
    let whole = whole();
    for (name, told) in [(SEGMENT, (1, 0)), (CURSOR, (0, 1))] {
        let damaged = without(&whole, name);
        let (found, looks) = look_at(&[&damaged, &damaged]).expect("a queue");
        assert_eq!(defects(&found), told, "{name}: {found:#?}");
        assert_eq!(looks, 2, "{name}");
    }
}

#[test]
fn where_no_two_looks_agree_only_what_both_of_the_last_saw_is_told() {
    let lasting = without(&whole(), CURSOR);
    let both = without(&lasting, SEGMENT);
    let in_turn: Vec<_> = [&lasting, &both].into_iter().cycle().take(9).collect();
    let (found, looks) = look_at(&in_turn).expect("a queue");
    assert_eq!(defects(&found), (0, 1), "{found:#?}");
    assert_eq!(looks, LOOKS_MAX);
}

#[test]
fn where_no_queue_ever_is_none_is_found() {
    let error = look_at(&[&MemoryDirectory::new()]).expect_err("no queue");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
