//! Where each consumer stands, by the same formula that opening uses.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::collections::BTreeSet;

use super::inspection::{ConsumerView, FilterView, SegmentView};
use super::look::Look;
use super::records::Records;
use crate::format::{CursorSlot, consumer_id, filter_id};
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
                lag_bytes: None,
                oldest: None,
                filter: match &fact.slot {
                    Ok(slot) if next.is_ok() => filter_of(slot),
                    Ok(_) | Err(_) => FilterView::Unknown,
                },
                defect: next.err(),
            }
        })
        .collect()
}

/// How much each consumer has before it, and since when: what the log knows of its place.
pub(super) fn measure_lag(consumers: &mut [ConsumerView], look: &Look, records: &mut Records<'_>) {
    for consumer in consumers {
        let Some(next) = consumer.next.map(|next| next.max(look.dropped)) else {
            continue;
        };
        if next >= look.end.next {
            consumer.lag_bytes = Some(0);
        } else if let Some(found) = records.find(next) {
            consumer.lag_bytes = Some(look.end.log_bytes.saturating_sub(found.log_bytes));
            consumer.oldest = Some(found.enqueued_at);
        }
    }
}

/// A hash of kinds can be told back where it is of one kind only: there are not many.
fn filter_of(slot: &CursorSlot) -> FilterView {
    if slot.filter == [0; 32] {
        return FilterView::Everything;
    }
    let mut kinds = 0..=u16::MAX;
    kinds
        .find(|kind| filter_id(&BTreeSet::from([*kind])) == slot.filter)
        .map_or(FilterView::Kinds(slot.filter), FilterView::Kind)
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
