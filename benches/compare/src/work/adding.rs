//! Threads that add records in a closed loop: warm up, measure, stop.

use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Load;
use crate::class::{BATCH, Class};
use crate::figures::{Figures, float};
use crate::histogram::Histogram;
use crate::honesty::Marks;
use crate::payloads::Payloads;
use crate::peer::{Peer, Result};
use crate::random::Random;
use crate::syncs;

const WARM: u8 = 0;
const MEASURE: u8 = 1;
const STOP: u8 = 2;

/// What a thread does, again and again.
struct Caller<'a> {
    peer: &'a dyn Peer,
    payloads: &'a Payloads,
    class: Class,
    number: usize,
    random: Random,
}

impl Caller<'_> {
    fn call(&mut self) -> Result<()> {
        if self.class != Class::Batch {
            self.number += 1;
            return self.peer.append(self.payloads.get(self.number));
        }
        let records: Vec<&[u8]> = (0..BATCH)
            .map(|offset| self.payloads.get(self.number + offset))
            .collect();
        self.number += BATCH;
        self.peer.append_batch(&records)
    }

    /// A pause of 0 to twice the mean.
    fn pause(&mut self) {
        let mean = self.class.pause();
        if !mean.is_zero() {
            let limit = u64::try_from(mean.as_nanos()).unwrap_or(u64::MAX) * 2;
            thread::sleep(Duration::from_nanos(self.random.below(limit)));
        }
    }

    fn run(&mut self, phase: &AtomicU8) -> Result<Histogram> {
        let mut latencies = Histogram::default();
        let pauses = !self.class.pause().is_zero();
        let mut began = Instant::now();
        loop {
            if pauses {
                self.pause();
                began = Instant::now();
            }
            let now = phase.load(Ordering::Relaxed);
            if now == STOP {
                return Ok(latencies);
            }
            self.call()?;
            let ended = Instant::now();
            if now == MEASURE {
                latencies.record(ended - began);
            }
            began = ended;
        }
    }

    fn run_counted(&mut self, calls: u64) -> Result<Histogram> {
        let mut latencies = Histogram::default();
        for _ in 0..calls {
            let began = Instant::now();
            self.call()?;
            latencies.record(began.elapsed());
        }
        Ok(latencies)
    }
}

pub fn run(peer: &dyn Peer, load: &Load, payloads: &Payloads) -> Result<Figures> {
    let threads = load.class.threads();
    let records_per_call = if load.class == Class::Batch { BATCH } else { 1 };
    let records_per_call = float(records_per_call as u64);
    shorten_timer_slack();
    let phase = AtomicU8::new(WARM);
    let caller = |thread: usize| Caller {
        peer,
        payloads,
        class: load.class,
        number: thread * 37,
        random: Random::new(thread as u64 + 1),
    };
    if let Some(calls) = load.calls {
        // What the first call alone costs (a first segment, say) is not of this count.
        caller(0).run_counted(1)?;
        let marks = Marks::begin();
        let before = syncs::made();
        let began = Instant::now();
        let latencies = each_thread(threads, |thread| caller(thread).run_counted(calls))?;
        let elapsed = began.elapsed();
        let made = syncs::made() - before;
        marks.end();
        let figures = Figures::new(&latencies, records_per_call, elapsed.as_secs_f64());
        return Ok(figures.with_syncs(made));
    }
    let (latencies, elapsed, made) = thread::scope(|scope| {
        let timer = scope.spawn(|| {
            thread::sleep(
                (load.time() / 5).clamp(Duration::from_millis(50), Duration::from_millis(500)),
            );
            let before = syncs::made();
            let began = Instant::now();
            phase.store(MEASURE, Ordering::Relaxed);
            thread::sleep(load.time());
            phase.store(STOP, Ordering::Relaxed);
            (began.elapsed(), syncs::made() - before)
        });
        let latencies = each_thread(threads, |thread| {
            let outcome = caller(thread).run(&phase);
            if outcome.is_err() {
                phase.store(STOP, Ordering::Relaxed);
            }
            outcome
        });
        let timed = timer.join().map_err(|_| "the timer panicked");
        let (elapsed, made) = timed?;
        latencies.map(|latencies| (latencies, elapsed, made))
    })?;
    let figures = Figures::new(&latencies, records_per_call, elapsed.as_secs_f64());
    Ok(figures.with_syncs(made))
}

/// Runs `work` in so many threads at once; the caller's own is the only one where there is one.
fn each_thread(
    threads: usize,
    work: impl Fn(usize) -> Result<Histogram> + Sync,
) -> Result<Histogram> {
    if threads == 1 {
        return work(0);
    }
    let work = &work;
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || work(thread)))
            .collect();
        let mut latencies = Histogram::default();
        for thread in running {
            latencies.add(&thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok(latencies)
    })
}

/// Lets pauses of 50 us be 50 us: the kernel adds as much to a sleep otherwise. Threads that are
/// started later have it from this one; where it may not be set, pauses are longer.
fn shorten_timer_slack() {
    std::fs::write("/proc/self/timerslack_ns", "1000").ok();
}
