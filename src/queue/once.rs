//! The face of keys: a record that is enqueued once, however often its caller tries.

use super::{Entry, Queue};
use crate::error::Result;
use crate::position::Sequence;

impl Queue {
    /// Adds a record at the end unless one with the same `key` is there already; returns the
    /// sequence of the one that is there.
    ///
    /// A caller who does not know what became of its record (the process was killed, the power
    /// went, the queue was poisoned) enqueues it again with the same key, and it is there once.
    /// A key is known while its record is among the newest
    /// [`once_window`](crate::QueueOptions::once_window) records: across restarts, crashes,
    /// delivery and deletion, also when a limit dropped the record undelivered. Only the key is
    /// compared: the payload and the kind of the first one stay. Consumers see the key in
    /// [`Record::key`](crate::Record::key). The first call after opening reads the keys of the
    /// window; a queue whose callers have no keys has no cost of them.
    ///
    /// The key of a record that is damaged is not known any more.
    ///
    /// # Durability
    ///
    /// As for [`enqueue`](Self::enqueue), for the record that was there as for a new one: with
    /// [`SyncPolicy::Always`](crate::SyncPolicy::Always) it survives power loss on return. What the
    /// queue knows of keys is never ahead of its records, nor behind them.
    ///
    /// # Errors
    ///
    /// As for [`enqueue`](Self::enqueue), but a key that is known is never refused for want of
    /// room. [`ErrorKind::Full`](crate::ErrorKind::Full) also when the disk has no room for the
    /// keys of the window. [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) where the file `KEYS`
    /// is damaged, or knows records that the log has lost: nothing is enqueued then, while all
    /// other calls go on. Without that file the queue goes by the keys of the records that it
    /// still has.
    ///
    /// # Examples
    ///
    /// ```
    /// use forebay::Queue;
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("queue");
    /// let order = *b"order 4711, paid";
    /// let queue = Queue::open(&path)?;
    /// let first = queue.enqueue_once(order, "paid")?;
    /// queue.close()?;
    ///
    /// let queue = Queue::open(&path)?;
    /// assert_eq!(queue.enqueue_once(order, "paid")?, first);
    /// assert_eq!(queue.len(), 1);
    /// # Ok::<(), forebay::Error>(())
    /// ```
    pub fn enqueue_once<'a>(&self, key: [u8; 16], entry: impl Into<Entry<'a>>) -> Result<Sequence> {
        let entry = entry.into();
        let log = &self.inner.log;
        let stored = [&key, &*entry.payload].concat();
        let record = log.prepare_keyed(key, &stored, entry.kind)?;
        log.append_unless_known(key, &record, log.settings().acceptance())
    }
}
