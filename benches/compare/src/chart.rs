//! The report as a picture: bars by class, relative to the bare device, in plain SVG that follows
//! the reader's light or dark setting.

use std::fmt::Write;

use crate::peers::RAW;
use crate::report::{Report, Row};

const COLUMNS: usize = 2;
const PANEL_WIDTH: f64 = 470.0;
const MARGIN: f64 = 20.0;
const HEAD: f64 = 58.0;
const TITLE: f64 = 30.0;
const BAR: f64 = 13.0;
const STEP: f64 = 19.0;
/// Where names end and bars begin, and what the figures after a bar need.
const NAMES: f64 = 112.0;
const FIGURES: f64 = 124.0;

const STYLE: &str = "
    text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: #3b4252; }
    .paper { fill: #ffffff; }
    .head { font-size: 17px; font-weight: 600; fill: #1b2028; }
    .title { font-size: 13px; font-weight: 600; fill: #1b2028; }
    .name { text-anchor: end; }
    .ours { font-weight: 600; fill: #1b2028; }
    .note { fill: #68707d; }
    .value { fill: #68707d; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
    .bar { fill: #aeb6c2; }
    .bar-ours { fill: #1f6feb; }
    .bar-raw { fill: none; stroke: #68707d; stroke-dasharray: 3 2; }
    .one { stroke: #68707d; stroke-dasharray: 2 3; }
    @media (prefers-color-scheme: dark) {
      text { fill: #c3c9d3; }
      .paper { fill: #0d1117; }
      .head, .title, .ours { fill: #f0f3f7; }
      .note { fill: #8b949e; }
      .value { fill: #8b949e; stroke: #0d1117; }
      .bar { fill: #4a525e; }
      .bar-ours { fill: #4493f8; }
      .bar-raw, .one { stroke: #8b949e; }
    }
";

/// The classes that are a rate which the bare device has, too.
fn panels(report: &Report) -> Vec<(&str, Vec<&Row>)> {
    let mut classes = report.classes();
    classes.retain(|(name, rows)| {
        let peers = rows.iter().filter(|row| row.peer != RAW).count();
        let is_shown = !name.starts_with("pause") && !name.starts_with("backlog");
        is_shown && peers > 0 && rows.iter().any(|row| row.ratio().is_some())
    });
    for (_, rows) in &mut classes {
        let ratio = |row: &Row| row.ratio().map_or(0.0, |(median, _, _)| median);
        rows.sort_by(|one, other| ratio(other).total_cmp(&ratio(one)));
    }
    classes
}

pub fn draw(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    write_chart(report, &mut text).ok();
    text
}

fn write_chart(report: &Report, text: &mut String) -> std::fmt::Result {
    let panels = panels(report);
    // Panels of a line are as high as the highest of them.
    let lines: Vec<_> = panels.chunks(COLUMNS).collect();
    let height_of = |line: &[(&str, Vec<&Row>)]| {
        let rows = line.iter().map(|(_, rows)| rows.len()).max().unwrap_or(0);
        TITLE + STEP * count(rows) + MARGIN
    };
    let width = count(COLUMNS) * (PANEL_WIDTH + MARGIN) + MARGIN;
    let height = HEAD + lines.iter().map(|line| height_of(line)).sum::<f64>() + MARGIN;
    writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-labelledby=\"title\">"
    )?;
    writeln!(
        text,
        "  <title id=\"title\">forebay beside other queues and logs</title>"
    )?;
    writeln!(text, "  <style>{STYLE}  </style>")?;
    writeln!(
        text,
        "  <rect class=\"paper\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>"
    )?;
    let machine = &report.machine;
    let kind = machine.filesystem.split(' ').next().unwrap_or_default();
    writeln!(
        text,
        "  <text class=\"head\" x=\"{MARGIN}\" y=\"30\">Records a second, relative to the bare \
         device</text>"
    )?;
    writeln!(
        text,
        "  <text class=\"note\" x=\"{MARGIN}\" y=\"48\">{} bytes a record; the dashed line is one \
         thread of pwrite, with fdatasync where it must survive power loss; {} processors, {}</text>",
        report.record_bytes,
        machine.processors,
        escaped(kind),
    )?;
    let mut top = HEAD;
    for line in lines {
        for (column, (class, rows)) in line.iter().enumerate() {
            let left = MARGIN + count(column) * (PANEL_WIDTH + MARGIN);
            write_panel(class, rows, (left, top), text)?;
        }
        top += height_of(line);
    }
    writeln!(text, "</svg>")
}

fn write_panel(
    class: &str,
    rows: &[&Row],
    (left, top): (f64, f64),
    text: &mut String,
) -> std::fmt::Result {
    let title = rows.first().map_or(class, |row| row.title.as_str());
    writeln!(
        text,
        "  <g transform=\"translate({left} {top})\">\n    \
         <text class=\"title\" x=\"0\" y=\"18\">{}</text>",
        escaped(title)
    )?;
    let largest = rows
        .iter()
        .filter_map(|row| Some(row.ratio()?.0))
        .fold(1.0, f64::max);
    let scale = (PANEL_WIDTH - NAMES - FIGURES) / largest;
    let drawn = rows.iter().filter(|row| row.ratio().is_some()).count();
    let (one, bottom) = (NAMES + scale, TITLE + STEP * count(drawn));
    writeln!(
        text,
        "    <line class=\"one\" x1=\"{one:.1}\" x2=\"{one:.1}\" y1=\"{}\" y2=\"{bottom}\"/>",
        TITLE - 4.0
    )?;
    let mut y = TITLE;
    for row in rows {
        let Some((ratio, _, _)) = row.ratio() else {
            continue;
        };
        let (bar, name) = if row.peer == RAW {
            ("bar-raw", "name note")
        } else if row.peer.starts_with("forebay") {
            ("bar-ours", "name ours")
        } else {
            ("bar", "name")
        };
        let width = (ratio * scale).max(1.0);
        let (base, after) = (y + BAR - 2.5, NAMES + width + 6.0);
        writeln!(
            text,
            "    <text class=\"{name}\" x=\"{}\" y=\"{base}\">{}</text>\n    \
             <rect class=\"{bar}\" x=\"{NAMES}\" y=\"{y}\" width=\"{width:.1}\" \
             height=\"{BAR}\"/>\n    \
             <text class=\"value\" x=\"{after:.1}\" y=\"{base}\">{}<tspan dx=\"8\">{}/s</tspan></text>",
            NAMES - 8.0,
            escaped(&row.peer),
            times(ratio),
            rate(row.per_second()),
        )?;
        y += STEP;
    }
    writeln!(text, "  </g>")
}

#[expect(clippy::cast_precision_loss, reason = "a chart has few bars")]
fn count(items: usize) -> f64 {
    items as f64
}

fn times(ratio: f64) -> String {
    if ratio < 0.1 {
        format!("{ratio:.3}\u{d7}")
    } else if ratio < 10.0 {
        format!("{ratio:.2}\u{d7}")
    } else {
        format!("{ratio:.1}\u{d7}")
    }
}

fn rate(per_second: f64) -> String {
    if per_second >= 1e6 {
        format!("{:.2} M", per_second / 1e6)
    } else if per_second >= 1e3 {
        format!("{:.1} k", per_second / 1e3)
    } else {
        format!("{per_second:.0} ")
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
