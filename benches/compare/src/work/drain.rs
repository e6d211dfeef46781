//! Taking out what was filled in before.

use std::time::Instant;

use super::Load;
use crate::class::{BATCH, Class};
use crate::figures::{Figures, float};
use crate::histogram::Histogram;
use crate::honesty::Marks;
use crate::payloads::Payloads;
use crate::peer::{Peer, Result};
use crate::syncs;

/// Records of a call: between calls the time is looked at.
const RECORDS: u64 = 1000;

pub fn run(peer: &dyn Peer, load: &Load, payloads: &Payloads) -> Result<Figures> {
    let per_ack = if load.class == Class::DrainBatch {
        BATCH as u64
    } else {
        1
    };
    let wanted = load.calls.map_or(load.waiting, |calls| calls * per_ack);
    // Some are left: the last of all may cost more.
    let waiting = usize::try_from(wanted + RECORDS)?;
    peer.fill(&mut payloads.iter().take(waiting))?;
    peer.settle()?;
    let marks = Marks::begin();
    let before = syncs::made();
    let mut latencies = Histogram::default();
    let mut taken = 0;
    let began = Instant::now();
    let mut last = began;
    while taken < wanted && (load.calls.is_some() || began.elapsed() < load.time()) {
        let now = peer.drain(RECORDS.min(wanted - taken), per_ack, &mut || {
            let now = Instant::now();
            latencies.record(now - last);
            last = now;
        })?;
        if now == 0 {
            return Err(format!("nothing came after {taken} of {waiting} records").into());
        }
        taken += now;
    }
    let elapsed = began.elapsed();
    let made = syncs::made() - before;
    marks.end();
    let records = float(taken);
    let figures = Figures {
        per_second: records / elapsed.as_secs_f64(),
        records,
        ..Figures::new(&latencies, 1.0, elapsed.as_secs_f64())
    };
    Ok(figures.with_syncs(made))
}
