//! A device that fills up while several callers are in the middle of a commit.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forebay::storage::memory::MemoryDirectory;
use forebay::storage::{Access, Directory, File, Filesystem, Lock, Map};
use forebay::{ErrorKind, FullReason, Preallocate, QueueOptions, Result};
use parking_lot::{Condvar, Mutex};

use crate::scene::{PATIENCE, at, enqueue, payload, refused, wait_until};

/// Lets syncs of segments through, or holds them.
#[derive(Debug, Default)]
struct Gate {
    /// Whether it is shut, and how many wait at it.
    state: Mutex<(bool, usize)>,
    opened: Condvar,
}

impl Gate {
    fn shut(&self) {
        self.state.lock().0 = true;
    }

    fn open(&self) {
        self.state.lock().0 = false;
        self.opened.notify_all();
    }

    fn waiting(&self) -> usize {
        self.state.lock().1
    }

    fn pass(&self) {
        let mut state = self.state.lock();
        state.1 += 1;
        while state.0 {
            self.opened.wait(&mut state);
        }
        state.1 -= 1;
    }
}

/// A tree in memory with a gate before every sync of a segment.
#[derive(Clone, Debug)]
struct Gated {
    inner: MemoryDirectory,
    gate: Arc<Gate>,
}

#[derive(Debug)]
struct GatedFile {
    inner: Arc<dyn File>,
    gate: Option<Arc<Gate>>,
}

impl Gated {
    fn wrap(&self, name: &str, inner: Arc<dyn File>) -> Arc<dyn File> {
        let gate = name
            .starts_with("segments/")
            .then(|| Arc::clone(&self.gate));
        Arc::new(GatedFile { inner, gate })
    }
}

impl Directory for Gated {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        Ok(self.wrap(name, self.inner.open(name, access)?))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(self.wrap(name, self.inner.create(name)?))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.inner.list(folder)
    }

    fn create_folder(&self, folder: &str) -> Result<()> {
        self.inner.create_folder(folder)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.inner.remove(name)
    }

    fn sync(&self, folder: &str) -> Result<()> {
        self.inner.sync(folder)
    }

    fn lock(&self, name: &str, contents: &str) -> Result<Box<dyn Lock>> {
        self.inner.lock(name, contents)
    }

    fn filesystem(&self) -> Filesystem {
        self.inner.filesystem()
    }
}

impl File for GatedFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.inner.write_at(bytes, offset)
    }

    fn sync(&self) -> Result<()> {
        if let Some(gate) = &self.gate {
            gate.pass();
        }
        self.inner.sync()
    }

    fn length(&self) -> Result<u64> {
        self.inner.length()
    }

    fn set_length(&self, bytes: u64) -> Result<()> {
        self.inner.set_length(bytes)
    }

    fn allocate(&self, bytes: u64) -> Result<()> {
        self.inner.allocate(bytes)
    }

    fn map(&self) -> Result<Map> {
        self.inner.map()
    }
}

/// Whoever led the commit of a ticket's record also had to write what others were enqueueing. When
/// that did not fit, the commit ended, and the record's own sync was forgotten: a waiter was told
/// `Full` of a record that is in the queue, or waited for ever.
#[test]
fn a_record_that_others_could_not_add_to_becomes_durable_all_the_same() -> Result<()> {
    for round in 0..40 {
        let memory = MemoryDirectory::new();
        let gated = Gated {
            inner: memory.clone(),
            gate: Arc::default(),
        };
        let queue = QueueOptions::new()
            .preallocate(Preallocate::None)
            .open_on(Arc::new(gated.clone()))?;
        enqueue(&queue, 0..1)?;
        gated.gate.shut();
        std::thread::scope(|scope| -> Result<()> {
            let first = scope.spawn(|| queue.enqueue(payload(1)));
            wait_until("the first one syncs", || gated.gate.waiting() == 1);
            let ticket = queue.submit(payload(2))?;
            memory.set_capacity(Some(memory.used_bytes()));
            let large = scope.spawn(|| queue.enqueue(vec![0; 100_000]));
            wait_until("the large one has its place", || queue.next() == at(4));
            std::thread::sleep(Duration::from_millis(round % 4));
            gated.gate.open();
            assert_eq!(first.join().expect("no panic")?, at(1));
            let reason = FullReason::Disk;
            refused(large.join().expect("no panic"), ErrorKind::Full { reason });
            // By the background, or by whoever waits: round by round.
            let durable = if round % 2 == 0 {
                ticket.wait_timeout(PATIENCE / 10)?
            } else {
                Some(ticket.wait()?)
            };
            assert_eq!(durable, Some(at(2)), "round {round}");
            Ok(())
        })?;
        assert_eq!((queue.next(), queue.durable()), (at(3), at(3)));
    }
    Ok(())
}
