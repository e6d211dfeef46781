//! Snapshots: a user's state, saved whole with the sequence it covers.
//!
//! A program that folds records into a state (totals, an index, a view) saves that state from time
//! to time. When it comes back it takes the newest snapshot and the records after it, which gives
//! what folding the whole log gives, and with [`Retention::UntilSnapshot`](crate::Retention) the
//! records that a snapshot covers need not be kept.
//!
//! A snapshot is there whole or not at all: it is written aside, synced, and then takes the place
//! of the one before. The log below it is durable before that, so that no snapshot is ahead of a
//! log that a crash cuts. One that is all the same (a fault of the medium, an older copy of the
//! files) is told from a good one when it is read, and is never used.
//!
//! Records that the queue gives up (at capacity with [`Overflow::DropOldest`](crate::Overflow), or
//! for their age) before a snapshot covers them are missing in the state for good: recovering it is
//! an error then, and not a state with a hole.
//!
//! # Examples
//!
//! ```
//! use forebay::{Queue, Retention};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("queue");
//! let keep = Retention::UntilSnapshot("count".to_owned());
//! let queue = Queue::options().retention(keep).open(&path)?;
//! queue.enqueue_batch(["one", "two", "three"])?;
//!
//! // The newest state and what came after it: here nothing and everything.
//! let store = queue.snapshots("count")?;
//! let recovered = store.recover(
//!     |state| state.and_then(|bytes| bytes.first().copied()).unwrap_or(0),
//!     |count, _record| *count += 1,
//! )?;
//! assert_eq!((recovered.state, recovered.report.replayed()), (3, 3));
//!
//! let mut draft = store.begin()?;
//! draft.put(&[recovered.state])?;
//! draft.finish(recovered.next)?;
//!
//! // From now on only later records have to be read.
//! queue.enqueue("four")?;
//! let again = store.recover(
//!     |state| state.and_then(|bytes| bytes.first().copied()).unwrap_or(0),
//!     |count, _record| *count += 1,
//! )?;
//! assert_eq!((again.state, again.report.replayed()), (4, 1));
//!
//! // A consumer goes on where recovery ended.
//! let mut consumer = queue.consumer("count")?;
//! consumer.seek(again.next)?;
//! # Ok::<(), forebay::Error>(())
//! ```

mod draft;
mod file;
mod judge;
mod replay;
mod store;

pub use draft::Draft;
pub use replay::{Recovered, Replay, Report};
pub use store::{Snapshot, Store};

pub(crate) use judge::recall;
pub(crate) use store::{Live, check_name};
