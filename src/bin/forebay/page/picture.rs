//! The picture of the queue: segments as bars, consumers as marks, damage in red.

use std::fmt::Write as _;

use forebay::Sequence;
use forebay::inspect::{Inspection, SegmentRole};

use super::Finding;
use super::strip::{Bar, WIDTH, rows};
use super::text::{counted, escaped, grouped, real, titled};
use crate::{facts, units};

/// Beyond these a bar is red enough.
const FINDINGS_DRAWN: usize = 500;
const BAR_HEIGHT: f64 = 46.0;
/// From one consumer's name to the one above it.
const LEVEL_HEIGHT: f64 = 17.0;
/// Names above each other, at most. A consumer without room for its name has its mark alone.
const LEVELS_MAX: usize = 6;
/// What is written below a row, and the room to the next.
const CAPTION_HEIGHT: f64 = 30.0;
const LABEL_CHARS: usize = 28;
/// The narrowest piece of damage.
const DAMAGE_MIN: f64 = 3.0;

/// Marks and names of one row.
#[derive(Debug)]
struct Mark {
    x: f64,
    label: String,
    title: String,
    level: Option<usize>,
}

/// The drawing with its legend.
pub(super) fn picture(found: &Inspection, findings: &[Finding]) -> String {
    let rows = rows(found);
    if rows.is_empty() {
        return "<p class=\"note\">There is no segment yet: nothing was ever enqueued.</p>".into();
    }
    let mut drawing = String::new();
    let mut y = 0.0;
    for row in &rows {
        let marks = marks_of(found, &rows, row);
        let levels = marks.iter().filter_map(|mark| mark.level);
        let top = levels.max().map_or(8.0, |level| {
            let level = u32::try_from(level).map_or(0.0, f64::from);
            16.0 + LEVEL_HEIGHT * (level + 1.0)
        });
        y += top;
        for bar in row {
            draw_bar(&mut drawing, found, bar, y);
        }
        draw_damage(&mut drawing, row, findings, y);
        draw_torn(&mut drawing, found, row, y);
        for mark in &marks {
            draw_mark(&mut drawing, mark, y);
        }
        draw_captions(&mut drawing, row, y + BAR_HEIGHT + 18.0);
        y += BAR_HEIGHT + CAPTION_HEIGHT;
    }
    let name = escaped(&format!(
        "{} of the queue, {} waiting",
        counted(count(found), "segment"),
        counted(found.waiting_records, "record"),
    ));
    format!(
        "<div class=\"picture\"><svg id=\"picture\" viewBox=\"0 0 {WIDTH} {y:.0}\" role=\"img\" \
         aria-label=\"{name}\">\n<defs><pattern id=\"torn\" width=\"6\" height=\"6\" \
         patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><line class=\"hatching\" \
         x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\"/></pattern></defs>\n{drawing}</svg></div>\n{}",
        legend(found, &rows, findings)
    )
}

fn count(found: &Inspection) -> u64 {
    u64::try_from(found.segments.len()).unwrap_or(u64::MAX)
}

fn draw_bar(drawing: &mut String, found: &Inspection, bar: &Bar, y: f64) {
    let (x, width) = (bar.x, bar.width);
    let rounded = format!("y=\"{y:.1}\" height=\"{BAR_HEIGHT}\" rx=\"2.5\"");
    let mut element = String::new();
    let mut rect = |class: &str, x: f64, width: f64| {
        writeln!(
            element,
            "<rect class=\"{class}\" x=\"{x:.2}\" width=\"{width:.2}\" {rounded}/>"
        )
        .ok();
    };
    if bar.role == SegmentRole::Missing {
        rect("missing", x + 0.5, width - 1.0);
    } else if bar.is_damaged {
        rect("damage", x, width);
    } else if bar.role == SegmentRole::Stray {
        rect("stray", x, width);
    } else {
        rect("room", x, width);
        let filled = bar.filled();
        if bar.role != SegmentRole::Prepared && filled > 0.0 {
            rect(facts::role(bar.role), x, filled.max(1.5));
        }
        let done = bar.x_of(found.floor) - x;
        if bar.base.is_some_and(|base| base < found.floor) && done > 0.3 {
            rect("done", x, done);
        }
    }
    titled(drawing, &element, &title_of(bar));
}

fn title_of(bar: &Bar) -> String {
    let (first, last) = bar.numbers;
    let mut title = if first == last {
        format!("segment {first}")
    } else {
        format!("segments {first} to {last}")
    };
    write!(title, ", {}", facts::role(bar.role)).ok();
    if let Some((base, next)) = bar.base.zip(bar.next) {
        write!(title, ", records {base}..{next}").ok();
    }
    if bar.role == SegmentRole::Missing {
        return title;
    }
    if let Some(frames) = bar.frame_bytes.map(units::bytes) {
        write!(title, ", {frames} of records").ok();
    }
    write!(title, ", a file of {}", units::bytes(bar.file_bytes)).ok();
    title
}

fn draw_damage(drawing: &mut String, row: &[Bar], findings: &[Finding], y: f64) {
    for finding in findings.iter().take(FINDINGS_DRAWN) {
        let range = &finding.records;
        for bar in row {
            let Some((base, next)) = bar.base.zip(bar.next) else {
                continue;
            };
            // All of it is red already.
            if bar.is_damaged {
                continue;
            }
            if range.start >= next || range.end <= base || range.is_empty() {
                continue;
            }
            let (x, end) = (bar.x_of(range.start), bar.x_of(range.end));
            let width = (end - x).max(DAMAGE_MIN);
            let (top, height) = (y - 3.0, BAR_HEIGHT + 6.0);
            let element = format!(
                "<rect class=\"damage\" x=\"{x:.2}\" y=\"{top:.1}\" width=\"{width:.2}\" \
                 height=\"{height}\" rx=\"1\"/>"
            );
            let title = format!(
                "damage: records {}..{}, {}",
                range.start, range.end, finding.what
            );
            titled(drawing, &element, &title);
        }
    }
}

/// What follows the end of the log, in the segment that it is in.
fn draw_torn(drawing: &mut String, found: &Inspection, row: &[Bar], y: f64) {
    let Some(torn) = &found.opening.torn else {
        return;
    };
    let number = torn.file.file_stem().and_then(|stem| stem.to_str());
    let number = number.and_then(|digits| digits.parse::<u64>().ok());
    let holds_it =
        |bar: &&Bar| number.is_some_and(|number| (bar.numbers.0..=bar.numbers.1).contains(&number));
    let Some(bar) = row.iter().find(holds_it) else {
        return;
    };
    let x = bar.x + bar.filled();
    let long = real(torn.bytes) / real(bar.file_bytes).max(1.0) * bar.width;
    let room = (bar.x + bar.width - x).max(0.0);
    let width = long.min(room).max(7.0);
    let x = x.min(WIDTH - width);
    let (top, height) = (y - 3.0, BAR_HEIGHT + 6.0);
    let element = format!(
        "<rect class=\"hatch\" x=\"{x:.2}\" y=\"{top:.1}\" width=\"{width:.2}\" \
         height=\"{height}\" rx=\"1\"/>"
    );
    let bytes = units::bytes(torn.bytes);
    titled(
        drawing,
        &element,
        &format!("torn tail: {bytes} after the end of the log"),
    );
}

fn draw_captions(drawing: &mut String, row: &[Bar], y: f64) {
    let (Some(first), Some(last)) = (row.first(), row.last()) else {
        return;
    };
    let begin = row.iter().find_map(|bar| bar.base);
    let end = row.iter().rev().find_map(|bar| bar.next);
    let record = |sequence: Sequence| grouped(sequence.get());
    let left = match begin {
        Some(base) => format!("segment {}, from record {}", first.numbers.0, record(base)),
        None => format!("segment {}", first.numbers.0),
    };
    let right = match end {
        Some(next) => format!("segment {}, to {}", last.numbers.1, record(next)),
        None => format!("segment {}", last.numbers.1),
    };
    writeln!(drawing, "<text x=\"0\" y=\"{y:.1}\">{left}</text>").ok();
    let edge = last.x + last.width;
    if row.len() > 1 && edge > 420.0 {
        writeln!(
            drawing,
            "<text x=\"{edge:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{right}</text>"
        )
        .ok();
    }
}

/// The consumers whose place is in `row`, with their names where there is room.
fn marks_of(found: &Inspection, rows: &[Vec<Bar>], row: &[Bar]) -> Vec<Mark> {
    let mut marks: Vec<Mark> = found
        .consumers
        .iter()
        .filter_map(|consumer| {
            let next = consumer.next?;
            let bar = bar_of(rows, next)?;
            let is_here = row.iter().any(|own| own.numbers == bar.numbers);
            let name = units::shown(&consumer.name);
            let short: String = name.chars().take(LABEL_CHARS).collect();
            let cut = if short == name { "" } else { "…" };
            let behind = consumer.lag.unwrap_or_default();
            is_here.then(|| Mark {
                x: bar.x_of(next),
                label: format!("{short}{cut}"),
                title: format!("{name} at {next}, {} behind", counted(behind, "record")),
                level: None,
            })
        })
        .collect();
    marks.sort_by(|one, other| one.x.total_cmp(&other.x));
    // The ends of what is taken in each level. From the right, so that a stem crosses no name.
    let mut taken: Vec<f64> = vec![f64::INFINITY; LEVELS_MAX];
    for mark in marks.iter_mut().rev() {
        let (from, to) = label_span(mark);
        let level = taken.iter().position(|edge| to + 4.0 < *edge);
        if let Some(level) = level {
            mark.level = Some(level);
            for edge in taken.iter_mut().take(level + 1) {
                *edge = edge.min(from.min(mark.x));
            }
        }
    }
    marks
}

/// Where a name begins and ends: right of its mark, left of it near the edge.
fn label_span(mark: &Mark) -> (f64, f64) {
    let chars = u32::try_from(mark.label.chars().count()).map_or(0.0, f64::from);
    let long = chars * 7.2 + 6.0;
    if is_left(mark) {
        (mark.x - long, mark.x)
    } else {
        (mark.x, mark.x + long)
    }
}

fn is_left(mark: &Mark) -> bool {
    mark.x > WIDTH * 0.75
}

/// The bar that holds `sequence`, or that it would go on in.
fn bar_of(rows: &[Vec<Bar>], sequence: Sequence) -> Option<&Bar> {
    let mut bars = rows.iter().flatten();
    let is_log = |bar: &&Bar| bar.role != SegmentRole::Stray;
    bars.rfind(|bar| is_log(bar) && bar.base.is_some_and(|base| base <= sequence))
        .or_else(|| rows.first().and_then(|row| row.first()))
}

fn draw_mark(drawing: &mut String, mark: &Mark, y: f64) {
    let x = mark.x.clamp(0.7, WIDTH - 0.7);
    let level = mark.level.map(|level| u32::try_from(level).unwrap_or(0));
    let text_y = y - 12.0 - LEVEL_HEIGHT * f64::from(level.unwrap_or(0));
    let stem_top = level.map_or(y - 8.0, |_| text_y - 9.0);
    let (bottom, left, right, top) = (y + BAR_HEIGHT, x - 5.0, x + 5.0, y - 8.0);
    let mut element = format!(
        "<line class=\"stem\" x1=\"{x:.2}\" y1=\"{stem_top:.1}\" x2=\"{x:.2}\" \
         y2=\"{bottom:.1}\"/><path class=\"mark\" d=\"M{left:.2} {top:.1}H{right:.2}L{x:.2} \
         {y:.1}Z\"/>"
    );
    if level.is_some() {
        let label = escaped(&mark.label);
        let (text_x, anchor) = if is_left(mark) {
            (x - 6.0, "end")
        } else {
            (x + 6.0, "start")
        };
        write!(
            element,
            "<text class=\"label\" x=\"{text_x:.2}\" y=\"{text_y:.1}\" \
             text-anchor=\"{anchor}\">{label}</text>"
        )
        .ok();
    }
    titled(drawing, &element, &mark.title);
}

/// What the colours mean, those alone that are there.
fn legend(found: &Inspection, rows: &[Vec<Bar>], findings: &[Finding]) -> String {
    let bars = || rows.iter().flatten();
    let has = |role: SegmentRole| bars().any(|bar| bar.role == role && !bar.is_damaged);
    let square =
        |class: &str| format!("<rect class=\"{class}\" width=\"14\" height=\"14\" rx=\"3\"/>");
    let delivered = format!("{}{}", square("sealed"), square("done"));
    let mark = "<path class=\"mark\" d=\"M1 2H13L7 13Z\"/>".to_owned();
    let is_missing = bars().any(|bar| bar.role == SegmentRole::Missing);
    let is_bad = findings.iter().any(|finding| !finding.records.is_empty())
        || bars().any(|bar| bar.is_damaged && bar.role != SegmentRole::Missing);
    let is_done = bars().any(|bar| bar.base.is_some_and(|base| base < found.floor));
    let is_open = |bar: &Bar| bar.role == SegmentRole::Active && bar.filled() + 1.0 < bar.width;
    let has_room = has(SegmentRole::Prepared) || bars().any(is_open);
    let entries = [
        (has(SegmentRole::Sealed), square("sealed"), "sealed"),
        (
            has(SegmentRole::Active),
            square("active"),
            "active: the log ends here",
        ),
        (has(SegmentRole::Unsealed), square("unsealed"), "unsealed"),
        (has(SegmentRole::Stray), square("stray"), "not of the log"),
        (is_done, delivered, "delivered to everyone, still kept"),
        (has_room, square("room"), "reserved, empty"),
        (is_bad, square("damage"), "damaged"),
        (is_missing, square("missing"), "missing"),
        (found.opening.torn.is_some(), square("hatch"), "torn tail"),
        (
            !found.consumers.is_empty(),
            mark,
            "consumer: what it reads next",
        ),
    ];
    let shown = entries.into_iter().filter(|(is_there, ..)| *is_there);
    let items = shown.map(|(_, drawing, name)| {
        format!("<li><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\">{drawing}</svg>{name}</li>\n")
    });
    format!(
        "<ul class=\"legend\">\n{}</ul>\n",
        items.collect::<String>()
    )
}
