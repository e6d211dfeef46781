//! Where each consumer stands, by the same formula that opening uses.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::inspection::{ConsumerView, SegmentView};
use super::look::Look;
use crate::format::{CursorSlot, consumer_id};
use crate::position::Sequence;

/// Every consumer that has a cursor file.
pub(super) fn view_consumers(look: &Look, segments: &[SegmentView]) -> Vec<ConsumerView> {
    let facts = look.survey.cursors.iter();
    facts
        .map(|fact| {
            let next = fact
                .slot
                .as_ref()
                .map_err(ToString::to_string)
                .and_then(|slot| {
                    refuse_foreign(look, &fact.consumer, slot)?;
                    Ok(effective_next(look, segments, slot))
                });
            ConsumerView {
                name: fact.consumer.clone(),
                next: next.as_ref().ok().copied(),
                lag: next
                    .as_ref()
                    .ok()
                    .map(|next| look.end.next.since((*next).max(look.dropped))),
                defect: next.err(),
            }
        })
        .collect()
}

/// Never past the log, and never past the start of a later epoch, whose sequences name other
/// records than the slot knew.
fn effective_next(look: &Look, segments: &[SegmentView], slot: &CursorSlot) -> Sequence {
    let newer = segments
        .iter()
        .find(|segment| segment.epoch > Some(slot.epoch))
        .and_then(|segment| segment.base);
    let next = slot.next.min(look.end.next);
    newer.map_or(next, |base| next.min(base))
}

/// What makes a cursor unusable although its checksum is good.
fn refuse_foreign(look: &Look, consumer: &str, slot: &CursorSlot) -> Result<(), String> {
    let queue = look.identity.queue;
    if slot.queue != queue {
        return Err(format!(
            "expected queue {queue}, found queue {}",
            slot.queue
        ));
    }
    if slot.consumer != consumer_id(consumer) {
        return Err(format!(
            "expected consumer {consumer:?}, found another consumer"
        ));
    }
    let (end, watermark) = (look.end.next, slot.watermark);
    if watermark > end {
        return Err(format!(
            "expected a log that ends at or after {watermark}, found one that ends at {end}"
        ));
    }
    Ok(())
}
