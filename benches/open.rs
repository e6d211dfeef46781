//! How long it takes to open a queue: closed before, and left as a killed process leaves it.

mod scene;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use forebay::{Queue, SyncPolicy};
use tempfile::TempDir;

const RECORD: [u8; 256] = [0x5a; 256];
/// What a record takes with the chained hash.
const FRAME_BYTES: u64 = 72 + 256;
const BATCH: u64 = 1000;

fn main() {
    scene::run(&[clean, killed]);
}

/// A queue with so many records, still open.
fn filled(path: &Path, records: u64) -> Queue {
    let options = Queue::options().sync_policy(SyncPolicy::Manual);
    let queue = options.open(path).expect("a new queue");
    for _ in 0..records / BATCH {
        let batch = (0..BATCH).map(|_| &RECORD);
        queue.enqueue_batch(batch).expect("room");
    }
    queue
}

fn open(path: &Path) -> Duration {
    let began = Instant::now();
    let queue = Queue::open(path).expect("a queue");
    let elapsed = began.elapsed();
    queue.close().expect("a clean end");
    elapsed
}

/// No record is read: how many there are should not matter.
fn clean(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open/clean");
    for records in [BATCH, 50 * BATCH] {
        let folder = scene::folder();
        let path = folder.path().join("queue");
        let queue = filled(&path, records);
        queue.close().expect("a clean end");
        group.bench_function(BenchmarkId::from_parameter(records), |bencher| {
            bencher.iter_custom(|openings| (0..openings).map(|_| open(&path)).sum());
        });
    }
    group.finish();
}

/// The records that no sync has covered are scanned, and written again before they are trusted.
fn killed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open/killed");
    group.sample_size(10);
    for records in [BATCH, 50 * BATCH] {
        let left = left_by_a_kill(records);
        group.throughput(Throughput::Bytes(records * FRAME_BYTES));
        group.bench_function(BenchmarkId::from_parameter(records), |bencher| {
            bencher.iter_custom(|openings| {
                let one = |_| {
                    let folder = scene::folder();
                    let path = folder.path().join("queue");
                    copy(left.path(), &path);
                    open(&path)
                };
                (0..openings).map(one).sum()
            });
        });
    }
    group.finish();
}

/// The files as they are while the queue is open: what a killed process leaves.
fn left_by_a_kill(records: u64) -> TempDir {
    let (folder, left) = (scene::folder(), scene::folder());
    let path = folder.path().join("queue");
    let queue = filled(&path, records);
    copy(&path, left.path());
    queue.close().expect("a clean end");
    left
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
