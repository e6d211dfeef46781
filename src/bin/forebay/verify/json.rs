//! What verifying found, for programs.

use forebay::inspect::{Anchor, AnchorOutcome, Finding, Verification};
use serde_json::{Value, json};

use super::text::word;
use crate::{facts, units};

/// The whole of it.
pub(super) fn as_json(found: &Verification, anchor: Option<Anchor>) -> Value {
    json!({
        "path": found.path.display().to_string(),
        "id": found.id.to_string(),
        "integrity": facts::integrity(found.integrity),
        "sound": found.is_sound(),
        "first": found.first.get(),
        "next": found.next.get(),
        "durable": found.durable.get(),
        "segments": found.segments,
        "records": found.records,
        "bytes": found.bytes,
        "chain": found.chain,
        "lost_records": found.lost_records(),
        "findings": found.findings.iter().map(finding_as_json).collect::<Vec<_>>(),
        "gaps": facts::of_ranges(&found.gaps),
        "anchor": anchor.zip(found.anchor).map(|(anchor, outcome)| anchor_as_json(anchor, outcome)),
        "quarantined_files": found.quarantined.0,
        "quarantined_bytes": found.quarantined.1,
        "opening": opening_as_json(found),
        "elapsed_seconds": found.elapsed.as_secs_f64(),
        "bytes_per_second": units::per_second(found.bytes, found.elapsed),
    })
}

fn finding_as_json(finding: &Finding) -> Value {
    json!({
        "severity": word(finding.severity),
        "file": finding.file.display().to_string(),
        "offset": finding.offset.get(),
        "bytes": finding.bytes,
        "first": finding.range.start.get(),
        "next": finding.range.end.get(),
        "expected": finding.expected,
        "found": finding.found,
    })
}

fn anchor_as_json(anchor: Anchor, outcome: AnchorOutcome) -> Value {
    let name = match outcome {
        AnchorOutcome::Proven => "proven",
        AnchorOutcome::Differs { .. } => "differs",
        AnchorOutcome::ProvenFrom(_) => "proven_from",
        AnchorOutcome::Reclaimed => "reclaimed",
        AnchorOutcome::Beyond => "beyond",
        AnchorOutcome::Unreadable => "unreadable",
        AnchorOutcome::NoChain => "no_chain",
        _ => "unknown",
    };
    let mut differing = None;
    if let AnchorOutcome::Differs { found } = outcome {
        differing = Some(units::hex(&found));
    }
    let mut proven_from = None;
    if let AnchorOutcome::ProvenFrom(from) = outcome {
        proven_from = Some(from.get());
    }
    json!({
        "sequence": anchor.sequence.get(),
        "hash": units::hex(&anchor.hash),
        "outcome": name,
        "found": differing,
        "proven_from": proven_from,
    })
}

fn opening_as_json(found: &Verification) -> Value {
    let opening = match &found.opening {
        Ok(opening) => opening,
        Err(error) => return json!({"error": error.to_string()}),
    };
    let torn = opening.torn.as_ref().map(facts::of_torn_tail);
    let lost = opening.corruption.iter().map(|damage| &damage.range);
    json!({
        "clean": opening.clean,
        "event": opening.event,
        "next": opening.next.get(),
        "state_rebuilt": opening.state_rebuilt,
        "torn": torn,
        "lost_records": facts::records_in(lost),
    })
}
