//! What reading costs: by the way of taking out, by integrity, with a filter, beside the writer.

mod scene;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use forebay::{
    Consumer, ConsumerOptions, Entry, Follower, Integrity, Queue, Record, Sequence, SyncPolicy,
};
use tempfile::TempDir;

const RECORD: [u8; 256] = [0x5a; 256];
/// Records of a batch.
const BATCH: usize = 100;
/// Kinds of records, one after the other.
const KINDS: u64 = 10;
/// The one that the consumer of one kind is given.
const KIND: u16 = 7;

fn main() {
    scene::run(&[chained, checksummed]);
}

fn chained(criterion: &mut Criterion) {
    ways(criterion, "read/chained", Integrity::Chained);
}

fn checksummed(criterion: &mut Criterion) {
    ways(criterion, "read/crc32c", Integrity::Crc32c);
}

fn ways(criterion: &mut Criterion, name: &str, integrity: Integrity) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    let all = ConsumerOptions::new();
    let some = ConsumerOptions::new().kinds([KIND]);
    let mut consume = |way: &str, options: &ConsumerOptions, work: fn(&mut Consumer)| {
        measure(&mut group, way, |records| {
            let (_folder, queue) = filled(records, integrity);
            let mut consumer = queue.consumer_with("bench", options).expect("a free name");
            let began = Instant::now();
            work(&mut consumer);
            let elapsed = began.elapsed();
            assert!(consumer.is_empty().expect("open"));
            elapsed
        });
    };
    consume("peek_batch", &all, peek_batches);
    consume("next_batch", &all, next_batches);
    consume("drain", &all, drain);
    consume("peek", &all, one_by_one);
    consume("one kind in ten", &some, peek_batches);
    measure(&mut group, "follower", |records| {
        let (folder, _queue) = filled(records, integrity);
        follow(&place(&folder), records)
    });
    group.finish();
}

/// `work` says how long it took for so many records.
fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    way: &str,
    mut work: impl FnMut(u64) -> Duration,
) {
    group.bench_function(way, |bencher| bencher.iter_custom(&mut work));
}

fn place(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("queue")
}

/// A queue with so many durable records, of all kinds in turn. The folder goes with the guard.
fn filled(records: u64, integrity: Integrity) -> (TempDir, Queue) {
    let folder = scene::folder();
    let options = Queue::options()
        .sync_policy(SyncPolicy::Manual)
        .integrity(integrity);
    let queue = options.open(place(&folder)).expect("a new queue");
    let mut at = 0;
    while at < records {
        let end = records.min(at + 1000);
        let batch = (at..end).map(|number| {
            let kind = u16::try_from(number % KINDS).expect("few kinds");
            Entry::new(&RECORD).kind(kind)
        });
        queue.enqueue_batch(batch).expect("room");
        at = end;
    }
    queue.sync().expect("durable");
    (folder, queue)
}

/// What a program looks at: every record, and where its bytes are.
fn see(record: &Record<'_>) {
    black_box((record.sequence, record.payload));
}

fn peek_batches(consumer: &mut Consumer) {
    loop {
        let batch = consumer.peek_batch(BATCH).expect("no damage");
        batch.iter().for_each(|record| see(&record));
        let Some(last) = batch.last().map(|last| last.sequence) else {
            break;
        };
        consumer.ack_through(last).expect("delivered");
    }
}

fn next_batches(consumer: &mut Consumer) {
    loop {
        let batch = consumer.next_batch(BATCH).expect("no damage");
        batch.iter().for_each(|record| see(&record));
        let Some(last) = batch.last().map(|last| last.sequence) else {
            break;
        };
        consumer.ack_through(last).expect("delivered");
    }
}

fn drain(consumer: &mut Consumer) {
    let drained = consumer.drain(|record| {
        see(record);
        Ok::<_, ()>(())
    });
    drained.expect("no damage");
}

fn one_by_one(consumer: &mut Consumer) {
    loop {
        let record = consumer.peek().expect("no damage");
        let Some(record) = record else {
            break;
        };
        see(&record);
        let sequence: Sequence = record.sequence;
        consumer.ack_through(sequence).expect("delivered");
    }
}

fn follow(queue: &Path, records: u64) -> Duration {
    let mut follower = Follower::open(queue).expect("a queue");
    let mut seen = 0;
    let began = Instant::now();
    while seen < records {
        let batch = follower.next_batch(BATCH).expect("no damage");
        batch.iter().for_each(|record| see(&record));
        seen += u64::try_from(batch.len()).expect("64 bits");
    }
    began.elapsed()
}
