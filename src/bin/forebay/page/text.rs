//! Text and numbers on the page.

use std::fmt::Write as _;

use crate::units;

/// `text` so that it can mean nothing but itself, in an element or in a quoted attribute.
///
/// Everything that came from the disk, from a path or from an error goes through here.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for found in units::shown(text).chars() {
        match found {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            found => safe.push(found),
        }
    }
    safe
}

/// `number` with a comma between thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "1 record", "2 records".
pub(super) fn counted(count: u64, name: &str) -> String {
    format!("{} {}", grouped(count), units::in_number(count, name))
}

/// `value` as a number with a fraction, as near as there is one.
pub(super) fn real(value: u64) -> f64 {
    let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).map_or(0.0, f64::from);
    half(value >> 32) * 4_294_967_296.0 + half(value)
}

/// `part` of `whole`, from 0 to 1.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        (real(part) / real(whole)).min(1.0)
    }
}

/// An element of a drawing that is named where the pointer rests on it.
pub(super) fn titled(drawing: &mut String, element: &str, title: &str) {
    // Writing to a string cannot fail.
    writeln!(drawing, "<g><title>{}</title>{element}</g>", escaped(title)).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_escaped_can_end_an_element_or_an_attribute() {
        let text = escaped("<script>\"'&\u{202e}\u{7}");
        assert_eq!(text, "&lt;script&gt;&quot;&#39;&amp;\u{fffd}\u{fffd}");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let text = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(text, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "record"), "1 record");
    }

    #[test]
    fn large_numbers_keep_their_size() {
        assert!((real(3 << 40) - 3_298_534_883_328.0).abs() < 1.0);
        assert!((share(1, 4) - 0.25).abs() < 1e-9);
        assert!(share(1, 0).abs() < 1e-9);
    }
}
