//! Adding while so many records wait: what is added is taken out again, off the clock.

use std::time::{Duration, Instant};

use super::Load;
use crate::figures::Figures;
use crate::histogram::Histogram;
use crate::payloads::Payloads;
use crate::peer::{Peer, Result};
use crate::syncs;

/// Records added before as many are taken out.
const RECORDS: u64 = 1000;
const PER_ACK: u64 = 100;

pub fn run(peer: &dyn Peer, backlog: u64, load: &Load, payloads: &Payloads) -> Result<Figures> {
    peer.fill(&mut payloads.iter().take(usize::try_from(backlog)?))?;
    peer.settle()?;
    let mut latencies = Histogram::default();
    let mut spent = Duration::ZERO;
    let mut made = 0;
    let mut number = 0;
    let began = Instant::now();
    // The first pass only warms up. One that takes longer than all the time there is (a table
    // that counts its rows) is cut short.
    for pass in 0.. {
        let before = syncs::made();
        let pass_began = Instant::now();
        let mut last = pass_began;
        let mut added = 0;
        while added < RECORDS && pass_began.elapsed() < load.time() {
            peer.append(payloads.get(number))?;
            number += 1;
            added += 1;
            let now = Instant::now();
            if pass > 0 {
                latencies.record(now - last);
            }
            last = now;
        }
        if pass > 0 {
            spent += last - pass_began;
            made += syncs::made() - before;
        }
        let taken = peer.drain(added, PER_ACK, &mut || {})?;
        if taken != added {
            return Err(format!("{taken} of {added} records came out").into());
        }
        if pass > 0 && began.elapsed() >= load.time() * 2 {
            break;
        }
    }
    let figures = Figures::new(&latencies, 1.0, spent.as_secs_f64());
    Ok(figures.with_syncs(made))
}
