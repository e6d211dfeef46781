//! What looking finds, as JSON and as words: the same for every subcommand that tells it.
//!
//! One sort of value has one form in all objects of all subcommands, and its key says which:
//! - `..._unix_ns`: a moment, in nanoseconds since 1970, as records have it;
//! - `..._seconds`: a span of time, a number with a fraction;
//! - `..._bytes`, `..._records`: how much, `..._per_second`: of which how much in each second;
//! - `first`, `next`: a range of sequences, half open;
//! - `id` (32), `hash`, `chain` (64), `key` (32), `epoch` (16): so many hexadecimal digits.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use forebay::inspect::{
    ConsumerView, FilterView, Inspection, SegmentRole, SegmentView, SnapshotView,
};
use forebay::rebuild::Rebuilt;
use forebay::{Corruption, Epoch, Integrity, Sequence, TornTail, Unreadable};
use serde_json::{Value, json};

use crate::units;

/// One JSON object of all that was found.
pub(crate) fn of_inspection(found: &Inspection) -> Value {
    let opening = &found.opening;
    let torn = opening.torn.as_ref().map(of_torn_tail);
    let corruption = opening.corruption.iter().map(of_damage);
    json!({
        "path": found.path.display().to_string(),
        "id": found.id.to_string(),
        "integrity": integrity(found.integrity),
        "created_unix_ns": unix_ns(found.created),
        "epoch": found.epoch.to_string(),
        "clean": opening.clean,
        "event": opening.event,
        "backup": found.backup,
        "first": found.first.get(),
        "next": found.next.get(),
        "durable": found.durable.get(),
        "durable_lag": found.next.since(found.durable),
        "floor": found.floor.get(),
        "waiting_records": found.waiting_records,
        "waiting_bytes": found.waiting_bytes,
        "oldest_waiting_unix_ns": found.oldest_waiting.map(unix_ns),
        "log_bytes": found.log_bytes,
        "disk_bytes": found.disk_bytes,
        "quarantine_bytes": found.quarantine_bytes,
        "free_bytes": found.free_bytes,
        "damaged": found.is_damaged(),
        "torn": torn,
        "corruption": corruption.collect::<Vec<_>>(),
        "segments": found.segments.iter().map(of_segment).collect::<Vec<_>>(),
        "consumers": found.consumers.iter().map(of_consumer).collect::<Vec<_>>(),
        "snapshots": found.snapshots.iter().map(of_snapshot).collect::<Vec<_>>(),
    })
}

/// A new queue that was filled, and with what.
pub(crate) fn of_rebuilt(rebuilt: &Rebuilt) -> Value {
    json!({
        "path": rebuilt.path.display().to_string(),
        "id": rebuilt.id.to_string(),
        "records": rebuilt.records,
        "payload_bytes": rebuilt.payload_bytes,
        "segments": rebuilt.segments,
        "first": rebuilt.first.get(),
        "next": rebuilt.next.get(),
    })
}

pub(crate) fn of_range(range: &Range<Sequence>) -> Value {
    json!({"first": range.start.get(), "next": range.end.get()})
}

pub(crate) fn of_ranges(ranges: &[Range<Sequence>]) -> Value {
    ranges.iter().map(of_range).collect()
}

/// How many records are in `ranges`.
pub(crate) fn records_in<'a>(ranges: impl IntoIterator<Item = &'a Range<Sequence>>) -> u64 {
    let counts = ranges.into_iter();
    let counts = counts.map(|range| range.end.since(range.start));
    counts.fold(0, u64::saturating_add)
}

pub(crate) fn of_unreadable(found: &Unreadable) -> Value {
    json!({
        "file": found.file.display().to_string(),
        "offset": found.offset.get(),
        "bytes": found.bytes,
        "expected": found.expected,
        "found": found.found,
    })
}

pub(crate) fn of_segment(segment: &SegmentView) -> Value {
    json!({
        "number": segment.number.get(),
        "role": role(segment.role),
        "base": segment.base.map(u64::from),
        "next": segment.next.map(u64::from),
        "records": segment.records,
        "frame_bytes": segment.frame_bytes,
        "chain": segment.chain.map(|chain| units::hex(&chain)),
        "epoch": segment.epoch.map(|epoch| epoch.to_string()),
        "begun_unix_ns": segment.begun.map(unix_ns),
        "file_bytes": segment.file_bytes,
        "defect": segment.defect,
    })
}

pub(crate) fn of_consumer(consumer: &ConsumerView) -> Value {
    let (filtered, kind) = match consumer.filter {
        FilterView::Everything => (Some(false), None),
        FilterView::Kind(kind) => (Some(true), Some(kind)),
        FilterView::Kinds(_) => (Some(true), None),
        FilterView::Unknown | _ => (None, None),
    };
    json!({
        "name": consumer.name,
        "next": consumer.next.map(u64::from),
        "lag": consumer.lag,
        "lag_bytes": consumer.lag_bytes,
        "oldest_unix_ns": consumer.oldest.map(unix_ns),
        "filtered": filtered,
        "kind": kind,
        "defect": consumer.defect,
    })
}

/// Where something is damaged, and what it costs.
pub(crate) fn of_damage(damage: &Corruption) -> Value {
    json!({
        "file": damage.file.display().to_string(),
        "offset": damage.offset.get(),
        "first": damage.range.start.get(),
        "next": damage.range.end.get(),
        "expected": damage.expected,
        "found": damage.found,
    })
}

/// What follows the end of the log.
pub(crate) fn of_torn_tail(torn: &TornTail) -> Value {
    json!({
        "file": torn.file.display().to_string(),
        "offset": torn.offset.get(),
        "bytes": torn.bytes,
        "possibly_acknowledged": torn.possibly_acknowledged,
    })
}

/// `moment` as records hold it: nanoseconds since 1970.
pub(crate) fn unix_ns(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn integrity(integrity: Integrity) -> &'static str {
    match integrity {
        Integrity::Chained => "chained",
        Integrity::Crc32c => "crc32c",
        _ => "unknown",
    }
}

/// The integrity that [`integrity`] calls `word`.
pub(crate) fn integrity_called(word: &str) -> Option<Integrity> {
    let all = [Integrity::Chained, Integrity::Crc32c];
    all.into_iter().find(|one| integrity(*one) == word)
}

/// The bytes that the digits of an `id` or a `key` tell.
pub(crate) fn bytes_called(digits: &str) -> Option<[u8; 16]> {
    let mut bytes = number_called(digits, 32)?.to_le_bytes();
    // The first digits are the first byte.
    bytes.reverse();
    Some(bytes)
}

/// The epoch that the digits of an `epoch` tell.
pub(crate) fn epoch_called(digits: &str) -> Option<Epoch> {
    let bits = number_called(digits, 16)?;
    u64::try_from(bits).ok().map(Epoch::new)
}

/// The number that `digits` are, `count` hexadecimal ones and nothing else.
fn number_called(digits: &str, count: usize) -> Option<u128> {
    let is_hex = digits.len() == count && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u128::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

pub(crate) fn role(role: SegmentRole) -> &'static str {
    match role {
        SegmentRole::Prepared => "prepared",
        SegmentRole::Active => "active",
        SegmentRole::Sealed => "sealed",
        SegmentRole::Unsealed => "unsealed",
        SegmentRole::Stray => "stray",
        SegmentRole::Missing => "missing",
        _ => "unknown",
    }
}

fn of_snapshot(snapshot: &SnapshotView) -> Value {
    json!({
        "name": snapshot.name,
        "covers": snapshot.covers.map(u64::from),
        "file_bytes": snapshot.file_bytes,
        "defect": snapshot.defect,
    })
}
