//! What the demo prints.

use std::path::Path;

use super::ledger::Ledger;
use super::round::Round;
use super::source::Source;
use crate::failure::Failure;
use crate::{output, units};

pub(super) fn print_beginning(source: &Source, queue: &Path, seed: u64) -> Result<(), Failure> {
    let bytes = units::bytes(u64::try_from(source.bytes()).unwrap_or(u64::MAX));
    let file = source.path.display();
    let lines = units::counted(source.lines(), "line");
    output::say(&format!(
        "text   {file}, {lines}, {bytes}\n\
         queue  {}\n\
         seed   {seed}\n\n\
         {:>5} {:>9} {:>8} {:>12} {:>8} {:>8} | {}\n",
        queue.display(),
        "round",
        "killed by",
        "after",
        "acknowledged",
        "arrived",
        "refused",
        "what opening the queue found",
    ))
}

pub(super) fn print_round(number: u32, round: &Round) -> Result<(), Failure> {
    let report = &round.report;
    let torn = report.torn.as_ref().map_or(0, |torn| torn.bytes);
    let mut found = format!(
        "{}; {} scanned, {} torn, in {} us",
        report.event,
        units::bytes(report.scanned_bytes),
        units::bytes(torn),
        report.elapsed.as_micros(),
    );
    for corruption in &report.corruption {
        found.push_str("; ");
        found.push_str(&corruption.to_string());
    }
    output::say(&format!(
        "{number:>5} {:>9} {:>8} {:>12} {:>8} {:>8} | {found}\n",
        signal(round),
        units::span(round.lived),
        round.acknowledged,
        round.arrived,
        round.refused,
    ))
}

#[cfg(unix)]
fn signal(round: &Round) -> String {
    use std::os::unix::process::ExitStatusExt;

    let signal = round.ended.signal();
    signal.map_or_else(|| "-".to_owned(), |signal| format!("signal {signal}"))
}

#[cfg(not(unix))]
fn signal(_round: &Round) -> String {
    "force".to_owned()
}

pub(super) fn print_end(ledger: &Ledger) -> Result<(), Failure> {
    let faults = ledger.verdict();
    let verdict = if ledger.faults() == 0 {
        "every acknowledged record arrived, once, in order, byte for byte"
    } else {
        "the promise was broken"
    };
    output::say(&format!(
        "\n\
         acknowledged  {:>9}\n\
         arrived       {:>9}  killed before they could be reported: {}\n\
         missing       {:>9}\n\
         doubled       {:>9}\n\
         out of order  {:>9}\n\
         wrong bytes   {:>9}\n\
         refusals      {:>9}  each delivered again\n\n\
         {verdict}\n",
        ledger.acknowledged(),
        ledger.arrived(),
        ledger.unreported(),
        faults.missing,
        faults.doubled,
        faults.disordered,
        faults.altered,
        ledger.refused,
    ))
}
