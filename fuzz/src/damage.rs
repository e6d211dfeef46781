//! What a medium, or a person, may do to the files of a queue.

use arbitrary::Arbitrary;
use forebay::storage::Directory;
use forebay::storage::memory::MemoryDirectory;

use crate::golden::{Golden, contents, goldens};

const BLOCK_BYTES: usize = 4096;
/// No file grows beyond this.
const FILE_BYTES_MAX: usize = 1 << 18;
const EDITS_MAX: usize = 12;

/// A queue and what is done to it.
#[derive(Arbitrary, Clone, Debug)]
pub struct Case {
    /// Which queue.
    pub golden: u8,
    /// What is done, in order.
    pub edits: Vec<Edit>,
}

/// One change. Files are numbers into the sorted list of names; everything wraps round.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Edit {
    Flip {
        file: u8,
        at: u16,
        bit: u8,
    },
    Write {
        file: u8,
        at: u16,
        bytes: [u8; 8],
    },
    Fill {
        file: u8,
        at: u16,
        count: u16,
        byte: u8,
    },
    Truncate {
        file: u8,
        to: u16,
    },
    Extend {
        file: u8,
        by: u16,
        byte: u8,
    },
    Delete {
        file: u8,
    },
    Swap {
        file: u8,
        other: u8,
    },
    /// The file in the place of another.
    Copy {
        file: u8,
        other: u8,
    },
    /// The file as it was earlier: its later writes were lost.
    Stale {
        file: u8,
    },
    /// The same file, or the one at that place in the list, of another queue.
    Foreign {
        golden: u8,
        file: u8,
    },
    /// The segment or index also under another number.
    Number {
        file: u8,
        number: u64,
    },
    /// One block twice, the rest behind it.
    Double {
        file: u8,
        block: u8,
    },
    /// One block over another, perhaps of another file.
    Move {
        file: u8,
        block: u8,
        other: u8,
        to: u8,
    },
    /// The right checksum for the envelope in a block, whatever it says.
    Seal {
        file: u8,
        block: u8,
    },
}

impl Case {
    /// The queue that is damaged.
    #[must_use]
    pub fn golden(&self) -> &'static Golden {
        let goldens = goldens();
        &goldens[usize::from(self.golden) % goldens.len()]
    }

    /// The damaged files.
    #[must_use]
    pub fn image(&self) -> MemoryDirectory {
        let image = self.golden().image.copy();
        for edit in self.edits.iter().take(EDITS_MAX) {
            edit.apply(self.golden(), &image);
        }
        image
    }

    /// Whether somebody may have written lies with the right checksum.
    pub(crate) fn is_forged(&self) -> bool {
        let is_seal = |edit: &Edit| matches!(edit, Edit::Seal { .. });
        self.edits.iter().take(EDITS_MAX).any(is_seal)
    }
}

/// The name and the bytes of a file by its number.
fn pick(image: &MemoryDirectory, file: u8) -> Option<(String, Vec<u8>)> {
    let files = contents(image);
    let at = usize::from(file) % files.len().max(1);
    files.into_iter().nth(at)
}

fn block(bytes: &[u8], block: u8) -> usize {
    usize::from(block) % bytes.len().div_ceil(BLOCK_BYTES).max(1) * BLOCK_BYTES
}

impl Edit {
    fn file(self) -> u8 {
        match self {
            Self::Flip { file, .. }
            | Self::Write { file, .. }
            | Self::Fill { file, .. }
            | Self::Truncate { file, .. }
            | Self::Extend { file, .. }
            | Self::Delete { file }
            | Self::Swap { file, .. }
            | Self::Copy { file, .. }
            | Self::Stale { file }
            | Self::Foreign { file, .. }
            | Self::Number { file, .. }
            | Self::Double { file, .. }
            | Self::Move { file, .. }
            | Self::Seal { file, .. } => file,
        }
    }

    fn apply(self, golden: &Golden, image: &MemoryDirectory) {
        let Some((name, bytes)) = pick(image, self.file()) else {
            return;
        };
        match self {
            Self::Delete { .. } => image.remove(&name).expect("it is there"),
            Self::Swap { other, .. } | Self::Copy { other, .. } => {
                let (other, theirs) = pick(image, other).expect("there is one");
                image.put_file(&other, &bytes);
                if matches!(self, Self::Swap { .. }) {
                    image.put_file(&name, &theirs);
                }
            }
            Self::Stale { .. } => match golden.earlier.get(&name) {
                Some(earlier) => image.put_file(&name, earlier),
                None => image.remove(&name).expect("it is there"),
            },
            Self::Foreign { golden, file } => {
                let goldens = goldens();
                let other = &goldens[usize::from(golden) % goldens.len()].image;
                let same = other.file_bytes(&name).map(|bytes| (name, bytes));
                if let Some((name, theirs)) = same.or_else(|| pick(other, file)) {
                    image.put_file(&name, &theirs);
                }
            }
            Self::Number { number, .. } => {
                let suffix = name.rsplit_once('.').map_or("log", |(_, suffix)| suffix);
                let number = number % 10_000_000_000_000_000;
                image.put_file(&format!("segments/{number:016}.{suffix}"), &bytes);
            }
            Self::Move {
                block: from,
                other,
                to,
                ..
            } => {
                let start = block(&bytes, from);
                let moved = &bytes[start..bytes.len().min(start + BLOCK_BYTES)];
                let (other, mut theirs) = pick(image, other).expect("there is one");
                let start = block(&theirs, to);
                let end = theirs.len().max(start + moved.len());
                theirs.resize(end, 0);
                theirs[start..start + moved.len()].copy_from_slice(moved);
                image.put_file(&other, &theirs);
            }
            _ => {
                let mut bytes = bytes;
                self.change(&mut bytes);
                bytes.truncate(FILE_BYTES_MAX);
                image.put_file(&name, &bytes);
            }
        }
    }

    /// Changes within one file.
    fn change(self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let place = |at: u16| usize::from(at) % length.max(1);
        match self {
            Self::Flip { at, bit, .. } if length > 0 => bytes[place(at)] ^= 1 << (bit % 8),
            Self::Write { at, bytes: new, .. } => {
                let places = bytes.iter_mut().skip(place(at));
                places.zip(new).for_each(|(to, from)| *to = from);
            }
            Self::Fill {
                at, count, byte, ..
            } => {
                let places = bytes.iter_mut().skip(place(at));
                places.take(usize::from(count)).for_each(|to| *to = byte);
            }
            Self::Truncate { to, .. } => bytes.truncate(place(to)),
            Self::Extend { by, byte, .. } => bytes.resize(length + usize::from(by), byte),
            Self::Double { block: which, .. } => {
                let start = block(bytes, which);
                let doubled = bytes[start..length.min(start + BLOCK_BYTES)].to_vec();
                bytes.splice(start..start, doubled);
            }
            Self::Seal { block: which, .. } => {
                let start = block(bytes, which);
                seal(&mut bytes[start..]);
            }
            _ => {}
        }
    }
}

/// Puts the right checksum into the envelope that `bytes` begin with.
fn seal(bytes: &mut [u8]) {
    let Some(length) = bytes.get(12..16).and_then(|field| field.first_chunk::<4>()) else {
        return;
    };
    let end = 16_usize.saturating_add(u32::from_le_bytes(*length) as usize);
    if let Some((covered, rest)) = bytes.split_at_mut_checked(end)
        && let Some(place) = rest.get_mut(..4)
    {
        place.copy_from_slice(&crc32c::crc32c(covered).to_le_bytes());
    }
}
