//! What going on in the next segment costs its callers: small segments beside large ones.

#[path = "scene/alone.rs"]
mod alone;
mod scene;

use criterion::{BenchmarkId, Criterion};
use forebay::{Preallocate, Queue, SyncPolicy};

const RECORD: [u8; 256] = [0x5a; 256];

fn main() {
    scene::run(&[written, durable]);
}

/// A rotation each 200 records or so, and next to none.
const SEGMENTS: [u64; 2] = [64 << 10, 64 << 20];

fn written(criterion: &mut Criterion) {
    append(criterion, "rotation/written", SyncPolicy::Manual);
}

fn durable(criterion: &mut Criterion) {
    append(criterion, "rotation/durable", SyncPolicy::Always);
}

fn append(criterion: &mut Criterion, name: &str, sync_policy: SyncPolicy) {
    let mut group = criterion.benchmark_group(name);
    let preallocations = [
        ("none", Preallocate::None),
        ("allocate", Preallocate::Allocate),
    ];
    for (preallocation, preallocate) in preallocations {
        for segment_bytes in SEGMENTS {
            let options = Queue::options()
                .sync_policy(sync_policy)
                .preallocate(preallocate)
                .segment_bytes(segment_bytes);
            let id = BenchmarkId::new(preallocation, segment_bytes);
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|records| {
                    alone::timed(&options, |queue| {
                        for _ in 0..records {
                            queue.enqueue(&RECORD).expect("room");
                        }
                    })
                });
            });
        }
    }
    group.finish();
}
