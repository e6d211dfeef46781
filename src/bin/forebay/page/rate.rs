//! How fast records came, drawn from when a sample of them was enqueued.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use forebay::inspect::Moment;

use super::text::{counted, real};
use crate::units;

/// Columns of the drawing, at most.
const COLUMNS_MAX: u32 = 120;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 1000.0;
const TOP: f64 = 12.0;
/// Ticks that time may be divided into, at most.
const TIME_TICKS_MAX: f64 = 7.0;
/// Seconds between two ticks of time.
const TIME_STEPS: [f64; 26] = [
    0.001,
    0.005,
    0.01,
    0.05,
    0.1,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    1800.0,
    3600.0,
    10_800.0,
    21_600.0,
    43_200.0,
    86_400.0,
    172_800.0,
    604_800.0,
    2_592_000.0,
    31_536_000.0,
];

/// Records that had come when some time had passed since the first.
#[derive(Clone, Copy, Debug)]
struct Point {
    seconds: f64,
    records: f64,
}

/// The drawing, and what it is made of.
pub(super) fn rate(moments: &[Moment]) -> String {
    let points = points(moments);
    let (Some(first), Some(last)) = (moments.first(), points.last()) else {
        return "<p class=\"note\">There is no record to tell a time of.</p>".into();
    };
    if points.len() < 3 || last.seconds <= 0.0 {
        return "<p class=\"note\">There are too few records, or they came too close together, \
                to draw a rate.</p>"
            .into();
    }
    let count = u32::try_from(points.len() - 1).unwrap_or(COLUMNS_MAX);
    let rates = rates(&points, last.seconds, count.min(COLUMNS_MAX));
    let drawing = draw(&rates, first.enqueued_at, last.seconds);
    let sample = u64::try_from(moments.len()).unwrap_or(u64::MAX);
    format!(
        "<p class=\"note\">From the times that {} carry, spread evenly over what the log still \
         holds: {} from the first to the last, by the clock of the program that wrote them. Between \
         two of them the rate is taken to be even.</p>\n{drawing}",
        counted(sample, "record"),
        units::span(Duration::try_from_secs_f64(last.seconds).unwrap_or_default()),
    )
}

/// A clock that was set back does not take records away.
fn points(moments: &[Moment]) -> Vec<Point> {
    let Some(first) = moments.first() else {
        return Vec::new();
    };
    let mut latest = 0.0_f64;
    let points = moments.iter().map(|moment| {
        let since = moment.enqueued_at.duration_since(first.enqueued_at);
        latest = latest.max(since.map_or(0.0, |since| since.as_secs_f64()));
        Point {
            seconds: latest,
            records: real(moment.sequence.since(first.sequence)),
        }
    });
    points.collect()
}

/// Records a second in each of `count` columns of the same time.
fn rates(points: &[Point], seconds: f64, count: u32) -> Vec<f64> {
    let step = seconds / f64::from(count);
    let edges = (0..=count).map(|at| records_at(points, f64::from(at) * step));
    let edges: Vec<f64> = edges.collect();
    let columns = edges.windows(2);
    columns
        .map(|pair| match pair {
            [before, after] => (after - before).max(0.0) / step,
            _ => 0.0,
        })
        .collect()
}

/// How many records had come after `seconds`, evenly between two points.
fn records_at(points: &[Point], seconds: f64) -> f64 {
    let after = points.partition_point(|point| point.seconds <= seconds);
    let before = after.checked_sub(1).and_then(|at| points.get(at));
    match (before, points.get(after)) {
        (Some(before), Some(after)) => {
            let share = (seconds - before.seconds) / (after.seconds - before.seconds);
            before.records + (after.records - before.records) * share
        }
        (Some(last), None) => last.records,
        (None, _) => 0.0,
    }
}

fn draw(rates: &[f64], begin: SystemTime, seconds: f64) -> String {
    let fastest = rates.iter().copied().fold(0.0, f64::max);
    let (factor, unit) = unit_of(fastest);
    let step = nice_step(fastest * factor / 3.0);
    // What is over by a hair needs no line of its own.
    let top = (fastest * factor / step - 0.01).ceil().max(1.0) * step;
    let bottom = TOP + HEIGHT;
    let mut drawing = String::new();
    let mut tick = 0.0;
    while tick <= top + step / 2.0 {
        let y = bottom - HEIGHT * tick / top;
        let (label, text_x, text_y) = (amount(tick), LEFT - 10.0, y + 4.0);
        writeln!(
            drawing,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{text_x}\" y=\"{text_y:.1}\" text-anchor=\"end\">{label}</text>"
        )
        .ok();
        tick += step;
    }
    let width = (RIGHT - LEFT) / u32::try_from(rates.len()).map_or(1.0, f64::from);
    let mut x = LEFT;
    for rate in rates {
        let height = (HEIGHT * rate * factor / top).min(HEIGHT);
        let (y, column) = (bottom - height, (width - 1.0).max(width * 0.8));
        if *rate > 0.0 {
            writeln!(
                drawing,
                "<rect class=\"bar\" x=\"{x:.2}\" y=\"{y:.2}\" width=\"{column:.2}\" \
                 height=\"{height:.2}\"/>"
            )
            .ok();
        }
        x += width;
    }
    let what_times = draw_times(&mut drawing, begin, seconds, bottom + 20.0);
    let height = bottom + 28.0;
    format!(
        "<div class=\"picture\"><svg id=\"rate\" viewBox=\"0 0 1000 {height}\" role=\"img\" \
         aria-label=\"enqueued records over time\">\n{drawing}</svg></div>\n\
         <p class=\"note\">Records enqueued a {unit}; {what_times}.</p>\n"
    )
}

/// Draws the ticks, and says what they are.
fn draw_times(drawing: &mut String, begin: SystemTime, seconds: f64, y: f64) -> String {
    let fits = |step: &&f64| seconds / **step <= TIME_TICKS_MAX;
    let step = TIME_STEPS.iter().find(fits).copied().unwrap_or(seconds);
    // Ticks stand at whole steps of the clock where the clock is shown, else of what has passed.
    let is_clock = step >= 1.0;
    let since = begin.duration_since(SystemTime::UNIX_EPOCH);
    let since = since.map_or(0.0, |since| since.as_secs_f64());
    let mut at = if is_clock {
        (since / step).ceil() * step - since
    } else {
        0.0
    };
    while at <= seconds {
        let x = LEFT + (RIGHT - LEFT) * at / seconds;
        let label = if is_clock {
            // A little later than the tick, which is not exact.
            let at = Duration::try_from_secs_f64(at + 0.0005).unwrap_or_default();
            clock(begin + at, step)
        } else {
            format!("+{} s", trimmed(at))
        };
        let anchor = match x {
            x if x < LEFT + 30.0 => "start",
            x if x > RIGHT - 30.0 => "end",
            _ => "middle",
        };
        writeln!(
            drawing,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{label}</text>"
        )
        .ok();
        at += step;
    }
    if is_clock {
        "times are UTC".to_owned()
    } else {
        format!("times are since {}", units::moment(begin))
    }
}

/// The part of a moment that changes from tick to tick.
fn clock(moment: SystemTime, step: f64) -> String {
    let text = units::moment(moment);
    let part = if step < 60.0 {
        text.get(11..19)
    } else if step < 86_400.0 {
        text.get(11..16)
    } else {
        text.get(..10)
    };
    part.unwrap_or_default().to_owned()
}

/// In which time the fastest column has at least one record.
fn unit_of(per_second: f64) -> (f64, &'static str) {
    if per_second >= 1.0 {
        (1.0, "second")
    } else if per_second >= 1.0 / 60.0 {
        (60.0, "minute")
    } else if per_second >= 1.0 / 3600.0 {
        (3600.0, "hour")
    } else {
        (86_400.0, "day")
    }
}

/// 1, 2 or 5 with some zeros, at least `least`.
fn nice_step(least: f64) -> f64 {
    let mut size = 0.01;
    while size < 1e18 {
        for digit in [1.0, 2.0, 5.0] {
            if digit * size >= least {
                return digit * size;
            }
        }
        size *= 10.0;
    }
    size
}

/// A number of records, short.
fn amount(value: f64) -> String {
    for (size, name) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if value >= size {
            let scaled = value / size;
            return format!("{} {name}", trimmed(scaled));
        }
    }
    trimmed(value)
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_stands_where_it_was() {
        let at = |seconds, records| Point { seconds, records };
        let points = [at(0.0, 0.0), at(8.0, 8.0), at(9.0, 108.0), at(10.0, 109.0)];
        let rates = rates(&points, 10.0, 10);
        let whole: Vec<String> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
        assert_eq!(whole, ["1", "1", "1", "1", "1", "1", "1", "1", "100", "1"]);
    }

    #[test]
    fn steps_and_amounts_are_round() {
        assert_eq!(
            [0.3, 1.0, 33.0, 700.0].map(nice_step).map(amount),
            ["0.5", "1", "50", "1 k"]
        );
        assert_eq!(amount(2_500_000.0), "2.5 M");
        assert_eq!(unit_of(0.5).1, "minute");
    }
}
