//! One writer at a time, and no other process: cases 30 and 31.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use forebay::storage::memory::MemoryDirectory;
use forebay::storage::{Access, Directory, File, Filesystem, Lock};
use forebay::{ErrorKind, Host, Result, SyncPolicy};

use crate::golden::still_host;
use crate::support::{contents, drain, fill, kill, open, open_storage, options, settle, try_open};

#[test]
fn two_copies_of_a_queue_go_on_in_different_epochs() {
    // Case 30.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    fill(&queue, 2, 100);
    let image = kill(&memory, queue);
    let twin = image.copy();
    let (one, two) = (
        open(&image, SyncPolicy::Always),
        open(&twin, SyncPolicy::Always),
    );
    assert_eq!(one.id(), two.id());
    assert_ne!(one.epoch(), two.epoch());
}

#[test]
fn a_second_opener_is_refused_until_the_last_handle_is_gone() {
    // Case 31.
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always);
    let ticket = queue.submit(b"a").expect("nothing fails");
    let consumer = queue.consumer("c").expect("a new consumer");
    let is_locked = |memory| {
        let refused = try_open(memory, options(SyncPolicy::Always)).err();
        refused.is_some_and(|error| {
            assert_eq!(
                error.kind(),
                ErrorKind::Locked {
                    pid: Some(std::process::id())
                }
            );
            true
        })
    };
    assert!(is_locked(&memory));
    drop(queue);
    assert!(is_locked(&memory));
    drop(consumer);
    assert!(is_locked(&memory));
    drop(ticket);
    assert!(!is_locked(&memory));
}

#[test]
fn a_network_file_system_is_refused_unless_allowed() {
    // Case 31.
    let memory = MemoryDirectory::new();
    memory.set_filesystem(Filesystem::Network);
    let error = try_open(&memory, options(SyncPolicy::Always)).expect_err("locks may be local");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(memory.names().is_empty(), "nothing is written");
    let allowed = options(SyncPolicy::Always).allow_network_filesystem();
    try_open(&memory, allowed).expect("the caller knows better");
}

/// A machine whose process number a test can change.
#[derive(Debug, Default)]
struct Forking {
    process: AtomicU32,
    drawn: AtomicU64,
}

impl Host for Forking {
    fn now(&self) -> u64 {
        1
    }

    fn random(&self) -> u64 {
        self.drawn.fetch_add(0x1234_5678_9abc, Ordering::Relaxed)
    }

    fn process(&self) -> u32 {
        self.process.load(Ordering::Relaxed)
    }
}

#[test]
fn a_forked_child_is_refused_and_writes_nothing() {
    // Case 31.
    let memory = MemoryDirectory::new();
    let host = Arc::new(Forking::default());
    let own = options(SyncPolicy::Always).host(Arc::<Forking>::clone(&host));
    let queue = try_open(&memory, own).expect("a new queue");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    fill(&queue, 2, 100);
    settle(&memory);
    host.process.store(7, Ordering::Relaxed);
    let before = contents(&memory);
    let forked = Some(ErrorKind::Forked);
    assert_eq!(queue.enqueue(b"a").err().map(|error| error.kind()), forked);
    assert_eq!(
        queue.enqueue_batch([b"a"]).err().map(|error| error.kind()),
        forked
    );
    assert_eq!(queue.submit(b"a").err().map(|error| error.kind()), forked);
    assert_eq!(queue.sync().err().map(|error| error.kind()), forked);
    assert_eq!(queue.reclaim().err().map(|error| error.kind()), forked);
    assert_eq!(queue.consumer("d").err().map(|error| error.kind()), forked);
    assert_eq!(consumer.peek().err().map(|error| error.kind()), forked);
    let first = forebay::Sequence::ZERO;
    assert_eq!(
        consumer.ack_through(first).err().map(|error| error.kind()),
        forked
    );
    assert_eq!(consumer.seek(first).err().map(|error| error.kind()), forked);
    drop(consumer);
    queue.close().expect_err("a child may not close it");
    assert!(contents(&memory) == before, "the child wrote a file");
}

/// A storage whose lock holds nobody back, as after somebody has replaced the lock file.
#[derive(Debug)]
struct Unlocked(MemoryDirectory);

#[derive(Debug)]
struct NoLock;

impl Lock for NoLock {}

impl Directory for Unlocked {
    fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        self.0.open(name, access)
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        self.0.create(name)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.0.list(folder)
    }

    fn create_folder(&self, folder: &str) -> Result<()> {
        self.0.create_folder(folder)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.0.remove(name)
    }

    fn sync(&self, folder: &str) -> Result<()> {
        self.0.sync(folder)
    }

    fn lock(&self, _name: &str, _contents: &str) -> Result<Box<dyn Lock>> {
        Ok(Box::new(NoLock))
    }

    fn filesystem(&self) -> Filesystem {
        self.0.filesystem()
    }
}

#[test]
fn a_writer_whose_lock_was_replaced_is_poisoned_when_another_got_in() {
    // Case 31: at the next rotation at the latest the first one sees the second one's name.
    let memory = MemoryDirectory::new();
    let first = open_storage(Arc::new(Unlocked(memory.clone())), SyncPolicy::Always);
    fill(&first, 1, 100);
    let second = open_storage(Arc::new(Unlocked(memory.clone())), SyncPolicy::Always);
    // Whether there is a file of this name already depends on how far the first one's is.
    second.enqueue(vec![0; 100]).ok();
    let outcomes: Vec<_> = (0..20).map(|_| first.enqueue(vec![0; 900])).collect();
    let last = outcomes.last().expect("there are twenty");
    let kind = last.as_ref().err().map(forebay::Error::kind);
    assert_eq!(kind, Some(ErrorKind::Poisoned));
}

#[test]
fn a_writer_notices_another_one_that_has_only_opened_before_it_overwrites_its_name() {
    // Case 31. What the other one wrote is in the slot that the first one writes after a sync.
    let memory = MemoryDirectory::new();
    let host = still_host();
    let open = || {
        let own = options(SyncPolicy::Always).host(Arc::clone(&host));
        own.open_on(Arc::new(Unlocked(memory.clone())))
            .expect("nothing locks it")
    };
    let first = open();
    let mut consumer = first.consumer("c").expect("a new consumer");
    fill(&first, 20, 900);
    drain(&mut consumer).expect("nothing is damaged");
    assert!(
        first.reclaim().expect("nothing fails") > 0,
        "STATE is synced"
    );
    let second = open();
    fill(&first, 1, 100);
    let poisoned = first.enqueue(b"b").err().map(|error| error.kind());
    assert_eq!(poisoned, Some(ErrorKind::Poisoned));
    fill(&second, 1, 100);
}
