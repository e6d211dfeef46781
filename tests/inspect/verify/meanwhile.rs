//! A writer at work meanwhile: whatever it does between two calls of the storage is no finding.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use forebay::storage::{Access, Directory, File, Filesystem, Lock, Map};
use forebay::{Error, Result};

use super::*;

/// A queue that is another moment's after every few calls, up to the last one.
#[derive(Clone, Debug)]
struct Changing {
    moments: Arc<Vec<MemoryDirectory>>,
    calls: Arc<AtomicUsize>,
    stride: usize,
}

impl Changing {
    fn now(&self) -> &MemoryDirectory {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let last = self.moments.last().expect("a moment");
        self.moments.get(call / self.stride).unwrap_or(last)
    }
}

impl Directory for Changing {
    fn path(&self) -> &Path {
        Path::new("/changing")
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        let file = self.now().open(name, access)?;
        // One that is replaced by a rename stays as it is for whoever has opened it.
        if name == "KEYS" || name.starts_with("snapshots/") {
            return Ok(file);
        }
        let path = file.path().to_path_buf();
        Ok(Arc::new(ChangingFile {
            directory: self.clone(),
            name: name.to_owned(),
            path,
        }))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.now().list(folder)
    }

    fn filesystem(&self) -> Filesystem {
        self.now().filesystem()
    }

    fn create(&self, _: &str) -> Result<Arc<dyn File>> {
        panic!("verifying creates nothing")
    }

    fn create_folder(&self, _: &str) -> Result<()> {
        panic!("verifying creates nothing")
    }

    fn rename(&self, _: &str, _: &str) -> Result<()> {
        panic!("verifying renames nothing")
    }

    fn remove(&self, _: &str) -> Result<()> {
        panic!("verifying removes nothing")
    }

    fn sync(&self, _: &str) -> Result<()> {
        panic!("verifying syncs nothing")
    }

    fn lock(&self, _: &str, _: &str) -> Result<Box<dyn Lock>> {
        panic!("verifying locks nothing")
    }
}

/// An open file; one that was deleted meanwhile is cut to nothing, as deleting does it.
#[derive(Debug)]
struct ChangingFile {
    directory: Changing,
    name: String,
    path: std::path::PathBuf,
}

impl ChangingFile {
    fn now(&self) -> std::result::Result<Arc<dyn File>, Error> {
        self.directory.now().open(&self.name, Access::Read)
    }
}

impl File for ChangingFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        match self.now() {
            Ok(file) => file.read_at(buffer, offset),
            Err(_) => Ok(0),
        }
    }

    fn length(&self) -> Result<u64> {
        self.now().map_or(Ok(0), |file| file.length())
    }

    fn map(&self) -> Result<Map> {
        self.now()?.map()
    }

    fn write_at(&self, _: &[u8], _: u64) -> Result<()> {
        panic!("verifying writes nothing")
    }

    fn sync(&self) -> Result<()> {
        panic!("verifying syncs nothing")
    }

    fn set_length(&self, _: u64) -> Result<()> {
        panic!("verifying cuts nothing")
    }

    fn allocate(&self, _: u64) -> Result<()> {
        panic!("verifying allocates nothing")
    }
}

/// What the files of a queue are, again and again, while programs use it: the first is killed.
fn moments() -> Vec<MemoryDirectory> {
    let mut memory = MemoryDirectory::new();
    let mut moments = Vec::new();
    for life in 0..3 {
        let queue = options()
            .retention(Retention::UntilAcked)
            .open_on(Arc::new(memory.clone()))
            .expect("a queue that opens");
        let mut consumer = queue.consumer("ship").expect("a free consumer");
        for number in 0..60 {
            let bytes = payload(life * 60 + number);
            if number % 10 == 9 {
                let key = [u8::try_from(life * 60 + number).expect("a small number"); 16];
                queue.enqueue_once(key, &*bytes).expect("room");
            } else {
                queue.enqueue(bytes).expect("room");
            }
            moments.push(memory.copy());
            if number % 3 == 0 {
                queue.sync().expect("a working disk");
                moments.push(memory.copy());
            }
            if number % 20 == 19 {
                let last = Sequence::new(queue.durable().get() - 1);
                consumer.ack_through(last).expect("a durable record");
                moments.push(memory.copy());
                queue.reclaim().expect("a working disk");
                queue.run_background();
                moments.push(memory.copy());
                let store = queue.snapshots("totals").expect("a name");
                let mut draft = store.begin().expect("a working disk");
                draft.put(b"a state").expect("room");
                draft.finish(queue.durable()).expect("a working disk");
                moments.push(memory.copy());
            }
        }
        drop(consumer);
        if life == 0 {
            let left = memory.process_kill();
            drop(queue);
            memory = left;
            continue;
        }
        queue.close().expect("a clean close");
        moments.push(memory.copy());
    }
    moments
}

#[test]
fn whatever_a_writer_does_between_two_reads_is_no_finding() {
    let moments = moments();
    for stride in [1, 2, 3, 5, 8, 13, 21] {
        for start in (0..moments.len()).step_by(3) {
            let changing = Changing {
                moments: Arc::new(moments[start..].to_vec()),
                calls: Arc::new(AtomicUsize::new(0)),
                stride,
            };
            let thorough = VerifyOptions::new().chain(true).jobs(1);
            let found = verify_on(&changing, &thorough, &|_| {}).expect("a queue");
            assert!(
                found.findings.is_empty(),
                "from {start}, {stride}: {found:#?}"
            );
        }
    }
}
