//! Snapshots under power cuts and failing calls: the old one or the new one, and never a record
//! deleted that the one on the medium still needs.

mod cuts;
mod failing;
mod order;

use std::sync::Arc;

use forebay::snapshot::Store;
use forebay::storage::Directory;
use forebay::storage::memory::MemoryDirectory;
use forebay::{Queue, QueueOptions, Record, Result, Retention, Sequence, SyncPolicy};

use crate::golden::still_host;
use crate::support::{drain, fill, options};

/// The published snapshot.
const FILE: &str = "snapshots/view.snapshot";
/// Records of this size: eight fit into a segment.
const LENGTH: usize = 900;
/// What the snapshot covers that is there before.
const OLD: u64 = 10;
/// What those cover that are published then.
const NEW: [u64; 2] = [30, 45];

fn still() -> QueueOptions {
    options(SyncPolicy::Manual)
        .retention(Retention::UntilSnapshot("view".to_owned()))
        .host(still_host())
}

fn open_on(storage: Arc<dyn Directory>) -> Queue {
    still().open_on(storage).expect("the queue opens")
}

/// The state of the first `count` records: the number of each.
fn numbers(count: u64) -> Vec<u8> {
    (0..count).flat_map(u64::to_le_bytes).collect()
}

/// Adds the number that a record tells in its payload.
fn add(state: &mut Vec<u8>, record: &Record<'_>) {
    let text = record.payload.split(|byte| *byte == b':').next();
    let text = text.and_then(|text| std::str::from_utf8(text).ok());
    let number = text.and_then(|text| text.strip_prefix("record "));
    let number: u64 = number.expect("a payload").parse().expect("a number");
    assert_eq!(number, record.sequence.get(), "another record's payload");
    state.extend_from_slice(&number.to_le_bytes());
}

fn save(store: &Store, covers: u64) -> Result<()> {
    let state = numbers(covers);
    let (one, other) = state.split_at(state.len() / 2);
    let mut draft = store.begin()?;
    draft.put(one)?;
    draft.put(other)?;
    draft.finish(Sequence::new(covers))
}

/// A queue of 40 records, all acknowledged and 33 of them durable, with the old snapshot.
fn prepared() -> MemoryDirectory {
    let memory = MemoryDirectory::new();
    let queue = open_on(Arc::new(memory.clone()));
    drop(queue.consumer("c").expect("a new consumer"));
    fill(&queue, 33, LENGTH);
    let store = queue.snapshots("view").expect("a free name");
    save(&store, OLD).expect("nothing fails");
    drop(store);
    let mut consumer = queue.consumer("c").expect("it is free");
    drain(&mut consumer).expect("nothing fails");
    fill(&queue, 7, LENGTH);
    let image = memory.process_kill();
    drop((consumer, queue));
    image
}

/// What a caller was told.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// What the last snapshot covers that was published.
    published: u64,
    /// Everything below was durable.
    durable: u64,
}

/// One life: two snapshots, each followed by reclaim and more records.
fn live(storage: Arc<dyn Directory>, told: &mut Told) -> Result<()> {
    let queue = still().open_on(storage)?;
    told.durable = queue.durable().get();
    let store = queue.snapshots("view")?;
    for covers in NEW {
        save(&store, covers)?;
        told.published = covers;
        told.durable = told.durable.max(queue.durable().get());
        queue.reclaim()?;
        let next = queue.next().get();
        for number in next..next + 6 {
            queue.enqueue(crate::support::payload(number, LENGTH))?;
        }
        let mut consumer = queue.consumer("c")?;
        drain(&mut consumer)?;
        told.durable = told.durable.max(queue.durable().get());
    }
    Ok(())
}

/// Claims that `image` gives the state of all its records, by a snapshot that had been begun, and
/// not by an older one than the last that was published.
fn check(image: &MemoryDirectory, told: Told, what: &str) {
    let queue = open_on(Arc::new(image.clone()));
    let report = queue.recovery();
    assert!(report.corruption.is_empty(), "{what}: {report:?}");
    let next = queue.next().get();
    assert!(next >= told.durable, "{what}: {next}, {told:?}");
    check_state(&queue, told, what);
    // Nothing is deleted because of a snapshot that a power cut now would take back.
    let mut consumer = queue.consumer("c").expect("its cursor is whole");
    drain(&mut consumer).unwrap_or_else(|error| panic!("{what}: {error}"));
    queue.reclaim().expect("nothing fails");
    let cut = image.crash_losing_all();
    let first = queue.first().get();
    drop((consumer, queue));
    let what = format!("{what}, reclaimed up to {first} and cut");
    check_state(&open_on(Arc::new(cut)), told, &what);
}

fn check_state(queue: &Queue, told: Told, what: &str) {
    let next = queue.next().get();
    let store = queue.snapshots("view").expect("a free name");
    let recovered = store.recover(|state| state.map_or_else(Vec::new, <[u8]>::to_vec), add);
    let recovered = recovered.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(recovered.state == numbers(next), "{what}: another state");
    assert_eq!(recovered.next.get(), next, "{what}");
    let report = recovered.report;
    assert!(report.unusable.is_none(), "{what}: {report:?}");
    let covers = report.snapshot.map_or(0, Sequence::get);
    assert!(
        [OLD, NEW[0], NEW[1]].contains(&covers) && covers >= told.published,
        "{what}: {covers} is covered, {told:?}"
    );
}
