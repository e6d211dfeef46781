//! Threads that enqueue, each the next record once the last is durable.

use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use forebay::Queue;

use super::latencies::{Figures, Latencies};
use crate::failure::Failure;

const WARM: u8 = 0;
const MEASURE: u8 = 1;
const STOP: u8 = 2;

pub(super) fn measure(
    path: &Path,
    threads: u16,
    payload: &[u8],
    time: Duration,
) -> Result<Figures, Failure> {
    let queue = Queue::open(path)?;
    let phase = AtomicU8::new(WARM);
    let (outcome, timed) = thread::scope(|scope| {
        let callers: Vec<_> = (0..threads)
            .map(|_| {
                thread::Builder::new().spawn_scoped(scope, || enqueue(&queue, payload, &phase))
            })
            .collect();
        let timed = pass_time(&queue, &phase, time);
        phase.store(STOP, Ordering::Relaxed);
        let joined: Vec<Result<Latencies, Failure>> = callers
            .into_iter()
            .map(|caller| match caller.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(latencies)) => latencies,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(error) => Err(Failure::io("cannot start a thread")(error)),
            })
            .collect();
        let outcome: Result<Vec<Latencies>, Failure> = joined.into_iter().collect();
        (outcome, timed)
    });
    let mut latencies = Latencies::default();
    for of_thread in outcome? {
        latencies.add(of_thread);
    }
    let (elapsed, syncs) = timed?;
    queue.close()?;
    Ok(latencies.figures(elapsed, syncs))
}

/// Lets the callers warm up, then measures; returns for how long and the syncs meanwhile.
fn pass_time(queue: &Queue, phase: &AtomicU8, time: Duration) -> Result<(Duration, u64), Failure> {
    thread::sleep(time / 5);
    let before = queue.stats()?.syncs;
    let began = Instant::now();
    phase.store(MEASURE, Ordering::Relaxed);
    thread::sleep(time);
    let elapsed = began.elapsed();
    let syncs = queue.stats()?.syncs - before;
    Ok((elapsed, syncs))
}

fn enqueue(queue: &Queue, payload: &[u8], phase: &AtomicU8) -> Result<Latencies, Failure> {
    let mut latencies = Latencies::default();
    let mut began = Instant::now();
    loop {
        let now = phase.load(Ordering::Relaxed);
        if now == STOP {
            return Ok(latencies);
        }
        queue.enqueue(payload)?;
        let ended = Instant::now();
        if now == MEASURE {
            latencies.record(ended - began);
        }
        began = ended;
    }
}
