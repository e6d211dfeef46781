//! One screen for a person.

use std::cmp::Reverse;
use std::fmt::{self, Write as _};
use std::time::SystemTime;

use forebay::inspect::{ConsumerView, Inspection, SegmentRole};

use super::rates::Rates;
use crate::paint::Paint;
use crate::{consumers, facts, units};

/// Consumers shown, those furthest behind first to stay.
const CONSUMERS_SHOWN: usize = 8;
/// Findings shown in each group.
const FINDINGS_SHOWN: usize = 4;

/// The screen for `found`, looked at `now`.
pub(super) fn draw(
    found: &Inspection,
    rates: Option<&Rates>,
    now: SystemTime,
    paint: Paint,
) -> String {
    let mut screen = Screen {
        text: String::new(),
        paint,
    };
    // Writing to a string cannot fail.
    screen.write(found, rates, now).ok();
    screen.text
}

struct Screen {
    text: String,
    paint: Paint,
}

impl Screen {
    fn write(&mut self, found: &Inspection, rates: Option<&Rates>, now: SystemTime) -> fmt::Result {
        self.write_identity(found)?;
        self.write_depth(found, now)?;
        if let Some(rates) = rates {
            self.row("rates", &rates_in_words(rates))?;
        }
        self.row("segments", &segments_in_words(found))?;
        self.row("disk", &disk_in_words(found))?;
        if !found.snapshots.is_empty() {
            self.row("snapshots", &snapshots_in_words(found))?;
        }
        self.write_findings(found)?;
        self.write_consumers(&found.consumers, rates, now)
    }

    fn row(&mut self, name: &str, value: &str) -> fmt::Result {
        let name = self.paint.quiet(&format!("{name:<10}"));
        writeln!(self.text, "{name} {value}")
    }

    fn write_identity(&mut self, found: &Inspection) -> fmt::Result {
        let path = found.path.display().to_string();
        let path = self.paint.strong(&units::shown(&path));
        self.row("queue", &path)?;
        let created = units::moment(found.created);
        let sort = facts::integrity(found.integrity);
        self.row(
            "identity",
            &format!("{}, {sort}, created {created}", found.id),
        )?;
        let state = if found.is_damaged() {
            self.paint.bad("damaged")
        } else {
            self.paint.good("intact")
        };
        let ended = match (found.backup, found.opening.clean) {
            (true, _) => "a backup, which is restored to be opened",
            (false, true) => "closed",
            (false, false) => "open in a program, or not closed by the last one",
        };
        let epoch = found.epoch;
        self.row("state", &format!("{state}; {ended}; epoch {epoch}"))?;
        self.row("recovery", &opening_in_words(found))
    }

    fn write_depth(&mut self, found: &Inspection, now: SystemTime) -> fmt::Result {
        let (first, next) = (found.first, found.next);
        let behind = found.next.since(found.durable);
        let durable = if behind == 0 {
            "all of it durable".to_owned()
        } else {
            let behind = format!("the last {behind} not known to be");
            let behind = self.paint.notable(&behind);
            format!("durable to {}, {behind}", found.durable)
        };
        self.row("log", &format!("holds {first}..{next}, {durable}"))?;
        let bytes = found.waiting_bytes.map(units::bytes);
        let bytes = bytes.as_deref().unwrap_or("unknown bytes");
        let count = self.paint.strong(&found.waiting_records.to_string());
        let waiting = format!("{count} wait from {}, {bytes}", found.floor);
        self.row("records", &waiting)?;
        let Some(oldest) = found.oldest_waiting else {
            return Ok(());
        };
        let (age, since) = (units::age(oldest, now), units::moment(oldest));
        self.row("oldest", &format!("waits for {age}, since {since}"))
    }

    fn write_findings(&mut self, found: &Inspection) -> fmt::Result {
        let opening = &found.opening;
        if let Some(torn) = &opening.torn {
            let (bytes, file) = (units::bytes(torn.bytes), torn.file.display());
            let maybe = if torn.possibly_acknowledged {
                ", possibly acknowledged"
            } else {
                ""
            };
            let text = format!("{bytes} after the end of the log{maybe}: {file}");
            self.row("torn tail", &self.paint.notable(&units::shown(&text)))?;
        }
        let damages: Vec<String> = opening
            .corruption
            .iter()
            .map(ToString::to_string)
            .chain(found.segments.iter().filter_map(|segment| {
                let defect = segment.defect.as_deref()?;
                Some(format!("segment {}: {defect}", segment.number))
            }))
            .chain(found.snapshots.iter().filter_map(|snapshot| {
                let defect = snapshot.defect.as_deref()?;
                Some(format!("snapshot {}: {defect}", snapshot.name))
            }))
            .collect();
        for damage in damages.iter().take(FINDINGS_SHOWN) {
            self.row("damage", &self.paint.bad(&units::shown(damage)))?;
        }
        match damages.len().saturating_sub(FINDINGS_SHOWN) {
            0 => Ok(()),
            more => self.row("", &format!("{more} more")),
        }
    }

    fn write_consumers(
        &mut self,
        all: &[ConsumerView],
        rates: Option<&Rates>,
        now: SystemTime,
    ) -> fmt::Result {
        if all.is_empty() {
            return writeln!(self.text, "\nno consumer yet: every record is kept");
        }
        let mut shown: Vec<&ConsumerView> = all.iter().collect();
        shown.sort_by_key(|consumer| (consumer.defect.is_none(), Reverse(consumer.lag)));
        shown.truncate(CONSUMERS_SHOWN);
        shown.sort_by(|one, other| one.name.cmp(&other.name));
        let rate = |name: &str| rates.and_then(|rates| rates.consumers.get(name).copied());
        let rows = consumers::rows(shown.into_iter(), now, rates.is_some().then_some(&rate));
        self.text.push('\n');
        self.text.push_str(&rows.drawn(self.paint));
        match all.len().saturating_sub(CONSUMERS_SHOWN) {
            0 => Ok(()),
            more => writeln!(self.text, "{more} more, less far behind"),
        }
    }
}

fn opening_in_words(found: &Inspection) -> String {
    let opening = &found.opening;
    if opening.clean {
        return "none: opening reads no record".to_owned();
    }
    let bytes = units::bytes(opening.scanned_bytes);
    let segments = units::counted(opening.scanned_segments, "segment");
    format!(
        "opening would find \"{}\", and scan {segments}, {bytes}",
        opening.event
    )
}

fn rates_in_words(rates: &Rates) -> String {
    let bytes = units::bytes(rates.bytes_in);
    format!(
        "{} records/s in ({bytes}/s), {} out, in the last {}",
        rates.records_in,
        rates.records_out,
        units::span(rates.elapsed)
    )
}

fn segments_in_words(found: &Inspection) -> String {
    let roles = [
        SegmentRole::Sealed,
        SegmentRole::Unsealed,
        SegmentRole::Active,
        SegmentRole::Prepared,
        SegmentRole::Stray,
        SegmentRole::Missing,
    ];
    let counts: Vec<String> = roles
        .into_iter()
        .filter_map(|role| {
            let segments = found.segments.iter();
            let count = segments.filter(|segment| segment.role == role).count();
            (count > 0).then(|| format!("{count} {}", facts::role(role)))
        })
        .collect();
    let frames = found.segments.iter();
    let frames = frames.filter_map(|segment| segment.frame_bytes).sum();
    if counts.is_empty() {
        return "none yet".to_owned();
    }
    let (counts, frames) = (counts.join(", "), units::bytes(frames));
    format!("{counts}; {frames} of records")
}

fn disk_in_words(found: &Inspection) -> String {
    let mut words = format!(
        "{} in files, reserved space included",
        units::bytes(found.disk_bytes)
    );
    if found.quarantine_bytes > 0 {
        let quarantine = units::bytes(found.quarantine_bytes);
        write!(words, "; {quarantine} in quarantine").ok();
    }
    if let Some(free) = found.free_bytes {
        write!(words, "; {} free", units::bytes(free)).ok();
    }
    words
}

fn snapshots_in_words(found: &Inspection) -> String {
    let shown = found.snapshots.iter().take(FINDINGS_SHOWN);
    let mut words: Vec<String> = shown
        .map(|snapshot| {
            let name = units::shown(&snapshot.name);
            let bytes = units::bytes(snapshot.file_bytes);
            match snapshot.covers {
                Some(covers) => format!("{name} to {covers} ({bytes})"),
                None => format!("{name} unusable ({bytes})"),
            }
        })
        .collect();
    let more = found.snapshots.len().saturating_sub(FINDINGS_SHOWN);
    if more > 0 {
        words.push(format!("{more} more"));
    }
    words.join(", ")
}
