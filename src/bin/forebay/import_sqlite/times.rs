//! When rows were enqueued, from whatever the column says.

use clap::ValueEnum;
use rusqlite::types::ValueRef;

use super::now;
use crate::facts::unix_ns;
use crate::failure::Failure;
use crate::moments;

/// What a time is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TimeUnit {
    /// Seconds since 1970.
    #[value(name = "s")]
    Seconds,
    /// Milliseconds since 1970.
    #[value(name = "ms")]
    Milliseconds,
    /// Microseconds since 1970.
    #[value(name = "us")]
    Microseconds,
    /// Nanoseconds since 1970.
    #[value(name = "ns")]
    Nanoseconds,
    /// ISO 8601.
    #[value(name = "text")]
    Text,
}

impl TimeUnit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Nanoseconds => "ns",
            Self::Text => "text",
        }
    }

    /// In words, for people.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Seconds => "read as seconds since 1970",
            Self::Milliseconds => "read as milliseconds since 1970",
            Self::Microseconds => "read as microseconds since 1970",
            Self::Nanoseconds => "read as nanoseconds since 1970",
            Self::Text => "read as ISO 8601 text",
        }
    }

    fn nanoseconds(self) -> Option<u32> {
        match self {
            Self::Seconds => Some(1_000_000_000),
            Self::Milliseconds => Some(1_000_000),
            Self::Microseconds => Some(1000),
            Self::Nanoseconds => Some(1),
            Self::Text => None,
        }
    }

    /// The unit in which `number` is a time between 1973 and 5138; seconds for 0.
    fn of(number: f64) -> Option<Self> {
        match number {
            0.0 | 1e8..1e11 => Some(Self::Seconds),
            1e11..1e14 => Some(Self::Milliseconds),
            1e14..1e17 => Some(Self::Microseconds),
            1e17..1e19 => Some(Self::Nanoseconds),
            _ => None,
        }
    }
}

/// What a column of times holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Largest {
    /// The largest number, if there is any.
    pub(super) number: Option<f64>,
    /// How many texts.
    pub(super) texts: i64,
}

/// Reads times, and counts those that are none.
#[derive(Debug)]
pub(super) struct Clock {
    /// `None` where there is no column.
    unit: Option<TimeUnit>,
    /// For rows that tell no time.
    now: u64,
    missing: u64,
}

impl Clock {
    pub(super) fn new(
        column: Option<&str>,
        given: Option<TimeUnit>,
        largest: Largest,
    ) -> Result<Self, Failure> {
        let unit = match (column, given, largest.number) {
            (None, _, _) => None,
            (Some(_), Some(unit), _) => Some(unit),
            (Some(_), None, None) => Some(TimeUnit::Text),
            (Some(column), None, Some(number)) => {
                let unit = TimeUnit::of(number).filter(|_| largest.texts == 0);
                Some(unit.ok_or_else(|| unclear(column, number, largest.texts))?)
            }
        };
        Ok(Self {
            unit,
            now: now(),
            missing: 0,
        })
    }

    pub(super) fn unit(&self) -> Option<TimeUnit> {
        self.unit
    }

    /// How many rows told no time, of a column that should.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    /// What `value` says, in nanoseconds since 1970, or else when the import began.
    pub(super) fn take(&mut self, value: ValueRef<'_>) -> u64 {
        let time = self.read(value);
        self.missing += u64::from(time.is_none() && self.unit.is_some());
        time.unwrap_or(self.now)
    }

    /// The time that the record of a row with `value` has.
    pub(super) fn expected(&self, value: ValueRef<'_>) -> u64 {
        self.read(value).unwrap_or(self.now)
    }

    fn read(&self, value: ValueRef<'_>) -> Option<u64> {
        let unit = self.unit?;
        match (value, unit.nanoseconds()) {
            (ValueRef::Integer(number), Some(nanoseconds)) => {
                u64::try_from(number).ok()?.checked_mul(nanoseconds.into())
            }
            (ValueRef::Real(number), Some(nanoseconds)) => whole(number * f64::from(nanoseconds)),
            (ValueRef::Text(text), None) => {
                let text = std::str::from_utf8(text).ok()?;
                moments::parse_date(text.trim()).map(unix_ns)
            }
            _ => None,
        }
    }
}

/// `number` without its fraction, where it is a time.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "in range, and the fraction of a nanosecond goes"
)]
fn whole(number: f64) -> Option<u64> {
    (0.0..18e18).contains(&number).then_some(number as u64)
}

fn unclear(column: &str, number: f64, texts: i64) -> Failure {
    let what = if texts > 0 {
        format!("the column {column:?} has numbers, and {texts} texts")
    } else {
        format!("the largest time in {column:?} is {number}, which may count anything")
    };
    Failure::Input {
        what,
        remedy: "say what it counts with --time-unit; rows without such a time get that of now",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(number: f64) -> Clock {
        let largest = Largest {
            number: Some(number),
            texts: 0,
        };
        Clock::new(Some("t"), None, largest).expect("a unit")
    }

    #[test]
    fn numbers_of_every_unit_tell_the_same_moment() {
        let second = 1_700_000_000_i64;
        let expected = 1_700_000_000_000_000_000_u64;
        for (number, unit) in [
            (second, "s"),
            (second * 1000, "ms"),
            (second * 1_000_000, "us"),
            (second * 1_000_000_000, "ns"),
        ] {
            #[expect(clippy::cast_precision_loss, reason = "only its size counts")]
            let mut clock = clock(number as f64);
            assert_eq!(clock.unit().map(TimeUnit::name), Some(unit));
            assert_eq!(clock.take(ValueRef::Integer(number)), expected);
            assert_eq!(clock.missing(), 0);
        }
    }

    #[test]
    fn nanoseconds_lose_no_digit_and_a_fraction_counts() {
        let number = 1_700_000_000_123_456_789;
        assert_eq!(
            clock(1.7e18).take(ValueRef::Integer(number)),
            1_700_000_000_123_456_789
        );
        assert_eq!(
            clock(1.7e9).take(ValueRef::Real(1_700_000_000.5)),
            1_700_000_000_500_000_000
        );
    }

    #[test]
    fn what_tells_no_time_is_counted_and_gets_that_of_the_import() {
        let mut clock = clock(1.7e9);
        let now = clock.now;
        for none in [
            ValueRef::Null,
            ValueRef::Integer(-1),
            ValueRef::Integer(i64::MAX),
            ValueRef::Real(f64::NAN),
            ValueRef::Text(b"2026-01-31"),
        ] {
            assert_eq!(clock.take(none), now);
        }
        assert_eq!(clock.missing(), 5);
        assert_eq!(clock.take(ValueRef::Integer(0)), 0);
    }

    #[test]
    fn texts_are_read_and_a_mixture_is_asked_about() {
        let mut clock = Clock::new(Some("t"), None, Largest::default()).expect("a unit");
        assert_eq!(
            clock.take(ValueRef::Text(b"1970-01-01 00:00:01")),
            1_000_000_000
        );
        let mixed = Largest {
            number: Some(1.7e9),
            texts: 1,
        };
        assert!(Clock::new(Some("t"), None, mixed).is_err());
        assert!(Clock::new(Some("t"), Some(TimeUnit::Text), mixed).is_ok());
        let small = Largest {
            number: Some(40_000.0),
            texts: 0,
        };
        assert!(Clock::new(Some("t"), None, small).is_err());
    }
}
