//! Reading a whole backlog: every peer is filled with the same records and hands all of them out,
//! with an acknowledgement a record and with one a hundred.
//!
//! Unlike `drain` of `run`, nothing is timed in between, and nothing is left of the filling: it is
//! on the medium when the clock starts.

mod notes;
mod report;
mod table;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::cell::{self, Scratch};
use crate::class::{BATCH, Class};
use crate::figures::{Figures, float};
use crate::histogram::Histogram;
use crate::payloads::Payloads;
use crate::peer::{Entry, Result};
use crate::peers;
use crate::random::Random;
use crate::report::Machine;
use crate::syncs;
use crate::work::Load;

use report::Report;

/// An acknowledgement a record, one a hundred.
const WAYS: [Class; 2] = [Class::Drain, Class::DrainBatch];
/// Who is measured unless asked otherwise: what forebay's readers are held against.
const ENTRIES: [&str; 7] = [
    "forebay",
    "forebay-crc32c",
    "sqlite-normal",
    "yaque",
    "queue-file",
    "raft-engine",
    "fjall",
];
const RECORDS: u64 = 1_000_000;
/// When a peer that is slow has read enough.
const SECONDS: f64 = 20.0;
/// Records of the first call; each further one takes as many as were taken before.
const LEAST: u64 = 1000;

pub fn command(arguments: &Arguments) -> Result<()> {
    let scratch = Scratch::new(arguments.dir.as_deref())?;
    let rounds = arguments.rounds.unwrap_or(5);
    let load = arguments.load(Class::Drain);
    let mut report = Report {
        machine: Machine::here(scratch.path()),
        records: arguments.records.unwrap_or(RECORDS),
        record_bytes: load.record_bytes,
        rounds,
        seconds: arguments.seconds.unwrap_or(SECONDS),
        ..Report::default()
    };
    let mut cells = cells(arguments)?;
    let mut random = Random::new(arguments.seed.unwrap_or(1));
    let began = Instant::now();
    for round in 1..=rounds {
        random.shuffle(&mut cells);
        eprintln!(
            "[{:>5} s] round {round}/{rounds}, {} cells",
            began.elapsed().as_secs(),
            cells.len()
        );
        for (entry, way) in &cells {
            let name = format!("{way}-{}", entry.name);
            match scratch.measure(&name, &[], &words(entry, *way, &report)) {
                Ok(figures) => report.add(round, entry, *way, figures),
                Err(reason) => {
                    let failure = format!("{name}: {reason}");
                    eprintln!("          {failure}");
                    report.failures.push(failure);
                }
            }
        }
        // A campaign that is broken off is not lost.
        if let Some(file) = &arguments.json {
            report.save(file)?;
        }
    }
    print!("{}", table::draw(&report));
    Ok(())
}

/// Every peer with every way it has.
fn cells(arguments: &Arguments) -> Result<Vec<(&'static Entry, Class)>> {
    let entries: Vec<&'static Entry> = match &arguments.peers {
        Some(_) => arguments.entries()?,
        None => ENTRIES.into_iter().filter_map(peers::find).collect(),
    };
    let cells = entries.into_iter().flat_map(|entry| {
        let ways = WAYS.into_iter().filter(|way| (entry.can)(*way));
        ways.map(move |way| (entry, way))
    });
    Ok(cells.collect())
}

/// The child's command line.
fn words(entry: &Entry, way: Class, report: &Report) -> Vec<String> {
    let mut words = vec!["read-cell".to_owned()];
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    option("--peers", entry.name.to_owned());
    option("--classes", way.to_string());
    option("--size", report.record_bytes.to_string());
    option("--seconds", report.seconds.to_string());
    option("--records", report.records.to_string());
    words
}

/// The child's part: one peer, one way, in a folder that is there.
pub fn one_cell(arguments: &Arguments) -> Result<()> {
    let (entries, ways) = (arguments.entries()?, arguments.classes(Vec::new())?);
    let ([entry], [way]) = (entries.as_slice(), ways.as_slice()) else {
        return Err("a cell is one peer and one way".into());
    };
    let folder = arguments.dir.as_deref().ok_or("a cell needs a folder")?;
    let load = Load {
        seconds: arguments.seconds.unwrap_or(SECONDS),
        waiting: arguments.records.unwrap_or(RECORDS),
        ..arguments.load(*way)
    };
    cell::tell(&measure(entry, folder, &load)?)
}

fn measure(entry: &Entry, folder: &Path, load: &Load) -> Result<Figures> {
    let (way, records) = (load.class, load.waiting);
    let time = Duration::from_secs_f64(load.seconds);
    let payloads = Payloads::new(load.record_bytes);
    let peer = (entry.open)(folder, way)?;
    peer.fill(&mut payloads.iter().take(usize::try_from(records)?))?;
    peer.settle()?;
    // What the filling left to be written is nobody's to pay for.
    Command::new("sync").status()?;
    let per_ack = if way == Class::DrainBatch { BATCH } else { 1 };
    let before = syncs::made();
    let mut acks = 0;
    let mut taken = 0;
    let began = Instant::now();
    while taken < records && began.elapsed() < time {
        // Few calls: some peers look for the first record anew in each.
        let wanted = taken.max(LEAST).min(records - taken);
        let now = peer.drain(wanted, per_ack as u64, &mut || acks += 1)?;
        if now != wanted {
            return Err(format!("{now} of {wanted} records came after {taken}").into());
        }
        taken += now;
    }
    let elapsed = began.elapsed().as_secs_f64();
    let made = syncs::made() - before;
    let figures = Figures {
        per_second: float(taken) / elapsed.max(1e-9),
        calls: acks,
        records: float(taken),
        ..Figures::new(&Histogram::default(), 1.0, elapsed)
    };
    Ok(figures.with_syncs(made))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_who_is_measured_is_known_and_reads_in_both_ways() {
        let cells = cells(&Arguments::default()).expect("no peer was asked for");
        assert_eq!(cells.len(), ENTRIES.len() * WAYS.len());
    }

    #[test]
    fn it_is_said_of_every_peer_that_reads_what_an_acknowledgement_costs() {
        for entry in peers::ENTRIES {
            if WAYS.into_iter().any(|way| (entry.can)(way)) {
                assert!(notes::cost(entry.name).is_some(), "{}", entry.name);
            }
        }
    }
}
