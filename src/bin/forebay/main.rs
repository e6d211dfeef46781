//! The command `forebay`: put lines into a queue, take them out, look at it, and see it survive.

mod asked;
mod backup;
mod bench;
mod completions;
mod consumer;
mod consumers;
mod dead_letters;
mod demo;
mod drain;
mod dump;
mod enqueue;
mod exchange;
mod facts;
mod failure;
mod head;
#[cfg(feature = "sqlite")]
mod import_sqlite;
mod lines;
mod ls;
mod man;
mod moments;
mod output;
mod page;
mod paint;
mod progress;
mod reading;
mod record_format;
mod record_json;
mod repair;
mod restore;
mod rows;
mod salvage;
mod start;
mod stats;
mod tail;
mod units;
mod verify;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// An embedded, durable, in-order queue on an append-only segment log.
#[derive(Debug, Parser)]
#[command(name = "forebay", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 when all went well, 1 when something was found that should not be
(damage, a lost record), 2 for a wrong argument or an error of the system.";

#[derive(Debug, Subcommand)]
enum Command {
    Enqueue(enqueue::Arguments),
    Drain(drain::Arguments),
    Stats(stats::Arguments),
    Ls(ls::Arguments),
    Consumers(consumers::Arguments),
    Consumer(consumer::Arguments),
    DeadLetters(dead_letters::Arguments),
    Dump(dump::Arguments),
    Tail(tail::Arguments),
    Verify(verify::Arguments),
    Head(head::Arguments),
    Repair(repair::Arguments),
    Salvage(salvage::Arguments),
    Backup(backup::Arguments),
    Restore(restore::Arguments),
    Export(exchange::export::Arguments),
    Import(exchange::import::Arguments),
    #[cfg(feature = "sqlite")]
    ImportSqlite(import_sqlite::Arguments),
    Bench(bench::Arguments),
    Demo(demo::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

fn main() -> ExitCode {
    match demo::child_arguments().map_or_else(run, |child| demo::run_child(&child)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&failure);
            failure.exit_code()
        }
    }
}

fn run() -> Result<(), Failure> {
    match Arguments::parse().command {
        Command::Enqueue(arguments) => enqueue::run(&arguments),
        Command::Drain(arguments) => drain::run(&arguments),
        Command::Stats(arguments) => stats::run(&arguments),
        Command::Ls(arguments) => ls::run(&arguments),
        Command::Consumers(arguments) => consumers::run(&arguments),
        Command::Consumer(arguments) => consumer::run(&arguments),
        Command::DeadLetters(arguments) => dead_letters::run(&arguments),
        Command::Dump(arguments) => dump::run(&arguments),
        Command::Tail(arguments) => tail::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Head(arguments) => head::run(&arguments),
        Command::Repair(arguments) => repair::run(&arguments),
        Command::Salvage(arguments) => salvage::run(&arguments),
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Restore(arguments) => restore::run(&arguments),
        Command::Export(arguments) => exchange::export::run(&arguments),
        Command::Import(arguments) => exchange::import::run(&arguments),
        #[cfg(feature = "sqlite")]
        Command::ImportSqlite(arguments) => import_sqlite::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    }
}

/// Says what went wrong and, where that is known, what to do about it.
fn tell(failure: &Failure) {
    let mut text = format!("forebay: {failure}\n");
    if let Some(remedy) = failure.remedy() {
        text.push_str("  ");
        text.push_str(remedy);
        text.push('\n');
    }
    // With standard error closed there is nobody left to tell; the exit code still says it.
    io::stderr().write_all(output::safe(&text).as_bytes()).ok();
}

/// Adds a line to standard error, which may be closed.
fn note(line: &str) {
    io::stderr()
        .write_all(output::safe(&format!("forebay: {line}\n")).as_bytes())
        .ok();
}
