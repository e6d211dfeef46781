//! After poison no call that changes a file reaches the storage.

use forebay::storage::fault::{CallKind, Failure, Fault};
use forebay::storage::memory::MemoryDirectory;
use forebay::{Queue, Sequence, SyncPolicy};

use crate::order::{changes_storage, open_watched, watch};
use crate::support::{fill, guard, segments};

/// Makes the call of `kind` on `name`, or on the segment that is written to, fail and looks at
/// every call from then on.
fn assert_silence_after(kind: CallKind, name: Option<&str>, poison: impl FnOnce(&Queue)) {
    let memory = MemoryDirectory::new();
    let storage = watch(&memory);
    let queue = open_watched(&storage, SyncPolicy::Manual);
    let mut consumer = queue.consumer("c").expect("a new consumer");
    // The next one does not rotate: nobody but the caller commits it.
    fill(&queue, 13, 900);
    queue.sync().expect("nothing fails yet");
    for sequence in 0..8 {
        consumer
            .ack_through(Sequence::new(sequence))
            .expect("nothing fails yet");
    }
    fill(&queue, 1, 900);
    let active = segments(&memory).pop().expect("it has records");
    let name = name.unwrap_or(&active);
    storage.plan(Fault::nth_of(1, &[kind], Failure::Io).on(name));
    poison(&queue);
    assert!(storage.failures() > 0, "{kind:?} {name}: nothing failed");
    // What other threads had begun ends before the silence.
    let deadline = std::time::Instant::now() + std::time::Duration::from_millis(200);
    while std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    storage.record();
    guard("using a poisoned queue", move || {
        queue.enqueue(b"a").expect_err("it is poisoned");
        queue
            .enqueue_batch([b"a", b"b"])
            .expect_err("it is poisoned");
        queue.submit(b"a").expect_err("it is poisoned");
        queue.sync().expect_err("it is poisoned");
        queue.reclaim().expect_err("it is poisoned");
        queue.consumer("new").expect_err("it is poisoned");
        consumer.peek().expect_err("it is poisoned");
        consumer
            .ack_through(Sequence::new(9))
            .expect_err("it is poisoned");
        consumer.seek(Sequence::ZERO).expect_err("it is poisoned");
        consumer.skip_corrupt().expect_err("it is poisoned");
        std::thread::sleep(std::time::Duration::from_millis(150));
        drop(consumer);
        queue.close().expect_err("it is poisoned");
    });
    let log = storage.log();
    let changes: Vec<_> = log
        .iter()
        .filter(|call| changes_storage(call.kind))
        .collect();
    assert!(
        changes.is_empty(),
        "{kind:?} {name}: after poison: {changes:?}"
    );
}

/// I8: after a failed sync nothing is written and nothing is acknowledged.
#[test]
fn after_a_failed_sync_of_the_log_nothing_is_written_again() {
    assert_silence_after(CallKind::SyncFile, None, |queue| {
        queue.sync().expect_err("the sync fails");
    });
}

#[test]
fn after_a_failed_write_nothing_is_written_again() {
    assert_silence_after(CallKind::Write, None, |queue| {
        queue.enqueue(b"a").expect_err("the write fails");
    });
}

/// I8: after a failed sync nothing is written and nothing is acknowledged.
#[test]
fn after_a_failed_folder_sync_nothing_is_written_again() {
    assert_silence_after(CallKind::SyncFolder, Some("cursors"), |queue| {
        queue.consumer("other").expect_err("the sync fails");
    });
}

#[test]
fn after_a_failed_cursor_sync_nothing_is_written_again() {
    assert_silence_after(CallKind::SyncFile, Some("cursors/c.cursor"), |queue| {
        queue.reclaim().expect_err("the sync fails");
    });
}
