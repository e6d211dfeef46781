//! What verifying found, for people.

use std::fmt::Write as _;

use forebay::inspect::{Anchor, AnchorOutcome, Finding, Severity, Verification};

use crate::{facts, units};

/// The whole of it.
pub(super) fn as_text(found: &Verification, anchor: Option<Anchor>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    write_text(found, anchor, &mut text).ok();
    text
}

fn write_text(found: &Verification, anchor: Option<Anchor>, text: &mut String) -> std::fmt::Result {
    writeln!(text, "queue      {}", found.path.display())?;
    let (first, next) = (found.first, found.next);
    writeln!(
        text,
        "log        {first}..{next}, durable to {}, in {}",
        found.durable,
        units::counted(found.segments, "segment")
    )?;
    let hashes = if found.chain { ", every hash" } else { "" };
    let rate = units::bytes(units::per_second(found.bytes, found.elapsed));
    writeln!(
        text,
        "checked    {}, {}{hashes}, in {} ({rate}/s)",
        units::counted(found.records, "record"),
        units::bytes(found.bytes),
        units::span(found.elapsed),
    )?;
    for finding in &found.findings {
        writeln!(
            text,
            "{:<10} {}",
            word(finding.severity),
            shown(found, finding)
        )?;
    }
    for gap in &found.gaps {
        writeln!(
            text,
            "gap        {}..{}, given up by a repair",
            gap.start, gap.end
        )?;
    }
    let (files, bytes) = found.quarantined;
    if files > 0 {
        let (files, bytes) = (units::counted(files, "file"), units::bytes(bytes));
        writeln!(text, "quarantine {files}, {bytes}")?;
    }
    if let (Some(anchor), Some(outcome)) = (anchor, found.anchor) {
        writeln!(text, "anchor     {}: {}", anchor.sequence, told(outcome))?;
    }
    write_opening(found, text)?;
    let verdict = if found.is_sound() {
        "sound"
    } else {
        "not sound"
    };
    write!(text, "verdict    {verdict}")?;
    match given_up(found) {
        0 => writeln!(text),
        count => {
            let records = units::counted(count, "record");
            writeln!(text, "; {records} given up by a repair")
        }
    }
}

/// How many records repairs gave up.
pub(super) fn given_up(found: &Verification) -> u64 {
    facts::records_in(&found.gaps)
}

/// The finding with its file below the queue's directory.
fn shown(found: &Verification, finding: &Finding) -> String {
    let mut short = finding.clone();
    if let Ok(below) = finding.file.strip_prefix(&found.path) {
        short.file = below.to_path_buf();
    }
    short.to_string()
}

fn write_opening(found: &Verification, text: &mut String) -> std::fmt::Result {
    let opening = match &found.opening {
        Ok(opening) => opening,
        Err(error) => return writeln!(text, "opening    would fail: {error}"),
    };
    write!(
        text,
        "opening    {}; goes on at {}",
        opening.event, opening.next
    )?;
    if opening.state_rebuilt {
        write!(text, "; rebuilds STATE")?;
    }
    writeln!(text)?;
    let Some(torn) = &opening.torn else {
        return Ok(());
    };
    let file = torn.file.strip_prefix(&found.path).unwrap_or(&torn.file);
    let perhaps = if torn.possibly_acknowledged {
        "; its last record may have been acknowledged"
    } else {
        ""
    };
    writeln!(
        text,
        "torn tail  {} from offset {} of {}, removed by opening{perhaps}",
        units::bytes(torn.bytes),
        torn.offset,
        file.display(),
    )
}

/// The severity in one word, for people and for programs.
pub(super) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Minor => "minor",
        Severity::Damage => "damage",
        Severity::Loss => "loss",
        Severity::Tampering => "tampering",
        _ => "finding",
    }
}

/// The outcome in words.
pub(super) fn told(outcome: AnchorOutcome) -> String {
    match outcome {
        AnchorOutcome::Proven => "proven, the history is the same".to_owned(),
        AnchorOutcome::Differs { found } => {
            format!(
                "differs, the history is another one: the chain is {}",
                units::hex(&found)
            )
        }
        AnchorOutcome::ProvenFrom(from) => {
            format!("proven from {from} on only; what is before it does not lead there")
        }
        AnchorOutcome::Reclaimed => {
            "cannot be proven, every record below it is reclaimed".to_owned()
        }
        AnchorOutcome::Beyond => "cannot be proven, the durable log ends below it".to_owned(),
        AnchorOutcome::Unreadable => {
            "cannot be proven, the record before it cannot be read".to_owned()
        }
        AnchorOutcome::NoChain => "cannot be proven, the queue has no chain".to_owned(),
        _ => "unknown".to_owned(),
    }
}
