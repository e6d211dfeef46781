//! What is damaged in a queue, so that a copy can be compared with what it was made of.

use std::ops::Range;

use super::claims::read_state;
use crate::error::{Corruption, Result};
use crate::format::{CursorSlot, Defect, STATE, SegmentFile, cursor_file, segment_file};
use crate::inspect::{Inspection, SegmentRole, SegmentView, inspect_on};
use crate::position::{Offset, SegmentNumber, Sequence};
use crate::segment::{Ending, Segment, SegmentScan, scan};
use crate::slots::read_slots;
use crate::storage::{Access, Directory};

/// A queue as it was found, every frame of its log read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) inspection: Inspection,
    pub(super) findings: Vec<Finding>,
}

/// Something damaged, wherever the queue is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    name: String,
    offset: Offset,
    range: Range<Sequence>,
    expected: String,
    found: String,
}

impl Finding {
    pub(super) fn at(&self, directory: &dyn Directory) -> Corruption {
        Corruption {
            file: directory.path().join(&self.name),
            offset: self.offset,
            range: self.range.clone(),
            expected: self.expected.clone(),
            found: self.found.clone(),
        }
    }
}

/// Looks at `directory` as opening it would, and reads every frame.
pub(super) fn find_damage(directory: &dyn Directory) -> Result<Found> {
    let inspection = inspect_on(directory)?;
    let mut search = Search {
        directory,
        inspection: &inspection,
        findings: Vec::new(),
    };
    search.opening();
    search.log()?;
    let findings = search.findings;
    Ok(Found {
        inspection,
        findings,
    })
}

struct Search<'a> {
    directory: &'a dyn Directory,
    inspection: &'a Inspection,
    findings: Vec<Finding>,
}

impl Search<'_> {
    /// What looking has told already.
    fn opening(&mut self) {
        let opening = &self.inspection.opening;
        let nothing = opening.next..opening.next;
        for damage in &opening.corruption {
            let name = damage.file.strip_prefix(self.directory.path());
            let name = name.unwrap_or(&damage.file).to_string_lossy().into_owned();
            self.findings.push(Finding {
                name,
                offset: damage.offset,
                range: damage.range.clone(),
                expected: damage.expected.clone(),
                found: damage.found.clone(),
            });
        }
        if opening.state_rebuilt {
            let words = ("a good slot".to_owned(), Defect::Missing.found());
            self.note(STATE.to_owned(), nothing.clone(), words);
        }
        for consumer in &self.inspection.consumers {
            if let Some(defect) = &consumer.defect {
                let name = cursor_file(&consumer.name);
                let words = self.about_cursor(&name, defect);
                self.note(name, nothing.clone(), words);
            }
        }
    }

    /// Notes that `name` is bad as a whole: what was expected there, and what was found.
    fn note(&mut self, name: String, range: Range<Sequence>, (expected, found): (String, String)) {
        self.findings.push(Finding {
            name,
            offset: Offset::ZERO,
            range,
            expected,
            found,
        });
    }

    /// What is wrong with the cursor `name`, in words that are the same wherever the queue is.
    fn about_cursor(&self, name: &str, defect: &str) -> (String, String) {
        if let Ok(Some(pair)) = read_slots::<CursorSlot>(self.directory, name)
            && pair.valid().next().is_none()
            && let Some(defect) = pair.defect()
        {
            return (defect.expected(), defect.found());
        }
        let path = self.directory.path().join("").display().to_string();
        divide(&defect.replace(&path, ""), "a usable cursor")
    }

    /// Walks the segments in order: what is bad in each, and what is missing between them.
    fn log(&mut self) -> Result<()> {
        let (_, state) = read_state(self.directory, self.inspection.id)?;
        let mut due = state.map(|state| state.first_base);
        let mut before = state.map(|state| state.first_segment.get().saturating_sub(1));
        let mut unreadable: Vec<&SegmentView> = Vec::new();
        for view in &self.inspection.segments {
            // Where a file is not readable its base is told by others, an index among them, and
            // those are not copied.
            let is_readable = is_of_the_log(view) && view.defect.is_none();
            let Some(base) = view.base.filter(|_| is_readable) else {
                unreadable.extend(view.defect.is_some().then_some(view));
                continue;
            };
            if let Some(due) = due.filter(|due| *due < base) {
                let missing = before.map_or(view.number, |before| SegmentNumber::new(before + 1));
                self.note_hole(&mut unreadable, missing, due..base);
            }
            due = Some(self.segment(view, base)?);
            before = Some(view.number.get());
        }
        for view in unreadable {
            let next = self.inspection.next;
            self.note_unreadable(view, next..next);
        }
        Ok(())
    }

    /// The records in `range` are in no segment: in one of those that cannot be read, or in one
    /// that is not there.
    fn note_hole(
        &mut self,
        unreadable: &mut Vec<&SegmentView>,
        missing: SegmentNumber,
        range: Range<Sequence>,
    ) {
        let mut views = std::mem::take(unreadable).into_iter();
        if let Some(view) = views.next() {
            self.note_unreadable(view, range.clone());
        } else {
            let name = segment_file(missing, SegmentFile::Log);
            let found = Defect::Missing.found();
            self.note(name, range.clone(), ("a segment".to_owned(), found));
        }
        for view in views {
            self.note_unreadable(view, range.end..range.end);
        }
    }

    fn note_unreadable(&mut self, view: &SegmentView, range: Range<Sequence>) {
        let name = segment_file(view.number, SegmentFile::Log);
        let defect = view.defect.clone().unwrap_or_default();
        self.note(name, range, divide(&defect, "a segment of this queue"));
    }

    /// What is bad in the frames of one segment; returns the sequence after it.
    fn segment(&mut self, view: &SegmentView, base: Sequence) -> Result<Sequence> {
        let queue = self.inspection.id;
        let Ok(segment) = Segment::open(self.directory, queue, view.number, Access::Read)? else {
            return Ok(view.next.unwrap_or(base));
        };
        let scan = scan(&segment)?;
        let reached = scan.runs.last().map_or(base, |run| run.seen);
        let next = view.next.unwrap_or(reached);
        self.holes(view, &scan, next.min(self.inspection.durable));
        Ok(next)
    }

    /// Records below `limit`, which are proven durable, that are not in the runs of `scan`.
    fn holes(&mut self, view: &SegmentView, scan: &SegmentScan, limit: Sequence) {
        let name = segment_file(view.number, SegmentFile::Log);
        for (at, run) in scan.runs.iter().enumerate() {
            let following = scan.runs.get(at + 1).map(|run| run.from.next);
            // A batch that is durable was whole: what can be read of it is not lost.
            let range = run.seen..following.unwrap_or(limit).min(limit);
            let (offset, defect) = match run.ending {
                Ending::Defect { offset, defect } => (offset, defect),
                Ending::Footer | Ending::Quiet => (run.to.offset, Defect::Zeros),
            };
            let is_known = |known: &Finding| known.name == name && known.offset == offset;
            if range.start < limit && !self.findings.iter().any(is_known) {
                self.findings.push(Finding {
                    name: name.clone(),
                    offset,
                    range: range.start..range.end.max(range.start),
                    expected: defect.expected(),
                    found: defect.found(),
                });
            }
        }
    }
}

/// What was expected and what was found, as a defect tells it; otherwise all of it was found.
fn divide(defect: &str, expected: &str) -> (String, String) {
    let told = defect.strip_prefix("expected ");
    let (expected, found) = told
        .and_then(|told| told.split_once(", found "))
        .unwrap_or((expected, defect));
    (expected.to_owned(), found.to_owned())
}

fn is_of_the_log(view: &SegmentView) -> bool {
    match view.role {
        SegmentRole::Active | SegmentRole::Sealed | SegmentRole::Unsealed => true,
        SegmentRole::Prepared | SegmentRole::Stray | SegmentRole::Missing => false,
    }
}
