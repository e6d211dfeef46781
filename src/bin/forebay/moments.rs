//! Moments as people write them: a date with a time, or a span back from now.

use std::time::{Duration, SystemTime};

const EXPECTED: &str = "expected a time like 2026-01-31T08:00:00Z or a span like 10m, 2h, 3d";

/// The moment in `text`: RFC 3339, or how long ago it was.
pub(crate) fn parse(text: &str) -> Result<SystemTime, String> {
    if let Some(moment) = parse_date(text) {
        return Ok(moment);
    }
    let span = humantime::parse_duration(text).map_err(|_other| EXPECTED.to_owned())?;
    let before = SystemTime::now().checked_sub(span);
    before.ok_or_else(|| EXPECTED.to_owned())
}

/// The moment in an RFC 3339 text, from 1970 on. A space may stand for the `T`, the zone may be left out (UTC),
/// and so may the time of day (midnight).
pub(crate) fn parse_date(text: &str) -> Option<SystemTime> {
    let (local, zone) = split_zone(text)?;
    let moment = if local.len() == "2026-01-31".len() {
        humantime::parse_rfc3339_weak(&format!("{local}T00:00:00"))
    } else {
        humantime::parse_rfc3339_weak(local)
    };
    let moment = moment.ok()?;
    match zone {
        Zone::East(span) => moment.checked_sub(span),
        Zone::West(span) => moment.checked_add(span),
    }
}

/// How far local time is from UTC.
#[derive(Clone, Copy, Debug)]
enum Zone {
    East(Duration),
    West(Duration),
}

fn split_zone(text: &str) -> Option<(&str, Zone)> {
    const LENGTH: usize = "+00:00".len();
    if let Some(local) = text.strip_suffix(['Z', 'z']) {
        return Some((local, Zone::East(Duration::ZERO)));
    }
    let at = text.len().checked_sub(LENGTH);
    let Some((local, zone)) = at.and_then(|at| text.split_at_checked(at)) else {
        return Some((text, Zone::East(Duration::ZERO)));
    };
    let (sign, offset) = zone.split_at_checked(1)?;
    // The end of a date has a sign here too, and no time before it.
    if !matches!(sign, "+" | "-") || !local.contains(':') {
        return Some((text, Zone::East(Duration::ZERO)));
    }
    let (hours, minutes) = offset.split_once(':')?;
    let number = |text: &str, most: u64| {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<u64>().ok().filter(|number| *number <= most);
        number.filter(|_| is_plain)
    };
    let span = Duration::from_secs(number(hours, 23)? * 3600 + number(minutes, 59)? * 60);
    let zone = if sign == "+" {
        Zone::East(span)
    } else {
        Zone::West(span)
    };
    Some((local, zone))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn dates_are_read_with_zone_fraction_or_without() {
        let at = |nanoseconds| Some(UNIX_EPOCH + Duration::from_nanos(nanoseconds));
        let second = 1_000_000_000;
        for (text, nanoseconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01 00:00:01", second),
            ("1970-01-01T00:00:01.000000007Z", second + 7),
            ("1970-01-01T01:00:01+01:00", second),
            (
                "1970-01-01T00:30:00.5-04:30",
                5 * 3600 * second + second / 2,
            ),
            ("1970-01-02", 86_400 * second),
            ("2026-11-21t16:00:00z", 1_795_276_800 * second),
        ] {
            assert_eq!(parse_date(&text.to_uppercase()), at(nanoseconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "soon",
            "10",
            "-1h",
            "1970-13-01",
            "1970-01-01T00:00:00+1:00",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00++1:00",
            "ä",
            "1970-01-01T00:00:0ä",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_span_goes_back_from_now() {
        let before = SystemTime::now();
        let parsed = parse("2h").expect("a span");
        let after = SystemTime::now();
        let two_hours = Duration::from_hours(2);
        assert!((before - two_hours..=after - two_hours).contains(&parsed));
        assert_eq!(
            parse("2026-01-31T08:00:00Z").ok(),
            parse_date("2026-01-31T08:00:00Z")
        );
    }
}
