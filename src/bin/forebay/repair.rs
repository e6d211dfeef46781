//! `forebay repair`: what a repair would give up, and, when told so, the repair.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use clap::Args;
use forebay::repair::{RepairStep, plan};
use forebay::{Queue, Retention, Sequence};
use serde_json::{Value, json};

use crate::asked;
use crate::facts;
use crate::failure::Failure;

const EXAMPLE: &str = "\
Without --apply nothing is changed, and exit code 1 means that there is something
to repair. With --apply the steps are carried out, in their order, and the queue
is opened and closed once. Every byte that is removed or replaced is copied to
DIR/quarantine before. It may be interrupted: run again, it ends the same.
A torn tail needs no repair: opening the queue sees to that.
What the system does not give back counts as zeros, and the file is replaced, so
that the queue can be opened; where a log that was not closed may end there, the
plan is refused, and salvage gets out the records.

Fields of the JSON object:
  path
  applied                whether the steps were carried out
  steps                  [{file, problem, action, lost, kept, unreadable}], in
                         their order
                         action: set-aside, rename, replace, create, reopen
                         lost: as below, by this step
                         kept: where the old bytes are, or null
                         unreadable: [{file, offset, bytes, expected, found}],
                         what of the old bytes cannot be kept
  lost                   [{first, next}], the records given up; next is behind
  lost_records           how many these are

Example:
  forebay repair events.queue
  forebay repair events.queue --apply
  forebay repair events.queue --json | jq .lost";

/// Say what a repair would do and give up; with --apply, repair.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    queue: asked::Queue,
    /// Carry the plan out. No program may have the queue open.
    #[arg(long)]
    apply: bool,
    #[command(flatten)]
    form: asked::Form,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = plan(arguments.queue.path()).map_err(Failure::Repair)?;
    let is_applied = arguments.apply && !plan.is_empty();
    let (steps, lost) = if is_applied {
        let report = plan.apply().map_err(Failure::Repair)?;
        let lost = report.lost();
        finish(&plan.path).map_err(|failure| failure.after(told(&lost)))?;
        (report.done, lost)
    } else {
        (plan.steps.clone(), plan.lost())
    };
    arguments.form.answer(
        || as_json(&plan.path, is_applied, &steps, &lost),
        || as_text(is_applied, &steps, &lost),
    )?;
    if !is_applied && !steps.is_empty() {
        let path = plan.path.display();
        return Err(Failure::Finding(format!(
            "there is something to repair: {path}"
        )));
    }
    Ok(())
}

/// Opens the repaired queue once, which cuts a torn tail and rebuilds a lost `STATE`.
fn finish(path: &Path) -> Result<(), Failure> {
    let options = Queue::options().open_existing();
    let queue = options.retention(Retention::KeepForever).open(path)?;
    queue.close()?;
    Ok(())
}

fn told(lost: &[Range<Sequence>]) -> String {
    if lost.is_empty() {
        return "no record is lost".to_owned();
    }
    let ranges = lost
        .iter()
        .map(|range| format!("{}..{}", range.start, range.end));
    let ranges: Vec<String> = ranges.collect();
    format!(
        "lost: the records {} ({} in all)",
        ranges.join(", "),
        facts::records_in(lost)
    )
}

fn as_text(is_applied: bool, steps: &[RepairStep], lost: &[Range<Sequence>]) -> String {
    if steps.is_empty() {
        return "nothing to repair\n".to_owned();
    }
    let mut text = String::new();
    for (number, step) in (1..).zip(steps) {
        writeln!(text, "{number}. {step}").ok();
    }
    writeln!(text, "{}", told(lost)).ok();
    text.push_str(if is_applied {
        "repaired\n"
    } else {
        "nothing is changed; --apply carries this out\n"
    });
    text
}

fn as_json(path: &Path, is_applied: bool, steps: &[RepairStep], lost: &[Range<Sequence>]) -> Value {
    let steps = steps.iter().map(|step| {
        json!({
            "file": step.file,
            "problem": step.problem,
            "action": step.action.name(),
            "lost": facts::of_ranges(&step.lost),
            "kept": step.kept.as_ref().map(|kept| kept.display().to_string()),
            "unreadable": step.unreadable.iter().map(facts::of_unreadable).collect::<Vec<_>>(),
        })
    });
    json!({
        "path": path.display().to_string(),
        "applied": is_applied,
        "steps": steps.collect::<Value>(),
        "lost": facts::of_ranges(lost),
        "lost_records": facts::records_in(lost),
    })
}
