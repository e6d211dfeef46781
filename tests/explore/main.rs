//! The crash-image explorer: a power cut at every storage call, and what each may leave.
//!
//! ```text
//! cargo test --release --test explore -- --states 1000000 --seed 1
//! cargo test --release --test explore -- --replay tests/regressions/NAME.txt
//! ```
//!
//! Without arguments, as under plain `cargo test`, it replays `tests/regressions` and explores
//! some thousand states of every kind. What it finds is written to a file that replays it: to
//! keep it for ever, put that file into `tests/regressions`.

mod arguments;
mod campaign;
mod cut;
mod dice;
mod explore;
mod ledger;
mod life;
mod machine;
mod operation;
mod promises;
mod recorder;
mod tally;
mod text;
mod threads;
mod workload;

use std::io::Write;
use std::process::ExitCode;

use arguments::Arguments;
use campaign::Campaign;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return ExitCode::SUCCESS,
        Err(what) => {
            say(&what);
            return ExitCode::from(2);
        }
    };
    let campaign = Campaign::new(arguments);
    match campaign.run() {
        Ok(report) => {
            say(&report);
            say("no violation");
            ExitCode::SUCCESS
        }
        Err(report) => {
            say(&report);
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}
