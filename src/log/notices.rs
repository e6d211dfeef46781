//! What the listener is to be told, kept until no lock is held.

use std::time::Duration;

use crate::error::{Corruption, Error};
use crate::event::{Gap, Listener};
use crate::position::SegmentNumber;

/// Things that happened under a lock, in order. Empty, it allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Notices(Vec<Notice>);

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
        self.0.push(notice);
    }

    /// Tells `listener` everything, in order.
    pub(super) fn tell(self, listener: &dyn Listener) {
        for notice in self.0 {
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
