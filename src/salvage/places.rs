//! Where records stand: every file that may hold frames is walked once.

use std::sync::Arc;

use super::Sequences;
use super::framing::recover;
use super::ranges::joined;
use super::remains::names_in;
use super::report::{FileState, ForeignQueue, SalvagedFile};
use crate::error::Result;
use crate::format::{
    ALIGNMENT, BLOCK_BYTES, Chain, Control, Defect, Framing, Integrity, QUARANTINE, SEGMENTS,
    SegmentFile, SegmentHeader, Start, narrow, temporary,
};
use crate::position::{Epoch, Offset, QueueId, SegmentNumber, Sequence};
use crate::segment::{FrameStream, Span};
use crate::storage::{Access, Directory, File, open_if_there, read_range};

/// All files.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) files: Vec<FilePlaces>,
}

/// One file, and where its records are.
#[derive(Debug)]
pub(super) struct FilePlaces {
    pub(super) name: String,
    /// `None` where the header is gone.
    pub(super) header: Option<SegmentHeader>,
    /// `None` where nothing in it is readable.
    pub(super) framing: Option<Framing>,
    /// The epoch of its records; that of the header, or what others tell of it.
    pub(super) epoch: Epoch,
    pub(super) walked: Walked,
    later_version: bool,
}

/// What a walk through a file has found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) runs: Vec<Run>,
    /// The segment's base, its start frame, and the chain there.
    pub(super) start: Option<(Sequence, Start, Chain)>,
    watermark: Sequence,
    gaps: Vec<Sequences>,
    oldest_time: Option<u64>,
    /// Something is neither a frame nor zeros.
    damaged: bool,
    /// What is no frame stands behind the last record: the next one begins a run.
    apart: bool,
}

/// Records one after the other, nothing between them but control frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) sequences: Sequences,
    /// Where the first one stands.
    pub(super) offset: Offset,
}

/// Walks every file of `from` that may hold frames, whatever its name.
pub(super) fn find_places(from: &dyn Directory, quarantine: bool) -> Result<Places> {
    let mut files = Vec::new();
    for folder in [SEGMENTS, QUARANTINE] {
        if folder == QUARANTINE && !quarantine {
            continue;
        }
        for name in names_in(from, folder)? {
            let sort = SegmentFile::parse(&name).map(|(_, sort)| sort);
            let is_known = matches!(sort, Some(SegmentFile::Index | SegmentFile::Trash));
            if is_known || name.ends_with(&temporary("")) {
                continue;
            }
            let path = format!("{folder}/{name}");
            // Reclaimed since it was listed.
            if let Some(file) = open_if_there(from, &path, Access::Read)? {
                files.push(look_into(path, &file)?);
            }
        }
    }
    Ok(Places { files })
}

fn look_into(name: String, file: &Arc<dyn File>) -> Result<FilePlaces> {
    let block = read_range(&**file, 0, narrow(BLOCK_BYTES))?;
    let mut found = FilePlaces {
        name,
        header: None,
        framing: None,
        epoch: Epoch::default(),
        walked: Walked::default(),
        later_version: false,
    };
    match SegmentHeader::decode(&block) {
        Ok(header) => {
            found.header = Some(header);
            found.epoch = header.epoch;
            found.framing = Some(header.framing());
            found.walked = walk(file, header.framing())?;
        }
        Err(Defect::Version { .. }) => found.later_version = true,
        Err(_) => {
            found.framing = recover(file)?;
            if let Some(framing) = found.framing {
                found.walked = walk(file, framing)?;
            }
        }
    }
    Ok(found)
}

/// Finds every frame of `file`, also past damage.
fn walk(file: &Arc<dyn File>, framing: Framing) -> Result<Walked> {
    let limit = Offset::new(file.length()?);
    let mut stream = FrameStream::new(Arc::clone(file), framing);
    let mut walked = Walked::default();
    let mut offset = Offset::new(BLOCK_BYTES);
    while offset < limit {
        if let Ok(span) = stream.frame_at(offset, limit)? {
            walked.note(&span, &stream);
            offset = span.end;
            continue;
        }
        walked.apart = true;
        let (zeros, end) = stream.zeros_from(offset, limit)?;
        if zeros {
            offset = end.max(offset.plus(ALIGNMENT));
            continue;
        }
        walked.damaged = true;
        offset = offset.plus(ALIGNMENT);
    }
    Ok(walked)
}

impl Walked {
    fn note(&mut self, span: &Span, stream: &FrameStream) {
        let header = &span.header;
        if header.watermark > header.sequence {
            // No writer says so; what the frame holds is valid all the same.
            self.damaged = true;
        } else {
            self.watermark = self.watermark.max(header.watermark);
        }
        if header.flags.is_control() {
            let gone = span.gone();
            if !gone.is_empty() {
                self.gaps.push(gone);
            }
            if Control::of(header) == Ok(Control::Start)
                && let Ok(start) = Start::decode(stream.payload(span))
            {
                self.start = Some((header.sequence, start, header.chain));
            }
            return;
        }
        let oldest = self.oldest_time.unwrap_or(header.time);
        self.oldest_time = Some(oldest.min(header.time));
        match self.runs.last_mut() {
            Some(run) if !self.apart && run.sequences.end == header.sequence => {
                run.sequences.end = span.next;
            }
            Some(_) | None => self.runs.push(Run {
                sequences: header.sequence..span.next,
                offset: span.offset,
            }),
        }
        self.apart = false;
    }

    /// The first sequence that it is about.
    pub(super) fn first(&self) -> Option<Sequence> {
        let base = self.start.as_ref().map(|(base, _, _)| *base);
        let runs = self.runs.iter().map(|run| run.sequences.start);
        runs.chain(base).min()
    }

    fn records(&self) -> u64 {
        let each = self
            .runs
            .iter()
            .map(|run| run.sequences.end.since(run.sequences.start));
        each.fold(0, u64::saturating_add)
    }
}

impl FilePlaces {
    /// Whether its records go for those of `queue`.
    pub(super) fn is_of(&self, queue: QueueId) -> bool {
        self.framing.is_some() && self.header.is_none_or(|header| header.queue == queue)
    }
}

impl Places {
    pub(super) fn is_empty(&self) -> bool {
        self.files.iter().all(|file| file.framing.is_none())
    }

    pub(super) fn of(&self, queue: QueueId) -> impl Iterator<Item = &FilePlaces> {
        self.files.iter().filter(move |file| file.is_of(queue))
    }

    /// The queues that headers name, and how many files each.
    pub(super) fn queues(&self) -> Vec<(QueueId, u64)> {
        let mut queues: Vec<(QueueId, u64)> = Vec::new();
        for header in self.files.iter().filter_map(|file| file.header) {
            match queues.iter_mut().find(|(queue, _)| *queue == header.queue) {
                Some((_, files)) => *files = files.saturating_add(1),
                None => queues.push((header.queue, 1)),
            }
        }
        queues
    }

    pub(super) fn first_of(&self, queue: QueueId) -> Option<Sequence> {
        self.of(queue).filter_map(|file| file.walked.first()).min()
    }

    pub(super) fn watermark_of(&self, queue: QueueId) -> Sequence {
        let all = self.of(queue).map(|file| file.walked.watermark);
        all.max().unwrap_or_default()
    }

    pub(super) fn epoch_of(&self, queue: QueueId) -> Epoch {
        let all = self.of(queue).map(|file| file.epoch);
        all.max().unwrap_or_default()
    }

    pub(super) fn integrity_of(&self, queue: QueueId) -> Option<Integrity> {
        let framing = self.of(queue).find_map(|file| file.framing);
        framing.map(Framing::integrity)
    }

    pub(super) fn oldest_time(&self, queue: QueueId) -> Option<u64> {
        self.of(queue)
            .filter_map(|file| file.walked.oldest_time)
            .min()
    }

    /// The first sequence of the first file of an epoch later than `epoch`.
    pub(super) fn first_after_epoch(&self, queue: QueueId, epoch: Epoch) -> Option<Sequence> {
        let later = self.of(queue).filter(|file| file.epoch > epoch);
        later.filter_map(|file| file.walked.first()).min()
    }

    /// Records that gap frames give up.
    pub(super) fn known_gaps(&self, queue: QueueId) -> Vec<Sequences> {
        let all = self
            .of(queue)
            .flat_map(|file| file.walked.gaps.iter().cloned());
        joined(all.collect())
    }

    pub(super) fn foreign_to(&self, queue: QueueId) -> Vec<ForeignQueue> {
        let mut found: Vec<ForeignQueue> = Vec::new();
        for file in &self.files {
            let Some(id) = file.header.map(|header| header.queue) else {
                continue;
            };
            if id == queue {
                continue;
            }
            let known = found.iter().position(|foreign| foreign.id == id);
            let at = known.unwrap_or(found.len());
            if known.is_none() {
                found.push(ForeignQueue::new(id));
            }
            if let Some(foreign) = found.get_mut(at) {
                foreign.files = foreign.files.saturating_add(1);
                foreign.records = foreign.records.saturating_add(file.walked.records());
            }
        }
        found
    }

    /// Every file, with the number of records that came out of each.
    pub(super) fn report(&self, queue: QueueId, records: &[u64]) -> Vec<SalvagedFile> {
        let counted = records.iter().copied().chain(std::iter::repeat(0));
        let files = self.files.iter().zip(counted);
        let told = files.map(|(file, records)| {
            let state = file.state(queue);
            SalvagedFile::new(&file.name, state, records, file.walked.damaged)
        });
        told.collect()
    }
}

impl FilePlaces {
    fn state(&self, queue: QueueId) -> FileState {
        if self.later_version {
            return FileState::LaterVersion;
        }
        let Some(header) = self.header else {
            return match self.framing {
                Some(_) => FileState::WithoutHeader,
                None => FileState::Unreadable,
            };
        };
        if header.queue != queue {
            return FileState::Foreign;
        }
        let name = self.name.rsplit('/').next().unwrap_or_default();
        let named = SegmentFile::parse(name).map(|(number, _)| number);
        if named == Some(header.number) {
            FileState::Segment
        } else {
            let number = SegmentNumber::get(header.number);
            FileState::Misnamed { number }
        }
    }
}
