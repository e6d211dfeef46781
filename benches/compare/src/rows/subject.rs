//! The queue that is measured, what fills and empties it, and the loop that measures one caller.

use std::path::Path;
use std::time::{Duration, Instant};

use forebay::{Consumer, Queue, QueueOptions, SyncPolicy};

use super::sample::Sample;
use crate::figures::Figures;
use crate::histogram::Histogram;
use crate::payloads::Payloads;
use crate::peer::Result;
use crate::syncs;

/// Bytes of frames that a cell may write: a disk that is lent by the second slows down for who
/// comes next otherwise.
pub const BYTES_MAX: u64 = 256 << 20;
/// What a frame takes beside its payload.
pub const FRAME_BYTES: u64 = 72;
/// Of most rows.
pub const RECORD_BYTES: usize = 256;
const FILL: usize = 1000;

pub fn policy(name: &str) -> Result<SyncPolicy> {
    match name {
        "always" => Ok(SyncPolicy::Always),
        "manual" => Ok(SyncPolicy::Manual),
        _ => Err(format!("there is no policy {name}").into()),
    }
}

pub fn options(policy: SyncPolicy) -> QueueOptions {
    Queue::options().sync_policy(policy)
}

pub fn place(folder: &Path) -> std::path::PathBuf {
    folder.join("queue")
}

/// As many records as a cell may write of this size.
pub fn calls_max(record_bytes: usize) -> u64 {
    BYTES_MAX / (record_bytes as u64 + FRAME_BYTES)
}

/// Adds `records` in batches that fit into any segment.
pub fn fill(queue: &Queue, records: u64, payloads: &Payloads) -> Result<()> {
    let mut left = usize::try_from(records)?;
    while left > 0 {
        let now = left.min(FILL);
        queue.enqueue_batch((left - now..left).map(|number| payloads.get(number)))?;
        left -= now;
    }
    Ok(())
}

/// Takes out `records`, or as many as there are.
pub fn take(consumer: &mut Consumer, records: u64) -> Result<u64> {
    let mut taken = 0;
    while taken < records {
        let wanted = usize::try_from(records - taken)?.min(FILL);
        let batch = consumer.peek_batch(wanted)?;
        let Some(last) = batch.iter().last().map(|record| record.sequence) else {
            break;
        };
        taken += batch.len() as u64;
        consumer.ack_through(last)?;
    }
    Ok(taken)
}

/// Calls again and again, for `seconds` after a warm-up of a fifth, at most `calls_max` times.
pub fn measure(
    seconds: f64,
    calls_max: u64,
    records_per_call: f64,
    mut call: impl FnMut(usize) -> Result<()>,
) -> Result<Sample> {
    let time = Duration::from_secs_f64(seconds);
    let calls_max = usize::try_from(calls_max)?.max(10);
    let mut number = 0;
    let began = Instant::now();
    while number < calls_max / 6 && began.elapsed() < time / 5 {
        call(number)?;
        number += 1;
    }
    let mut latencies = Histogram::default();
    let before = syncs::made();
    let began = Instant::now();
    let mut last = began;
    while number < calls_max && last - began < time {
        call(number)?;
        number += 1;
        let now = Instant::now();
        latencies.record(now - last);
        last = now;
    }
    let made = syncs::made() - before;
    let figures = Figures::new(&latencies, records_per_call, (last - began).as_secs_f64());
    Ok(figures.with_syncs(made).into())
}
