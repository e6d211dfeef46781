//! Where each consumer stands, by the same formula that opening uses.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::collections::BTreeSet;
use std::sync::LazyLock;

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

/// The hash of each kind alone by its first bytes, in order: what a cursor's hash is looked up in.
/// A constant too large to be written out, and made when the first filter is met.
static HASHES_OF_ONE_KIND: LazyLock<Vec<(u64, u16)>> = LazyLock::new(|| {
    let mut hashes: Vec<_> = (0..=u16::MAX)
        .map(|kind| (beginning(&filter_of_one(kind)), kind))
        .collect();
    hashes.sort_unstable();
    hashes
});

fn filter_of_one(kind: u16) -> [u8; 32] {
    filter_id(&BTreeSet::from([kind]))
}

fn beginning(hash: &[u8; 32]) -> u64 {
    let (bytes, _) = hash.split_first_chunk().unwrap_or((&[0; 8], &[]));
    u64::from_le_bytes(*bytes)
}

fn filter_of(slot: &CursorSlot) -> FilterView {
    if slot.filter == [0; 32] {
        return FilterView::Everything;
    }
    kind_of(&slot.filter).map_or(FilterView::Kinds(slot.filter), FilterView::Kind)
}

/// The kind that `filter` is the hash of, where it is of one kind alone.
fn kind_of(filter: &[u8; 32]) -> Option<u16> {
    let hashes = &*HASHES_OF_ONE_KIND;
    let wanted = beginning(filter);
    let from = hashes.partition_point(|(hash, _)| *hash < wanted);
    let alike = hashes.iter().skip(from);
    alike
        .take_while(|(hash, _)| *hash == wanted)
        .find(|(_, kind)| filter_of_one(*kind) == *filter)
        .map(|(_, kind)| *kind)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_told_back_from_the_hash_of_it_alone() {
        for kind in 0..=u16::MAX {
            assert_eq!(kind_of(&filter_of_one(kind)), Some(kind));
        }
        assert_eq!(kind_of(&filter_id(&BTreeSet::from([7, 9]))), None);
        assert_eq!(kind_of(&filter_id(&BTreeSet::new())), None);
    }
}
