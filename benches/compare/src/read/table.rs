//! The report as a table of Markdown, as it stands in docs/PERFORMANCE.md.

use std::cmp::Reverse;
use std::fmt::Write;

use super::WAYS;
use super::report::{Report, Row};
use crate::class::Class;

/// Records a second that forebay aims at, for each of the ways.
const AIMS: [f64; 2] = [1_500_000.0, 8_000_000.0];

pub fn draw(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    write_report(report, &mut text).ok();
    text
}

fn write_report(report: &Report, text: &mut String) -> std::fmt::Result {
    writeln!(
        text,
        "{} records of {} bytes, medians of {} interleaved rounds, records a second (times the best peer of the round):\n",
        spaced(report.records),
        report.record_bytes,
        report.rounds
    )?;
    writeln!(
        text,
        "| | an ack survives | an ack costs | an ack a record | an ack per 100 |"
    )?;
    writeln!(text, "| --- | --- | --- | --- | --- |")?;
    for row in ordered(report) {
        write!(text, "| {} | {} | {} |", title(row), row.survives, row.cost)?;
        for way in WAYS {
            write!(text, " {} |", shown(report, row, way))?;
        }
        writeln!(text)?;
    }
    if let Some(own) = report.rows.iter().find(|row| row.peer == "forebay") {
        write!(text, "| aim | | |")?;
        for (way, aim) in WAYS.into_iter().zip(AIMS) {
            let reached = report.figure(own, way).map(|(rate, _)| rate >= aim);
            let verdict = match reached {
                Some(true) => ": reached",
                Some(false) => ": missed",
                None => "",
            };
            write!(text, " {}{verdict} |", rounded(aim))?;
        }
        writeln!(text)?;
    }
    if !report.failures.is_empty() {
        writeln!(text, "\nfailed:")?;
        for failure in &report.failures {
            writeln!(text, "  {failure}")?;
        }
    }
    Ok(())
}

/// Forebay first, then the peers, the fastest in batches first.
fn ordered(report: &Report) -> Vec<&Row> {
    let mut rows: Vec<&Row> = report.rows.iter().collect();
    let rate = |row: &Row| {
        let (rate, _) = report.figure(row, Class::DrainBatch).unwrap_or_default();
        rate
    };
    rows.sort_by(|one, other| rate(other).total_cmp(&rate(one)));
    rows.sort_by_key(|row| (Reverse(row.is_own()), row.peer != "forebay" && row.is_own()));
    rows
}

fn title(row: &Row) -> &str {
    match row.peer.as_str() {
        "forebay" => "forebay",
        "forebay-crc32c" => "the same, `Crc32c`",
        "sqlite-normal" => "SQLite NORMAL, rusqlite 0.41.1",
        "sqlite-full" => "SQLite FULL, rusqlite 0.41.1",
        "raw" => "bare device",
        _ => row.release.as_str(),
    }
}

fn shown(report: &Report, row: &Row, way: Class) -> String {
    let Some((rate, ratio)) = report.figure(row, way) else {
        return "-".to_owned();
    };
    let mark = if row.is_own() { "**" } else { "" };
    let ratio = ratio.map_or_else(String::new, |ratio| format!(" ({ratio:.2})"));
    format!("{mark}{}{mark}{ratio}", rounded(rate))
}

/// Three digits that mean something.
fn rounded(rate: f64) -> String {
    let whole = format!("{rate:.0}");
    let drop = whole.len().saturating_sub(3);
    let (lead, rest) = whole.split_at(whole.len() - drop);
    let up = rest.as_bytes().first().is_some_and(|digit| *digit >= b'5');
    let lead: u64 = lead.parse().unwrap_or(0);
    let scale = 10_u64.pow(u32::try_from(drop).unwrap_or(0));
    spaced((lead + u64::from(up)) * scale)
}

/// Groups of three digits.
fn spaced(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;
    use crate::peers;

    #[test]
    fn rates_have_three_digits_in_groups() {
        assert_eq!(rounded(8_123_456.0), "8 120 000");
        assert_eq!(rounded(999_500.0), "1 000 000");
        assert_eq!(rounded(12.0), "12");
    }

    #[test]
    fn a_ratio_is_to_the_best_peer_of_the_same_round() {
        let mut report = Report {
            rounds: 2,
            ..Report::default()
        };
        let rates = [("forebay", 2e6), ("yaque", 1e6), ("fjall", 5e5)];
        for round in 1..=2 {
            for (name, rate) in rates {
                let figures = Figures {
                    per_second: rate * f64::from(round),
                    ..Figures::default()
                };
                let entry = peers::find(name).expect("a peer");
                report.add(round, entry, Class::Drain, figures);
            }
        }
        let text = draw(&report);
        assert!(text.contains("**3 000 000** (2.00)"), "{text}");
        assert!(text.contains("1 500 000 (1.00)") && text.contains("750 000 (0.50)"));
        assert!(text.contains("1 500 000: reached"), "{text}");
    }
}
