//! Which structure of docs/FORMAT.md a byte of a queue's file belongs to.

use forebay::storage::memory::MemoryDirectory;

use crate::golden::{Golden, newest_slot};

const BLOCK: usize = 4096;
/// The header of a chained frame.
const HEADER: usize = 72;

/// The structures of one file, each from an offset to the next one's.
#[derive(Clone, Debug)]
pub(crate) struct Layout(Vec<(usize, &'static str)>);

impl Layout {
    /// How the file `name` of `image` is laid out.
    pub(crate) fn of(image: &MemoryDirectory, name: &str) -> Self {
        let bytes = image.file_bytes(name).expect("it is listed");
        Self(match name {
            "QUEUE" => vec![(0, "QUEUE")],
            "LOCK" => vec![(0, "LOCK")],
            "STATE" => slots(&bytes, 164, ["STATE, newest slot", "STATE, other slot"]),
            _ if name.ends_with(".cursor") => {
                slots(&bytes, 140, ["cursor, newest slot", "cursor, other slot"])
            }
            _ if name.ends_with(".idx") => vec![
                (0, "index, header"),
                (88, "unused bytes"),
                (128, "index, entries"),
            ],
            _ => frames(&bytes),
        })
    }

    /// The structure at `offset`.
    pub(crate) fn at(&self, offset: usize) -> &'static str {
        let next = self.0.partition_point(|(start, _)| *start <= offset);
        self.0[next - 1].1
    }
}

fn slots(
    bytes: &[u8],
    length: usize,
    [newest, other]: [&'static str; 2],
) -> Vec<(usize, &'static str)> {
    let (first, second) = if newest_slot(bytes) == 0 {
        (newest, other)
    } else {
        (other, newest)
    };
    vec![
        (0, first),
        (length, "unused bytes"),
        (BLOCK, second),
        (BLOCK + length, "unused bytes"),
    ]
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> usize {
    let mut wide = [0; 8];
    wide[..N].copy_from_slice(&bytes[at..at + N]);
    usize::try_from(u64::from_le_bytes(wide)).expect("a small queue")
}

/// The frames of a segment, walked by their lengths alone.
fn frames(bytes: &[u8]) -> Vec<(usize, &'static str)> {
    let mut found = vec![(0, "segment header"), (68, "unused bytes")];
    let mut at = BLOCK;
    let mut in_batch = false;
    while at + HEADER <= bytes.len() {
        let (length, kind, flags) = (
            number::<4>(bytes, at + 8),
            number::<2>(bytes, at + 12),
            number::<2>(bytes, at + 14),
        );
        let continues = flags & 2 != 0;
        let payload = at + HEADER;
        match (flags & 8 != 0, kind) {
            (true, 1) => found.push((at, "start frame")),
            (true, 2) => found.push((at, "footer")),
            (true, _) => found.push((at, "padding frame")),
            (false, _) if flags == 0 => break,
            (false, _) if in_batch || continues => {
                found.push((at, "frame in a batch, header"));
                found.push((payload, "frame in a batch, payload"));
            }
            (false, _) => {
                found.push((at, "frame, header"));
                found.push((payload, "frame, payload"));
            }
        }
        if flags & 8 == 0 {
            in_batch = continues;
            if length % 8 != 0 {
                found.push((payload + length, "unused bytes"));
            }
        }
        at = (payload + length).next_multiple_of(8);
    }
    found.push((at, "space after the last frame"));
    found
}

/// The role of the 4 KiB block that begins at `offset` of the file `name`.
pub(crate) fn block_at(golden: &Golden, name: &str, offset: usize) -> &'static str {
    match name {
        _ if name.ends_with(".log") && offset == 0 => "segment, header block",
        _ if name.ends_with(".log") => "segment, block of frames",
        _ if name.ends_with(".idx") => "index",
        _ => Layout::of(&golden.image, name).at(offset),
    }
}

/// The role of the file `name`.
pub(crate) fn file(name: &str) -> &'static str {
    match name {
        "QUEUE" => "QUEUE",
        "STATE" => "STATE",
        "LOCK" => "LOCK",
        _ if name.ends_with(".idx") => "index",
        _ if name.ends_with(".cursor") => "cursor",
        _ => "segment",
    }
}
