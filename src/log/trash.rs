//! Files of deleted segments, on their way out.
//!
//! To unlink a large file is to free all its blocks in one transaction of the file system, and
//! every sync meanwhile waits for it. So what was renamed to `.trash` is shrunk in steps, with
//! pauses, and unlinked when nothing is left. What a process leaves of it the next open unlinks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Log;
use super::notices::Notices;
use crate::error::Result;
use crate::storage::File;
use crate::sync::Mutex;

/// How far a file is shrunk in one step: so that no step is long, and a large file still goes in
/// so many steps; a small one in two.
const STEP_BYTES: u64 = 1 << 20;
const STEPS: u64 = 64;

/// The pause between two steps.
pub(super) const PAUSE: Duration = Duration::from_millis(5);

/// More files than these do not wait: what is deleted faster than it shrinks goes at once.
const FILES_MAX: usize = 8;

/// A file that nobody needs.
#[derive(Debug)]
pub(super) struct Doomed {
    pub(super) name: String,
    pub(super) file: Arc<dyn File>,
    /// How long it is still.
    pub(super) bytes: u64,
    /// How much of that goes in one step.
    step: u64,
}

impl Doomed {
    pub(super) fn new(name: String, file: Arc<dyn File>, bytes: u64) -> Self {
        Self {
            name,
            file,
            bytes,
            step: (bytes / STEPS)
                .max(STEP_BYTES.min(bytes.div_ceil(2)))
                .max(1),
        }
    }
}

/// What waits to be shrunk, oldest first.
#[derive(Debug, Default)]
pub(super) struct Trash(Mutex<VecDeque<Doomed>>);

impl Trash {
    /// Takes `doomed` in; returns what has to go at once instead.
    #[must_use]
    fn add(&self, doomed: Doomed) -> Option<Doomed> {
        let mut waiting = self.0.lock();
        waiting.push_back(doomed);
        if waiting.len() > FILES_MAX {
            waiting.pop_front()
        } else {
            None
        }
    }

    fn take(&self) -> Option<Doomed> {
        self.0.lock().pop_front()
    }

    fn put_back(&self, doomed: Doomed) {
        self.0.lock().push_front(doomed);
    }

    fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

impl Log {
    /// Shrinks `doomed` in the background.
    pub(super) fn throw_away(&self, doomed: Doomed) -> Result<()> {
        if let Some(surplus) = self.trash.add(doomed) {
            self.directory.remove(&surplus.name)?;
        }
        self.bell.shrink_within(PAUSE);
        Ok(())
    }

    /// One step for the oldest file. What does not succeed is tried again by the next open.
    pub(super) fn shrink_trash(&self) {
        let Some(mut doomed) = self.trash.take() else {
            return;
        };
        doomed.bytes = doomed.bytes.saturating_sub(doomed.step);
        if doomed.bytes > 0 && doomed.file.set_length(doomed.bytes).is_ok() {
            self.trash.put_back(doomed);
        } else {
            self.directory.remove(&doomed.name).ok();
        }
        if self.trash.is_empty() {
            let mut notices = Notices::default();
            // Its failure poisons, which is told.
            self.sync_names(&mut notices).ok();
            self.tell_all(notices);
        } else {
            self.bell.shrink_within(PAUSE);
        }
    }

    /// Unlinks everything that waits; whether there was something.
    pub(super) fn empty_trash(&self) -> bool {
        let mut removed = false;
        while let Some(doomed) = self.trash.take() {
            self.directory.remove(&doomed.name).ok();
            removed = true;
        }
        removed
    }
}
