//! What a backup consists of, as text that a person can read and check.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::format::{
    CURSORS, IDENTITY, KEYS, QUARANTINE, SEGMENTS, SNAPSHOTS, STATE, hexadecimal, wide,
};
use crate::position::{Epoch, QueueId, Sequence};

/// Which version is written, and the newest that is read.
pub(super) const MANIFEST_VERSION: u32 = 1;
/// The folders that every queue has.
pub(super) const FOLDERS: [&str; 3] = [SEGMENTS, CURSORS, QUARANTINE];

const TITLE: &str = "forebay-backup";

/// What a backup consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The queue's identity.
    pub id: QueueId,
    /// The run of the log that was copied. A queue that is restored begins a new one.
    pub epoch: Epoch,
    /// The oldest record in the backup.
    pub first: Sequence,
    /// The sequence after the newest record in it.
    pub next: Sequence,
    /// Everything below was proven, by what was copied, to survive power loss in the queue.
    pub durable: Sequence,
    /// The files, by name.
    pub files: Vec<ManifestFile>,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestFile {
    /// Its name in the queue's directory, with `/` between folders.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// The BLAKE3 hash of its bytes.
    pub hash: [u8; 32],
}

/// Why a text is not a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is of a later release.
    Version(u32),
    /// Its last line is not the hash of the lines before.
    Hash,
    /// A line says nothing that can be understood, counted from 1.
    Line(usize),
}

impl Manifest {
    /// The lengths of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let lengths = self.files.iter().map(|file| file.bytes);
        lengths.fold(0, u64::saturating_add)
    }

    /// The file `name`, if the backup has it.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&ManifestFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// The manifest as text: a line that says what was copied, one for each file with hash, length
    /// and name, and the hash of all these lines.
    pub(super) fn encode(&self) -> String {
        let mut text = format!(
            "{TITLE} {MANIFEST_VERSION} queue {} epoch {} first {} next {} durable {}\n",
            self.id, self.epoch, self.first, self.next, self.durable
        );
        for file in &self.files {
            let (hash, bytes, name) = (hexadecimal(file.hash), file.bytes, &file.name);
            // Writing to a string cannot fail.
            writeln!(text, "{hash} {bytes} {name}").ok();
        }
        let hash = blake3::hash(text.as_bytes()).to_hex();
        text.push_str(&hash);
        text.push('\n');
        text
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Flaw> {
        let text = str::from_utf8(bytes).map_err(|_not_text| Flaw::Hash)?;
        let whole = text.strip_suffix('\n').ok_or(Flaw::Hash)?;
        let (_, last) = whole.rsplit_once('\n').ok_or(Flaw::Hash)?;
        let covered = whole.strip_suffix(last).ok_or(Flaw::Hash)?;
        if blake3::hash(covered.as_bytes()).to_hex().as_str() != last {
            return Err(Flaw::Hash);
        }
        let mut lines = covered.lines().enumerate();
        let (_, first) = lines.next().ok_or(Flaw::Line(1))?;
        let mut manifest = Self::of_first_line(first)?;
        let mut files = BTreeMap::new();
        for (at, line) in lines {
            let flaw = Flaw::Line(at.saturating_add(1));
            let file = ManifestFile::decode(line).ok_or(flaw.clone())?;
            if files.insert(file.name.clone(), file).is_some() {
                return Err(flaw);
            }
        }
        manifest.files = files.into_values().collect();
        Ok(manifest)
    }

    fn of_first_line(line: &str) -> Result<Self, Flaw> {
        let words: Vec<&str> = line.split(' ').collect();
        let [title, version, rest @ ..] = words.as_slice() else {
            return Err(Flaw::Line(1));
        };
        let version: u32 = version.parse().map_err(|_not_a_number| Flaw::Line(1))?;
        if *title != TITLE {
            return Err(Flaw::Line(1));
        }
        if version != MANIFEST_VERSION {
            return Err(Flaw::Version(version));
        }
        Self::of_fields(rest).ok_or(Flaw::Line(1))
    }

    fn of_fields(words: &[&str]) -> Option<Self> {
        let &[
            "queue",
            id,
            "epoch",
            epoch,
            "first",
            first,
            "next",
            next,
            "durable",
            durable,
        ] = words
        else {
            return None;
        };
        let sequence = |word: &str| word.parse().ok().map(Sequence::new);
        Some(Self {
            id: QueueId::new(of_hexadecimal(id)?),
            epoch: Epoch::new(u64::from_str_radix(epoch, 16).ok()?),
            first: sequence(first)?,
            next: sequence(next)?,
            durable: sequence(durable)?,
            files: Vec::new(),
        })
    }
}

impl ManifestFile {
    fn decode(line: &str) -> Option<Self> {
        let (hash, rest) = line.split_once(' ')?;
        let (bytes, name) = rest.split_once(' ')?;
        is_name_of_a_queue(name).then_some(())?;
        Some(Self {
            name: name.to_owned(),
            bytes: bytes.parse().ok()?,
            hash: of_hexadecimal(hash)?,
        })
    }
}

/// Whether a file of a queue can have this name: no other is read from a backup, nor written.
pub(super) fn is_name_of_a_queue(name: &str) -> bool {
    let mut parts = name.split('/');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let is_in_place = if rest.is_empty() {
        [IDENTITY, STATE, KEYS].contains(&first)
    } else {
        FOLDERS.contains(&first) || first == SNAPSHOTS
    };
    let is_safe = |part: &&str| {
        let leaves = part.is_empty() || [".", ".."].contains(part);
        !leaves && !part.contains(|found: char| found.is_control() || found == '\\')
    };
    is_in_place && rest.iter().all(is_safe)
}

/// The bytes that `text` gives as hexadecimal digits, exactly `N` of them.
fn of_hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    if wide(text.len()) != wide(N).saturating_mul(2) || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = str::from_utf8(digits).ok()?;
        let is_digit = |found: char| found.is_ascii_digit() || ('a'..='f').contains(&found);
        digits.chars().all(is_digit).then_some(())?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let file = |name: &str, bytes| ManifestFile {
            name: name.to_owned(),
            bytes,
            hash: *blake3::hash(name.as_bytes()).as_bytes(),
        };
        Manifest {
            id: QueueId::new([0xa7; 16]),
            epoch: Epoch::new(0x0000_0001_c0ff_ee42),
            first: Sequence::new(3),
            next: Sequence::new(9),
            durable: Sequence::new(7),
            files: vec![
                file("QUEUE", 52),
                file("STATE", 8192),
                file("cursors/ship events.cursor", 8192),
            ],
        }
    }

    fn sealed(lines: &str) -> String {
        format!("{lines}{}\n", blake3::hash(lines.as_bytes()).to_hex())
    }

    #[test]
    fn a_manifest_comes_back_from_its_text() {
        let manifest = manifest();
        assert_eq!(Manifest::decode(manifest.encode().as_bytes()), Ok(manifest));
    }

    #[test]
    fn every_changed_byte_of_a_manifest_is_noticed() {
        let text = manifest().encode().into_bytes();
        for at in 0..text.len() {
            for bit in [1, 0x20, 0x80] {
                let mut changed = text.clone();
                if let Some(byte) = changed.get_mut(at) {
                    *byte ^= bit;
                }
                assert!(Manifest::decode(&changed).is_err(), "byte {at}");
            }
            let cut = text.get(..at).unwrap_or_default();
            assert!(Manifest::decode(cut).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let text = manifest().encode();
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines.pop();
        let lines = lines.concat();
        assert_eq!(sealed(&lines), text);
        let later = sealed(&lines.replacen("backup 1", "backup 2", 1));
        assert_eq!(Manifest::decode(later.as_bytes()), Err(Flaw::Version(2)));
    }

    #[test]
    fn names_that_are_no_file_of_a_queue_are_refused_even_with_a_good_hash() {
        let text = manifest().encode();
        let first = text.lines().next().unwrap_or_default();
        for name in [
            "../QUEUE",
            "/etc/passwd",
            "LOCK",
            "MANIFEST",
            "cursors/../QUEUE",
            "cursors/",
            "cursors//x",
            "cursors/.",
            "cursors/a\\b",
            "other/file",
            "segments",
        ] {
            let hash = blake3::hash(b"").to_hex();
            let evil = sealed(&format!("{first}\n{hash} 0 {name}\n"));
            let found = Manifest::decode(evil.as_bytes());
            assert_eq!(found, Err(Flaw::Line(2)), "{name}");
        }
        assert!(is_name_of_a_queue("quarantine/a/b.torn"));
    }

    #[test]
    fn a_file_that_is_named_twice_is_refused() {
        let text = manifest().encode();
        let first = text.lines().next().unwrap_or_default();
        let line = format!("{} 0 QUEUE\n", blake3::hash(b"").to_hex());
        let twice = sealed(&format!("{first}\n{line}{line}"));
        assert_eq!(Manifest::decode(twice.as_bytes()), Err(Flaw::Line(3)));
    }
}
