//! All consumers of a queue, with or without a live handle.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cursor::{Effective, changed, effective, refuse_filter};
use super::options::ConsumerOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Gap;
use crate::format::{CURSORS, CursorSlot, consumer_id, cursor_file, valid_consumer_name};
use crate::log::{CursorFact, Cursors, Log, Notices, Place};
use crate::position::{Position, Sequence};
use crate::slots::{SlotFile, read_slots};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// The cursor files of a queue.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    cursors: Mutex<BTreeMap<String, Arc<CursorFile>>>,
}

/// One consumer's cursor file.
#[derive(Debug)]
pub(super) struct CursorFile {
    /// An error when neither slot counts: nobody may guess where the consumer was.
    slots: Mutex<Result<SlotFile<CursorSlot>>>,
    /// Whether a live handle has the consumer.
    busy: AtomicBool,
    /// What a handle had not told of when it went.
    untold: Mutex<Vec<Gap>>,
}

impl Cursors for Registry {
    fn sync_written(&self) -> Result<()> {
        self.for_each(SlotFile::sync_if_written)
    }

    fn sync_all(&self) -> Result<()> {
        self.for_each(SlotFile::sync)
    }
}

impl Registry {
    /// Takes over the cursors that opening found. A damaged one is its own consumer's trouble, but
    /// it holds back reclaim: nobody knows what it needs.
    pub(crate) fn load(log: &Log, found: &[CursorFact]) -> Result<Arc<Self>> {
        let registry = Self::default();
        for fact in found {
            let path = cursor_file(&fact.consumer);
            let whole = log.directory().path().join(&path);
            let counts = match &fact.slot {
                Ok(slot) => effective(log, &fact.consumer, &whole, slot),
                Err(error) => Err(error.clone()),
            };
            match &counts {
                // A consumer that went back to what is gone waits for nothing of it.
                Ok(Effective { place, .. }) if place.sequence < log.first() => {
                    let first = Place::new(log.first(), None);
                    log.floor().set_consumer(&fact.consumer, first);
                }
                Ok(effective) => log.floor().set_consumer(&fact.consumer, effective.place),
                Err(_) => log.floor().note_unreadable(),
            }
            // What is refused now stays refused, also when the log has grown past it.
            let slots = match &counts {
                Ok(_) => SlotFile::open(log.directory(), &path, log.identity().queue)?
                    .map_err(|defect| changed(&whole, defect)),
                Err(error) => Err(error.clone()),
            };
            registry
                .cursors
                .lock()
                .insert(fact.consumer.clone(), CursorFile::new(slots));
        }
        Ok(Arc::new(registry))
    }

    /// The cursor of `name`, made if it is new: it exists, also after power loss, on return.
    fn find_or_create(
        &self,
        log: &Arc<Log>,
        name: &str,
        options: &ConsumerOptions,
    ) -> Result<Arc<CursorFile>> {
        // Reclaim must not run between looking up where a new consumer starts and adding it. No
        // lock is held when the log is poisoned, which tells the listener.
        let reclaim = log.hold_reclaim();
        if let Some(cursor) = self.cursors.lock().get(name) {
            return Ok(Arc::clone(cursor));
        }
        // Before the cursors are locked: closing locks them under the log's lock.
        let next = options.start.find(log)?;
        let mut cursors = self.cursors.lock();
        let cursor = create(log, name, options, next)?;
        let mut notices = Notices::default();
        let named = log.sync_in_turn(&mut notices, || log.directory().sync(CURSORS));
        if named.is_ok() {
            cursors.insert(name.to_owned(), Arc::clone(&cursor));
        }
        drop((cursors, reclaim));
        log.tell_all(notices);
        named?;
        Ok(cursor)
    }

    /// Removes the consumer `name` for good: what only it had not acknowledged may go.
    ///
    /// 1. Its file is unlinked, and the folder synced: after power loss it is back or gone, whole.
    /// 2. The floor forgets it.
    pub(crate) fn remove(&self, log: &Log, name: &str) -> Result<()> {
        log.check()?;
        // Reclaim must not look at the floor while a cursor is taken out of it.
        let reclaim = log.hold_reclaim();
        let mut cursors = self.cursors.lock();
        let Some(cursor) = cursors.get(name) else {
            let what = format!("there is no consumer {name:?}");
            return Err(Error::new(ErrorKind::NotFound, what));
        };
        if cursor.busy.swap(true, Ordering::AcqRel) {
            return Err(busy(name));
        }
        let mut notices = Notices::default();
        let removed = log
            .directory()
            .remove(&cursor_file(name))
            .and_then(|()| log.sync_in_turn(&mut notices, || log.directory().sync(CURSORS)));
        match removed {
            Ok(()) => {
                cursors.remove(name);
                let first = Place::new(log.first(), None);
                log.floor().remove_consumer(name, first);
            }
            Err(_) => cursor.busy.store(false, Ordering::Release),
        }
        drop((cursors, reclaim));
        log.tell_all(notices);
        removed?;
        // Where it was damaged, nobody has looked for what is free since.
        log.bell().reclaim_soon();
        Ok(())
    }

    fn for_each(&self, act: impl Fn(&mut SlotFile<CursorSlot>) -> Result<()>) -> Result<()> {
        let all: Vec<_> = self.cursors.lock().values().cloned().collect();
        for cursor in all {
            if let Ok(slots) = &mut *cursor.slots.lock() {
                act(slots)?;
            }
        }
        Ok(())
    }

    /// The names of all consumers, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.cursors.lock().keys().cloned().collect()
    }

    /// Takes the consumer `name` for one handle; makes it if it is new.
    pub(super) fn take(
        &self,
        log: &Arc<Log>,
        name: &str,
        options: &ConsumerOptions,
    ) -> Result<(Lease, Effective)> {
        valid_consumer_name(name).map_err(|why| {
            let what = format!("the consumer's name {name:?} {why}");
            Error::new(ErrorKind::InvalidInput, what)
        })?;
        options.check(name)?;
        let cursor = self.find_or_create(log, name, options)?;
        if cursor.busy.swap(true, Ordering::AcqRel) {
            return Err(busy(name));
        }
        let lease = Lease {
            name: name.to_owned(),
            cursor,
        };
        let effective = lease.effective(log, options)?;
        if log.floor().consumer(name).is_none() {
            log.floor().set_consumer(name, effective.place);
        }
        Ok((lease, effective))
    }
}

fn busy(name: &str) -> Error {
    let what = format!("the consumer {name:?} already has a live handle");
    Error::new(ErrorKind::Busy, what)
}

/// Makes the cursor file of a new consumer at `next`.
fn create(
    log: &Log,
    name: &str,
    options: &ConsumerOptions,
    next: Sequence,
) -> Result<Arc<CursorFile>> {
    let slot = CursorSlot {
        generation: 1,
        queue: log.identity().queue,
        consumer: consumer_id(name),
        epoch: log.epoch(),
        next,
        watermark: log.durable(),
        position: Position::default(),
        log_bytes: 0,
        filter: options.filter.id(),
    };
    let slots = SlotFile::create(log.directory(), &cursor_file(name), slot)?;
    log.floor().set_consumer(name, Place::new(slot.next, None));
    Ok(CursorFile::new(Ok(slots)))
}

impl CursorFile {
    fn new(slots: Result<SlotFile<CursorSlot>>) -> Arc<Self> {
        Arc::new(Self {
            slots: Mutex::new(slots),
            busy: AtomicBool::new(false),
            untold: Mutex::new(Vec::new()),
        })
    }
}

/// The one live handle's hold on a consumer.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) name: String,
    cursor: Arc<CursorFile>,
}

impl Lease {
    fn effective(&self, log: &Log, options: &ConsumerOptions) -> Result<Effective> {
        let path = log.directory().path().join(cursor_file(&self.name));
        let slot = match &*self.cursor.slots.lock() {
            Ok(slots) => *slots.newest(),
            Err(error) => return Err(error.clone()),
        };
        let effective = effective(log, &self.name, &path, &slot)?;
        refuse_filter(&self.name, &path, &slot, &options.filter)?;
        Ok(effective)
    }

    /// Fails unless the file that has the cursor's name holds what was written last: somebody may
    /// have put another in its place, and the next open would read that.
    pub(super) fn confirm(&self, log: &Log) -> Result<()> {
        let name = cursor_file(&self.name);
        let found = read_slots::<CursorSlot>(log.directory(), &name)?;
        let written = match &*self.cursor.slots.lock() {
            Ok(slots) => *slots.newest(),
            Err(error) => return Err(error.clone()),
        };
        if found.is_some_and(|found| found.valid().any(|slot| *slot == written)) {
            return Ok(());
        }
        let what = "the cursor was written to a file that is no longer the one of its name";
        Err(Error::at(
            ErrorKind::Io,
            what,
            &log.directory().path().join(name),
        ))
    }

    /// The gaps that an earlier handle had not told of.
    pub(super) fn take_gaps(&self) -> Vec<Gap> {
        std::mem::take(&mut *self.cursor.untold.lock())
    }

    /// Keeps gaps for the next handle.
    pub(super) fn keep_gaps(&self, mut gaps: Vec<Gap>) {
        self.cursor.untold.lock().append(&mut gaps);
    }

    /// Writes the cursor: survives the process on return, power loss after the next idle sync.
    pub(super) fn write(&self, log: &Log, next: Place, position: Option<Position>) -> Result<()> {
        let known = position.filter(|_| next.log_bytes.is_some());
        let mut slots = self.cursor.slots.lock();
        let written = match &mut *slots {
            Ok(slots) => {
                let slot = CursorSlot {
                    epoch: log.epoch(),
                    next: next.sequence,
                    watermark: log.durable(),
                    position: known.unwrap_or_default(),
                    log_bytes: next.log_bytes.unwrap_or(0),
                    ..*slots.newest()
                };
                slots.write(slot)
            }
            Err(error) => return Err(error.clone()),
        };
        drop(slots);
        // Also after a failure: what it disturbed was put back, and wants its sync.
        log.bell().idle_later();
        written.map_err(|error| log.poison_unless_full(error))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.cursor.busy.store(false, Ordering::Release);
    }
}
