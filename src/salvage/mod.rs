//! Every valid record out of whatever is left of a queue, into a new one.
//!
//! Nothing is needed besides one readable frame and its neighbour: `QUEUE`, `STATE`, the headers of
//! segments, their names and their order may all be gone.
//! 1. What the small files still say is read (`remains.rs`).
//! 2. Every file that may hold frames is walked, also past damage, and where its records stand is
//!    noted, as runs (`places.rs`). A file whose header is gone tells by itself how its checksums
//!    are masked (`framing.rs`).
//! 3. The runs are read again side by side, in the order of their sequences, into a
//!    [`Rebuild`] (`merge.rs`). Of several records with one sequence the
//!    one of the newest epoch goes out; the others are kept beside the new queue (`aside.rs`).
//!
//! So memory grows with the damage, not with the records. The queue itself is only read.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

mod aside;
mod epochs;
mod framing;
mod merge;
mod options;
mod places;
mod ranges;
mod remains;
mod report;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

pub use options::SalvageOptions;
pub use report::{FileState, ForeignQueue, LostConsumer, Salvaged, SalvagedConsumer, SalvagedFile};

use crate::error::{Error, ErrorKind, Result};
use crate::position::{QueueId, Sequence};
use crate::rebuild::{ConsumerPlace, Rebuild, RebuildOptions};
use crate::storage::{Directory, DiskDirectory, Lenient, refuse_inside};
use aside::Aside;
use merge::Merge;
use places::{Places, find_places};
use remains::{Remains, read_remains};

/// Gets every valid record out of the queue in the directory `from`, and makes a new queue of them
/// in the directory `to`, which must not be there or be empty.
///
/// The new queue has the same identity, and its records keep their sequences, epochs, times, kinds
/// and keys. What is missing is a gap. Consumers whose cursor is good go on where they were. A
/// record that comes later gets an epoch above all that were seen, so that no id is given twice.
/// Snapshots are not taken over.
///
/// `from` is only read, without its lock: with a writer at work in it, what is found is a moment.
/// What the system does not give back of it is passed over, and told.
///
/// # Durability
///
/// On return the new queue survives power loss. After an error there is none: what is left in `to`
/// may be deleted.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] where there is nothing of a queue; [`ErrorKind::InvalidInput`] where
/// `to` is not empty or lies in `from`, or where several queues are mixed and none of them is
/// named; [`ErrorKind::UnsupportedVersion`] for a later format; [`ErrorKind::Io`].
///
/// # Examples
///
/// ```
/// use forebay::salvage::{SalvageOptions, salvage};
/// use forebay::Queue;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let (path, rescued) = (folder.path().join("queue"), folder.path().join("rescued"));
/// let queue = Queue::open(&path)?;
/// queue.enqueue(b"precious")?;
/// queue.close()?;
/// for name in ["QUEUE", "STATE"] {
///     std::fs::remove_file(path.join(name)).unwrap();
/// }
///
/// let salvaged = salvage(&path, &rescued, &SalvageOptions::new())?;
/// assert!(salvaged.is_whole());
/// assert_eq!(Queue::open(&rescued)?.consumer("ship")?.peek()?.unwrap().payload, b"precious");
/// # Ok::<(), forebay::Error>(())
/// ```
pub fn salvage(
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
    options: &SalvageOptions,
) -> Result<Salvaged> {
    let from = DiskDirectory::open(from.as_ref())?;
    let to = to.as_ref();
    refuse_inside(&from, to)?;
    let make = || -> Result<Arc<dyn Directory>> { Ok(Arc::new(DiskDirectory::create(to)?)) };
    salvage_between(&from, make, options)
}

/// The same in any storage.
///
/// # Errors
///
/// As for [`salvage`].
#[cfg(feature = "test-support")]
pub fn salvage_on(
    from: &dyn Directory,
    to: Arc<dyn Directory>,
    options: &SalvageOptions,
) -> Result<Salvaged> {
    salvage_between(from, || Ok(to), options)
}

/// Makes the place for the new queue once there is something to put into it.
fn salvage_between(
    from: &dyn Directory,
    make: impl FnOnce() -> Result<Arc<dyn Directory>>,
    options: &SalvageOptions,
) -> Result<Salvaged> {
    let from = Lenient::over(from);
    let found = look(&from, options)?;
    let mut told = salvage_into(&from, &make()?, found, options)?;
    told.unreadable = from.noted();
    Ok(told)
}

/// What was found, before anything is written.
struct Found {
    queue: QueueId,
    remains: Remains,
    places: Places,
}

fn look(from: &dyn Directory, options: &SalvageOptions) -> Result<Found> {
    let remains = read_remains(from)?;
    let mut places = find_places(from, options.quarantine)?;
    let queue = choose(from, options, &remains, &places)?;
    epochs::settle(&mut places, queue, remains.state_of(queue));
    Ok(Found {
        queue,
        remains,
        places,
    })
}

/// Which queue's records are wanted.
fn choose(
    from: &dyn Directory,
    options: &SalvageOptions,
    remains: &Remains,
    places: &Places,
) -> Result<QueueId> {
    let queues = places.queues();
    let named = remains.identity.map(|identity| identity.queue);
    if let Some(queue) = options.queue {
        return Ok(queue);
    }
    let is_there = |queue: &QueueId| queues.iter().any(|(id, _)| id == queue);
    if let Some(queue) = named.filter(|queue| queues.is_empty() || is_there(queue)) {
        return Ok(queue);
    }
    let most = queues.iter().map(|(_, files)| *files).max();
    let mut leading = queues.iter().filter(|(_, files)| Some(*files) == most);
    match (leading.next(), leading.next(), named) {
        (Some((queue, _)), None, None) => return Ok(*queue),
        (None, _, _) => {}
        (Some(_), _, _) => {
            let ids: Vec<String> = queues.iter().map(|(id, _)| id.to_string()).collect();
            let what = format!(
                "which queue is meant cannot be told, name one of {}",
                ids.join(", ")
            );
            return Err(Error::at(ErrorKind::InvalidInput, what, from.path()));
        }
    }
    if let Some(queue) = remains.any_queue() {
        return Ok(queue);
    }
    let (kind, what) = if places.is_empty() {
        (ErrorKind::NotFound, "no queue is here, nor a record of one")
    } else {
        let what = "nothing tells which queue the records are of; name one, any will do";
        (ErrorKind::InvalidInput, what)
    };
    Err(Error::at(kind, what, from.path()))
}

fn salvage_into(
    from: &dyn Directory,
    to: &Arc<dyn Directory>,
    found: Found,
    options: &SalvageOptions,
) -> Result<Salvaged> {
    let Found {
        queue,
        remains,
        places,
    } = found;
    let state = remains.state_of(queue);
    let first = state.map(|state| state.first_base);
    let first = first.or_else(|| places.first_of(queue)).unwrap_or_default();
    let watermark = remains.watermark_of(queue).max(places.watermark_of(queue));
    let identity = remains.identity.filter(|identity| identity.queue == queue);
    let integrity = identity.map(|identity| identity.integrity);
    let integrity = integrity.or_else(|| places.integrity_of(queue));
    let created = identity.map(|identity| identity.created);
    let created = created.or_else(|| places.oldest_time(queue)).unwrap_or(0);
    let created = UNIX_EPOCH.checked_add(Duration::from_nanos(created));
    let rebuild_options = RebuildOptions::new()
        .id(queue)
        .integrity(integrity.unwrap_or_default())
        .first(first)
        .created(created.unwrap_or(UNIX_EPOCH))
        .epoch_above(remains.epoch_of(queue).max(places.epoch_of(queue)));
    let rebuild_options = options.apply(rebuild_options);
    let mut rebuild = Rebuild::create_in(Arc::clone(to), &rebuild_options)?;
    let mut merge = Merge::new(from, &places, queue, (first, watermark));
    let mut aside = Aside::new(&**to);
    merge.run(&mut rebuild, &mut aside)?;
    rebuild.skip_to(watermark)?;
    let merged = merge.finish();
    let (superseded, superseded_in) = aside.finish()?;
    let consumers = carry_consumers(&mut rebuild, &remains, &places, queue);
    if let Some(keys) = remains.keys_of(queue) {
        rebuild.keep_keys(keys);
    }
    let next = rebuild.next();
    let mut told = Salvaged::new(rebuild.finish()?);
    told.lost = ranges::without(&told.rebuilt.gaps, &places.known_gaps(queue));
    told.known_gaps = ranges::both(&told.rebuilt.gaps, &places.known_gaps(queue));
    told.unproven = merged.unproven.unwrap_or(next..next);
    told.cut_batches = merged.cut_batches;
    told.reclaimed = merged.reclaimed;
    told.duplicates = merged.duplicates;
    told.superseded = superseded;
    told.superseded_in = superseded_in;
    told.foreign = places.foreign_to(queue);
    told.files = places.report(queue, &merged.records);
    (told.consumers, told.lost_consumers) = consumers;
    told.snapshots_left = remains.snapshots;
    Ok(told)
}

/// Gives the consumers whose cursor is good their places in the new queue.
fn carry_consumers(
    rebuild: &mut Rebuild,
    remains: &Remains,
    places: &Places,
    queue: QueueId,
) -> (Vec<SalvagedConsumer>, Vec<LostConsumer>) {
    let (mut kept, mut lost) = (Vec::new(), Vec::new());
    for cursor in &remains.cursors {
        let slot = match cursor.slot_of(queue) {
            Ok(slot) => slot,
            Err(reason) => {
                lost.push(LostConsumer::new(&cursor.consumer, reason));
                continue;
            }
        };
        // Records of a later epoch than the cursor's are other ones than it knew.
        let newer = places.first_after_epoch(queue, slot.epoch);
        let next = slot.next.min(newer.unwrap_or(slot.next));
        let next = next.min(rebuild.next());
        kept.push(SalvagedConsumer::new(&cursor.consumer, next));
        rebuild.place_consumer(ConsumerPlace {
            name: cursor.consumer.clone(),
            next,
            filter: slot.filter,
        });
    }
    (kept, lost)
}

/// Half open.
type Sequences = std::ops::Range<Sequence>;
