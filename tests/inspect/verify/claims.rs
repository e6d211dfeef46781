//! Files beside the log that claim more than the log is: a later epoch, or records beyond its end.
//! An older copy of the log, put back below them, leaves it so.

use super::*;

/// A queue with a file of keys and a snapshot, as a kill leaves it: its log is in a later epoch
/// than the first.
fn claimed() -> MemoryDirectory {
    let memory = MemoryDirectory::new();
    let queue = options().open_on(Arc::new(memory.clone()));
    let queue = queue.expect("a new queue");
    queue.enqueue("of the first epoch").expect("room");
    let left = memory.process_kill();
    drop(queue);
    let queue = options().open_on(Arc::new(left.clone()));
    let queue = queue.expect("a queue that opens");
    let key = *b"sixteen bytes ..";
    queue.enqueue_once(key, "keyed").expect("room");
    queue.sync().expect("a working disk");
    let store = queue.snapshots("totals").expect("a name");
    let mut draft = store.begin().expect("a working disk");
    draft.put(b"a state").expect("room");
    draft.finish(queue.next()).expect("a working disk");
    let image = left.process_kill();
    drop(queue);
    image
}

/// Puts `value` at `offset` into the envelope that the file `name` begins with.
fn forge(memory: &MemoryDirectory, name: &str, offset: usize, value: u64) {
    let mut bytes = memory.file_bytes(name).expect("a file");
    let body = u32::from_le_bytes(*bytes[12..].first_chunk().expect("a length"));
    let sum_at = 16 + body as usize;
    bytes[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[..sum_at]);
    bytes[sum_at..sum_at + 4].copy_from_slice(&sum.to_le_bytes());
    memory.put_file(name, &bytes);
}

const SNAPSHOT: &str = "snapshots/totals.snapshot";

/// Whether a program is refused one of the two files.
fn is_refused(memory: &MemoryDirectory) -> bool {
    let queue = options().open_on(Arc::new(memory.copy()));
    let queue = queue.expect("the log itself is whole");
    let keyed = queue.enqueue_once([9; 16], "another").is_err();
    let loaded = queue.snapshots("totals").expect("a name").load().is_err();
    keyed || loaded
}

#[test]
fn what_a_file_claims_beyond_the_log_is_told_as_opening_refuses_it() {
    let whole = claimed();
    assert!(!is_refused(&whole));
    let found = verify_all(&whole).findings;
    assert!(found.is_empty(), "{found:?}");
    // Where the epoch stands, and what is to be at or below the log's next.
    for (name, places) in [("KEYS", [32, 40]), (SNAPSHOT, [48, 64])] {
        for (place, value) in places.into_iter().zip([99 << 32, 77]) {
            let memory = whole.copy();
            forge(&memory, name, place, value);
            assert!(is_refused(&memory), "{name} at {place}");
            let found = verify_all(&memory).findings;
            let [finding] = &*found else {
                panic!("{name} at {place}: {found:?}");
            };
            assert!(finding.file.ends_with(name), "{finding}");
            assert_eq!(finding.severity, Severity::Damage);
            assert_eq!(finding.found, value.to_string());
        }
    }
}
