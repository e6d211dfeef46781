//! What the one writer holds under the log's lock: the end of the log, and frames not yet written.

use std::collections::VecDeque;
use std::ops::Range;

use super::begin::Resume;
use super::capacity::Oldest;
use super::group::Waiting;
use super::keys::KeyWindow;
use crate::format::{
    BLOCK_BYTES, Chain, End, Flags, FrameHeader, IndexEntry, Integrity, KEY_BYTES, Key,
    RecordDigest, SEGMENT_BYTES_MAX, wide,
};
use crate::position::{Offset, Position, SegmentNumber, Sequence};
use crate::segment::{ControlPlace, IndexBuilder, Segment, encode_start};

/// Room that every segment keeps for its footer: the larger header and the footer's body.
const FOOTER_ROOM_BYTES: u64 = 96;

/// The largest buffer that is kept between groups.
const SPARE_BYTES_MAX: usize = 1 << 20;

/// How full a segment is, in parts of it, when the next one is to be made.
const PREPARE_PART: u64 = 4;

/// A record on its way into the log, with what could be computed before its place was known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prepared<'a> {
    /// What the frame carries: the user's bytes, behind the key if there is one.
    pub(crate) payload: &'a [u8],
    /// The length of that; the user's part of it was checked against the limits.
    pub(crate) length: u32,
    pub(crate) kind: u16,
    pub(crate) key: Option<Key>,
    pub(crate) digest: RecordDigest,
}

impl Prepared<'_> {
    /// How many bytes of it are the user's.
    pub(super) fn user_bytes(&self) -> u64 {
        let key = self.key.map_or(0, |_| wide(KEY_BYTES));
        u64::from(self.length).saturating_sub(key)
    }

    fn flags(&self, is_last: bool) -> Flags {
        let flags = if is_last {
            Flags::RECORD
        } else {
            Flags::BATCHED
        };
        self.key.map_or(flags, |_| flags.keyed())
    }
}

/// The end of the log, and who waits there. Everything is read and written under the log's lock.
#[derive(Debug)]
pub(super) struct Appends {
    /// The sequence that the next record gets.
    pub(super) next: Sequence,
    pub(super) chain: Chain,
    /// The segment that grows; `None` until the first append after opening.
    pub(super) active: Option<Active>,
    /// Where the log ends before the active segment, or altogether while there is none.
    pub(super) last: End,
    /// Frames that have a place but are not in the file, in order, all of the active segment.
    pub(super) pending: Vec<u8>,
    /// An empty buffer to swap with `pending`, so that a steady state allocates nothing.
    pub(super) spare: Vec<u8>,
    /// How things stood before `pending`.
    pub(super) rewind: Rewind,
    /// The callers who wait for records in `pending`.
    pub(super) waiting: Waiting,
    /// Those whose records somebody who did not wait has written along with its own.
    pub(super) written: Vec<Waiting>,
    /// A leader is writing frames outside the lock. Nothing else may be written meanwhile: a
    /// record must not survive a kill when one before it does not.
    pub(super) writing: bool,
    /// The first sequence of what the leader is writing.
    pub(super) writing_from: Sequence,
    /// A leader is writing or syncing; there is one at a time.
    pub(super) committing: bool,
    /// Sealed segments whose end is not yet durable, oldest first.
    pub(super) unsettled: VecDeque<Unsettled>,
    /// What has to be done before the first append; `None` once it is done.
    pub(super) resume: Option<Resume>,
    /// The largest segment number used so far.
    pub(super) highest: SegmentNumber,
    /// How long the active segment is when something is due for the next one.
    pub(super) prepare_at: u64,
    /// Where eviction by bytes or age has come.
    pub(super) oldest: Option<Oldest>,
    /// The keys that count; `None` until the first caller has one.
    pub(super) keys: Option<Box<KeyWindow>>,
}

/// The segment that grows.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) segment: Segment,
    /// Where the next frame goes.
    pub(super) offset: Offset,
    /// Where the last record ends: padding may follow.
    pub(super) records_end: Offset,
    /// Everything before this is synced.
    pub(super) synced: Offset,
    /// The size at which the log goes on in the next one.
    pub(super) bytes: u64,
    /// Whether its start frame has been encoded.
    pub(super) started: bool,
    /// Whether its name survives power loss.
    pub(super) named: bool,
    pub(super) index: IndexBuilder,
}

/// A sealed segment whose data, footer or name may not survive power loss yet.
#[derive(Clone, Debug)]
pub(super) struct Unsettled {
    pub(super) segment: Segment,
    /// Where its frames end, and the sequence that follows.
    pub(super) end: (Sequence, Offset),
    pub(super) named: bool,
    pub(super) index: IndexBuilder,
}

/// What a failed write goes back to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rewind {
    pub(super) next: Sequence,
    pub(super) chain: Chain,
    pub(super) offset: Offset,
    pub(super) started: bool,
}

impl Rewind {
    /// Where in the file the frames after this begin.
    pub(super) fn frames_at(self) -> u64 {
        // A start frame is written with the first records: it stands right after the header block.
        if self.started {
            self.offset.get()
        } else {
            BLOCK_BYTES
        }
    }
}

impl Active {
    pub(super) fn is_empty(&self) -> bool {
        !self.started || self.offset == self.segment.data_start()
    }

    /// Whether `bytes` more fit. A segment without records takes anything that its offsets can
    /// name.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        let end = self
            .offset
            .get()
            .saturating_add(bytes)
            .saturating_add(FOOTER_ROOM_BYTES);
        self.is_empty() || end <= self.bytes.min(SEGMENT_BYTES_MAX)
    }
}

impl Appends {
    pub(super) fn new(end: End, resume: Resume, highest: SegmentNumber) -> Self {
        Self {
            next: end.next,
            chain: end.chain,
            active: None,
            last: end,
            pending: Vec::new(),
            spare: Vec::new(),
            rewind: Rewind::default(),
            waiting: Waiting::default(),
            written: Vec::new(),
            writing: false,
            writing_from: Sequence::ZERO,
            committing: false,
            unsettled: VecDeque::new(),
            resume: Some(resume),
            highest,
            prepare_at: u64::MAX,
            oldest: None,
            keys: None,
        }
    }

    /// The end of the log, everything pending included.
    pub(super) fn end(&self) -> End {
        match &self.active {
            Some(active) if active.started => End {
                position: Position {
                    segment: active.segment.number(),
                    offset: active.offset,
                },
                next: self.next,
                log_bytes: active.segment.log_bytes_at(active.offset),
                chain: self.chain,
            },
            Some(_) | None => self.last,
        }
    }

    /// The index entry at or before `sequence`, if `number` is the segment that grows.
    pub(super) fn index_entry(
        &self,
        number: SegmentNumber,
        sequence: Sequence,
    ) -> Option<IndexEntry> {
        let active = self.active.as_ref()?;
        let own = active.segment.number() == number;
        own.then(|| active.index.at_or_before(sequence)).flatten()
    }

    /// Gives `records` their sequences and encodes their frames, all of one batch.
    ///
    /// There is an active segment with room for them, which the caller made sure of.
    pub(super) fn assign(
        &mut self,
        records: &[Prepared<'_>],
        time: u64,
        watermark: Sequence,
    ) -> Range<Sequence> {
        let first = self.next;
        if self.pending.is_empty() {
            self.rewind = self.here();
        }
        let Some(active) = &mut self.active else {
            return first..first;
        };
        if !active.started {
            // The segment's own copy is what readers in this process see of its start frame.
            let chain = active.segment.chain;
            let place = ControlPlace {
                next: first,
                watermark,
                chain,
                time,
            };
            active.segment.watermark = watermark;
            active.segment.started_at = time;
            encode_start(&active.segment, place, &mut self.pending);
            active.offset = active.segment.data_start();
            active.started = true;
            self.chain = chain;
        }
        let framing = active.segment.framing;
        for (at, record) in records.iter().enumerate() {
            let is_last = at + 1 == records.len();
            let mut header = FrameHeader {
                payload_checksum: record.digest.checksum,
                length: record.length,
                kind: record.kind,
                flags: record.flags(is_last),
                sequence: self.next,
                time,
                watermark,
                chain: Chain::default(),
            };
            if framing.integrity() == Integrity::Chained {
                self.chain = self.chain.after_record(&header, &record.digest);
                header.chain = self.chain;
            }
            framing.encode(&header, record.payload, active.offset, &mut self.pending);
            active.index.note(self.next, active.offset);
            if let (Some(key), Some(keys)) = (record.key, &mut self.keys) {
                keys.note(key, self.next, watermark);
            }
            active.offset = active.offset.plus(framing.frame_bytes(record.length));
            self.next = self.next.plus(1);
        }
        active.records_end = active.offset;
        first..self.next
    }

    /// After the pending frames were written: whoever waits for them waits for a sync only.
    pub(super) fn note_written(&mut self) {
        self.pending.clear();
        if self.waiting.callers() > 0 {
            self.written.push(std::mem::take(&mut self.waiting));
        }
    }

    /// Keeps a written-out buffer for the next swap, unless one group made it very large.
    pub(super) fn recycle(&mut self, mut frames: Vec<u8>) {
        frames.clear();
        frames.shrink_to(SPARE_BYTES_MAX);
        self.spare = frames;
    }

    /// Every record below this is in the file.
    pub(super) fn next_written(&self) -> Sequence {
        if self.writing {
            self.writing_from
        } else if self.pending.is_empty() {
            self.next
        } else {
            self.rewind.next
        }
    }

    /// Whether nothing waits to be written, nor is on its way to the file or the medium.
    pub(super) fn is_written_out(&self) -> bool {
        self.pending.is_empty() && !self.writing && !self.committing && self.unsettled.is_empty()
    }

    /// Frame bytes of the whole log that are in the file, up to the last record.
    pub(super) fn written_bytes(&self) -> u64 {
        match &self.active {
            Some(active) if !self.pending.is_empty() && self.rewind.started => {
                active.segment.log_bytes_at(self.rewind.offset)
            }
            Some(_) if !self.pending.is_empty() => self.last.log_bytes,
            Some(active) if active.started => active.segment.log_bytes_at(active.records_end),
            Some(_) | None => self.end().log_bytes,
        }
    }

    /// Makes `active` the segment that grows.
    pub(super) fn grow_in(&mut self, active: Active) {
        self.prepare_at = active.bytes / PREPARE_PART;
        self.active = Some(active);
    }

    /// How things stand now, for going back to.
    pub(super) fn here(&self) -> Rewind {
        let active = self.active.as_ref();
        Rewind {
            next: self.next,
            chain: self.chain,
            offset: active.map_or(Offset::ZERO, |active| active.offset),
            started: active.is_some_and(|active| active.started),
        }
    }

    /// Forgets everything that got its place after `rewind`.
    pub(super) fn go_back(&mut self, rewind: Rewind) {
        self.pending.clear();
        self.next = rewind.next;
        self.chain = rewind.chain;
        if let Some(keys) = &mut self.keys {
            keys.take_back(rewind.next);
        }
        if let Some(active) = &mut self.active {
            active.offset = rewind.offset;
            active.records_end = active.records_end.min(rewind.offset);
            active.started = rewind.started;
            active.index.cut(rewind.next);
        }
    }
}
