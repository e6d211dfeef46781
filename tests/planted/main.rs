//! Deliberate bugs, and the proof that a named test notices each of them.
//!
//! A bug is a line of a table (`bugs`): where in `src`, what stands there, what a careless hand
//! might have written instead, and the test that dies of it. Nothing of this is in `src`: the
//! sources are copied, each place is turned into a choice that reads the environment once, and the
//! copy is built and tested. No build of the crate itself can hold a planted bug.
//!
//! * `cargo test --test planted`: the table still fits the sources. Takes no time.
//! * `cargo test --test planted -- --run [NAME..]`: builds the copy once, sees every named test
//!   pass without a bug and fail with its own, and prints the matrix.
//! * `cargo test --test planted -- --all [NAME..]`: runs the whole suite against each bug and
//!   lists every test that notices. Takes hours.

mod bugs;
mod choice;
mod matrix;
mod source;
mod table;
mod trial;
mod workshop;

use std::process::ExitCode;
use std::time::Instant;

use table::Bug;
use trial::Outcome;
use workshop::Workshop;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let bugs = bugs::all();
    let findings = table::check(&bugs);
    for finding in &findings {
        say(&format!("the table does not fit: {finding}"));
    }
    if !findings.is_empty() {
        return ExitCode::FAILURE;
    }
    match arguments.split_first() {
        Some((mode, names)) if mode == "--run" => report(run(&chosen(&bugs, names))),
        Some((mode, names)) if mode == "--all" => report(run_all(&chosen(&bugs, names))),
        // Whatever else the test harness is given by `cargo test`.
        Some(_) | None => {
            say(&format!("{} planted bugs fit the sources", bugs.len()));
            ExitCode::SUCCESS
        }
    }
}

/// The bugs named, or all of them.
fn chosen<'a>(bugs: &'a [Bug], names: &[String]) -> Vec<&'a Bug> {
    let is_chosen = |bug: &&Bug| names.is_empty() || names.iter().any(|name| name == bug.name);
    bugs.iter().filter(is_chosen).collect()
}

fn report(outcome: Result<bool, String>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            say(&why);
            ExitCode::FAILURE
        }
    }
}

/// Runs each bug's own test; true when every bug died of it.
fn run(bugs: &[&Bug]) -> Result<bool, String> {
    let started = Instant::now();
    let workshop = Workshop::build()?;
    let built = started.elapsed();
    let mut killers: Vec<&str> = bugs.iter().map(|bug| bug.killer).collect();
    killers.sort_unstable();
    killers.dedup();
    let sound = trial::each(&killers, |killer| workshop.try_test(killer, None));
    for (killer, outcome) in killers.iter().zip(&sound) {
        if *outcome != Outcome::Passed {
            return Err(format!("without a bug, {killer}: {outcome}"));
        }
    }
    let outcomes = trial::each(bugs, |bug| workshop.try_test(bug.killer, Some(bug.name)));
    say(&matrix::render(bugs, &outcomes));
    let killed = outcomes.iter().filter(|outcome| outcome.is_kill()).count();
    say(&format!(
        "{killed} of {} planted bugs killed; built in {} s, ran in {} s",
        bugs.len(),
        built.as_secs(),
        started.elapsed().saturating_sub(built).as_secs()
    ));
    Ok(killed == bugs.len())
}

/// Runs the whole suite against each bug; true when something noticed each.
fn run_all(bugs: &[&Bug]) -> Result<bool, String> {
    let workshop = Workshop::build()?;
    let noticed = trial::each(bugs, |bug| {
        let noticed = workshop.try_suite(bug.name);
        say(&matrix::render_suite(bug, &noticed));
        noticed
    });
    Ok(noticed.iter().all(|tests| !tests.is_empty()))
}

#[expect(
    clippy::print_stdout,
    reason = "this is a program whose output is read"
)]
fn say(text: &str) {
    println!("{text}");
}
