//! What a published snapshot is worth against the log as it is now.
//!
//! *Physical* damage (bytes that are not what was written) makes a snapshot unusable: the log
//! gives the same state. A snapshot of something else, or of a log that has lost what was durable,
//! is an *error*: whoever put it there has to decide.

use std::path::{Path, PathBuf};

use super::file::{Stored, read};
use crate::error::{Corruption, Error, Result};
use crate::format::{Defect, SNAPSHOTS, SnapshotHeader, consumer_id, snapshot_file};
use crate::log::{Log, Notices, Retention};
use crate::position::{Offset, Sequence};

/// Whether there is a snapshot to begin with.
#[derive(Debug)]
pub(super) enum Verdict {
    Missing,
    Usable(SnapshotHeader),
    /// It says nothing that counts, for this reason; the log is to be read from its beginning.
    Unusable(Error),
}

/// Judges the snapshot `name`; its state goes to `sink`, and counts where the verdict is `Usable`.
pub(super) fn judge(log: &Log, name: &str, sink: impl FnMut(&[u8])) -> Result<Verdict> {
    let path = path_of(log, name);
    let header = match read(log.directory(), name, sink)? {
        Stored::Missing => return Ok(Verdict::Missing),
        Stored::Whole(header) => header,
        Stored::Damaged(defect, offset) => {
            let defect = defect.refuse_version("a snapshot", &path)?;
            return Ok(Verdict::Unusable(damaged(&path, defect, offset)));
        }
    };
    refuse_foreign(log, name, &path, &header)?;
    let effective = log.effective_place(header.covers, header.epoch)?;
    if effective < header.covers {
        return Ok(Verdict::Unusable(taken_back(&path, &header, effective)));
    }
    Ok(Verdict::Usable(header))
}

/// Tells the log what the snapshot covers for which it keeps records, before anything is deleted.
pub(crate) fn recall(log: &Log) -> Result<()> {
    let Retention::UntilSnapshot(name) = &log.settings().retention else {
        return Ok(());
    };
    // Without one that can be used all records stay; who asks for it hears what is wrong with it.
    let Ok(Verdict::Usable(header)) = judge(log, name, |_| {}) else {
        return Ok(());
    };
    // The process that published it may have been killed before its name was durable.
    let mut notices = Notices::default();
    let named = log.sync_in_turn(&mut notices, || log.directory().sync(SNAPSHOTS));
    log.tell_all(notices);
    named?;
    log.snapshot_covers(name, header.covers);
    Ok(())
}

/// Where the snapshot `name` is.
pub(super) fn path_of(log: &Log, name: &str) -> PathBuf {
    log.directory().path().join(snapshot_file(name))
}

/// Refuses the snapshot of another queue, of another name, or of a log that has lost what was
/// durable.
fn refuse_foreign(log: &Log, name: &str, path: &Path, header: &SnapshotHeader) -> Result<()> {
    let none = header.covers..header.covers;
    let queue = log.identity().queue;
    let (expected, found) = if header.queue != queue {
        (format!("queue {queue}"), format!("queue {}", header.queue))
    } else if header.name != consumer_id(name) {
        (format!("snapshot {name:?}"), "another name".to_owned())
    } else if header.epoch > log.epoch() {
        // An older copy of the log was put back, and may have gone on with other records.
        let expected = format!("epoch {} or an earlier one", log.epoch());
        (expected, format!("epoch {}", header.epoch))
    } else {
        return refuse_loss(path, header, log.next());
    };
    let what = "the snapshot is of something else; put it back where it belongs, or move it away \
                to begin with the log alone";
    Err(corrupt(what, path, Offset::ZERO, (none, expected, found)))
}

fn refuse_loss(path: &Path, header: &SnapshotHeader, next: Sequence) -> Result<()> {
    if header.watermark <= next {
        return Ok(());
    }
    let what = "the log has lost records that were durable when the snapshot was made; restore \
                the log, or move the snapshot away to go on with what is left";
    let expected = format!("a log that ends at or after {}", header.watermark);
    let found = format!("one that ends at {next}");
    let lost = next..header.watermark;
    Err(corrupt(what, path, Offset::ZERO, (lost, expected, found)))
}

fn damaged(path: &Path, defect: Defect, offset: Offset) -> Error {
    let what = if offset == Offset::ZERO {
        "the snapshot is damaged"
    } else {
        "the state in the snapshot is damaged"
    };
    let none = Sequence::ZERO..Sequence::ZERO;
    let found = (none, defect.expected(), defect.found());
    corrupt(what, path, offset, found)
}

fn taken_back(path: &Path, header: &SnapshotHeader, effective: Sequence) -> Error {
    let what = "the snapshot covers records that the log has lost, whose sequences name others now";
    let expected = format!("a log unbroken up to {}", header.covers);
    let found = format!("one that was cut at {effective}");
    let lost = effective..header.covers;
    corrupt(what, path, Offset::ZERO, (lost, expected, found))
}

fn corrupt(
    what: &str,
    file: &Path,
    offset: Offset,
    (range, expected, found): (std::ops::Range<Sequence>, String, String),
) -> Error {
    let corruption = Corruption {
        file: file.to_path_buf(),
        offset,
        range,
        expected,
        found,
    };
    Error::corrupt_because(what, corruption)
}
