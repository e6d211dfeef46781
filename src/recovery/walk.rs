//! Where the log ends after an unclean end: the one comparison between torn and corrupt.
//!
//! Walk the log in order. The first defect is at the expected sequence X. Below W*, the largest
//! watermark that any statement carries, it is corruption: the records up to the next good frame
//! (or up to W*, when none below it follows) are lost, and nothing is cut. At or above W* the log
//! ends there, and everything after it is the torn tail.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::ops::Range;

use super::{SegmentFact, Survey};
use crate::format::{BLOCK_BYTES, Defect, End, Integrity};
use crate::position::{Offset, Position, SegmentNumber, Sequence};
use crate::segment::{Ending, Mark, Run};

/// What the walk found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Walked {
    pub(crate) end: End,
    /// Damaged records follow `end` in its segment, so it must not be cut there.
    pub(crate) damaged_end: bool,
    /// Records proven durable that cannot be read.
    pub(crate) damages: Vec<Damage>,
    pub(crate) torn: Option<TornFact>,
    /// Scanned segments of the log, in order.
    pub(crate) members: Vec<SegmentNumber>,
    /// Scanned segments that are not of the log.
    pub(crate) dropped: Vec<SegmentNumber>,
}

/// A range of durable records that is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) position: Position,
    pub(crate) range: Range<Sequence>,
    pub(crate) defect: Defect,
}

/// What follows the end of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TornFact {
    pub(crate) position: Position,
    /// Bytes that are not zero, whole dropped segments included.
    pub(crate) bytes: u64,
    /// Sequences of good frames among them.
    pub(crate) seen: Range<Sequence>,
    /// Whether a frame may have stood right at the end.
    pub(crate) frame_at_end: bool,
}

/// Walks the scanned segments of `survey`.
pub(crate) fn walk(survey: &Survey) -> Walked {
    let mut walker = Walker {
        facts: &survey.segments,
        watermark: survey.watermark,
        is_chained: survey
            .identity
            .is_some_and(|own| own.is_ok_and(|own| own.integrity == Integrity::Chained)),
        here: None,
        found: Walked::default(),
    };
    let anchor = survey.segments.iter().position(|fact| {
        let anchored = |base: Sequence| base <= survey.watermark || survey.state.is_none();
        fact.started.is_ok_and(|started| anchored(started.base))
    });
    match anchor {
        Some(at) => walker.enter(at),
        None => walker.start_unanchored(survey),
    }
    while walker.step() {}
    walker.finish()
}

/// The good end to begin with when no segment holds, or begins at, anything durable.
fn unanchored_end(survey: &Survey) -> End {
    let Some(state) = survey.state else {
        return End::default();
    };
    let segment = state.end.position.segment;
    let nothing_retained = !segment.is_some() || segment < state.first_segment;
    let next = if nothing_retained {
        state.end.next
    } else {
        state.floor
    };
    End { next, ..state.end }
}

struct Walker<'a> {
    facts: &'a [SegmentFact],
    watermark: Sequence,
    is_chained: bool,
    /// The segment, and which of its runs, that ends at `found.end`.
    here: Option<(usize, usize)>,
    found: Walked,
}

impl Walker<'_> {
    /// Begins where no segment holds, or begins at, anything durable. Files that should hold what
    /// is proven durable, and cannot be read, stay: the log ends in the last of them.
    fn start_unanchored(&mut self, survey: &Survey) {
        self.found.end = unanchored_end(survey);
        if self.found.end.next < self.watermark
            && let Some(last) = self.facts.last()
        {
            self.found.end.position = Position {
                segment: last.number,
                offset: Offset::ZERO,
            };
        }
    }

    /// Goes on from the end reached so far; false when the log ends there.
    fn step(&mut self) -> bool {
        let reached = self.found.end;
        if let Some(at) = self.successor()
            && let Some(start) = self.started(at)
            && start.base <= reached.next
            && start.start.previous_end <= reached.position.offset
        {
            // Frames behind the place where the log left the segment are not of the log.
            self.enter(at);
            return true;
        }
        if reached.next >= self.watermark {
            return false;
        }
        let resume = self.resume().filter(|place| place.next <= self.watermark);
        let to = resume.as_ref().map_or(self.watermark, |place| place.next);
        self.note_damage(reached, to);
        if self.is_chained {
            self.found.end.chain = reached.chain.after_gap(reached.next, to);
        }
        match resume {
            Some(Resume {
                at, run: Some(run), ..
            }) => self.take_run(at, run),
            Some(Resume { at, run: None, .. }) => self.enter(at),
            None => {
                self.found.end.next = to;
                self.found.damaged_end = true;
                return false;
            }
        }
        true
    }

    /// Makes the segment at `at` the next of the log.
    fn enter(&mut self, at: usize) {
        let Some(fact) = self.facts.get(at) else {
            return;
        };
        let Ok(started) = fact.started else { return };
        self.found.members.push(fact.number);
        self.found.end = End {
            position: Position {
                segment: fact.number,
                offset: started.data_start,
            },
            next: started.base,
            log_bytes: started.start.log_bytes,
            chain: fact
                .scan
                .runs
                .first()
                .map(|run| run.from.chain)
                .unwrap_or_default(),
        };
        self.take_run(at, 0);
    }

    /// Moves the end over the frames of one run.
    fn take_run(&mut self, at: usize, which: usize) {
        let Some(fact) = self.facts.get(at) else {
            return;
        };
        let Some(run) = fact.scan.runs.get(which) else {
            return;
        };
        let Ok(started) = fact.started else { return };
        self.here = Some((at, which));
        let to = self.left_at(run);
        let has_records = to.next > run.from.next;
        let chain = if has_records {
            to.chain
        } else {
            self.found.end.chain
        };
        self.found.end = End {
            position: Position {
                segment: fact.number,
                offset: to.offset,
            },
            next: to.next,
            log_bytes: started
                .start
                .log_bytes
                .saturating_add(to.offset.since(started.data_start)),
            chain,
        };
    }

    /// Where the log leaves `run`. W* stands at the end of a batch, so one below it was whole: what
    /// can be read of it counts, though its end cannot.
    fn left_at(&self, run: &Run) -> Mark {
        match run.ending {
            Ending::Defect { offset, .. }
                if run.to.next < run.seen && run.seen < self.watermark =>
            {
                Mark {
                    offset,
                    next: run.seen,
                    chain: run.chain,
                }
            }
            Ending::Defect { .. } | Ending::Footer | Ending::Quiet => run.to,
        }
    }

    fn started(&self, at: usize) -> Option<super::survey::StartFact> {
        self.facts.get(at)?.started.ok()
    }

    /// The segment whose start frame names the current one; of several, that of the newest epoch.
    fn successor(&self) -> Option<usize> {
        let here = self.found.end.position.segment;
        let names_here = |fact: &&SegmentFact| {
            let previous = fact.started.map(|started| started.start.previous);
            fact.number > here && previous == Ok(here)
        };
        let newest = self
            .facts
            .iter()
            .filter(names_here)
            .max_by_key(|fact| (fact.started.map(|started| started.epoch).ok(), fact.number))?;
        self.facts
            .iter()
            .position(|fact| fact.number == newest.number)
    }

    fn run(&self) -> Option<&Run> {
        let (at, which) = self.here?;
        self.facts.get(at)?.scan.runs.get(which)
    }

    /// Where good frames go on behind the defect.
    fn resume(&self) -> Option<Resume> {
        let reached = self.found.end.next;
        if let Some((at, which)) = self.here {
            let runs = &self.facts.get(at)?.scan.runs;
            let mut later = runs.iter().enumerate().skip(which.saturating_add(1));
            let found = later.find(|(_, run)| run.from.next >= reached);
            if let Some((run, place)) = found {
                return Some(Resume {
                    at,
                    run: Some(run),
                    next: place.from.next,
                });
            }
        }
        let here = self.found.end.position.segment;
        self.facts.iter().enumerate().find_map(|(at, fact)| {
            let base = fact.started.ok()?.base;
            let later = fact.number > here && base >= reached;
            later.then_some(Resume {
                at,
                run: None,
                next: base,
            })
        })
    }

    fn note_damage(&mut self, reached: End, to: Sequence) {
        let (offset, defect) = match self.run().map(|run| run.ending) {
            Some(Ending::Defect { offset, defect }) => (offset, defect),
            Some(Ending::Footer | Ending::Quiet) | None => {
                (reached.position.offset, Defect::Missing)
            }
        };
        if reached.next < to {
            let position = Position {
                offset,
                ..reached.position
            };
            self.found.damages.push(Damage {
                position,
                range: reached.next..to,
                defect,
            });
        }
    }

    /// Sets aside everything after the end.
    fn finish(mut self) -> Walked {
        let end = self.found.end;
        let own = self.here.and_then(|(at, _)| self.facts.get(at));
        let run = self.run().copied();
        let sealed = run.is_some_and(|run| run.ending == Ending::Footer);
        let behind = own.map_or(0, |fact| fact.scan.used.since(end.position.offset));
        let mut bytes = if sealed || self.found.damaged_end {
            0
        } else {
            behind
        };
        let mut seen = run.map_or(end.next, |run| run.seen).max(end.next);
        if let Some((at, which)) = self.here.filter(|_| bytes > 0) {
            // Whole frames behind the hole, which go with it.
            let runs = self.facts.get(at).map(|fact| fact.scan.runs.as_slice());
            let later = runs.unwrap_or_default().iter().skip(which);
            seen = later.map(|run| run.seen).fold(seen, Sequence::max);
        }
        let mut first = (bytes > 0).then_some(end.position);
        let mut unread = false;
        for fact in self.facts {
            let of_the_log = self.found.members.contains(&fact.number);
            if of_the_log || fact.number <= end.position.segment {
                continue;
            }
            self.found.dropped.push(fact.number);
            bytes = bytes.saturating_add(fact.scan.used.get());
            // More than a header block, though no frame of it may be readable.
            unread |= fact.scan.used.get() > BLOCK_BYTES;
            let start = Position {
                segment: fact.number,
                offset: Offset::ZERO,
            };
            first = first.or((fact.scan.used > Offset::ZERO).then_some(start));
            for run in fact
                .scan
                .runs
                .iter()
                .filter(|run| run.to.next > run.from.next)
            {
                seen = seen.max(run.seen);
            }
        }
        let frame_at_end = run.is_some_and(|run| match run.ending {
            Ending::Defect { defect, .. } => defect != Defect::Zeros,
            Ending::Footer | Ending::Quiet => false,
        });
        self.found.torn = first.map(|position| TornFact {
            position,
            bytes,
            seen: end.next..seen,
            frame_at_end: frame_at_end || unread || seen > end.next,
        });
        self.found.end = self.without_empty_segment(end);
        self.found
    }

    /// A segment without records is not worth keeping: the log then ends in the one before it.
    fn without_empty_segment(&mut self, end: End) -> End {
        let Some((at, _)) = self.here else { return end };
        let Some(started) = self.started(at) else {
            return end;
        };
        if end.next != started.base || self.found.damaged_end {
            return end;
        }
        let number = self.found.members.pop();
        self.found.dropped.extend(number);
        self.found.dropped.sort_unstable();
        End {
            position: Position {
                segment: started.start.previous,
                offset: started.start.previous_end,
            },
            next: started.base,
            log_bytes: started.start.log_bytes,
            chain: started.start.previous_chain,
        }
    }
}

struct Resume {
    at: usize,
    /// A later run of the same segment, or the whole next one.
    run: Option<usize>,
    next: Sequence,
}
