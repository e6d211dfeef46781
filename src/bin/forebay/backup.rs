//! `forebay backup`: a copy of a queue beside its writer, with a manifest of hashes.

use std::path::{Path, PathBuf};

use clap::Args;
use forebay::backup::{BackupReport, Manifest, backup, check};
use forebay::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::units;
use crate::{asked, facts};

const EXAMPLE: &str = "\
No lock is taken and nothing of the queue is changed, so it may be used while a
program has the queue open: everything that was durable when it began is in the
backup. OUT must not exist or be an empty directory. It is a backup once the
file MANIFEST is in it: a line for each file with its BLAKE3 hash, length and
name, and a last line with the hash of the others.

A damaged queue is copied as it is, with exit code 1, and with zeros for what the
system does not give back of it. With --check a backup is
compared with its manifest instead: exit code 1 when it is not as it was made.

Fields of the JSON object:
  backup, id, epoch (hex), first, next, durable, files, bytes
                         durable: below was proven to survive power loss
  path, passes, elapsed_seconds                       (not with --check)
  damage                 [{file, offset, first, next, expected, found}]
                                                      (not with --check)
  unreadable             [{file, offset, bytes, expected, found}], bytes is null
                         where something else than a file is
                                                      (not with --check)

Example:
  forebay backup events.queue /backups/events.2026-11-21
  forebay backup --check /backups/events.2026-11-21";

/// Copy a queue, also while a program has it open.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The queue's directory; with --check the backup's.
    #[arg(value_name = "DIR")]
    source: PathBuf,
    /// Where the backup is made.
    #[arg(value_name = "OUT", required_unless_present = "check")]
    target: Option<PathBuf>,
    /// Compare the backup DIR with its manifest, and make nothing.
    #[arg(long, conflicts_with = "target")]
    check: bool,
    #[command(flatten)]
    form: asked::Form,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.target {
        Some(target) => make(arguments, target),
        None => compare(arguments),
    }
}

fn make(arguments: &Arguments, target: &Path) -> Result<(), Failure> {
    let report = backup(&arguments.source, target).map_err(|error| unmade(error, target))?;
    arguments.form.answer(
        || as_json(&report, &arguments.source, target),
        || as_table(&report, &arguments.source, target),
    )?;
    let path = arguments.source.display();
    if !report.unreadable.is_empty() {
        let what = format!("not all of the queue can be read, and zeros are in the backup: {path}");
        return Err(Failure::Finding(what));
    }
    if report.is_damaged() {
        let what = format!("the queue is damaged, and the backup with it: {path}");
        return Err(Failure::Finding(what));
    }
    Ok(())
}

fn compare(arguments: &Arguments) -> Result<(), Failure> {
    let manifest = check(&arguments.source).map_err(refused)?;
    let path = arguments.source.display();
    arguments.form.answer(
        || manifest_as_json(&manifest, &arguments.source),
        || format!("unchanged  {path}\n{}", contents(&manifest)),
    )
}

/// Why no backup was made, and what is left of the attempt.
fn unmade(error: Error, target: &Path) -> Failure {
    let kind = error.kind();
    let failure = if kind == ErrorKind::InvalidInput {
        refused(error)
    } else {
        Failure::from(error)
    };
    // The QUEUE of the copy is written first, its MANIFEST last.
    let is_begun = target.join("QUEUE").exists() && !target.join("MANIFEST").exists();
    if is_begun && kind != ErrorKind::InvalidInput {
        let path = target.display();
        return failure.after(format!("what is in {path} is no backup, remove it"));
    }
    failure
}

/// Why a backup, or the place for one or for a queue, cannot be used.
pub(crate) fn refused(error: Error) -> Failure {
    let what = error.to_string();
    let kind = error.kind();
    if kind == ErrorKind::Corrupt {
        return Failure::Finding(format!("{what}\n  use another backup"));
    }
    let remedy = if kind == ErrorKind::NotFound {
        "check the path; `forebay backup` makes a backup"
    } else if kind == ErrorKind::InvalidInput {
        "choose a directory that is empty or does not exist"
    } else {
        return Failure::from(error);
    };
    Failure::Input { what, remedy }
}

fn as_table(report: &BackupReport, source: &Path, target: &Path) -> String {
    let (source, target) = (source.display(), target.display());
    let took = units::span(report.elapsed);
    let mut text = format!("backed up  {source} in {took}\nto         {target}\n");
    text.push_str(&contents(&report.manifest));
    for unreadable in &report.unreadable {
        text.push_str("unreadable ");
        text.push_str(&unreadable.to_string());
        text.push('\n');
    }
    for damage in &report.damage {
        text.push_str("damage     ");
        text.push_str(&damage.to_string());
        text.push('\n');
    }
    text
}

/// What a backup has in it, as lines of a table.
pub(crate) fn contents(manifest: &Manifest) -> String {
    let (id, epoch) = (manifest.id, manifest.epoch);
    let (first, next, durable) = (manifest.first, manifest.next, manifest.durable);
    let (files, bytes) = (manifest.files.len(), units::bytes(manifest.bytes()));
    format!(
        "identity   {id}, epoch {epoch}\n\
         records    {first}..{next}, durable to {durable}\n\
         files      {files}, {bytes}\n"
    )
}

/// The fields that every answer about a backup has.
pub(crate) fn manifest_as_json(manifest: &Manifest, backup: &Path) -> Value {
    json!({
        "backup": backup.display().to_string(),
        "id": manifest.id.to_string(),
        "epoch": manifest.epoch.to_string(),
        "first": manifest.first.get(),
        "next": manifest.next.get(),
        "durable": manifest.durable.get(),
        "files": manifest.files.len(),
        "bytes": manifest.bytes(),
    })
}

fn as_json(report: &BackupReport, source: &Path, target: &Path) -> Value {
    let mut object = manifest_as_json(&report.manifest, target);
    object["path"] = json!(source.display().to_string());
    object["passes"] = json!(report.passes);
    object["elapsed_seconds"] = json!(report.elapsed.as_secs_f64());
    object["unreadable"] = report.unreadable.iter().map(facts::of_unreadable).collect();
    object["damage"] = report.damage.iter().map(facts::of_damage).collect();
    object
}
