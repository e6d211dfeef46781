//! What a cursor slot is worth against the log as it is now.

use std::path::Path;

use super::options::Filter;
use crate::error::{Corruption, Error, ErrorKind, Result};
use crate::format::{CursorSlot, Defect, consumer_id};
use crate::log::{Log, Place};
use crate::position::{Offset, Position, Sequence};

/// A cursor as it counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effective {
    pub(super) place: Place,
    /// Where the next record may be.
    pub(super) hint: Option<Position>,
    /// What the slot says, when the log was cut below it.
    pub(super) taken_back: Option<Sequence>,
}

/// The place that `slot` gives its consumer: never past the log, and never past the start of a
/// later epoch, whose sequences name other records than the slot knew.
pub(super) fn effective(
    log: &Log,
    consumer: &str,
    path: &Path,
    slot: &CursorSlot,
) -> Result<Effective> {
    refuse_foreign(log, consumer, path, slot)?;
    let mut next = slot.next.min(log.next());
    if slot.epoch < log.epoch()
        && let Some(base) = log.table().base_after_epoch(slot.epoch)?
    {
        next = next.min(base);
    }
    if next < slot.next {
        return Ok(Effective {
            place: Place::new(next, None),
            hint: None,
            taken_back: Some(slot.next),
        });
    }
    let known = slot.position.segment.is_some();
    Ok(Effective {
        place: Place::new(next, known.then_some(slot.log_bytes)),
        hint: known.then_some(slot.position),
        taken_back: None,
    })
}

/// Refuses the cursor of another queue, of another consumer, or of a log that has lost what was
/// durable.
fn refuse_foreign(log: &Log, consumer: &str, path: &Path, slot: &CursorSlot) -> Result<()> {
    let queue = log.identity().queue;
    if slot.queue != queue {
        let (expected, found) = (format!("queue {queue}"), format!("queue {}", slot.queue));
        return Err(corrupt(path, slot.next..slot.next, expected, found));
    }
    if slot.consumer != consumer_id(consumer) {
        let (expected, found) = (
            format!("consumer {consumer:?}"),
            "another consumer".to_owned(),
        );
        return Err(corrupt(path, slot.next..slot.next, expected, found));
    }
    let next = log.next();
    if slot.watermark > next {
        let expected = format!("a log that ends at or after {}", slot.watermark);
        return Err(corrupt(
            path,
            next..slot.watermark,
            expected,
            format!("one that ends at {next}"),
        ));
    }
    Ok(())
}

/// Refuses the cursor of a consumer that is bound to other kinds than are `wanted`.
pub(super) fn refuse_filter(
    consumer: &str,
    path: &Path,
    slot: &CursorSlot,
    wanted: &Filter,
) -> Result<()> {
    if slot.filter == wanted.id() {
        return Ok(());
    }
    let bound = if slot.filter == Filter::default().id() {
        "every kind"
    } else {
        // The cursor says which ones with a hash alone.
        "other kinds"
    };
    let what = format!(
        "the consumer {consumer:?} is bound to {bound} and was asked for with {wanted}; \
         only remove_consumer ends what it is bound to, and its place with it"
    );
    Err(Error::at(ErrorKind::InvalidInput, what, path))
}

/// The error of a cursor that was good a moment ago.
pub(super) fn changed(path: &Path, defect: Defect) -> Error {
    corrupt(
        path,
        Sequence::ZERO..Sequence::ZERO,
        defect.expected(),
        defect.found(),
    )
}

fn corrupt(
    file: &Path,
    range: std::ops::Range<Sequence>,
    expected: String,
    found: String,
) -> Error {
    let offset = Offset::ZERO;
    Error::corrupt(Corruption {
        file: file.to_path_buf(),
        offset,
        range,
        expected,
        found,
    })
}
