//! What an append costs: by sync policy, by size, by integrity, by threads.

#[path = "scene/alone.rs"]
mod alone;
mod scene;
#[path = "scene/together.rs"]
mod together;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use forebay::{Integrity, Queue, SyncPolicy};

const RECORD: [u8; 256] = [0x5a; 256];

fn main() {
    scene::run(&[policy, size, integrity, threads]);
}

fn policy(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append/policy");
    let policies = [
        ("always", SyncPolicy::Always),
        ("interval", SyncPolicy::Interval(Duration::from_millis(50))),
        ("manual", SyncPolicy::Manual),
    ];
    for (name, sync_policy) in policies {
        let options = Queue::options().sync_policy(sync_policy);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|records| {
                alone::timed(&options, |queue| {
                    for _ in 0..records {
                        queue.enqueue(&RECORD).expect("room");
                    }
                })
            });
        });
    }
    group.finish();
}

/// There must be no cliff: a fixed cost, and the bytes at the rate of a copy.
fn size(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append/size");
    let options = Queue::options().sync_policy(SyncPolicy::Manual);
    for bytes in [16_u32, 256, 1 << 10, 16 << 10, 1 << 20] {
        let payload = vec![0x5a; usize::try_from(bytes).expect("32 bits")];
        group.throughput(Throughput::Bytes(bytes.into()));
        group.bench_with_input(
            BenchmarkId::from_parameter(bytes),
            &payload,
            |bencher, payload| {
                bencher.iter_custom(|records| {
                    alone::timed(&options, |queue| {
                        for _ in 0..records {
                            queue.enqueue(payload).expect("room");
                        }
                    })
                });
            },
        );
    }
    group.finish();
}

fn integrity(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append/integrity");
    for (name, integrity) in [
        ("chained", Integrity::Chained),
        ("crc32c", Integrity::Crc32c),
    ] {
        let options = Queue::options()
            .sync_policy(SyncPolicy::Manual)
            .integrity(integrity);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|records| {
                alone::timed(&options, |queue| {
                    for _ in 0..records {
                        queue.enqueue(&RECORD).expect("room");
                    }
                })
            });
        });
    }
    group.finish();
}

fn threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append/threads");
    let options = Queue::options().sync_policy(SyncPolicy::Manual);
    for threads in [1_u64, 2, 8] {
        group.bench_function(BenchmarkId::from_parameter(threads), |bencher| {
            bencher.iter_custom(|records| {
                together::timed(&options, threads, records, |queue| {
                    queue.enqueue(&RECORD).expect("room");
                })
            });
        });
    }
    group.finish();
}
