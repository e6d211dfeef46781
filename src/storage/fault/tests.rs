//! What a faulty storage does, claim by claim.

use super::*;
use crate::error::{ErrorKind, FullReason};

fn storage() -> (MemoryDirectory, FaultyDirectory) {
    let memory = MemoryDirectory::new();
    (memory.clone(), FaultyDirectory::over_memory(memory))
}

/// Creates the file `"a"`, writes it, and makes it durable with its name.
fn workload(storage: &FaultyDirectory) -> Result<()> {
    let file = storage.create("a")?;
    file.write_at(b"bytes", 0)?;
    file.sync()?;
    storage.sync("")
}

#[test]
fn the_order_of_calls_is_recorded_from_the_moment_it_is_asked_for() {
    let (_, storage) = storage();
    storage.create_folder("segments").unwrap();
    storage.record();
    workload(&storage).unwrap();
    storage.rename("a", "segments/a").unwrap();
    let call = Call::new;
    let expected = [
        call(CallKind::Create, "a"),
        call(CallKind::Write, "a"),
        call(CallKind::SyncFile, "a"),
        call(CallKind::SyncFolder, ""),
        call(CallKind::Rename, "a -> segments/a"),
    ];
    assert_eq!(storage.log(), expected);
    assert_eq!(storage.calls(), 6);
    storage.record();
    assert_eq!(storage.log(), []);
}

#[test]
fn every_kind_of_call_is_counted_and_can_fail() {
    let (_, storage) = storage();
    workload(&storage).unwrap();
    let file = storage.open("a", Access::Write).unwrap();
    let attempts: [(CallKind, &dyn Fn() -> Result<()>); 15] = [
        (CallKind::Open, &|| {
            storage.open("a", Access::Read).map(drop)
        }),
        (CallKind::Create, &|| storage.create("b").map(drop)),
        (CallKind::List, &|| storage.list("").map(drop)),
        (CallKind::CreateFolder, &|| storage.create_folder("folder")),
        (CallKind::Rename, &|| storage.rename("a", "c")),
        (CallKind::Remove, &|| storage.remove("c")),
        (CallKind::SyncFolder, &|| storage.sync("")),
        (CallKind::Lock, &|| storage.lock("LOCK", "1").map(drop)),
        (CallKind::Read, &|| file.read_at(&mut [0], 0).map(drop)),
        (CallKind::Write, &|| file.write_at(b"x", 0)),
        (CallKind::SyncFile, &|| file.sync()),
        (CallKind::Length, &|| file.length().map(drop)),
        (CallKind::SetLength, &|| file.set_length(3)),
        (CallKind::Allocate, &|| file.allocate(8)),
        (CallKind::Map, &|| file.map().map(drop)),
    ];
    for (kind, attempt) in attempts {
        let before = storage.calls();
        storage.plan(Fault::nth_of(1, &[kind], Failure::Io));
        let error = attempt().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{kind:?}");
        assert!(error.path().is_some(), "{kind:?}");
        attempt().unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert_eq!(storage.calls(), before + 2, "{kind:?}");
    }
    assert_eq!(storage.failures(), 15);
}

#[test]
fn a_call_that_fails_changes_nothing() {
    let (memory, storage) = storage();
    storage.plan(Fault::nth_of(1, &[CallKind::Write], Failure::Full));
    let full = ErrorKind::Full {
        reason: FullReason::Disk,
    };
    assert_eq!(workload(&storage).unwrap_err().kind(), full);
    assert_eq!(memory.file_bytes("a"), Some(Vec::new()));
}

#[test]
fn the_nth_call_fails_for_every_n_that_the_workload_reaches() {
    let (_, counting) = storage();
    workload(&counting).unwrap();
    for nth in 1..=counting.calls() {
        let (_, storage) = storage();
        storage.plan(Fault::nth_call(nth, Failure::Io));
        assert_eq!(workload(&storage).unwrap_err().kind(), ErrorKind::Io);
        assert_eq!((storage.calls(), storage.failures()), (nth, 1));
    }
    let (_, storage) = storage();
    storage.plan(Fault::nth_call(counting.calls() + 1, Failure::Io));
    workload(&storage).unwrap();
    assert_eq!(storage.failures(), 0);
}

#[test]
fn a_fault_for_ever_lasts_until_it_is_cleared() {
    let (_, storage) = storage();
    let file = storage.create("a").unwrap();
    storage.plan(Fault::nth_of(2, &[CallKind::Write], Failure::Full).for_ever());
    file.write_at(b"1", 0).unwrap();
    file.write_at(b"2", 1).unwrap_err();
    file.sync().unwrap();
    file.write_at(b"3", 2).unwrap_err();
    storage.clear();
    file.write_at(b"4", 1).unwrap();
}

#[test]
fn a_fault_for_one_name_spares_the_others() {
    let (_, storage) = storage();
    let (a, b) = (storage.create("a").unwrap(), storage.create("b").unwrap());
    storage.plan(Fault::nth_of(1, &[CallKind::SyncFile], Failure::Io).on("b"));
    a.sync().unwrap();
    b.sync().unwrap_err();
}

#[test]
fn of_two_faults_each_counts_every_call() {
    let (_, storage) = storage();
    let file = storage.create("a").unwrap();
    storage.plan(Fault::nth_of(1, &[CallKind::Write], Failure::Full));
    storage.plan(Fault::nth_of(2, &[CallKind::Write], Failure::Io));
    let kind = |outcome: Result<()>| outcome.unwrap_err().kind();
    let full = ErrorKind::Full {
        reason: FullReason::Disk,
    };
    assert_eq!(kind(file.write_at(b"1", 0)), full);
    assert_eq!(kind(file.write_at(b"1", 0)), ErrorKind::Io);
    file.write_at(b"1", 0).unwrap();
}

#[test]
fn a_sync_on_a_full_device_fails_as_io_and_not_as_full() {
    let (_, storage) = storage();
    let file = storage.create("a").unwrap();
    storage.plan(Fault::nth_call(1, Failure::Full).for_ever());
    assert_eq!(file.sync().unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(storage.sync("").unwrap_err().kind(), ErrorKind::Io);
    assert_ne!(file.write_at(b"1", 0).unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn a_torn_write_leaves_its_first_bytes_and_fails() {
    let (memory, storage) = storage();
    let file = storage.create("a").unwrap();
    storage.plan(Fault::nth_of(
        1,
        &[CallKind::Write],
        Failure::Torn { bytes: 3 },
    ));
    storage.plan(Fault::nth_of(
        2,
        &[CallKind::Write],
        Failure::TornFull { bytes: 99 },
    ));
    assert_eq!(
        file.write_at(b"abcdef", 0).unwrap_err().kind(),
        ErrorKind::Io
    );
    assert_eq!(memory.file_bytes("a"), Some(b"abc".to_vec()));
    let error = file.write_at(b"xyz", 3).unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Full {
            reason: FullReason::Disk
        }
    );
    assert_eq!(memory.file_bytes("a"), Some(b"abcxyz".to_vec()));
}

#[test]
fn a_sync_that_forgets_fails_once_and_its_bytes_are_readable_but_not_durable() {
    let (memory, storage) = storage();
    workload(&storage).unwrap();
    let file = storage.open("a", Access::Write).unwrap();
    file.write_at(b"BYTES", 0).unwrap();
    storage.plan(Fault::nth_of(1, &[CallKind::SyncFile], Failure::Forget));
    assert_eq!(file.sync().unwrap_err().kind(), ErrorKind::Io);
    file.sync().unwrap();
    assert_eq!(memory.file_bytes("a"), Some(b"BYTES".to_vec()));
    assert_eq!(memory.unsynced_count(), 0);
    assert_eq!(
        memory.crash_keeping_all().file_bytes("a"),
        Some(b"bytes".to_vec())
    );
}

#[test]
fn a_sync_that_cannot_forget_fails_all_the_same() {
    let (memory, storage) = storage();
    workload(&storage).unwrap();
    let file = storage.open("a", Access::Write).unwrap();
    file.write_at(b"BYTES", 0).unwrap();
    storage.rename("a", "b").unwrap();
    storage.plan(Fault::nth_of(1, &[CallKind::SyncFile], Failure::Forget));
    assert_eq!(file.sync().unwrap_err().kind(), ErrorKind::Io);
    file.sync().unwrap();
    assert_eq!(
        memory.crash_keeping_all().file_bytes("b"),
        Some(b"BYTES".to_vec())
    );
}

#[test]
fn any_storage_can_be_faulty_and_its_errors_look_like_its_own() {
    let storage = FaultyDirectory::new(Arc::new(MemoryDirectory::new()));
    let file = storage.create("a").unwrap();
    storage.plan(Fault::nth_call(1, Failure::Forget));
    let error = file.sync().unwrap_err();
    assert_eq!(error.path(), Some(file.path()));
    assert!(
        error.to_string().starts_with("sync: /memory/a: "),
        "{error}"
    );
    assert_eq!(storage.filesystem(), Filesystem::Local);
}
