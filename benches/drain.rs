//! What taking records out costs: acknowledged one by one, and many at a time.

mod scene;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use forebay::{Consumer, Queue, SyncPolicy};

const RECORD: [u8; 256] = [0x5a; 256];
const BATCH: u64 = 1000;

fn main() {
    scene::run(&[one_by_one, batches]);
}

/// The time that `work` takes with a consumer before which so many records wait.
fn timed(records: u64, work: impl FnOnce(&mut Consumer)) -> Duration {
    let folder = scene::folder();
    let path = folder.path().join("queue");
    let options = Queue::options().sync_policy(SyncPolicy::Manual);
    let queue = options.open(path).expect("a new queue");
    let mut left = records;
    while left > 0 {
        let count = left.min(BATCH);
        let batch = (0..count).map(|_| &RECORD);
        queue.enqueue_batch(batch).expect("room");
        left -= count;
    }
    queue.sync().expect("durable");
    let mut consumer = queue.consumer("bench").expect("a free name");
    let began = Instant::now();
    work(&mut consumer);
    let elapsed = began.elapsed();
    assert!(consumer.is_empty().expect("open"));
    elapsed
}

fn one_by_one(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("drain/each");
    group.throughput(Throughput::Elements(1));
    group.bench_function("256", |bencher| {
        bencher.iter_custom(|records| {
            timed(records, |consumer| {
                let drained = consumer.drain(|record| {
                    black_box(record.payload);
                    Ok::<_, ()>(())
                });
                drained.expect("no damage");
            })
        });
    });
    group.finish();
}

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("drain/batch");
    group.throughput(Throughput::Elements(1));
    for size in [10, 100, 1000] {
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_custom(|records| {
                timed(records, |consumer| {
                    loop {
                        let batch = consumer.peek_batch(size).expect("no damage");
                        black_box(&batch);
                        let Some(last) = batch.iter().last() else {
                            break;
                        };
                        let sequence = last.sequence;
                        consumer.ack_through(sequence).expect("delivered");
                    }
                })
            });
        });
    }
    group.finish();
}
