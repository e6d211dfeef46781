//! What is done about each segment of the log.

use std::ops::Range;

use super::draft::{Draft, Piece};
use super::files::LaidOut;
use super::members::{Bounds, Content, Member, find_bounds, find_members, read};
use super::mend::{Mended, mend};
use super::step::{RepairAction, RepairStep, Work};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Chain, Integrity, STATE, SegmentFile, SegmentHeader, Start, segment_file};
use crate::position::{Epoch, Offset, SegmentNumber, Sequence};
use crate::segment::{ControlPlace, Segment, SegmentScan, data_start, scan};
use crate::storage::Directory;

/// The steps for the segments and for `STATE`.
pub(super) fn plan_segments(laid_out: &LaidOut<'_>) -> Result<(Vec<RepairStep>, Bounds)> {
    let bounds = find_bounds(laid_out)?;
    let mut steps = Vec::new();
    let (members, useless) = find_members(laid_out, &bounds)?;
    let mut planner = Planner {
        laid_out,
        bounds: &bounds,
        before: None,
        first: None,
        steps: Vec::new(),
    };
    for (at, member) in members.iter().enumerate() {
        planner.take(member, members.get(at + 1))?;
    }
    planner.close_end()?;
    let rebuilt = planner.rebuild_state()?;
    // The last one first: where a segment got longer, the next one knows before it does.
    let mut drafts = planner.steps;
    drafts.reverse();
    if let Some(state) = bounds
        .state
        .filter(|state| state.clean && !drafts.is_empty())
    {
        let problem = "it says that the queue was closed as a whole one";
        let work = Work::MarkUnclean { queue: state.queue };
        steps.push(RepairStep::new(STATE, problem, RepairAction::Reopen, work));
    }
    // One put behind the last may stand behind some that the log does not go through.
    let last = planner.before.map(|before| before.number);
    let end = bounds.end.position.segment.max(last.unwrap_or_default());
    let between = |number: &&SegmentNumber| **number >= bounds.first && **number < end;
    for number in bounds.survey.numbers.iter().filter(between) {
        let is_member = members.iter().any(|member| member.number == *number);
        if !is_member && matches!(read(laid_out, *number)?, Content::Started(_)) {
            // A reader could take it for the one after the segment that it names.
            let name = segment_file(*number, SegmentFile::Log);
            let problem = "the log went on without it; salvage may know its records";
            steps.push(RepairStep::set_aside(&laid_out.view, &name, problem)?);
        }
    }
    // Before the one that stands for their records, too: it does not name them any more.
    for number in useless {
        let name = segment_file(number, SegmentFile::Log);
        let problem = "its header is damaged; the records are lost with the next one";
        steps.push(RepairStep::set_aside(&laid_out.view, &name, problem)?);
    }
    steps.extend(drafts);
    steps.extend(rebuilt);
    Ok((steps, bounds))
}

/// How the segment before one ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    pub(super) number: SegmentNumber,
    end: Offset,
    pub(super) next: Sequence,
    log_bytes: u64,
    chain: Chain,
    epoch: Epoch,
    /// Whether its end is not where the next segment says.
    is_moved: bool,
    /// Whether its last records are gone.
    pub(super) is_end_lost: bool,
}

pub(super) struct Planner<'a> {
    pub(super) laid_out: &'a LaidOut<'a>,
    pub(super) bounds: &'a Bounds,
    pub(super) before: Option<Before>,
    /// The first segment that is there afterwards, and its base.
    pub(super) first: Option<(SegmentNumber, Sequence)>,
    pub(super) steps: Vec<RepairStep>,
}

impl Planner<'_> {
    /// Plans for `member`, which `following` comes after; none after the last one.
    pub(super) fn take(&mut self, member: &Member, following: Option<&Member>) -> Result<()> {
        match &member.content {
            Content::Started(segment) => {
                let mut pieces = Vec::new();
                let mut problem = None;
                if let Some(before) = self.before.filter(|before| before.is_moved) {
                    let start = Start {
                        previous_end: before.end,
                        ..segment.start
                    };
                    pieces.push(Piece::Start {
                        start,
                        place: start_place(segment),
                    });
                    problem = Some(format!("segment {} ends further on", before.number));
                }
                let found = (&**segment, &scan(segment)?);
                self.mend(member, found, (pieces, problem), following.is_none())
            }
            Content::Unstarted(unstarted) => self.unstarted(member, unstarted, following),
            Content::Lost(defect) => self.lost(member, *defect, following),
        }
    }

    /// Fills what is damaged in `segment`, of which `scanned` is all that can be read.
    pub(super) fn mend(
        &mut self,
        member: &Member,
        (segment, scanned): (&Segment, &SegmentScan),
        (mut pieces, mut problem): (Vec<Piece>, Option<String>),
        is_last: bool,
    ) -> Result<()> {
        let watermark = self.bounds.survey.watermark;
        let mended = mend(segment, &scanned.runs, member, (is_last, watermark))?;
        if let Some((offset, defect)) = mended.problem {
            let found = format!("damaged at offset {offset}: {defect}");
            problem = Some(problem.map_or(found.clone(), |before| format!("{before}; {found}")));
        }
        pieces.extend(mended.pieces.clone());
        if let Some(problem) = problem {
            let draft = Draft {
                header: segment.header,
                keeps: true,
                end: mended.cut,
                pieces,
            };
            self.push(draft, problem, mended.lost.clone())?;
        }
        self.go_on((&segment.header, &segment.start, segment.base), &mended);
        Ok(())
    }

    /// Takes the segment that begins so and ends as it is `mended` for the one before the next.
    pub(super) fn go_on(
        &mut self,
        (header, start, base): (&SegmentHeader, &Start, Sequence),
        mended: &Mended,
    ) {
        let own_bytes = mended.end.since(data_start(header.framing()));
        self.first.get_or_insert((header.number, base));
        self.before = Some(Before {
            number: header.number,
            end: mended.end,
            next: mended.next,
            log_bytes: start.log_bytes.saturating_add(own_bytes),
            chain: mended.chain,
            epoch: header.epoch,
            is_moved: mended.is_moved,
            is_end_lost: mended
                .lost
                .last()
                .is_some_and(|lost| lost.end == mended.next),
        });
    }

    /// The first sequence of segment `number`, as far as it is known.
    pub(super) fn base_of(&self, number: SegmentNumber) -> Option<Sequence> {
        let first = self
            .bounds
            .state
            .filter(|state| state.first_segment == number);
        let is_very_first = number == SegmentNumber::new(1);
        self.before
            .map(|before| before.next)
            .or(first.map(|state| state.first_base))
            .or(is_very_first.then_some(Sequence::ZERO))
    }

    /// The same, with those between it and the log's first one, of which nothing can be read.
    pub(super) fn least_base_of(&self, number: SegmentNumber) -> Option<Sequence> {
        let state = self.bounds.state;
        let stated = state.filter(|state| state.first_segment <= number);
        let is_from_the_first = self.bounds.first == SegmentNumber::new(1);
        self.base_of(number)
            .or(stated.map(|state| state.first_base))
            .or(is_from_the_first.then_some(Sequence::ZERO))
    }

    /// The start of a segment that comes after what came before, and the chain there.
    pub(super) fn start_of(
        &self,
        header: &SegmentHeader,
        base: Sequence,
        following: Option<&Member>,
    ) -> (Start, Chain) {
        let stated = self.log_bytes_before(header, following);
        let stepped = |chain: Chain| match header.integrity {
            Integrity::Chained => chain.after_epoch(header.epoch, header.salt, base),
            Integrity::Crc32c => Chain::default(),
        };
        let Some(before) = self.before else {
            // Of those from the log's first one on there is none before this one.
            let first = self.bounds.first.min(header.number);
            let start = Start {
                previous: SegmentNumber::new(first.get().saturating_sub(1)),
                previous_next: base,
                log_bytes: stated.unwrap_or_default(),
                ..Start::default()
            };
            return (start, stepped(Chain::default()));
        };
        let start = Start {
            previous: before.number,
            previous_end: before.end,
            previous_next: base,
            log_bytes: stated.unwrap_or(before.log_bytes),
            previous_chain: before.chain,
        };
        let is_new_run = before.epoch != header.epoch;
        let chain = if is_new_run {
            stepped(before.chain)
        } else {
            before.chain
        };
        (start, chain)
    }

    /// Frame bytes of the log before a segment, where what comes behind it tells them: what comes
    /// before it may have got longer.
    fn log_bytes_before(&self, header: &SegmentHeader, following: Option<&Member>) -> Option<u64> {
        let (left_at, bytes) = match following.map(|following| &following.content) {
            Some(Content::Started(segment)) if segment.start.previous == header.number => {
                (segment.start.previous_end, segment.start.log_bytes)
            }
            Some(_) => return None,
            None => {
                let end = self.bounds.state?.end;
                if end.position.segment != header.number {
                    return None;
                }
                (end.position.offset, end.log_bytes)
            }
        };
        let own = left_at.since(data_start(header.framing()));
        Some(bytes.saturating_sub(own))
    }

    /// The epoch for a segment that stands for a lost one: that of the next one, unless its chain
    /// begins with a new epoch.
    pub(super) fn epoch_of(&self, following: Option<&Member>) -> Epoch {
        let before = self.before.map(|before| before.epoch);
        match following.map(|following| &following.content) {
            Some(Content::Started(segment)) if segment.chain == segment.start.previous_chain => {
                segment.header.epoch
            }
            // Which one it was nobody knows; the lowest takes no consumer back.
            Some(Content::Started(_)) => before.unwrap_or_default(),
            Some(Content::Unstarted(unstarted)) => before.unwrap_or(unstarted.header.epoch),
            Some(Content::Lost(_)) | None => before.unwrap_or(self.bounds.epoch),
        }
    }

    /// Its salt: the same each time, and no other segment's.
    pub(super) fn salt_of(&self, number: SegmentNumber, base: Sequence, next: Sequence) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.laid_out.identity.queue.get());
        for value in [number.get(), base.get(), next.get()] {
            hasher.update(&value.to_le_bytes());
        }
        let hash = hasher.finalize();
        let salt = hash.as_bytes().first_chunk().copied();
        u64::from_le_bytes(salt.unwrap_or_default())
    }

    pub(super) fn push(
        &mut self,
        draft: Draft,
        problem: String,
        lost: Vec<Range<Sequence>>,
    ) -> Result<()> {
        let file = segment_file(draft.header.number, SegmentFile::Log);
        if !draft.fits() {
            let what =
                "what is lost leaves no place for what would stand for it; salvage the records";
            let path = self.laid_out.view.path().join(file);
            return Err(Error::at(ErrorKind::Corrupt, what, &path));
        }
        let work = Work::Draft(Box::new(draft));
        let step = RepairStep::replacing(&self.laid_out.view, &file, problem, work)?;
        self.steps.push(RepairStep { lost, ..step });
        Ok(())
    }
}

pub(super) fn start_place(segment: &Segment) -> ControlPlace {
    ControlPlace {
        next: segment.base,
        watermark: segment.watermark,
        chain: segment.chain,
        time: segment.started_at,
    }
}
