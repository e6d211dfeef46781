//! The report as text.

use std::fmt::Write;

use crate::report::{Report, Row};

pub fn draw(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    write_report(report, &mut text).ok();
    text
}

fn write_report(report: &Report, text: &mut String) -> std::fmt::Result {
    let machine = &report.machine;
    writeln!(
        text,
        "{} processors ({}), Linux {}, {}",
        machine.processors, machine.processor, machine.kernel, machine.filesystem
    )?;
    writeln!(
        text,
        "records of {} bytes, {} s a cell, medians over the rounds",
        report.record_bytes, report.seconds
    )?;
    for (class, rows) in report.classes() {
        let title = rows.first().map_or("", |row| row.title.as_str());
        writeln!(text, "\n{class}: {title}")?;
        writeln!(
            text,
            "  {:<16} {:>11} {:>7} {:>15} {:>9} {:>9} {:>9} {:>10} {:>8} {:>7}",
            "peer",
            "per second",
            "x raw",
            "from..to",
            "p50 us",
            "p99",
            "p99.9",
            "max",
            "rec/sync",
            "MiB"
        )?;
        for row in rows {
            write_row(row, text)?;
        }
    }
    if !report.failures.is_empty() {
        writeln!(text, "\nfailed:")?;
        for failure in &report.failures {
            writeln!(text, "  {failure}")?;
        }
    }
    Ok(())
}

fn write_row(row: &Row, text: &mut String) -> std::fmt::Result {
    let (ratio, range) = match row.ratio() {
        Some((median, from, to)) => (format!("{median:.2}"), format!("{from:.2}..{to:.2}")),
        None => ("-".to_owned(), "-".to_owned()),
    };
    let shown = |value: Option<f64>, decimals: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
    };
    let mebibytes = row.median(|figures| {
        let bytes = figures.resident_bytes?;
        Some(crate::figures::float(bytes) / f64::from(1 << 20))
    });
    writeln!(
        text,
        "  {:<16} {:>11.0} {ratio:>7} {range:>15} {:>9} {:>9} {:>9} {:>10} {:>8} {:>7}",
        row.peer,
        row.per_second(),
        shown(row.median(|figures| Some(figures.p50_us)), 2),
        shown(row.median(|figures| Some(figures.p99_us)), 2),
        shown(row.median(|figures| Some(figures.p999_us)), 1),
        shown(row.median(|figures| Some(figures.max_us)), 0),
        shown(row.median(|figures| figures.records_per_sync), 2),
        shown(mebibytes, 0),
    )
}
