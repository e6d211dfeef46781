//! The segments of the log, from the last one back to the first, with what the next one says of
//! each: where the log left it, and before which record.

use std::sync::Arc;

use super::files::LaidOut;
use super::unstarted::Unstarted;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Defect, End, SegmentFile, StateSlot, segment_file};
use crate::position::{Epoch, Offset, SegmentNumber, Sequence};
use crate::recovery::{CorruptionPolicy, Plan, Survey, make_plan, survey};
use crate::segment::{Segment, read_header};
use crate::storage::{Access, Directory, open_if_there};

/// Between what the log lies, by `STATE` or, after an unclean end, by what opening would decide.
#[derive(Debug)]
pub(super) struct Bounds {
    pub(super) survey: Survey,
    /// The last `STATE`, unless it was lost.
    pub(super) state: Option<StateSlot>,
    pub(super) end: End,
    /// Durable records behind the end's place cannot be read.
    pub(super) is_end_damaged: bool,
    pub(super) first: SegmentNumber,
    pub(super) epoch: Epoch,
}

/// One segment of the log.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) number: SegmentNumber,
    pub(super) content: Content,
    /// Where the log left it; `None` where nothing readable says so.
    pub(super) stop: Option<Offset>,
    /// The record that followed, or the lowest that can have.
    pub(super) next: Option<Sequence>,
}

/// What can be read of a segment.
#[derive(Debug)]
pub(super) enum Content {
    Started(Box<Segment>),
    /// Its header, and what stands behind a start frame that is lost.
    Unstarted(Unstarted),
    Lost(Defect),
}

/// Finds out between what the log lies.
pub(super) fn find_bounds(laid_out: &LaidOut<'_>) -> Result<Bounds> {
    let view = &laid_out.view;
    let survey = survey(view)?;
    let (state, end, is_end_damaged) = match make_plan(&survey, CorruptionPolicy::default(), false)
    {
        Plan::Continue { state, .. } => (Some(state), state.end, state.damaged),
        Plan::Recover(recovery) => {
            let walked = recovery.walked;
            (recovery.state, walked.end, walked.damaged_end)
        }
        Plan::Create | Plan::Refuse(..) => {
            let what = "too little is left to tell what the queue was; salvage the records";
            return Err(Error::at(ErrorKind::Corrupt, what, view.path()));
        }
    };
    let lowest = survey.numbers.first().copied().unwrap_or_default();
    Ok(Bounds {
        first: state.map_or(lowest, |state| state.first_segment),
        epoch: survey.epoch,
        survey,
        state,
        end,
        is_end_damaged,
    })
}

/// The segments of the log, in order, and files between them that are of no use any more.
pub(super) fn find_members(
    laid_out: &LaidOut<'_>,
    bounds: &Bounds,
) -> Result<(Vec<Member>, Vec<SegmentNumber>)> {
    let (mut members, mut useless) = (Vec::new(), Vec::new());
    let mut number = bounds.end.position.segment;
    let mut stop = Some(bounds.end.position.offset).filter(|_| !bounds.is_end_damaged);
    let mut next = Some(bounds.end.next);
    while number.is_some() && number >= bounds.first {
        let content = read(laid_out, number)?;
        let previous = match &content {
            Content::Started(segment) => Some((
                segment.start.previous,
                Some(segment.start.previous_end),
                Some(segment.base),
            )),
            Content::Unstarted(_) | Content::Lost(_) => {
                let next = match &content {
                    Content::Unstarted(unstarted) => unstarted.least_base(),
                    Content::Started(_) | Content::Lost(_) => None,
                };
                let (below, lost) = readable_below(laid_out, bounds, number)?;
                // Where there is no room for a gap, one before it has to hold it.
                let stands_in = below.is_none() && next.is_some() && number > bounds.first;
                if !stands_in {
                    useless.extend(lost);
                }
                let preceding = SegmentNumber::new(number.get().saturating_sub(1));
                let below = below.or(stands_in.then_some(preceding));
                below.map(|number| (number, None, next))
            }
        };
        members.push(Member {
            number,
            content,
            stop,
            next,
        });
        let Some(previous) = previous.filter(|(previous, ..)| *previous < number) else {
            break;
        };
        (number, stop, next) = previous;
    }
    members.reverse();
    if bounds.is_end_damaged {
        go_behind(laid_out, bounds, (&mut members, &mut useless))?;
    }
    Ok((members, useless))
}

/// Adds the segments behind the end that hold durable records too, and have no start frame that
/// says so; and those before them of which nothing can be read.
fn go_behind(
    laid_out: &LaidOut<'_>,
    bounds: &Bounds,
    (members, useless): (&mut Vec<Member>, &mut Vec<SegmentNumber>),
) -> Result<()> {
    let end = bounds.end;
    let mut lost = Vec::new();
    let numbers = bounds.survey.numbers.iter().copied();
    for number in numbers.filter(|number| *number > end.position.segment) {
        let content = read(laid_out, number)?;
        match &content {
            Content::Unstarted(unstarted) if unstarted.is_below(end.next) => {
                if let Some(before) = members.last_mut() {
                    before.next = unstarted.least_base();
                }
                useless.append(&mut lost);
                members.push(Member {
                    number,
                    content,
                    stop: None,
                    next: Some(end.next),
                });
            }
            Content::Lost(_) => lost.push(number),
            Content::Started(_) | Content::Unstarted(_) => {}
        }
    }
    Ok(())
}

/// The nearest segment below `number` whose header can be read, and those in between, which held
/// what is lost with `number`.
fn readable_below(
    laid_out: &LaidOut<'_>,
    bounds: &Bounds,
    number: SegmentNumber,
) -> Result<(Option<SegmentNumber>, Vec<SegmentNumber>)> {
    let mut lost = Vec::new();
    let numbers = bounds.survey.numbers.iter().copied().rev();
    for below in numbers.filter(|below| *below < number && *below >= bounds.first) {
        match read(laid_out, below)? {
            Content::Started(_) | Content::Unstarted(_) => return Ok((Some(below), lost)),
            Content::Lost(_) => lost.push(below),
        }
    }
    Ok((None, lost))
}

/// What can be read of segment `number`.
pub(super) fn read(laid_out: &LaidOut<'_>, number: SegmentNumber) -> Result<Content> {
    let name = segment_file(number, SegmentFile::Log);
    let Some(file) = open_if_there(&laid_out.view, &name, Access::Read)? else {
        return Ok(Content::Lost(Defect::Missing));
    };
    match read_header(&*file, laid_out.identity.queue, number)? {
        Ok(header) => match Segment::started(Arc::clone(&file), header)? {
            Ok(segment) => Ok(Content::Started(Box::new(segment))),
            Err(defect) => Unstarted::find(header, file, defect).map(Content::Unstarted),
        },
        Err(defect) => defect
            .refuse_version("a segment", file.path())
            .map(Content::Lost),
    }
}
