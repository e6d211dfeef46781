//! Runs what is asked for and says how it ended: 0 all promises kept, 1 one was broken, 2 it could
//! not run.

#![expect(clippy::print_stdout, reason = "a program that reports")]

mod arguments;
mod command;
mod eio;
mod failure;
mod full;
mod heart;
mod kill;
mod ledger;
mod load;
mod namespace;
mod produce;
mod prove;
mod random;
mod record;
mod sector;
mod shape;
mod shutdown;
mod verify;
mod volume;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use self::arguments::{Arguments, Campaign, USAGE};
use self::failure::{Failure, Must, Outcome};
use self::random::Random;
use self::volume::Kind;

/// How many processes a plain `cargo test` kills.
const BRIEF_KILLS: u32 = 16;

pub(crate) fn run() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let ran = match words.split_first() {
        Some((first, rest)) if first == kill::CHILD => kill::live(rest).map(|()| ExitCode::SUCCESS),
        Some((first, rest)) if first == namespace::INSIDE => inside(rest),
        _ => outside(&words),
    };
    ran.unwrap_or_else(|failure| {
        println!("{failure}");
        ExitCode::from(match failure {
            Failure::Broken(_) => 1,
            Failure::Setup(_) => 2,
        })
    })
}

fn outside(words: &[String]) -> Outcome<ExitCode> {
    let Some(arguments) = Arguments::parse(words)? else {
        brief()?;
        return Ok(ExitCode::SUCCESS);
    };
    let needs_root = arguments
        .campaigns
        .iter()
        .any(|campaign| !matches!(campaign, Campaign::Kill));
    if !needs_root {
        return campaigns(&arguments);
    }
    let mut tools = vec!["mkfs.ext4", "fstrim", "debugfs"];
    if arguments.kinds.contains(&Kind::Xfs) {
        tools.push("mkfs.xfs");
    }
    match namespace::check(&tools) {
        Ok(()) => namespace::enter(words),
        Err(Failure::Setup(reason)) => {
            println!("SKIPPED, NOTHING WAS TESTED: {}: {reason}", words.join(" "));
            Ok(ExitCode::from(if arguments.may_skip { 0 } else { 2 }))
        }
        Err(failure) => Err(failure),
    }
}

fn inside(words: &[String]) -> Outcome<ExitCode> {
    match Arguments::parse(words)? {
        Some(arguments) => campaigns(&arguments),
        None => Failure::setup(USAGE),
    }
}

/// What a plain `cargo test` runs.
fn brief() -> Outcome {
    let folder = scratch()?;
    heart::watch();
    let said = kill::campaign(BRIEF_KILLS, folder.path(), &mut Random::new(seed()))?;
    println!("{said}");
    println!(
        "\nNOT RUN: full disks, power cuts, failing media and long SIGKILL campaigns. To run:"
    );
    println!("{USAGE}\n");
    Ok(())
}

fn campaigns(arguments: &Arguments) -> Outcome<ExitCode> {
    let folder = scratch()?;
    heart::watch();
    let seed = arguments.seed.unwrap_or_else(seed);
    for campaign in &arguments.campaigns {
        run_one(*campaign, arguments, folder.path(), seed)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn run_one(campaign: Campaign, arguments: &Arguments, folder: &Path, seed: u64) -> Outcome {
    let cycles = arguments.cycles;
    let mut random = Random::new(seed);
    let tell = |began: Instant, said: &str| {
        let seconds = began.elapsed().as_secs_f64();
        println!("ok [{seconds:.1} s, seed {seed}] {said}");
    };
    println!("{campaign:?}, {cycles} cycles, seed {seed}");
    let began = Instant::now();
    match campaign {
        Campaign::Kill => tell(began, &kill::campaign(cycles, folder, &mut random)?),
        Campaign::Eio => tell(began, &eio::campaign(cycles, folder, &mut random)?),
        Campaign::Sector => tell(began, &sector::campaign(cycles, folder, &mut random)?),
        Campaign::Prove => {
            let names: Vec<&str> = arguments.kinds.iter().map(|kind| kind.name()).collect();
            tell(began, &prove::prove(&names, cycles, folder)?);
        }
        Campaign::Full | Campaign::Shutdown => {
            for kind in &arguments.kinds {
                let began = Instant::now();
                let said = if campaign == Campaign::Full {
                    full::campaign(*kind, cycles, folder, &mut random)?
                } else {
                    shutdown::campaign(*kind, cycles, folder, &mut random)?
                };
                tell(began, &said);
            }
        }
    }
    Ok(())
}

fn scratch() -> Outcome<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder
        .prefix("forebay-realfs-")
        .tempdir()
        .must("make a scratch folder")
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanoseconds = now.map_or(0, |now| now.subsec_nanos());
    u64::from(nanoseconds) << 24 ^ u64::from(std::process::id())
}
