//! Copies of a queue, made beside its writer, and queues made of such copies.
//!
//! [`backup`] copies the files of a queue as they are, damage included, while a program has the
//! queue open: it takes no lock, and the writer does not notice. [`restore`] makes a queue of the
//! copy in a new place, once every byte of it has been compared with its hash; [`check`] only
//! compares. Records keep their ids, and consumers their places.
//!
//! A writer goes on meanwhile, so the order is what makes the copy consistent: nothing that is
//! copied claims more than what is copied after it.
//!
//! 1. `MANIFEST` under another name, empty, durable: whoever opens a queue refuses a directory with
//!    either of them, because what it gave ids to would bear the ids of other records. Then
//!    `QUEUE`, which never changes.
//! 2. Cursors are read and snapshots opened; then `STATE` is read. If it names another first
//!    segment than before they were, again: nobody's place is before the first record of the copy.
//! 3. `KEYS`: before a segment is deleted, and before `STATE` says so, the keys in it are there.
//! 4. The segments are listed: from the first that `STATE` names to the last that holds anything,
//!    which is looked for from the newest back. So all before the last are complete, whatever is
//!    begun from now on. Segments made ahead of need are left out.
//! 5. Their files are opened, oldest first, and copied whole; the last one up to where whole
//!    batches end in it at this moment. A file that is deleted stays readable while it is open; one
//!    that was deleted before, or is shorter now, means that `STATE` names a later first segment:
//!    from 2. again, but for the segments that are copied and complete.
//! 6. `STATE` is read once more: after another epoch has begun, everything is copied again.
//! 7. What is in `quarantine`.
//! 8. The copy is looked at where it stands, as opening it would, and every frame in it is read.
//!    Damage that the source has too is reported; damage that it has not means copying again.
//! 9. Every file of the copy was synced when it was written; now the names are. Then `MANIFEST` is
//!    written, synced, renamed, and its name synced: with it the backup exists.
//!
//! Left out are `LOCK`, indexes (caches, made anew), what is on its way out, what was not finished,
//! and files that are not of the queue.

mod check;
mod claims;
mod copier;
mod damage;
mod make;
mod manifest;
mod pass;
mod report;
mod restore;
mod segments;

pub use check::check;
#[cfg(feature = "test-support")]
pub use check::check_on;
pub use make::backup;
#[cfg(feature = "test-support")]
pub use make::backup_on;
pub use manifest::{Manifest, ManifestFile};
pub use report::BackupReport;
pub use restore::restore;
#[cfg(feature = "test-support")]
pub use restore::restore_on;
