//! Bytes with good checksums that no writer has put there.

use forebay::storage::memory::MemoryDirectory;
use forebay::{Integrity, Preallocate, Queue, Retention, Sequence, SyncPolicy};

use crate::support::{assert_drains, edit, fill, find, kill, options, payload, segments, try_open};

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    let field = bytes[at..at + 8].try_into().expect("eight bytes");
    u64::from_le_bytes(field)
}

pub(crate) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// The mask of a frame at `offset` of the segment in `bytes`.
pub(crate) fn mask(bytes: &[u8], offset: usize) -> u32 {
    let seed = crc32c::crc32c(&bytes[16..32]);
    let seed = crc32c::crc32c_append(seed, &bytes[48..56]);
    let units = u32::try_from(offset / 8).expect("a small segment");
    crc32c::crc32c_append(seed, &units.to_le_bytes())
}

/// A frame of `integrity` 2 without a payload, as it would stand at `offset`.
pub(crate) fn frame(bytes: &[u8], offset: usize, sequence: u64, watermark: u64) -> Vec<u8> {
    let mut frame = vec![0; 40];
    let mask = mask(bytes, offset);
    put_u32(&mut frame, 4, mask);
    frame[14] = 1;
    frame[16..24].copy_from_slice(&sequence.to_le_bytes());
    frame[32..40].copy_from_slice(&watermark.to_le_bytes());
    let checksum = crc32c::crc32c(&frame[4..]) ^ mask;
    put_u32(&mut frame, 0, checksum);
    frame
}

fn begin(memory: &MemoryDirectory) -> Queue {
    let plain = options(SyncPolicy::Manual)
        .integrity(Integrity::Crc32c)
        .preallocate(Preallocate::None);
    try_open(memory, plain).expect("it opens")
}

#[test]
fn a_frame_too_far_ahead_for_the_bytes_skipped_is_not_believed() {
    // Case 29: behind a hole of one record stands a frame that says it is the thousandth, and that
    // 999 records are durable. It must not turn a torn tail into corruption.
    for (sequence, is_plausible) in [(3, true), (1000, false)] {
        let memory = MemoryDirectory::new();
        let queue = begin(&memory);
        fill(&queue, 2, 100);
        queue.sync().expect("nothing fails");
        fill(&queue, 1, 100);
        let image = kill(&memory, queue);
        let name = segments(&image).remove(0);
        let hole = find(&image, &name, b"record 2:");
        edit(&image, &name, |bytes| {
            bytes[hole] ^= 1;
            let crafted = frame(bytes, bytes.len(), sequence, sequence);
            bytes.extend_from_slice(&crafted);
        });
        let queue = begin(&image);
        let report = queue.recovery();
        assert_eq!(!report.corruption.is_empty(), is_plausible, "{report:?}");
        let next = if is_plausible { 4 } else { 2 };
        assert_eq!(queue.next().get(), next, "{report:?}");
    }
}

#[test]
fn an_index_that_points_elsewhere_under_good_checksums_costs_no_record() {
    // Rules A44 and B36: what an index points to is verified before it is used.
    let memory = MemoryDirectory::new();
    let roomy = || {
        options(SyncPolicy::Always)
            .segment_bytes(65_536)
            .retention(Retention::KeepForever)
    };
    let queue = try_open(&memory, roomy()).expect("a new queue");
    fill(&queue, 100, 900);
    queue.close().expect("nothing fails");
    let name = "segments/0000000000000001.idx";
    if memory.file_bytes(name).is_none() {
        // Nobody asked for it before the close: a look-up makes it.
        let queue = try_open(&memory, roomy()).expect("it opens");
        assert_drains(&queue, "maker", 0..100);
        queue.close().expect("nothing fails");
    }
    edit(&memory, name, |bytes| {
        let count = usize::try_from(read_u64(bytes, 72)).expect("a small index");
        assert!(count > 3, "the segment has several entries");
        for entry in 0..count {
            // 8 bytes, 3 frames or a page further than the frame.
            let place = 128 + entry * 8 + 4;
            bytes[place] = bytes[place].wrapping_add([1, 3, 122][entry % 3]);
        }
        let packed = crc32c::crc32c(&bytes[128..]);
        put_u32(bytes, 80, packed);
        let whole = crc32c::crc32c(&bytes[..84]);
        put_u32(bytes, 84, whole);
    });
    let queue = try_open(&memory, roomy()).expect("it opens");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    for sequence in (0..60).rev() {
        consumer
            .seek(Sequence::new(sequence))
            .expect("it is in the log");
        let record = consumer.peek().expect("it can be read");
        let record = record.expect("it is there");
        assert_eq!(record.sequence.get(), sequence);
        assert_eq!(record.payload, payload(sequence, 900));
    }
}
