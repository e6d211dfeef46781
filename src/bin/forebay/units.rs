//! Numbers for people: counts, bytes, spans of time, moments.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How many of what `noun` names: "1 record", "2 records".
pub(crate) fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", in_number(count, noun))
}

/// `noun` as it stands behind `count`.
pub(crate) fn in_number(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{noun}{plural}")
}

/// `bytes` in the largest binary unit that leaves a whole part, with one decimal.
pub(crate) fn bytes(bytes: u64) -> String {
    let mut unit = 1_u64;
    let mut name = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if bytes / unit < 1024 {
            break;
        }
        unit *= 1024;
        name = larger;
    }
    if unit == 1 {
        return format!("{bytes} B");
    }
    let tenths = bytes % unit * 10 / unit;
    format!("{}.{tenths} {name}", bytes / unit)
}

/// How much of `amount` went by in each second.
pub(crate) fn per_second(amount: u64, elapsed: Duration) -> u64 {
    let milliseconds = elapsed.as_millis().max(1);
    let rate = u128::from(amount) * 1000 / milliseconds;
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// A span of time in its two largest units.
pub(crate) fn span(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds {
        0 => format!("{} ms", elapsed.as_millis()),
        1..60 => format!("{seconds}.{} s", elapsed.subsec_millis() / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86400, seconds % 86400 / 3600),
    }
}

/// How long ago `moment` was; nothing at all when it is still to come, by this clock.
pub(crate) fn age(moment: SystemTime, now: SystemTime) -> String {
    span(now.duration_since(moment).unwrap_or_default())
}

/// `text` with what a terminal would obey made visible.
pub(crate) fn shown(text: &str) -> String {
    let visible = |found: char| match found {
        found if found.is_control() => '\u{fffd}',
        // Marks that turn the direction of what follows.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        found => found,
    };
    text.chars().map(visible).collect()
}

/// Two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = Vec::with_capacity(bytes.len().saturating_mul(2));
    append_hex(bytes, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// Adds two digits a byte to `out`.
pub(crate) fn append_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?');
    for byte in bytes {
        out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

/// A moment in UTC, to the second.
pub(crate) fn moment(moment: SystemTime) -> String {
    let seconds = moment
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (days, rest) = (seconds / 86400, seconds % 86400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3600, rest % 3600 / 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The date that is `days` after 1970-01-01, in years that begin in March, so that the day that
/// leap years add is their last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let before = 365 * year_of_era + year_of_era / 4 - year_of_era / 100;
    let day_of_year = day_of_era - before;
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_told_in_the_singular() {
        let told = [0, 1, 2].map(|count: u32| counted(count, "record"));
        assert_eq!(told, ["0 records", "1 record", "2 records"]);
    }

    #[test]
    fn bytes_are_told_in_binary_units() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(64 << 20), "64.0 MiB");
    }

    #[test]
    fn moments_are_told_as_dates() {
        let at = |seconds| moment(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(at(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(at(1_767_225_599), "2025-12-31 23:59:59 UTC");
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(
            shown("a\x1b[31mb\n\u{202e}c"),
            "a\u{fffd}[31mb\u{fffd}\u{fffd}c"
        );
        assert_eq!(shown("\u{fc}ber \u{6c34}"), "\u{fc}ber \u{6c34}");
    }

    #[test]
    fn spans_are_told_in_two_units() {
        assert_eq!(span(Duration::from_millis(1250)), "1.2 s");
        assert_eq!(span(Duration::from_secs(3700)), "1 h 1 min");
    }
}
