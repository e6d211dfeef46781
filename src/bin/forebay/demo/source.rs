//! The real text that is enqueued.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A file of at least this size is large enough to look no further.
const GOOD_BYTES: u64 = 256 << 10;
/// Larger files would only make the demo slow to begin.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Directory entries to look at, at most.
const ENTRIES_MAX: usize = 20_000;
/// Where systems keep text, the best first.
const PLACES: &[&str] = &[
    "/usr/share/dict/words",
    "/usr/share/perl",
    "/usr/share/doc",
    "/usr/share/vim",
    "/usr/lib/python3",
    "/usr/share/common-licenses",
    "/etc/services",
    "/usr/share",
];
/// Names of what is text.
const TEXT_EXTENSIONS: &[&str] = &["txt", "pod", "pm", "pl", "md", "py", "html", "rs", "vim"];

/// A text, line by line.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    text: Vec<u8>,
    /// Where each line ends, newline excluded.
    ends: Vec<usize>,
}

impl Source {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let reading = format!("cannot read {}", path.display());
        let path = fs::canonicalize(path).map_err(Failure::io(&reading))?;
        let text = fs::read(&path).map_err(Failure::io(&reading))?;
        let newlines = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let mut ends: Vec<usize> = newlines.map(|(at, _)| at).collect();
        if text.last().is_some_and(|byte| *byte != b'\n') {
            ends.push(text.len());
        }
        if ends.is_empty() {
            return Err(Failure::Input {
                what: format!("there is no line in {}", path.display()),
                remedy: "name a file of text",
            });
        }
        Ok(Self { path, text, ends })
    }

    /// A sizeable text on this machine.
    pub(super) fn find() -> Result<Self, Failure> {
        let mut places: Vec<PathBuf> = PLACES.iter().map(PathBuf::from).collect();
        let homes = ["RUSTUP_HOME", "CARGO_HOME", "HOME"];
        places.extend(homes.iter().filter_map(std::env::var_os).map(PathBuf::from));
        let mut best: Option<(u64, PathBuf)> = None;
        for place in places {
            let found = largest_text(&place);
            best = best
                .into_iter()
                .chain(found)
                .max_by_key(|(bytes, _)| *bytes);
            if best.as_ref().is_some_and(|(bytes, _)| *bytes >= GOOD_BYTES) {
                break;
            }
        }
        match best {
            Some((_, path)) => Self::read(&path),
            None => Err(Failure::Input {
                what: "found no text on this machine".to_owned(),
                remedy: "name a file: forebay demo FILE",
            }),
        }
    }

    pub(super) fn lines(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The record number `index`: its number, and the line of the text that it falls on.
    pub(super) fn record(&self, index: u64) -> Vec<u8> {
        let mut record = format!("{index}\t").into_bytes();
        record.extend_from_slice(self.line(index));
        record
    }

    /// The number of a record, if it is byte for byte one of this text.
    pub(super) fn index_of(&self, record: &[u8]) -> Option<u64> {
        let tab = record.iter().position(|byte| *byte == b'\t')?;
        let number = std::str::from_utf8(record.get(..tab)?).ok()?;
        let index = number.parse().ok()?;
        (record.get(tab + 1..)? == self.line(index)).then_some(index)
    }

    fn line(&self, index: u64) -> &[u8] {
        let lines = u64::try_from(self.ends.len()).unwrap_or(u64::MAX);
        let at = usize::try_from(index % lines).unwrap_or_default();
        let before = at.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = before.map_or(0, |end| end + 1);
        let end = self.ends.get(at).copied().unwrap_or_default();
        self.text.get(start..end).unwrap_or_default()
    }
}

/// The largest text at or below `place`, with its size.
fn largest_text(place: &Path) -> Option<(u64, PathBuf)> {
    let mut open = vec![place.to_path_buf()];
    let mut best: Option<(u64, PathBuf)> = None;
    let mut seen = 0;
    while let Some(path) = open.pop() {
        seen += 1;
        if seen > ENTRIES_MAX {
            break;
        }
        // The place itself may be a link; links below it are not followed, as they may go round.
        let metadata = if path == place {
            fs::metadata(&path)
        } else {
            fs::symlink_metadata(&path)
        };
        let Ok(metadata) = metadata else { continue };
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            let mut below: Vec<_> = entries.map(|entry| entry.path()).collect();
            below.sort();
            open.append(&mut below);
            continue;
        }
        let bytes = metadata.len();
        let is_larger = best.as_ref().is_none_or(|(most, _)| bytes > *most);
        let fits = bytes > 0 && bytes <= FILE_BYTES_MAX && metadata.is_file();
        if fits && is_larger && (path == place || is_named_text(&path)) && is_text(&path) {
            best = Some((bytes, path));
        }
    }
    best
}

fn is_named_text(path: &Path) -> bool {
    match path.extension() {
        Some(extension) => TEXT_EXTENSIONS.iter().any(|text| extension == *text),
        None => true,
    }
}

/// Whether the file is UTF-8 in lines.
fn is_text(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| !text.contains('\0') && text.contains('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_known_again_and_others_are_not() {
        let source = Source {
            path: PathBuf::new(),
            text: b"one\n\nthree".to_vec(),
            ends: vec![3, 4, 10],
        };
        assert_eq!(source.record(0), b"0\tone");
        assert_eq!(source.record(4), b"4\t");
        assert_eq!(source.record(5), b"5\tthree");
        for index in 0..9 {
            assert_eq!(source.index_of(&source.record(index)), Some(index));
        }
        assert_eq!(source.index_of(b"0\tonE"), None);
        assert_eq!(source.index_of(b"one"), None);
    }
}
