//! Joins the walks of all segments, in order: what is lost between them, and whether each goes on
//! where the one before it ended.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::found::{Finding, Severity};
use super::ground::Ground;
use super::order::{Beginning, Member};
use super::walk::{Break, Hole, Walked};
use crate::format::{Chain, Defect, Integrity, SegmentFile, StateSlot, segment_file};
use crate::position::{Epoch, Offset, SegmentNumber, Sequence};

/// Goes through the segments of the log in order.
#[derive(Debug)]
pub(super) struct Joiner<'a> {
    root: &'a Path,
    durable: Sequence,
    chained: bool,
    /// The sequence due; `None` where nothing tells what came before.
    due: Option<Sequence>,
    /// Unreadable places of which it is not known yet how many records they hide.
    pending: Vec<Finding>,
    before: Option<Before>,
    /// The log ended, or what follows is not durable.
    ended: bool,
    /// Segments of the log so far.
    pub(super) segments: usize,
    pub(super) findings: Vec<Finding>,
}

/// Where the log left the segment before.
#[derive(Debug)]
struct Before {
    number: SegmentNumber,
    epoch: Epoch,
    chain: Option<Chain>,
    /// Frame bytes of the log at the end of it; `None` where a hole or a gap there makes that unknown.
    log_bytes: Option<u64>,
}

impl<'a> Joiner<'a> {
    /// `state` is the newest slot of `STATE` there is by now: what it says is reclaimed does not
    /// count any more.
    pub(super) fn new(root: &'a Path, ground: &Ground, state: Option<StateSlot>) -> Self {
        let state = state.filter(|state| state.first_segment.is_some());
        Self {
            root,
            durable: ground.durable,
            chained: ground.identity.integrity == Integrity::Chained,
            due: state.map(|state| state.first_base),
            pending: Vec::new(),
            before: None,
            ended: false,
            segments: 0,
            findings: Vec::new(),
        }
    }

    /// The next segment.
    pub(super) fn visit(&mut self, member: &Member, walked: &Walked) {
        self.ended |= self.due.is_some_and(|due| due >= self.durable);
        let file = self.path(member.number, SegmentFile::Log);
        if self.ended {
            self.note_foreign(file, member);
            return;
        }
        self.segments = self.segments.saturating_add(1);
        match &member.beginning {
            Err((offset, defect)) => self.suspect(file, *offset, None, *defect),
            Ok(segment) => self.check_joint(&file, segment, walked),
        }
        let Some(first) = walked.first else {
            self.before = None;
            return;
        };
        self.enter(member.number, first);
        if self.ended {
            return;
        }
        self.take(member, walked);
    }

    /// What is left unexplained when all segments were visited.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        match self.due {
            Some(due) if due < self.durable => {
                let last = self.before.as_ref().map(|before| before.number);
                let missing = last.unwrap_or(SegmentNumber::NONE).following();
                self.lose(missing, due..self.durable);
            }
            // What follows the durable end is a torn tail, or made ahead of need.
            Some(_) => {}
            None => self.findings.append(&mut self.pending),
        }
        self.findings
    }

    /// Behind the end anything may be left by a crash, but not the segment of another queue.
    fn note_foreign(&mut self, file: PathBuf, member: &Member) {
        if let Err((_, defect @ Defect::Owner { .. })) = member.beginning {
            let found = Finding::of(Severity::Minor, file, Offset::ZERO, defect);
            self.findings.push(found);
        }
    }

    fn take(&mut self, member: &Member, walked: &Walked) {
        let file = self.path(member.number, SegmentFile::Log);
        self.due = Some(walked.next);
        for hole in &walked.holes {
            if hole.due >= self.durable {
                break;
            }
            self.note_hole(&file, hole);
        }
        let begins = walked.breaks.iter().map(|found| broken(&file, found));
        self.findings.extend(begins);
        if let Some(defect) = walked.index {
            let file = self.path(member.number, SegmentFile::Index);
            let found = Finding::of(Severity::Minor, file, Offset::ZERO, defect);
            self.findings.push(found);
        }
        let beginning = member.beginning.as_ref().ok();
        self.before = beginning.map(|segment| Before {
            number: member.number,
            epoch: segment.header.epoch,
            chain: walked.chain,
            log_bytes: (member.until == Some(walked.end) && walked.chain.is_some())
                .then(|| segment.log_bytes_at(walked.end)),
        });
    }

    fn note_hole(&mut self, file: &Path, hole: &Hole) {
        let bytes = hole.end.map(|end| end.since(hole.offset));
        let Some(resumed) = hole.resumed else {
            self.suspect(file.to_path_buf(), hole.offset, bytes, hole.defect);
            return;
        };
        let range = hole.due..resumed.min(self.durable);
        let severity = severity_of(&range);
        self.findings.push(Finding {
            bytes: bytes.filter(|bytes| *bytes > 0),
            range,
            ..Finding::of(severity, file.to_path_buf(), hole.offset, hole.defect)
        });
    }

    fn suspect(&mut self, file: PathBuf, offset: Offset, bytes: Option<u64>, defect: Defect) {
        let found = Finding::of(Severity::Damage, file, offset, defect);
        self.pending.push(Finding { bytes, ..found });
    }

    /// The next readable record is `first`, in the segment `number`.
    fn enter(&mut self, number: SegmentNumber, first: Sequence) {
        match self.due {
            Some(due) if due < first => {
                let before = self.before.as_ref().map(|before| before.number);
                let missing = before.map_or(number, SegmentNumber::following);
                self.lose(missing, due..first.min(self.durable));
            }
            Some(due) if due > first => {
                let file = self.path(number, SegmentFile::Log);
                let (expected, found) = (due.get(), first.get());
                let defect = Defect::Sequence { expected, found };
                let offset = Offset::new(crate::format::BLOCK_BYTES);
                let found = Finding::of(Severity::Damage, file, offset, defect);
                self.findings.push(found);
            }
            Some(_) | None => {}
        }
        // Something is damaged there, and no record with it.
        self.findings.append(&mut self.pending);
        self.ended |= first >= self.durable;
        self.due = Some(first);
    }

    /// The records `range` are gone, with what is unreadable before them or else with a file.
    fn lose(&mut self, missing: SegmentNumber, range: Range<Sequence>) {
        if self.pending.is_empty() {
            let file = self.path(missing, SegmentFile::Log);
            self.suspect(file, Offset::ZERO, None, Defect::Missing);
        }
        if let Some(first) = self.pending.first_mut() {
            first.severity = Severity::Loss;
            first.range = range;
        }
        self.findings.append(&mut self.pending);
    }

    /// Whether the segment goes on where the one before it ended.
    fn check_joint(&mut self, file: &Path, segment: &Beginning, walked: &Walked) {
        let start = &segment.start;
        if segment.base >= self.durable {
            return;
        }
        let mut wrong = |name, expected: String, found: String| {
            let words = (format!("{name} {expected}"), format!("{name} {found}"));
            let offset = Offset::new(crate::format::BLOCK_BYTES);
            let finding = Finding::plain(Severity::Damage, file.to_path_buf(), offset, words);
            self.findings.push(finding);
        };
        if start.previous_next != segment.base {
            let (expected, found) = (segment.base, start.previous_next);
            wrong("previous next", expected.to_string(), found.to_string());
        }
        let before = self.before.as_ref();
        let before = before.filter(|before| before.number == start.previous);
        let mut follows = None;
        if let Some(before) = before {
            if segment.header.epoch < before.epoch {
                let (expected, found) = (before.epoch, segment.header.epoch);
                wrong("epoch at least", expected.to_string(), found.to_string());
            }
            // A gap at the joint may be longer, or shorter, than what it stands for.
            let is_after_gap = walked.gaps.first().map(|gap| gap.start) == Some(segment.base);
            let judged = before.log_bytes.filter(|_| !is_after_gap);
            if let Some(bytes) = judged.filter(|bytes| *bytes != start.log_bytes) {
                let found = start.log_bytes.to_string();
                wrong("log bytes", bytes.to_string(), found);
            }
            // What was damaged where the log left it is bound in.
            let lost = self.due.filter(|due| *due < segment.base);
            let bind = |chain: Chain| lost.map_or(chain, |due| chain.after_gap(due, segment.base));
            follows = before.chain.map(bind);
        } else if !start.previous.is_some() {
            follows = Some(Chain::default());
        }
        let epoch_before = before.map(|before| before.epoch);
        if self.chained {
            self.check_chain(file, segment, follows, epoch_before);
        }
    }

    fn check_chain(
        &mut self,
        file: &Path,
        segment: &Beginning,
        follows: Option<Chain>,
        epoch_before: Option<Epoch>,
    ) {
        let before = segment.start.previous_chain;
        let renewed = before.after_epoch(segment.header.epoch, segment.header.salt, segment.base);
        let is_first = !segment.start.previous.is_some();
        let expected = match epoch_before {
            Some(epoch) if epoch == segment.header.epoch => before,
            Some(_) => renewed,
            // The first of all; or the one before is gone, and its epoch with it.
            None if is_first || segment.chain != before => renewed,
            None => before,
        };
        let pairs = [
            (follows.unwrap_or(before), before),
            (expected, segment.chain),
        ];
        for (expected, found) in pairs.into_iter().filter(|(one, other)| one != other) {
            let found = Break {
                offset: Offset::new(crate::format::BLOCK_BYTES),
                range: segment.base..segment.base,
                expected,
                found,
            };
            self.findings.push(broken(file, &found));
        }
    }

    fn path(&self, number: SegmentNumber, file: SegmentFile) -> PathBuf {
        self.root.join(segment_file(number, file))
    }
}

fn severity_of(lost: &Range<Sequence>) -> Severity {
    if lost.is_empty() {
        Severity::Damage
    } else {
        Severity::Loss
    }
}

fn broken(file: &Path, found: &Break) -> Finding {
    let words = (words_of(found.expected), words_of(found.found));
    Finding {
        range: found.range.clone(),
        ..Finding::plain(Severity::Tampering, file.to_path_buf(), found.offset, words)
    }
}

/// The value of a chain as it is shown.
pub(super) fn words_of(chain: Chain) -> String {
    let digits = chain.bytes().map(|byte| format!("{byte:02x}"));
    format!("chain {}", digits.concat())
}
