//! The order of calls: what is durable before what relies on it.

use std::sync::Arc;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{Sequence, SyncPolicy};

use super::{FILE, open_on, prepared, save};
use crate::golden::still_host;
use crate::order::{assert_order, at, calls, changes_storage};
use crate::support::{fill, options};

/// A1W-19: log, then file, then name, then folder.
#[test]
fn publishing_syncs_the_log_then_the_file_then_renames_then_syncs_the_folder() {
    let storage = FaultyDirectory::over_memory(MemoryDirectory::new());
    let queue = options(SyncPolicy::Manual)
        .host(still_host())
        .open_on(Arc::new(storage.clone()))
        .expect("a new queue");
    fill(&queue, 3, 100);
    let store = queue.snapshots("view").expect("a free name");
    storage.record();
    let mut draft = store.begin().expect("nothing fails");
    draft.put(b"a state").expect("nothing fails");
    draft.finish(Sequence::new(3)).expect("nothing fails");
    let calls = calls(&storage);
    let created = calls.iter().find_map(|call| call.strip_prefix("Create "));
    let unfinished = created.expect("a file of its own").to_owned();
    assert_order(
        &calls,
        &[
            "CreateFolder snapshots",
            "SyncFolder ",
            &format!("Create {unfinished}"),
            "SyncFile segments/0000000000000001.log",
            "SyncFolder segments",
            &format!("Write {unfinished}"),
            &format!("SyncFile {unfinished}"),
            &format!("Rename {unfinished} -> {FILE}"),
            "SyncFolder snapshots",
        ],
    );
    // Every byte of it is written before its sync, and nothing of it after.
    let synced = at(&calls, &format!("SyncFile {unfinished}"), 0);
    let wrote = format!("Write {unfinished}");
    assert!(
        calls[synced..].iter().all(|call| *call != wrote),
        "{calls:#?}"
    );
    assert_eq!(
        calls.last().map(String::as_str),
        Some("SyncFolder snapshots")
    );
}

#[test]
fn loading_and_replaying_change_nothing_but_indexes() {
    let memory = prepared();
    let queue = open_on(Arc::new(memory.clone()));
    queue.sync().expect("nothing fails");
    queue.close().expect("nothing fails");
    let storage = FaultyDirectory::over_memory(memory);
    let queue = open_on(Arc::new(storage.clone()));
    storage.record();
    let store = queue.snapshots("view").expect("a free name");
    store.load().expect("it is whole");
    store.recover(|_| (), |(), _| {}).expect("it is whole");
    let log = storage.log();
    let changes: Vec<_> = log
        .iter()
        .filter(|call| changes_storage(call.kind) && !call.name.contains(".idx"))
        .collect();
    assert!(changes.is_empty(), "{changes:?}");
}

/// A process was killed between the rename and the sync of the folder.
#[test]
fn opening_makes_a_snapshot_durable_before_it_lets_anything_be_deleted() {
    let memory = prepared();
    let storage = FaultyDirectory::over_memory(memory.clone());
    let queue = open_on(Arc::new(storage.clone()));
    let fault = Fault::nth_of(1, &[CallKind::SyncFolder], Failure::Io);
    storage.plan(fault.on("snapshots").for_ever());
    let store = queue.snapshots("view").expect("a free name");
    save(&store, 40).expect_err("the folder's sync fails");
    assert!(queue.reclaim().is_err(), "nothing is deleted after poison");
    let killed = memory.process_kill();
    drop((store, queue));
    let storage = FaultyDirectory::over_memory(killed.clone());
    storage.record();
    let queue = open_on(Arc::new(storage.clone()));
    let mut consumer = queue.consumer("c").expect("it is there");
    crate::support::drain(&mut consumer).expect("nothing fails");
    assert!(queue.reclaim().expect("nothing fails") > 0);
    let calls = calls(&storage);
    let synced = at(&calls, "SyncFolder snapshots", 0);
    let deleted = calls.iter().position(|call| call.ends_with(".trash"));
    assert!(synced < deleted.expect("segments go"), "{calls:#?}");
}

#[test]
fn a_queue_without_snapshots_makes_no_folder_for_them_and_reads_none() {
    let storage = FaultyDirectory::over_memory(MemoryDirectory::new());
    storage.record();
    let queue = options(SyncPolicy::Always)
        .host(still_host())
        .open_on(Arc::new(storage.clone()))
        .expect("a new queue");
    fill(&queue, 3, 100);
    queue.reclaim().expect("nothing fails");
    queue.close().expect("nothing fails");
    let touched = |call: &String| call.contains("snapshot");
    assert!(!calls(&storage).iter().any(touched));
}
