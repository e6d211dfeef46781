//! The way to the snapshots of a queue.

use std::sync::Arc;

use super::{Inner, Queue};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::snapshot::Store;

impl Queue {
    /// The snapshots `name` of a state that was made of this queue's records. Names are as for
    /// [`consumer`](Self::consumer), and their own: a consumer and a snapshot may share one. What a
    /// crash has left of an unfinished snapshot of this name is deleted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for the name; [`ErrorKind::Busy`] while another store of this
    /// name, or a draft of it, lives; [`ErrorKind::Io`], [`ErrorKind::Poisoned`],
    /// [`ErrorKind::Closed`].
    pub fn snapshots(&self, name: &str) -> Result<Store> {
        let keep: Arc<Inner> = Arc::clone(&self.inner);
        Store::open(&self.inner.log, &self.inner.snapshots, name, keep)
    }
}
