//! forebay beside other embedded queues and logs, each in its true durability class.
//!
//! README.md says what is measured and how.

#![deny(unsafe_code)]

mod arguments;
mod cell;
mod chart;
mod class;
mod figures;
mod histogram;
mod honesty;
mod payloads;
mod peer;
mod peers;
mod random;
mod read;
mod report;
mod rounds;
mod rows;
mod syncs;
mod table;
mod work;

use std::process::ExitCode;

use arguments::{Arguments, USAGE};
use cell::Scratch;
use class::Class;
use report::{Machine, Report};
use rounds::Campaign;

fn main() -> ExitCode {
    let outcome = Arguments::parse(std::env::args().skip(1))
        .map_err(Into::into)
        .and_then(|arguments| command(&arguments));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("forebay-compare: {error}");
            ExitCode::from(2)
        }
    }
}

fn command(arguments: &Arguments) -> peer::Result<()> {
    match arguments.command.as_str() {
        "run" => run(arguments),
        "honesty" => honesty(arguments),
        "show" => {
            let file = arguments.file.as_deref().ok_or("show needs a file")?;
            show(&Report::load(file)?, arguments)
        }
        "list" => {
            list();
            Ok(())
        }
        "rows" => rows::command(arguments),
        "read" => read::command(arguments),
        "cell" => one_cell(arguments),
        "read-cell" => read::one_cell(arguments),
        "row-cell" => rows::one_cell(arguments),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        other => Err(format!("there is no command {other}\n\n{USAGE}").into()),
    }
}

fn run(arguments: &Arguments) -> peer::Result<()> {
    let scratch = Scratch::new(arguments.dir.as_deref())?;
    let load = arguments.load(Class::Durable);
    let mut report = Report {
        machine: Machine::here(scratch.path()),
        record_bytes: load.record_bytes,
        seconds: load.seconds,
        ..Report::default()
    };
    let campaign = Campaign {
        scratch: &scratch,
        classes: &arguments.classes(Class::all(arguments.huge))?,
        entries: &arguments.entries()?,
        rounds: arguments.rounds.unwrap_or(5),
        seed: arguments.seed.unwrap_or(1),
        arguments,
    };
    campaign.run(&mut report)?;
    if let Some(file) = &arguments.json {
        report.save(file)?;
    }
    show(&report, arguments)
}

fn show(report: &Report, arguments: &Arguments) -> peer::Result<()> {
    print!("{}", table::draw(report));
    if let Some(file) = &arguments.svg {
        std::fs::write(file, chart::draw(report))?;
    }
    Ok(())
}

fn honesty(arguments: &Arguments) -> peer::Result<()> {
    let scratch = Scratch::new(arguments.dir.as_deref())?;
    let mut load = arguments.load(Class::Durable);
    load.calls = Some(arguments.calls.unwrap_or(200));
    let classes = arguments.classes(honesty::classes())?;
    print!(
        "{}",
        honesty::run(&scratch, &arguments.entries()?, &classes, &load)?
    );
    Ok(())
}

fn list() {
    for entry in peers::ENTRIES {
        let classes: Vec<String> = Class::all(true)
            .into_iter()
            .filter(|class| (entry.can)(*class))
            .map(|class| class.to_string())
            .collect();
        println!("{} ({})", entry.name, entry.release);
        println!("  {}", entry.setting);
        println!("  its acknowledgements survive in: {}", entry.acknowledges);
        println!("  {}\n", classes.join(" "));
    }
}

/// The child's part: one peer, one class, in a folder that is there.
fn one_cell(arguments: &Arguments) -> peer::Result<()> {
    let (entries, classes) = (arguments.entries()?, arguments.classes(Vec::new())?);
    let ([entry], [class]) = (entries.as_slice(), classes.as_slice()) else {
        return Err("a cell is one peer and one class".into());
    };
    let folder = arguments.dir.as_deref().ok_or("a cell needs a folder")?;
    cell::run_here(entry, folder, &arguments.load(*class))
}
