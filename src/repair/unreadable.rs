//! What the medium does not give back. Planning takes it for zeros, so that records which it hides
//! are lost like any others; but opening would fail there, so the file is replaced in any case.

use std::path::PathBuf;

use super::files::LaidOut;
use super::members::Bounds;
use super::step::{RepairStep, Work};
use crate::error::{Error, ErrorKind, Result, Unreadable};
use crate::format::{QUARANTINE, STATE, SegmentFile};
use crate::position::SegmentNumber;
use crate::storage::{Directory, Lenient, list_if_there};

/// `steps` with what cannot be read told in each, and steps for files that none of them is about.
pub(super) fn settle(
    lenient: &Lenient<&dyn Directory>,
    laid_out: &LaidOut<'_>,
    bounds: &Bounds,
    mut steps: Vec<RepairStep>,
) -> Result<Vec<RepairStep>> {
    let mut copies = Vec::new();
    for name in lenient.noted_names() {
        let unreadable = lenient.noted_of(&name);
        let mut renamed = laid_out.view.renamed.iter();
        let renamed = renamed.find(|(_, real)| **real == name);
        let own = renamed.map_or(name.as_str(), |(to, _)| to.as_str());
        if let Some(number) = segment_of(own) {
            refuse_unknown_end(lenient, bounds, number, &unreadable)?;
        }
        let mut about = steps.iter_mut().filter(|step| step.file == own);
        match about.find(|step| replaces(&step.work)) {
            Some(step) => {
                step.problem = format!("{}; {}", step.problem, told(&unreadable));
                step.unreadable = unreadable;
            }
            None => copies.push(copy_step(laid_out, own, unreadable)?),
        }
    }
    // First, as `STATE` is read again where it is marked.
    copies.append(&mut steps);
    let mut taken = list_if_there(lenient, QUARANTINE)?;
    for step in copies
        .iter_mut()
        .filter(|step| !is_a_file(&step.unreadable))
    {
        let last = step.file.rsplit('/').next().unwrap_or_default();
        let mut numbered = (0_u64..).map(|number| format!("{number}-{last}"));
        if let Some(name) = numbered.find(|name| !taken.contains(name)) {
            step.kept = Some(PathBuf::from(format!("{QUARANTINE}/{name}")));
            taken.push(name);
        }
    }
    Ok(copies)
}

/// Whether what is `unreadable` is of a file, and not something else in the place of one.
pub(super) fn is_a_file(unreadable: &[Unreadable]) -> bool {
    unreadable.iter().all(|found| found.bytes.is_some())
}

fn segment_of(name: &str) -> Option<SegmentNumber> {
    let last = name.rsplit('/').next().unwrap_or_default();
    let (number, file) = SegmentFile::parse(last)?;
    (file == SegmentFile::Log).then_some(number)
}

fn replaces(work: &Work) -> bool {
    match work {
        Work::SetAside | Work::Write { .. } | Work::Draft(_) | Work::Copy => true,
        Work::Rename { .. } | Work::MarkUnclean { .. } => false,
    }
}

/// Refuses where the log of a queue that was not closed may go on in what cannot be read: records
/// that had been acknowledged would be cut off as a torn tail, and nobody would know.
fn refuse_unknown_end(
    lenient: &Lenient<&dyn Directory>,
    bounds: &Bounds,
    number: SegmentNumber,
    unreadable: &[Unreadable],
) -> Result<()> {
    let end = bounds.end.position;
    let is_closed = bounds.state.is_some_and(|state| state.clean);
    let is_proven = is_closed && lenient.noted_of(STATE).is_empty();
    if is_proven || number < end.segment {
        return Ok(());
    }
    // What is no file hides no more than a missing one.
    let is_before = |found: &&Unreadable| {
        let is_inside = |bytes| found.offset.plus(bytes) <= end.offset;
        found
            .bytes
            .is_none_or(|bytes| number == end.segment && is_inside(bytes))
    };
    let Some(found) = unreadable.iter().find(|found| !is_before(found)) else {
        return Ok(());
    };
    let what = format!("the log may end in what cannot be read, {found}; salvage the records");
    Err(Error::new(ErrorKind::Corrupt, what))
}

/// Nothing is missing with what cannot be read, or it is not of the log.
fn copy_step(
    laid_out: &LaidOut<'_>,
    name: &str,
    unreadable: Vec<Unreadable>,
) -> Result<RepairStep> {
    let (view, problem) = (&laid_out.view, told(&unreadable));
    let step = if is_a_file(&unreadable) {
        RepairStep::replacing(view, name, problem, Work::Copy)?
    } else {
        RepairStep::set_aside(view, name, problem)?
    };
    Ok(RepairStep { unreadable, ..step })
}

/// The first of it, and how many more there are.
fn told(unreadable: &[Unreadable]) -> String {
    let Some(first) = unreadable.first() else {
        return String::new();
    };
    let place = first.bytes.map(|bytes| {
        let offset = first.offset;
        format!("{bytes} bytes at offset {offset}: ")
    });
    let place = place.unwrap_or_default();
    let more = match unreadable.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(", and {more} places more"),
    };
    format!(
        "{place}expected {}, found {}{more}",
        first.expected, first.found
    )
}
