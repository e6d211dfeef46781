//! What the listener is to be told and who is to be woken, kept until no lock is held.

use std::task::Waker;
use std::time::Duration;

use crate::error::{Corruption, Error};
use crate::event::{Gap, Listener};
use crate::position::SegmentNumber;

/// Things that happened under a lock, in order. Empty, it allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    notices: Vec<Notice>,
    wakers: Vec<Waker>,
}

#[derive(Debug)]
pub(super) enum Notice {
    Dropped {
        gap: Gap,
        count: u64,
    },
    Synced {
        duration: Duration,
        records: u64,
    },
    Rotated {
        sealed: SegmentNumber,
        active: SegmentNumber,
    },
    Reclaimed {
        segment: SegmentNumber,
        bytes: u64,
    },
    Corruption(Corruption),
    Poisoned(Error),
}

impl Notices {
    pub(super) fn push(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// Keeps tasks to be woken afterwards.
    pub(super) fn wake_later(&mut self, wakers: Vec<Waker>) {
        self.wakers.extend(wakers);
    }

    /// Tells `listener`, if there is one, everything in order; then wakes the tasks.
    pub(super) fn tell(self, listener: Option<&dyn Listener>) {
        if let Some(listener) = listener {
            Self::tell_each(self.notices, listener);
        }
        self.wakers.into_iter().for_each(Waker::wake);
    }

    fn tell_each(notices: Vec<Notice>, listener: &dyn Listener) {
        for notice in notices {
            match notice {
                Notice::Dropped { gap, count } => listener.dropped(&gap, count),
                Notice::Synced { duration, records } => listener.synced(duration, records),
                Notice::Rotated { sealed, active } => listener.rotated(sealed, active),
                Notice::Reclaimed { segment, bytes } => listener.reclaimed(segment, bytes),
                Notice::Corruption(corruption) => listener.corruption(&corruption),
                Notice::Poisoned(error) => listener.poisoned(&error),
            }
        }
    }
}
