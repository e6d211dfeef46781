//! raft-engine: the log of a replicated store. Its entries are numbered by the caller in each
//! group, so each thread has a group of its own, as the threads of a replicated store have.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use protobuf::descriptor::UninterpretedOption;
use raft_engine::{Command, Config, Engine, LogBatch, MessageExt, ReadableSize};

use crate::class::Class;
use crate::peer::{Entry, Peer, Promise, Result};

/// The group of the first thread: what is filled, and read back.
const FIRST_GROUP: u64 = 1;
/// Entries of a read.
const CHUNK: u64 = 100;

pub const ENTRY: Entry = Entry {
    name: "raft-engine",
    release: "raft-engine 0.4.2",
    setting: "an entry a record, a group a thread, no compression; never purged",
    acknowledges: "kernel",
    can: |_: Class| true,
    open,
};

/// An entry is a protobuf message with an index. This one of protobuf's own has a number and
/// bytes, which saves a generator.
struct Numbered;

impl MessageExt for Numbered {
    type Entry = UninterpretedOption;

    fn index(entry: &Self::Entry) -> u64 {
        entry.get_positive_int_value()
    }
}

static GROUPS: AtomicU64 = AtomicU64::new(FIRST_GROUP);

thread_local! {
    static GROUP: u64 = GROUPS.fetch_add(1, Ordering::Relaxed);
    static NEXT: Cell<u64> = const { Cell::new(1) };
}

struct Raft {
    engine: Engine,
    promise: Promise,
}

fn open(folder: &Path, class: Class) -> Result<Box<dyn Peer>> {
    let promise = class.promise();
    let config = Config {
        dir: folder.join("log").to_string_lossy().into_owned(),
        batch_compression_threshold: ReadableSize(0),
        ..Config::default()
    };
    let engine = Engine::open(config)?;
    Ok(Box::new(Raft { engine, promise }))
}

fn numbered(record: &[u8]) -> UninterpretedOption {
    let mut entry = UninterpretedOption::new();
    entry.set_positive_int_value(NEXT.replace(NEXT.get() + 1));
    entry.set_string_value(record.to_vec());
    entry
}

impl Raft {
    fn write(&self, entries: &[UninterpretedOption], sync: bool) -> Result<()> {
        let mut batch = LogBatch::with_capacity(1);
        batch.add_entries::<Numbered>(GROUP.with(|group| *group), entries)?;
        self.engine.write(&mut batch, sync)?;
        Ok(())
    }
}

impl Peer for Raft {
    fn append(&self, record: &[u8]) -> Result<()> {
        self.write(&[numbered(record)], self.promise == Promise::Medium)
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        let entries: Vec<_> = records.iter().map(|record| numbered(record)).collect();
        self.write(&entries, self.promise == Promise::Medium)
    }

    fn drain(&self, records: u64, per_ack: u64, each: &mut dyn FnMut()) -> Result<u64> {
        let mut taken = 0;
        while taken < records {
            let (Some(first), Some(last)) = (
                self.engine.first_index(FIRST_GROUP),
                self.engine.last_index(FIRST_GROUP),
            ) else {
                break;
            };
            let end = (last + 1).min(first + CHUNK.max(per_ack).min(records - taken));
            let mut entries = Vec::new();
            self.engine.fetch_entries_to::<Numbered>(
                FIRST_GROUP,
                first,
                end,
                None,
                &mut entries,
            )?;
            let mut acknowledged = first;
            while acknowledged < end {
                acknowledged = (acknowledged + per_ack).min(end);
                let mut batch = LogBatch::with_capacity(1);
                let index = acknowledged;
                batch.add_command(FIRST_GROUP, Command::Compact { index });
                self.engine.write(&mut batch, false)?;
                each();
            }
            taken += end - first;
        }
        Ok(taken)
    }

    fn see_first(&self) -> Result<bool> {
        let Some(first) = self.engine.first_index(FIRST_GROUP) else {
            return Ok(false);
        };
        let entry = self.engine.get_entry::<Numbered>(FIRST_GROUP, first)?;
        Ok(entry.is_some())
    }
}
