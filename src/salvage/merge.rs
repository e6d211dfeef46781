//! From places to records in order: all runs that overlap are read side by side.

use std::cmp::Reverse;
use std::sync::Arc;

use super::Sequences;
use super::aside::Aside;
use super::places::{Places, Run};
use crate::error::{Error, ErrorKind, Result};
use crate::format::Framing;
use crate::position::{Epoch, Offset, QueueId, Sequence};
use crate::rebuild::{Rebuild, RebuildRecord};
use crate::segment::{FrameStream, Span};
use crate::storage::{Access, Directory};

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// Records by file.
    pub(super) records: Vec<u64>,
    pub(super) unproven: Option<Sequences>,
    pub(super) cut_batches: Vec<Sequence>,
    pub(super) reclaimed: u64,
    pub(super) duplicates: u64,
}

/// The reading of all runs of one queue.
#[derive(Debug)]
pub(super) struct Merge<'a> {
    from: &'a dyn Directory,
    /// Runs that are not read yet, the last one first.
    waiting: Vec<Planned<'a>>,
    /// Runs that are being read, each at its next record.
    reading: Vec<Reading>,
    /// Lower records were reclaimed.
    first: Sequence,
    /// Lower records were durable.
    watermark: Sequence,
    /// The epoch of the last record that went out.
    epoch: Epoch,
    /// The last record that went out, if more of its batch have to follow.
    open_batch: Option<Sequence>,
    merged: Merged,
}

#[derive(Debug)]
struct Planned<'a> {
    file: usize,
    name: &'a str,
    framing: Framing,
    epoch: Epoch,
    run: &'a Run,
}

#[derive(Debug)]
struct Reading {
    file: usize,
    epoch: Epoch,
    stream: FrameStream,
    limit: Offset,
    span: Span,
    end: Sequence,
}

impl<'a> Merge<'a> {
    pub(super) fn new(
        from: &'a dyn Directory,
        places: &'a Places,
        queue: QueueId,
        (first, watermark): (Sequence, Sequence),
    ) -> Self {
        let mut waiting = Vec::new();
        for (number, file) in places.files.iter().enumerate() {
            let Some(framing) = file.framing.filter(|_| file.is_of(queue)) else {
                continue;
            };
            waiting.extend(file.walked.runs.iter().map(|run| Planned {
                file: number,
                name: &file.name,
                framing,
                epoch: file.epoch,
                run,
            }));
        }
        waiting.sort_by_key(|planned| Reverse((planned.run.sequences.start, planned.file)));
        Self {
            from,
            waiting,
            reading: Vec::new(),
            first,
            watermark,
            epoch: Epoch::default(),
            open_batch: None,
            merged: Merged {
                records: vec![0; places.files.len()],
                ..Merged::default()
            },
        }
    }

    /// Reads everything, in order.
    pub(super) fn run(&mut self, rebuild: &mut Rebuild, aside: &mut Aside<'_>) -> Result<()> {
        while let Some(due) = self.due() {
            while self
                .waiting
                .last()
                .is_some_and(|planned| planned.run.sequences.start == due)
            {
                if let Some(planned) = self.waiting.pop() {
                    self.reading.push(Reading::begin(self.from, &planned)?);
                }
            }
            self.settle(due, rebuild, aside)?;
            let mut at = 0;
            while let Some(reading) = self.reading.get_mut(at) {
                if reading.span.header.sequence > due || reading.advance()? {
                    at = at.saturating_add(1);
                } else {
                    self.reading.remove(at);
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Merged {
        self.merged.cut_batches.extend(self.open_batch);
        self.merged
    }

    /// The lowest sequence that is left.
    fn due(&self) -> Option<Sequence> {
        let waiting = self
            .waiting
            .last()
            .map(|planned| planned.run.sequences.start);
        let reading = self
            .reading
            .iter()
            .map(|reading| reading.span.header.sequence);
        reading.chain(waiting).min()
    }

    /// Decides which of the records with the sequence `due` goes out.
    fn settle(
        &mut self,
        due: Sequence,
        rebuild: &mut Rebuild,
        aside: &mut Aside<'_>,
    ) -> Result<()> {
        let same = self
            .reading
            .iter()
            .filter(|one| one.span.header.sequence == due);
        // Of one epoch the first place: what a full disk had taken back may still stand behind it.
        let rank = |one: &&Reading| (one.epoch, Reverse((one.file, one.span.offset)));
        let best = same.clone().max_by_key(rank);
        let Some(best) = best else { return Ok(()) };
        for other in same.filter(|other| !std::ptr::eq(*other, best)) {
            if other.record() == best.record_in(other.epoch) {
                self.merged.duplicates = self.merged.duplicates.saturating_add(1);
            } else {
                aside.keep(&other.record())?;
            }
        }
        if due < self.first {
            self.merged.reclaimed = self.merged.reclaimed.saturating_add(1);
            return Ok(());
        }
        if best.epoch < self.epoch {
            // The log had been cut before it, and went on in a newer epoch.
            return aside.keep(&best.record());
        }
        rebuild.push(&best.record())?;
        self.epoch = best.epoch;
        if let Some(records) = self.merged.records.get_mut(best.file) {
            *records = records.saturating_add(1);
        }
        if due >= self.watermark {
            let from = self
                .merged
                .unproven
                .as_ref()
                .map_or(due, |range| range.start);
            self.merged.unproven = Some(from..due.plus(1));
        }
        let is_cut = self.open_batch.filter(|last| last.plus(1) != due);
        self.merged.cut_batches.extend(is_cut);
        let continues = best.span.header.flags.continues();
        self.open_batch = continues.then_some(due);
        Ok(())
    }
}

impl Reading {
    fn begin(from: &dyn Directory, planned: &Planned<'_>) -> Result<Self> {
        let file = from.open(planned.name, Access::Read)?;
        let limit = Offset::new(file.length()?);
        let mut stream = FrameStream::new(Arc::clone(&file), planned.framing);
        let found = stream.frame_at(planned.run.offset, limit)?;
        let span = found.map_err(|_defect| changed(file.path()))?;
        Ok(Self {
            file: planned.file,
            epoch: planned.epoch,
            stream,
            limit,
            span,
            end: planned.run.sequences.end,
        })
    }

    /// Goes on to the next record; false at the end of the run.
    fn advance(&mut self) -> Result<bool> {
        let due = self.span.header.sequence.plus(1);
        if due >= self.end {
            return Ok(false);
        }
        loop {
            let found = self.stream.frame_at(self.span.end, self.limit)?;
            let Ok(span) = found else { return Ok(false) };
            self.span = span;
            if !span.header.flags.is_control() {
                return Ok(span.header.sequence == due);
            }
        }
    }

    fn record(&self) -> RebuildRecord<'_> {
        self.record_in(self.epoch)
    }

    /// The record as it would be in another epoch.
    fn record_in(&self, epoch: Epoch) -> RebuildRecord<'_> {
        let header = &self.span.header;
        let (key, payload) = header.divide(self.stream.payload(&self.span));
        let mut record = RebuildRecord::new(header.sequence, epoch, payload);
        record.kind = header.kind;
        record.enqueued_at = header.time;
        record.key = key;
        record
    }
}

fn changed(path: &std::path::Path) -> Error {
    let what = "the file changed while it was read; is a program writing the queue?";
    Error::at(ErrorKind::Io, what, path)
}
