//! From segments to a queue.

use super::Rebuild;
use crate::error::Result;
use crate::format::{
    CURSORS, CursorSlot, IDENTITY, KEYS, KeyFile, SEGMENTS, STATE, StateSlot, consumer_id,
    cursor_file, temporary,
};
use crate::position::{Position, SegmentNumber, Sequence};
use crate::slots::SlotFile;
use crate::storage::replace_whole;

impl Rebuild {
    /// Makes a queue of the sealed segments. The numbers are those of the module's introduction.
    pub(super) fn commit(&mut self) -> Result<()> {
        let next = self.end.next;
        let first = self.first.unwrap_or(next);
        let epoch = self.epoch_seen.following(self.draw.next());
        self.done.epoch = epoch;
        self.done.first = first;
        self.done.next = next;
        // 2.
        for consumer in &self.consumers {
            let slot = CursorSlot {
                queue: self.identity.queue,
                consumer: consumer_id(&consumer.name),
                epoch,
                next: consumer.next.max(first).min(next),
                watermark: next,
                // Where that is, whoever needs it looks up.
                position: Position::default(),
                filter: consumer.filter,
                ..CursorSlot::default()
            };
            SlotFile::create(&*self.directory, &cursor_file(&consumer.name), slot)?;
        }
        self.write_keys(first)?;
        self.directory.sync(SEGMENTS)?;
        self.directory.sync(CURSORS)?;
        // 3. With the epoch of records to come: a clean end does not draw another one.
        let state = StateSlot {
            queue: self.identity.queue,
            opener: self.draw.next(),
            clean: true,
            epoch,
            end: self.end,
            first_segment: SegmentNumber::new(1),
            first_base: first,
            watermark: next,
            floor: first,
            ..StateSlot::default()
        };
        SlotFile::create(&*self.directory, STATE, state)?;
        self.directory.sync("")?;
        // 4.
        let identity = self.identity.encode();
        self.put(IDENTITY, &identity)?;
        self.directory.sync("")
    }

    /// Without the file no record has a key, which reclaiming relies on; the keys of the records
    /// from `covered` on are in their frames.
    fn write_keys(&mut self, first: Sequence) -> Result<()> {
        let kept = self.keys.take();
        if kept.is_none() && !self.keyed {
            return Ok(());
        }
        let covered = kept.as_ref().map_or(first, |kept| kept.covered.max(first));
        let covered = covered.min(self.end.next);
        let mut entries = kept.map(|kept| kept.entries).unwrap_or_default();
        // What the log has lost may be enqueued again.
        entries.retain(|entry| entry.sequence < covered);
        let file = KeyFile {
            queue: self.identity.queue,
            epoch: self.done.epoch,
            covered,
            entries,
        };
        self.put(KEYS, &file.encode())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let names = (&*temporary(name), name);
        replace_whole(&*self.directory, names, |file| file.write_at(bytes, 0)).map(drop)
    }
}
