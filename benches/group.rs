//! Group commit: how many callers a sync serves, in threads and in tickets, and what a batch saves.

#[path = "scene/alone.rs"]
mod alone;
mod scene;
#[path = "scene/together.rs"]
mod together;

use std::collections::VecDeque;

use criterion::{BenchmarkId, Criterion, Throughput};
use forebay::Queue;

const RECORD: [u8; 256] = [0x5a; 256];
const BATCH: u64 = 100;
/// Tickets that one thread waits for at a time.
const OUTSTANDING: usize = 1000;

fn main() {
    scene::run(&[threads, tickets, batch]);
}

fn threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("group/threads");
    let options = Queue::options();
    for threads in [1_u64, 2, 4, 8, 16, 64] {
        group.throughput(Throughput::Elements(1));
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

/// One thread that submits, and waits for the oldest of many.
fn tickets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("group/tickets");
    let options = Queue::options();
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::from_parameter(OUTSTANDING), |bencher| {
        bencher.iter_custom(|records| {
            alone::timed(&options, |queue| {
                let mut tickets = VecDeque::new();
                for _ in 0..records {
                    if tickets.len() == OUTSTANDING
                        && let Some(oldest) = tickets.pop_front()
                    {
                        wait(&oldest);
                    }
                    tickets.push_back(queue.submit(&RECORD).expect("room"));
                }
                tickets.iter().for_each(wait);
            })
        });
    });
    group.finish();
}

fn wait(ticket: &forebay::Ticket) {
    ticket.wait().expect("durable");
}

fn batch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("group/batch");
    let options = Queue::options();
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function(BenchmarkId::from_parameter(BATCH), |bencher| {
        bencher.iter_custom(|batches| {
            alone::timed(&options, |queue| {
                for _ in 0..batches {
                    let records = (0..BATCH).map(|_| &RECORD);
                    queue.enqueue_batch(records).expect("room");
                }
            })
        });
    });
    group.finish();
}
