//! The names of a queue's files: the only place that forms and parses them.

use crate::position::SegmentNumber;

/// The lock file of the one writer.
pub(crate) const LOCK: &str = "LOCK";
/// The identity file.
pub(crate) const IDENTITY: &str = "QUEUE";
/// The two slots of the log's state.
pub(crate) const STATE: &str = "STATE";
/// The folder of segments and their indexes.
pub(crate) const SEGMENTS: &str = "segments";
/// The folder of consumers' cursors.
pub(crate) const CURSORS: &str = "cursors";
/// The folder of bytes that were damaged or removed.
pub(crate) const QUARANTINE: &str = "quarantine";

const DIGITS: usize = 16;
/// The highest number that a segment's name has room for.
const SEGMENT_NUMBER_MAX: u64 = 9_999_999_999_999_999;
const CURSOR_SUFFIX: &str = ".cursor";
const TEMPORARY_SUFFIX: &str = ".tmp";
/// The longest file name of the platforms we run on, less what we append.
const CONSUMER_NAME_BYTES_MAX: usize = 255 - CURSOR_SUFFIX.len() - TEMPORARY_SUFFIX.len();

/// What a file in the folder of segments is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentFile {
    /// The frames.
    Log,
    /// The offset index.
    Index,
    /// A reclaimed segment on its way out.
    Trash,
}

impl SegmentFile {
    fn suffix(self) -> &'static str {
        match self {
            Self::Log => ".log",
            Self::Index => ".idx",
            Self::Trash => ".trash",
        }
    }

    /// What the file named `name` (without its folder) is, if it is one of ours.
    pub(crate) fn parse(name: &str) -> Option<(SegmentNumber, Self)> {
        let file = [Self::Log, Self::Index, Self::Trash]
            .into_iter()
            .find(|file| name.ends_with(file.suffix()))?;
        let digits = name.strip_suffix(file.suffix())?;
        let number = digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse::<u64>());
        let number = SegmentNumber::new(number?.ok()?);
        (digits.len() == DIGITS && number.is_some()).then_some((number, file))
    }
}

/// Whether a segment can have this number: the name of a higher one would not be found again.
pub(crate) fn is_segment_number(number: SegmentNumber) -> bool {
    number.is_some() && number.get() <= SEGMENT_NUMBER_MAX
}

/// The path of a segment's file inside the queue's directory.
pub(crate) fn segment_file(number: SegmentNumber, file: SegmentFile) -> String {
    format!("{SEGMENTS}/{:0DIGITS$}{}", number.get(), file.suffix())
}

/// The path of a consumer's cursor inside the queue's directory.
pub(crate) fn cursor_file(consumer: &str) -> String {
    format!("{CURSORS}/{consumer}{CURSOR_SUFFIX}")
}

/// The consumer whose cursor is the file named `name` (without its folder).
pub(crate) fn consumer_of(name: &str) -> Option<&str> {
    name.strip_suffix(CURSOR_SUFFIX)
        .filter(|consumer| valid_consumer_name(consumer).is_ok())
}

/// The name under which the file at `path` is written before it is renamed.
pub(crate) fn temporary(path: &str) -> String {
    format!("{path}{TEMPORARY_SUFFIX}")
}

/// Whether `name` can name a consumer; otherwise what is wrong with it.
pub(crate) fn valid_consumer_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("is empty");
    }
    if name.len() > CONSUMER_NAME_BYTES_MAX {
        return Err("is longer than 244 bytes");
    }
    if name.starts_with('.') {
        return Err("begins with a dot");
    }
    let forbidden = |found: char| found.is_control() || "/\\:*?\"<>|".contains(found);
    if name.contains(forbidden) {
        return Err("contains a control character or one of / \\ : * ? \" < > |");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_segment_numbers_have_names_that_parse_back() {
        let next = SEGMENT_NUMBER_MAX + 1;
        for number in [0, 1, SEGMENT_NUMBER_MAX, next, u64::MAX].map(SegmentNumber::new) {
            let path = segment_file(number, SegmentFile::Log);
            let name = path.strip_prefix("segments/").expect("in its folder");
            let parsed = SegmentFile::parse(name).map(|(number, _)| number);
            assert_eq!(parsed, Some(number).filter(|_| is_segment_number(number)));
        }
    }

    #[test]
    fn names_parse_back_to_what_they_were_formed_from() {
        for file in [SegmentFile::Log, SegmentFile::Index, SegmentFile::Trash] {
            let path = segment_file(SegmentNumber::new(42), file);
            let name = path.strip_prefix("segments/").expect("in its folder");
            assert_eq!(
                SegmentFile::parse(name),
                Some((SegmentNumber::new(42), file))
            );
        }
        assert_eq!(consumer_of("ship.cursor"), Some("ship"));
    }

    #[test]
    fn foreign_names_are_not_ours() {
        for name in [
            "",
            "1.log",
            "0000000000000000.log",
            "000000000000001x.log",
            "README",
            "+000000000000001.log",
            "0000000000000001.log.tmp",
            "00000000000000001.log",
        ] {
            assert_eq!(SegmentFile::parse(name), None, "{name}");
        }
    }

    #[test]
    fn consumer_names_that_could_leave_the_folder_are_refused() {
        let long = "x".repeat(245);
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "../x",
            "a\0b",
            "a\nb",
            ".hidden",
            long.as_str(),
        ] {
            assert!(valid_consumer_name(name).is_err(), "{name:?}");
        }
        assert_eq!(CONSUMER_NAME_BYTES_MAX, 244);
        assert!(valid_consumer_name(&"x".repeat(244)).is_ok());
        assert!(valid_consumer_name("ship-events.v2 \u{e4}").is_ok());
    }
}
