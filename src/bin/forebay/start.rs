//! Places in a queue as people write them.

use forebay::{Error, ErrorKind, Sequence, Start};

use crate::failure::Failure;
use crate::moments;

/// The place in `text`: `first`, `end`, a sequence or a time.
pub(crate) fn parse(text: &str) -> Result<Start, String> {
    if let Ok(sequence) = text.parse() {
        return Ok(Start::At(Sequence::new(sequence)));
    }
    match text {
        "first" => Ok(Start::First),
        "end" => Ok(Start::End),
        _ => moments::parse(text)
            .map(Start::Time)
            .map_err(|why| format!("expected first, end or a sequence; or {why}")),
    }
}

/// Why a place was not gone to, with the places there are.
pub(crate) fn refused(error: Error) -> Failure {
    if error.kind() != ErrorKind::OutOfRange {
        return Failure::Queue(error);
    }
    Failure::Input {
        what: error.to_string(),
        remedy: "a place is `first`, `end`, a sequence that the log holds, or a time (2h, \
                 2026-01-31T08:00:00Z)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_others_refused() {
        assert_eq!(parse("first"), Ok(Start::First));
        assert_eq!(parse("end"), Ok(Start::End));
        assert_eq!(parse("12"), Ok(Start::At(Sequence::new(12))));
        assert!(matches!(parse("10m"), Ok(Start::Time(_))));
        assert!(matches!(parse("2026-01-31T08:00:00Z"), Ok(Start::Time(_))));
        for wrong in ["", "last", "-1", "99999999999999999999", "1.5"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
