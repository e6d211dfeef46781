//! The names of a queue's files: the only place that forms and parses them.

use crate::position::SegmentNumber;

/// What makes the copy of a queue a backup: the hashes of its files.
pub(crate) const MANIFEST: &str = "MANIFEST";
/// The lock file of the one writer.
pub(crate) const LOCK: &str = "LOCK";
/// The identity file.
pub(crate) const IDENTITY: &str = "QUEUE";
/// The two slots of the log's state.
pub(crate) const STATE: &str = "STATE";
/// The keys of reclaimed records.
pub(crate) const KEYS: &str = "KEYS";
/// The folder of segments and their indexes.
pub(crate) const SEGMENTS: &str = "segments";
/// The folder of consumers' cursors.
pub(crate) const CURSORS: &str = "cursors";
/// The folder of snapshots of users' states.
pub(crate) const SNAPSHOTS: &str = "snapshots";
/// The folder of bytes that were damaged or removed.
pub(crate) const QUARANTINE: &str = "quarantine";

const DIGITS: usize = 16;
/// The highest number that a segment's name has room for.
const SEGMENT_NUMBER_MAX: u64 = 9_999_999_999_999_999;
const CURSOR_SUFFIX: &str = ".cursor";
const TEMPORARY_SUFFIX: &str = ".tmp";
const SNAPSHOT_SUFFIX: &str = ".snapshot";
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

/// The segment for which the file named `name` (without its folder) was to become an index.
pub(crate) fn unfinished_index_of(name: &str) -> Option<SegmentNumber> {
    let file = SegmentFile::parse(name.strip_suffix(TEMPORARY_SUFFIX)?);
    file.filter(|(_, file)| *file == SegmentFile::Index)
        .map(|(number, _)| number)
}

/// The path of a published snapshot inside the queue's directory.
pub(crate) fn snapshot_file(snapshot: &str) -> String {
    format!("{SNAPSHOTS}/{snapshot}{SNAPSHOT_SUFFIX}")
}

/// The snapshot that is published as the file named `name` (without its folder).
pub(crate) fn snapshot_of(name: &str) -> Option<&str> {
    name.strip_suffix(SNAPSHOT_SUFFIX)
        .filter(|snapshot| valid_consumer_name(snapshot).is_ok())
}

/// The path under which the snapshot with the identity `id` is written, told from others of that
/// name by `random`. The name itself may be too long for more than its suffix.
pub(crate) fn unfinished_snapshot(id: [u8; 16], random: u64) -> String {
    let id = hexadecimal(id);
    format!("{SNAPSHOTS}/{id}.{random:016x}{TEMPORARY_SUFFIX}")
}

/// Whether the file named `name` (without its folder) is such a one.
pub(crate) fn is_unfinished_snapshot(id: [u8; 16], name: &str) -> bool {
    let random = name.strip_prefix(&hexadecimal(id));
    let random = random.and_then(|rest| rest.strip_prefix('.'));
    let random = random.and_then(|rest| rest.strip_suffix(TEMPORARY_SUFFIX));
    random.is_some_and(|random| {
        random.len() == DIGITS && random.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// The path to which an unusable snapshot is moved.
pub(crate) fn quarantined_snapshot(id: [u8; 16], random: u64) -> String {
    let id = hexadecimal(id);
    format!("{QUARANTINE}/{id}-{random:016x}{SNAPSHOT_SUFFIX}")
}

/// The hexadecimal digits of `bytes`.
pub(crate) fn hexadecimal<const N: usize>(bytes: [u8; N]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let both = |byte: u8| [digit(byte >> 4), digit(byte & 15)];
    bytes.into_iter().flat_map(both).collect()
}

/// Whether `name` can name a consumer or a snapshot; otherwise what is wrong with it.
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
        assert_eq!(snapshot_of("state.snapshot"), Some("state"));
        assert_eq!(snapshot_of("state.snapshot.tmp"), None);
    }

    #[test]
    fn unfinished_snapshots_are_told_by_name_and_fit_any_name() {
        let (one, other) = ([1; 16], [2; 16]);
        let path = unfinished_snapshot(one, u64::MAX);
        let name = path.strip_prefix("snapshots/").expect("in its folder");
        assert!(is_unfinished_snapshot(one, name));
        assert!(!is_unfinished_snapshot(other, name));
        assert!(!is_unfinished_snapshot(one, &format!("{name}.tmp")));
        let longest = "x".repeat(CONSUMER_NAME_BYTES_MAX);
        for path in [snapshot_file(&longest), quarantined_snapshot(one, 0), path] {
            let (_, name) = path.split_once('/').expect("in a folder");
            assert!(name.len() <= 255, "{name}");
        }
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
