//! Walks all frames of one segment after an unclean end, also past holes.
//!
//! The result is plain data: runs of good frames in sequence, what stopped each, and the largest
//! watermark any frame states. Whether a stop is a torn tail or corruption is `recovery`'s to say.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::{FrameStream, IndexBuilder, Segment, Span};
use crate::error::Result;
use crate::format::{ALIGNMENT, BLOCK_BYTES, Chain, Control, Defect, Footer};
use crate::position::{Offset, Sequence};

/// Where nothing is known of what is missing, any sequence may follow.
const ANY: Sequence = Sequence::new(u64::MAX);

/// A place between two frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) offset: Offset,
    /// The sequence of the next record there.
    pub(crate) next: Sequence,
    /// The chain there.
    pub(crate) chain: Chain,
}

/// Good frames in sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Before the first frame.
    pub(crate) from: Mark,
    /// After the last whole batch.
    pub(crate) to: Mark,
    /// After the last good record, which may lie inside a batch without its end.
    pub(crate) seen: Sequence,
    /// The chain as its last frame has it.
    pub(crate) chain: Chain,
    pub(crate) ending: Ending,
}

/// What ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The segment's footer.
    Footer,
    /// Zeros to the end of the file, or the end of the file itself.
    Quiet,
    /// Something that is not the next frame.
    Defect { offset: Offset, defect: Defect },
}

/// What a whole segment holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentScan {
    /// The first begins at the start frame; each further one was found past a hole.
    pub(crate) runs: Vec<Run>,
    /// The largest watermark that any frame states.
    pub(crate) watermark: Sequence,
    /// The end of the last byte that is not zero.
    pub(crate) used: Offset,
    /// Where the frames of the first run stand.
    pub(crate) index: IndexBuilder,
    /// Bytes looked at.
    pub(crate) bytes: u64,
}

/// Walks `segment` from its start frame to the end of its file.
pub(crate) fn scan(segment: &Segment) -> Result<SegmentScan> {
    scan_as(segment, true)
}

/// The same where the base is only the lowest that it can be.
pub(crate) fn scan_from_least(segment: &Segment) -> Result<SegmentScan> {
    scan_as(segment, false)
}

fn scan_as(segment: &Segment, is_base_exact: bool) -> Result<SegmentScan> {
    let limit = Offset::new(segment.file.length()?);
    let mut scan = SegmentScan {
        watermark: segment.watermark,
        index: IndexBuilder::new(segment.base),
        bytes: limit.get(),
        used: segment.data_start(),
        ..SegmentScan::default()
    };
    let mut walk = Walk {
        segment,
        stream: segment.stream(),
        limit,
        scan: &mut scan,
    };
    let mut from = Mark {
        offset: segment.data_start(),
        next: segment.base,
        chain: segment.chain,
    };
    loop {
        let run = walk.run(from)?;
        walk.scan.runs.push(run);
        if !matches!(run.ending, Ending::Defect { .. }) {
            break;
        }
        let is_anything_due = !is_base_exact && run.seen == segment.base;
        let seen = if is_anything_due { ANY } else { run.seen };
        match walk.resync(&Run { seen, ..run })? {
            Some(mark) => from = mark,
            None => break,
        }
    }
    Ok(scan)
}

/// Looks for frames in a segment whose start frame is not there; its first run is empty.
pub(crate) fn scan_unstarted(segment: &Segment) -> Result<SegmentScan> {
    let limit = Offset::new(segment.file.length()?);
    let mut scan = SegmentScan {
        bytes: limit.get(),
        ..SegmentScan::default()
    };
    let mut walk = Walk {
        segment,
        stream: segment.stream(),
        limit,
        scan: &mut scan,
    };
    let offset = Offset::new(BLOCK_BYTES);
    let nowhere = Mark {
        offset,
        ..Mark::default()
    };
    let ending = walk.ending(offset, Defect::Zeros)?;
    let mut run = Run {
        from: nowhere,
        to: nowhere,
        seen: ANY,
        chain: Chain::default(),
        ending,
    };
    walk.scan.runs.push(run);
    while let Some(from) = walk.resync(&run)? {
        run = walk.run(from)?;
        walk.scan.runs.push(run);
    }
    Ok(scan)
}

/// Where good frames go on behind a hole at `hole`, where `due` was expected.
pub(crate) fn resync(segment: &Segment, hole: Offset, due: Sequence) -> Result<Option<Mark>> {
    let limit = Offset::new(segment.file.length()?);
    let mut scan = SegmentScan::default();
    let mut walk = Walk {
        segment,
        stream: segment.stream(),
        limit,
        scan: &mut scan,
    };
    let place = Mark {
        offset: hole,
        next: due,
        chain: Chain::default(),
    };
    let ending = Ending::Defect {
        offset: hole,
        defect: Defect::Zeros,
    };
    walk.resync(&Run {
        from: place,
        to: place,
        seen: due,
        chain: Chain::default(),
        ending,
    })
}

/// Whether a good frame of `segment` is one that a writer could have put where `due` is expected;
/// which control frame it is, if it is one.
pub(crate) fn judge_frame(
    segment: &Segment,
    span: &Span,
    payload: &[u8],
    due: Sequence,
) -> std::result::Result<Option<Control>, Defect> {
    let header = &span.header;
    if header.sequence != due {
        let (expected, found) = (due.get(), header.sequence.get());
        return Err(Defect::Sequence { expected, found });
    }
    let wrong = |name, found| Err(Defect::Field { name, found });
    if header.watermark > header.sequence {
        return wrong("watermark", header.watermark.get());
    }
    if !header.flags.is_control() {
        return Ok(None);
    }
    let control = Control::of(header)?;
    match control {
        Control::Padding | Control::Gap => {}
        Control::Start => return wrong("second start frame", 1),
        Control::Footer => {
            let footer = Footer::decode(payload)?;
            if footer.base != segment.base {
                return wrong("footer base", footer.base.get());
            }
            if footer.count != due.since(segment.base) {
                return wrong("footer count", footer.count);
            }
        }
    }
    Ok(Some(control))
}

struct Walk<'a> {
    segment: &'a Segment,
    stream: FrameStream,
    limit: Offset,
    scan: &'a mut SegmentScan,
}

impl Walk<'_> {
    /// Follows good frames in sequence from `from`.
    fn run(&mut self, from: Mark) -> Result<Run> {
        let mut run = Run {
            from,
            to: from,
            seen: from.next,
            chain: from.chain,
            ending: Ending::Quiet,
        };
        let mut offset = from.offset;
        let mut in_batch = false;
        loop {
            let span = match self.next(offset, run.seen)? {
                Ok(span) => span,
                Err(defect) => {
                    run.ending = self.ending(offset, defect)?;
                    if in_batch && run.ending == Ending::Quiet {
                        run.ending = Ending::Defect {
                            offset,
                            defect: Defect::OpenBatch,
                        };
                    }
                    return Ok(run);
                }
            };
            self.scan.watermark = self.scan.watermark.max(span.header.watermark);
            self.scan.used = self.scan.used.max(span.end);
            run.chain = span.header.chain;
            offset = span.end;
            if span.header.flags.is_control() {
                if Control::of(&span.header) == Ok(Control::Footer) {
                    let open = Ending::Defect {
                        offset: span.offset,
                        defect: Defect::OpenBatch,
                    };
                    run.ending = if in_batch { open } else { Ending::Footer };
                    return Ok(run);
                }
                if !span.gone().is_empty() {
                    // Whatever batch stood open lost its end with what is gone.
                    in_batch = false;
                    run.seen = span.next;
                    run.to = Mark {
                        offset,
                        next: run.seen,
                        chain: span.header.chain,
                    };
                } else if !in_batch {
                    run.to.offset = offset;
                }
                continue;
            }
            if self.scan.runs.is_empty() {
                self.scan.index.note(span.header.sequence, span.offset);
            }
            run.seen = span.next;
            in_batch = span.header.flags.continues();
            if !in_batch {
                run.to = Mark {
                    offset,
                    next: run.seen,
                    chain: span.header.chain,
                };
            }
        }
    }

    /// The frame at `offset` if it is the one due.
    fn next(&mut self, offset: Offset, due: Sequence) -> Result<std::result::Result<Span, Defect>> {
        let found = self.stream.frame_at(offset, self.limit)?;
        Ok(found.and_then(|span| {
            let payload = self.stream.payload(&span);
            judge_frame(self.segment, &span, payload, due).map(|_| span)
        }))
    }

    /// Tells the quiet end of a file from a defect at `offset`.
    fn ending(&mut self, offset: Offset, defect: Defect) -> Result<Ending> {
        let mut place = offset;
        while place < self.limit {
            let (zeros, end) = self.stream.zeros_from(place, self.limit)?;
            if !zeros {
                return Ok(Ending::Defect { offset, defect });
            }
            if end <= place {
                break;
            }
            place = end;
        }
        Ok(Ending::Quiet)
    }

    /// The next place past `run`'s defect where good frames go on, and the sequence there.
    fn resync(&mut self, run: &Run) -> Result<Option<Mark>> {
        let Ending::Defect { offset: hole, .. } = run.ending else {
            return Ok(None);
        };
        self.scan.used = self.scan.used.max(hole.plus(1));
        let mut offset = hole.plus(ALIGNMENT);
        while offset < self.limit {
            let (zeros, end) = self.stream.zeros_from(offset, self.limit)?;
            if zeros {
                offset = end.max(offset.plus(ALIGNMENT));
                continue;
            }
            // Everything in one buffer is looked at before asking again whether the rest is zero.
            while offset < end {
                if let Ok(span) = self.stream.frame_at(offset, self.limit)?
                    && self.believable(&span, run, hole)?
                {
                    let next = span.header.sequence;
                    return Ok(Some(Mark {
                        offset,
                        next,
                        chain: Chain::default(),
                    }));
                }
                offset = offset.plus(ALIGNMENT);
            }
            self.scan.used = self.scan.used.max(end.min(self.limit));
        }
        Ok(None)
    }

    /// Whether a frame past a hole can be one of this log: the bytes skipped must have had room
    /// for the sequences skipped, and a second frame or the end must follow.
    fn believable(&mut self, span: &Span, run: &Run, hole: Offset) -> Result<bool> {
        let header = &span.header;
        let skipped = span.offset.since(hole);
        let room = skipped
            .checked_div(self.segment.framing.header_bytes())
            .unwrap_or(0);
        let plausible = header.sequence >= run.to.next
            && header.sequence <= run.seen.plus(room)
            && header.watermark <= header.sequence;
        if !plausible {
            return Ok(false);
        }
        if header.flags.is_control() && span.gone().is_empty() {
            return Ok(Control::of(header) == Ok(Control::Footer));
        }
        match self.next(span.end, span.next)? {
            Ok(_) => Ok(true),
            Err(defect) => Ok(self.ending(span.end, defect)? == Ending::Quiet),
        }
    }
}
