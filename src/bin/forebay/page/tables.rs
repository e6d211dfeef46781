//! The numbers below the pictures.

use std::fmt::Write as _;
use std::time::SystemTime;

use forebay::inspect::{Inspection, SegmentView};

use super::Finding;
use super::text::{counted, escaped, grouped};
use crate::{consumers, facts, units};

/// Segments in the table, at most: the oldest and the newest, and whatever is damaged.
const SEGMENTS_SHOWN: usize = 120;
/// Findings in the table, at most.
const FINDINGS_SHOWN: usize = 500;
const CHAIN_DIGITS: usize = 16;

/// A column: its heading, and whether it is of numbers.
type Column = (&'static str, bool);

struct Table {
    html: String,
    columns: &'static [Column],
}

impl Table {
    fn new(columns: &'static [Column]) -> Self {
        let mut html = String::from("<div class=\"table\"><table>\n<thead><tr>");
        for (name, is_number) in columns {
            let class = if *is_number { " class=\"n\"" } else { "" };
            write!(html, "<th{class}>{name}</th>").ok();
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        Self { html, columns }
    }

    /// Adds a row. The last cell may be long, and is broken into lines.
    fn push(&mut self, is_bad: bool, cells: &[String]) {
        self.html
            .push_str(if is_bad { "<tr class=\"bad\">" } else { "<tr>" });
        for (at, (cell, (_, is_number))) in cells.iter().zip(self.columns).enumerate() {
            let class = match (is_number, at + 1 == self.columns.len()) {
                (true, _) => " class=\"n\"",
                (false, true) => " class=\"wide\"",
                (false, false) => "",
            };
            write!(self.html, "<td{class}>{}</td>", escaped(cell)).ok();
        }
        self.html.push_str("</tr>\n");
    }

    fn push_more(&mut self, count: usize) {
        let (width, count) = (self.columns.len(), number(count));
        writeln!(
            self.html,
            "<tr class=\"more\"><td colspan=\"{width}\">{count} more</td></tr>"
        )
        .ok();
    }

    fn done(mut self) -> String {
        self.html.push_str("</tbody></table></div>\n");
        self.html
    }
}

fn number(count: usize) -> String {
    grouped(u64::try_from(count).unwrap_or(u64::MAX))
}

fn or_dash(value: Option<String>) -> String {
    value.unwrap_or_else(|| "–".to_owned())
}

fn count_or_dash(value: Option<impl Into<u64>>) -> String {
    or_dash(value.map(|value| grouped(value.into())))
}

pub(super) fn findings(findings: &[Finding]) -> String {
    let mut table = Table::new(&[("place", false), ("records", false), ("what", false)]);
    for finding in findings.iter().take(FINDINGS_SHOWN) {
        let records = &finding.records;
        let range = if records.is_empty() {
            "–".to_owned()
        } else {
            let (start, end) = (records.start.get(), records.end.get());
            format!("{}..{}", grouped(start), grouped(end))
        };
        let cells = [finding.place.clone(), range, finding.what.clone()];
        table.push(true, &cells);
    }
    if findings.len() > FINDINGS_SHOWN {
        table.push_more(findings.len() - FINDINGS_SHOWN);
    }
    table.done()
}

pub(super) fn consumers(found: &Inspection, now: SystemTime) -> String {
    if found.consumers.is_empty() {
        return "<p class=\"note\">There is none yet: every record is kept.</p>\n".into();
    }
    let mut table = Table::new(&[
        ("consumer", false),
        ("next", true),
        ("behind", true),
        ("bytes", true),
        ("oldest", true),
        ("kinds", false),
    ]);
    for consumer in &found.consumers {
        let kinds = match &consumer.defect {
            Some(defect) => defect.clone(),
            None => consumers::kinds(consumer.filter),
        };
        let cells = [
            consumer.name.clone(),
            count_or_dash(consumer.next),
            count_or_dash(consumer.lag),
            or_dash(consumer.lag_bytes.map(units::bytes)),
            or_dash(consumer.oldest.map(|oldest| units::age(oldest, now))),
            kinds,
        ];
        table.push(consumer.defect.is_some(), &cells);
    }
    table.done()
}

pub(super) fn segments(found: &Inspection) -> String {
    let mut table = Table::new(&[
        ("segment", true),
        ("role", false),
        ("base", true),
        ("next", true),
        ("records", true),
        ("bytes", true),
        ("file", true),
        ("begun, UTC", false),
        ("epoch", false),
        ("chain at its end", false),
    ]);
    let count = found.segments.len();
    let half = SEGMENTS_SHOWN / 2;
    let mut hidden = 0;
    for (at, segment) in found.segments.iter().enumerate() {
        let is_inner = count > SEGMENTS_SHOWN && at >= half && at < count - half;
        if is_inner && segment.defect.is_none() {
            hidden += 1;
            continue;
        }
        if hidden > 0 {
            table.push_more(std::mem::take(&mut hidden));
        }
        table.push(segment.defect.is_some(), &segment_cells(segment));
    }
    table.done()
}

fn segment_cells(segment: &SegmentView) -> [String; 10] {
    let chain = segment.chain.map(|chain| {
        let mut digits = units::hex(&chain);
        digits.truncate(CHAIN_DIGITS);
        digits
    });
    let begun = segment.begun.map(units::moment);
    let begun = begun.map(|begun| begun.trim_end_matches(" UTC").to_owned());
    [
        segment.number.to_string(),
        facts::role(segment.role).to_owned(),
        count_or_dash(segment.base),
        count_or_dash(segment.next),
        count_or_dash(segment.records),
        or_dash(segment.frame_bytes.map(units::bytes)),
        units::bytes(segment.file_bytes),
        or_dash(begun),
        or_dash(segment.epoch.map(|epoch| epoch.to_string())),
        segment.defect.clone().unwrap_or_else(|| or_dash(chain)),
    ]
}

pub(super) fn snapshots(found: &Inspection) -> String {
    let mut table = Table::new(&[
        ("snapshot", false),
        ("covers below", true),
        ("file", true),
        ("", false),
    ]);
    for snapshot in &found.snapshots {
        let cells = [
            snapshot.name.clone(),
            count_or_dash(snapshot.covers),
            units::bytes(snapshot.file_bytes),
            snapshot.defect.clone().unwrap_or_default(),
        ];
        table.push(snapshot.defect.is_some(), &cells);
    }
    table.done()
}

/// What is told once.
pub(super) fn identity(found: &Inspection) -> String {
    let opening = &found.opening;
    let would = if opening.clean {
        "go on at the end, and read no record".to_owned()
    } else {
        let segments = u64::try_from(opening.scanned_segments).unwrap_or(u64::MAX);
        format!(
            "find “{}”, and scan {}, {}",
            opening.event,
            counted(segments, "segment"),
            units::bytes(opening.scanned_bytes)
        )
    };
    let torn = opening.torn.as_ref().map(|torn| {
        let maybe = if torn.possibly_acknowledged {
            "; possibly acknowledged"
        } else {
            ""
        };
        format!(
            "{} after the end of the log, at offset {} of {}{maybe}",
            units::bytes(torn.bytes),
            torn.offset,
            torn.file.display()
        )
    });
    let (first, next) = (found.first.get(), found.next.get());
    let rows = [
        ("queue", Some(found.id.to_string())),
        ("created", Some(units::moment(found.created))),
        ("integrity", Some(facts::integrity(found.integrity).into())),
        ("epoch", Some(found.epoch.to_string())),
        (
            "log",
            Some(format!("records {}..{}", grouped(first), grouped(next))),
        ),
        (
            "durable",
            Some(format!("below {}", grouped(found.durable.get()))),
        ),
        ("opening would", Some(would)),
        ("torn tail", torn),
        (
            "quarantine",
            Some(found.quarantine_bytes)
                .filter(|bytes| *bytes > 0)
                .map(units::bytes),
        ),
    ];
    let mut html = String::from("<dl>\n");
    for (name, value) in rows {
        if let Some(value) = value {
            writeln!(html, "<dt>{name}</dt><dd>{}</dd>", escaped(&value)).ok();
        }
    }
    html.push_str("</dl>\n");
    html
}
