//! Which descriptor wrote, and which one syncs.

use std::sync::Arc;

use forebay::storage::memory::MemoryDirectory;
use forebay::{Retention, Sequence, SyncPolicy};

use super::witness::Witness;
use crate::golden::still_host;
use crate::support::{fill, guard, kill, open, options};

/// Caches and copies made for a person: nobody counts on them, and nobody syncs them.
fn counts(name: &str) -> bool {
    !name.contains(".idx") && !name.starts_with("quarantine/")
}

/// A failed write-back is told to the descriptors that were open when it happened: a record is
/// durable when the one that wrote it was synced, and none is closed before that.
#[test]
fn what_a_descriptor_wrote_is_synced_through_that_descriptor() {
    // Also the first append after a kill, with a tail to seal.
    for is_killed in [false, true] {
        let mut memory = MemoryDirectory::new();
        if is_killed {
            let queue = open(&memory, SyncPolicy::Manual);
            fill(&queue, 7, 900);
            memory = kill(&memory, queue);
        }
        let storage = Witness::new(&memory);
        let queue = options(SyncPolicy::Always)
            .retention(Retention::KeepForever)
            .host(still_host())
            .open_on(Arc::new(storage.clone()))
            .expect("the queue opens");
        let mut consumer = queue.consumer("c").expect("a new consumer");
        for _ in 0..20 {
            fill(&queue, 1, 900);
            let unsynced = storage.unsynced();
            let logs: Vec<_> = unsynced
                .iter()
                .filter(|name| name.ends_with(".log"))
                .collect();
            assert!(logs.is_empty(), "accepted with {logs:?} not synced");
        }
        consumer
            .ack_through(Sequence::new(12))
            .expect("nothing fails");
        queue.reclaim().expect("nothing fails");
        drop(consumer);
        queue.close().expect("nothing fails");
        let closed: Vec<_> = storage
            .closed_unsynced()
            .into_iter()
            .filter(|name| counts(name))
            .collect();
        assert!(
            closed.is_empty(),
            "closed before they were synced: {closed:?}"
        );
    }
}

/// A sync may take long; the lock that appends go through is not held meanwhile, also not when a
/// segment is full.
#[test]
fn records_are_accepted_and_segments_change_while_a_sync_is_under_way() {
    let storage = Witness::new(&MemoryDirectory::new());
    let queue = options(SyncPolicy::Manual)
        .open_on(Arc::new(storage.clone()))
        .expect("a new queue");
    fill(&queue, 1, 100);
    storage.hold_syncs(true);
    let other = queue.clone();
    let syncing = std::thread::spawn(move || other.sync());
    let held = storage.clone();
    guard("appending during a sync", move || {
        held.wait_until_held();
        fill(&queue, 6, 900);
        assert!(queue.stats().expect("it can be read").segments > 1);
        assert_eq!(queue.durable(), Sequence::ZERO, "the sync has not returned");
    });
    storage.hold_syncs(false);
    syncing
        .join()
        .expect("no thread panics")
        .expect("the sync succeeds");
}
