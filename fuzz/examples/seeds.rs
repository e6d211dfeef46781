//! Writes the seeds of every corpus: structures that real queues wrote, and cases put together by
//! hand. The same bytes each time, but for the generation of a slot that was written in the
//! background once more: `cargo run --example seeds`.

use std::fs;
use std::io;
use std::path::Path;

use forebay::storage::memory::MemoryDirectory;
use forebay_fuzz::goldens;

/// Files of one golden queue.
fn files(image: &MemoryDirectory, suffix: &str) -> Vec<Vec<u8>> {
    let names = image.names().into_iter();
    let named = names.filter(|name| name.ends_with(suffix));
    named.filter_map(|name| image.file_bytes(&name)).collect()
}

/// The envelopes of both slots, one right behind the other, as the targets take them.
fn slots(file: &[u8]) -> Vec<u8> {
    let envelope = |block: &[u8]| {
        let length = block[12..16]
            .first_chunk()
            .copied()
            .map_or(0, u32::from_le_bytes);
        block[..length as usize + 20].to_vec()
    };
    [envelope(&file[..4096]), envelope(&file[4096..])].concat()
}

/// Integrity, offset / 8, salt and turn, as the target `frame` takes them, before the frame there.
fn frame(segment: &[u8], offset: usize, length: usize) -> Vec<u8> {
    let mut seed = vec![u8::from(segment[56] == 2)];
    seed.extend(u32::try_from(offset / 8).unwrap_or(0).to_le_bytes());
    seed.extend(&segment[48..56]);
    seed.extend([3, 1]);
    seed.extend(&segment[offset..offset + length]);
    seed
}

/// Numbers that look random and are the same each time.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let draw = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56).to_le_bytes()[0]
    };
    (0..count).map(draw).collect()
}

/// How many bytes of numbers each kind of edit has, in the order of `Edit`.
const EDITS: [usize; 14] = [4, 11, 6, 3, 4, 1, 2, 2, 1, 2, 9, 2, 4, 2];
/// The same for the operations, in the order of `Step`; the batch has two records.
const STEPS: [usize; 12] = [1, 3, 2, 0, 1, 2, 1, 1, 0, 6, 6, 10];

/// One element of a list as `arbitrary` takes it from bytes: that there is one more, which kind of
/// `kinds` it is, and its numbers.
fn element(kinds: &[usize], which: usize, numbers: &[u8]) -> Vec<u8> {
    let step = u32::MAX / u32::try_from(kinds.len()).unwrap_or(1);
    let mut bytes = vec![1];
    bytes.extend((u32::try_from(which).unwrap_or(0) * step + 1000).to_le_bytes());
    bytes.extend(numbers.iter().cycle().take(kinds[which]));
    bytes
}

/// Damage: every kind alone, and several together.
fn cases() -> Vec<Vec<u8>> {
    let mut cases = Vec::new();
    for golden in 0..6 {
        cases.push(vec![golden]);
        for which in 0..EDITS.len() {
            let numbers = noise(which as u64 * 6 + u64::from(golden), 12);
            cases.push([vec![golden], element(&EDITS, which, &numbers)].concat());
        }
        for round in 0..4 {
            let kinds = noise(1000 + round * 6 + u64::from(golden), 5);
            let edits = kinds.iter().zip(round * 5..).map(|(kind, at)| {
                let which = usize::from(*kind) % EDITS.len();
                element(&EDITS, which, &noise(2000 + at * 6 + u64::from(golden), 12))
            });
            cases.push([vec![golden], edits.collect::<Vec<_>>().concat()].concat());
        }
    }
    cases
}

/// Stories of thirty operations, more records than anything else.
fn stories() -> Vec<Vec<u8>> {
    let story = |seed: u64| {
        let mut bytes = noise(seed, 6);
        for (at, kind) in noise(3000 + seed, 30).iter().enumerate() {
            let which = if kind % 3 == 0 {
                at % 3
            } else {
                usize::from(*kind) % STEPS.len()
            };
            let mut numbers = noise(4000 + seed * 100 + at as u64, 10);
            if which == 1 {
                numbers[0] = 2;
            }
            if which == 11 {
                // A power cut that leaves nothing, or everything.
                numbers[9] = (kind >> 2 & 1) * 0x60;
            }
            bytes.extend(element(&STEPS, which, &numbers));
        }
        bytes
    };
    (0..40).map(story).collect()
}

/// Segments for `segment_scan`: integrity, base, where it is cut, no flips, then the pieces.
fn segments() -> Vec<Vec<u8>> {
    let whole = [
        vec![0, 3, 0, 0, 0],
        vec![0, 5, 1, 2, 3, 4, 5, 0x80, 2, 9, 9, 1, 0, 4, 16, 5, 0],
    ];
    let mut all = vec![whole.concat()];
    for wrong in 6..12 {
        let pieces = vec![
            0, 3, 7, 7, 7, wrong, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 4, 8, 8, 8, 8, 5, 0,
        ];
        all.push([vec![wrong % 2, 0, 0, 0, 0], pieces.clone()].concat());
        all.push([vec![wrong % 2, 9, 100 + wrong, 0, 1, 90, 0, 4], pieces].concat());
    }
    all
}

fn write(target: &str, seeds: Vec<Vec<u8>>) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    fs::create_dir_all(&folder)?;
    for (at, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{at:02}")), seed)?;
    }
    Ok(())
}

/// A file of keys with `count` entries; the target puts the checksum right.
fn keys(count: u8) -> Vec<u8> {
    let mut file = b"FBYKEYED".to_vec();
    for field in [1, 40 + 24 * u32::from(count)] {
        file.extend_from_slice(&field.to_le_bytes());
    }
    file.extend_from_slice(&[0x10; 16]);
    for field in [1, 1 + u64::from(count), u64::from(count)] {
        file.extend_from_slice(&field.to_le_bytes());
    }
    for entry in 0..count {
        file.extend_from_slice(&[entry; 16]);
        file.extend_from_slice(&u64::from(entry).to_le_bytes());
    }
    file.extend_from_slice(&[0; 4]);
    file
}

fn main() -> io::Result<()> {
    let mut headers = Vec::new();
    let mut frames = Vec::new();
    let mut footers = vec![noise(7, 100)];
    let (mut indexes, mut states, mut cursors) = (Vec::new(), Vec::new(), Vec::new());
    for golden in goldens() {
        let logs = files(&golden.image, ".log");
        let log = logs.first().expect("every golden queue has a segment");
        headers.push(log[..80].to_vec());
        // An integrity that no writer knows.
        headers.push([&log[..56], &[3], &log[57..80]].concat());
        let lead = if log[56] == 1 { 72 } else { 40 };
        frames.push(frame(log, 4096, lead + 64));
        frames.push(frame(log, 4096 + lead + 64, lead + 24));
        footers.push(log[4096 + lead..4096 + lead + 64].to_vec());
        let prefixed = |file: Vec<u8>| [6_u64.to_le_bytes().to_vec(), file].concat();
        indexes.extend(files(&golden.image, ".idx").into_iter().map(prefixed));
        states.extend(files(&golden.image, "STATE").iter().map(|file| slots(file)));
        cursors.extend(
            files(&golden.image, ".cursor")
                .iter()
                .map(|file| slots(file)),
        );
    }
    footers.push([vec![0, 0, 2], vec![1; 7], vec![8; 30]].concat());
    write("segment_header", headers)?;
    write("frame", frames)?;
    write("footer", footers)?;
    write("index", indexes)?;
    write("keys", [0, 1, 3].map(keys).to_vec())?;
    write("state", states)?;
    write("cursor", cursors)?;
    write("segment_scan", segments())?;
    write("directory", cases())?;
    write("operations", stories())
}
