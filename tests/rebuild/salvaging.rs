//! Whatever is left of a queue is enough for every record that is left.

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay::inspect::inspect_on;
use forebay::salvage::{FileState, SalvageOptions, Salvaged, salvage_on};
use forebay::storage::Directory;
use forebay::storage::memory::MemoryDirectory;
use forebay::{CommitPadding, Entry, ErrorKind, Integrity, Queue, Sequence};

use crate::scene::{Content, Kept, assert_sound, content, is_segment, open, options, rebuild};

const BOTH: [Integrity; 2] = [Integrity::Chained, Integrity::Crc32c];
const BLOCK: usize = 4096;

/// A queue of `count` records, closed, with two consumers at different places.
fn queue_of(count: u64, integrity: Integrity, seed: u64) -> (MemoryDirectory, Content) {
    let memory = MemoryDirectory::new();
    let queue = fill(&memory, count, integrity, seed);
    let all = content(&queue);
    queue.close().expect("memory works");
    (memory, all)
}

fn fill(memory: &MemoryDirectory, count: u64, integrity: Integrity, seed: u64) -> Queue {
    fill_segments_of(8192, memory, count, (integrity, seed))
}

fn fill_segments_of(
    segment_bytes: u64,
    memory: &MemoryDirectory,
    count: u64,
    (integrity, seed): (Integrity, u64),
) -> Queue {
    let queue = options(seed)
        .integrity(integrity)
        .segment_bytes(segment_bytes)
        .open_on(Arc::new(memory.clone()))
        .expect("a queue");
    for number in 0..count {
        let text = format!(
            "record {number} of {seed} {}",
            "x".repeat(usize::try_from(number % 150).expect("a small number"))
        );
        match number % 7 {
            3 => queue.enqueue_once(u128::from(number).to_le_bytes(), text.as_bytes()),
            5 => queue.enqueue(Entry::new(text.as_bytes()).kind(9)),
            _ => queue.enqueue(text.as_bytes()),
        }
        .expect("room");
    }
    queue.sync().expect("memory works");
    for (name, next) in [("ship", 50), ("audit", 90)] {
        let mut consumer = queue.consumer(name).expect("a new consumer");
        let last = Sequence::new(next - 1);
        consumer.ack_through(last).expect("a durable record");
    }
    queue
}

/// Salvages into a new place, which must be a queue without any damage; `from` is not changed.
fn salvaged(from: &MemoryDirectory) -> (Salvaged, MemoryDirectory) {
    salvaged_with(from, &SalvageOptions::new())
}

fn salvaged_with(from: &MemoryDirectory, options: &SalvageOptions) -> (Salvaged, MemoryDirectory) {
    let before = from.fingerprint(|_| false);
    let to = MemoryDirectory::new();
    let options = options.clone().segment_bytes(16 << 10).seed(5);
    let told = salvage_on(from, Arc::new(to.clone()), &options).expect("something is left");
    assert_eq!(from.fingerprint(|_| false), before, "it is only read");
    assert!(!inspect_on(&to).expect("a queue").is_damaged());
    assert_sound(&to);
    (told, to)
}

/// The names of the segments' files, in order.
fn segments(memory: &MemoryDirectory) -> Vec<String> {
    let mut names = memory.list("segments").expect("a folder");
    names.retain(|name| is_segment(name));
    names.sort();
    names
        .iter()
        .map(|name| format!("segments/{name}"))
        .collect()
}

/// Where each record's frame stands in a whole file, read by lengths alone.
fn frames(bytes: &[u8], header: usize) -> BTreeMap<u64, std::ops::Range<usize>> {
    let mut frames = BTreeMap::new();
    let mut start = BLOCK;
    while let Some(lead) = bytes.get(start..start + 40) {
        if lead.iter().all(|byte| *byte == 0) {
            break;
        }
        let length = u32::from_le_bytes(*lead[8..].first_chunk().expect("four bytes"));
        let sequence = u64::from_le_bytes(*lead[16..].first_chunk().expect("eight bytes"));
        let end = start + (header + length as usize).next_multiple_of(8);
        if lead[14] & 8 == 0 {
            frames.insert(sequence, start..end);
        }
        start = end;
    }
    frames
}

fn header_bytes(integrity: Integrity) -> usize {
    match integrity {
        Integrity::Chained => 72,
        Integrity::Crc32c | _ => 40,
    }
}

fn change(memory: &MemoryDirectory, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = memory.file_bytes(name).expect("a file");
    change(&mut bytes);
    memory.remove(name).expect("it is there");
    memory.put_file(name, &bytes);
}

/// The ranges of `sequences` that are missing in `0..next`.
fn missing(records: &[Kept], next: u64) -> Vec<std::ops::Range<u64>> {
    let mut missing = Vec::new();
    let mut due = 0;
    for sequence in records.iter().map(|record| record.sequence).chain([next]) {
        if due < sequence {
            missing.push(due..sequence);
        }
        due = sequence + 1;
    }
    missing
}

fn lost(told: &Salvaged) -> Vec<std::ops::Range<u64>> {
    let ranges = told.lost.iter();
    ranges
        .map(|range| range.start.get()..range.end.get())
        .collect()
}

#[test]
fn a_whole_queue_comes_out_whole_with_its_consumers() {
    for integrity in BOTH {
        let (memory, all) = queue_of(200, integrity, 1);
        let (told, to) = salvaged(&memory);
        assert!(told.is_whole(), "{told:?}");
        assert!(told.unproven.is_empty());
        let (before, after) = (inspect_on(&memory), inspect_on(&to));
        let (before, after) = (before.expect("a queue"), after.expect("a queue"));
        assert_eq!((before.id, before.created), (after.id, after.created));
        assert_eq!((before.first, before.next), (after.first, after.next));
        assert_eq!(before.consumers, after.consumers);
        assert_eq!(content(&open(&to)), all);
    }
}

#[test]
fn any_block_of_any_segment_may_be_zeros_and_every_record_outside_it_comes_out() {
    for integrity in BOTH {
        let memory = MemoryDirectory::new();
        // With records before, in and behind every block.
        let queue = fill_segments_of(20 << 10, &memory, 300, (integrity, 1));
        let all = content(&queue);
        queue.close().expect("memory works");
        assert!(segments(&memory).len() > 2);
        for name in segments(&memory) {
            let bytes = memory.file_bytes(&name).expect("a segment");
            let frames = frames(&bytes, header_bytes(integrity));
            for block in (0..bytes.len()).step_by(BLOCK) {
                let hit = block..(block + BLOCK).min(bytes.len());
                let damaged = memory.copy();
                change(&damaged, &name, |bytes| bytes[hit.clone()].fill(0));
                let is_hit = |sequence: u64| {
                    let frame = frames.get(&sequence);
                    frame.is_some_and(|frame| frame.start < hit.end && frame.end > hit.start)
                };
                let mut left = all.records.clone();
                left.retain(|record| !is_hit(record.sequence));
                let (told, to) = salvaged(&damaged);
                let found = content(&open(&to));
                assert!(found.records == left, "{name} {hit:?}: {told:?}");
                assert_eq!(lost(&told), missing(&left, 300), "{name} {hit:?}");
                assert_eq!(found.gaps, missing(&left, 300));
            }
        }
    }
}

#[test]
fn any_file_may_be_missing_or_garbage_and_the_records_of_all_others_come_out() {
    for integrity in BOTH {
        let (memory, all) = queue_of(120, integrity, 1);
        for name in memory.names() {
            let Some(bytes) = memory.file_bytes(&name) else {
                continue;
            };
            let gone = frames(&bytes, header_bytes(integrity));
            let of_records = is_segment(&name);
            for garbage in [false, true] {
                let damaged = memory.copy();
                damaged.remove(&name).expect("it is there");
                if garbage {
                    let noise: Vec<u8> = bytes.iter().map(|byte| byte ^ 0x5a).collect();
                    damaged.put_file(&name, &noise);
                }
                let (told, to) = salvaged(&damaged);
                let mut left = all.records.clone();
                left.retain(|record| !of_records || !gone.contains_key(&record.sequence));
                assert!(content(&open(&to)).records == left, "{name}");
                assert_eq!(lost(&told), missing(&left, 120), "{name}");
                let cursor_gone = name.starts_with("cursors/");
                let kept = if cursor_gone { 1 } else { 2 };
                assert_eq!(told.consumers.len(), kept, "{name}");
            }
        }
    }
}

#[test]
fn with_every_header_every_name_and_every_small_file_gone_all_records_come_out() {
    for integrity in BOTH {
        let (memory, all) = queue_of(200, integrity, 1);
        let id = inspect_on(&memory).expect("a queue").id;
        let bare = MemoryDirectory::new();
        bare.create_folder("segments").expect("memory works");
        let names = segments(&memory);
        for (number, name) in names.iter().enumerate() {
            let mut bytes = memory.file_bytes(name).expect("a segment");
            bytes[..BLOCK].fill(0);
            let number = names.len() - number;
            bare.put_file(&format!("segments/found.{number}"), &bytes);
        }
        let to = MemoryDirectory::new();
        let unnamed = salvage_on(&bare, Arc::new(to), &SalvageOptions::new());
        let refused = unnamed.expect_err("nothing tells the queue");
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        let (told, to) = salvaged_with(&bare, &SalvageOptions::new().queue(id));
        assert!(told.lost.is_empty());
        let without =
            |file: &forebay::salvage::SalvagedFile| file.state == FileState::WithoutHeader;
        assert!(told.files.iter().all(without), "{:?}", told.files);
        let found = content(&open(&to)).records;
        assert_eq!(found.len(), all.records.len());
        for (found, kept) in found.iter().zip(&all.records) {
            let epoch = found.epoch;
            assert_eq!(
                *found,
                Kept {
                    epoch,
                    ..kept.clone()
                }
            );
        }
    }
}

/// A queue whose program was killed and started again, and its records.
fn queue_of_two_epochs(integrity: Integrity) -> (MemoryDirectory, Vec<Kept>) {
    let (memory, _) = queue_of(100, integrity, 1);
    // A program that was killed: a new epoch begins.
    let queue = fill(&memory, 100, integrity, 1);
    let killed = memory.process_kill();
    drop(queue);
    let queue = options(1)
        .open_on(Arc::new(killed.clone()))
        .expect("a queue");
    for number in 0..100 {
        queue
            .enqueue(format!("later {number} {:100}", ""))
            .expect("room");
    }
    let all = content(&queue).records;
    queue.close().expect("memory works");
    (killed, all)
}

#[test]
fn a_segment_without_its_header_has_the_epoch_of_those_beside_it() {
    for integrity in BOTH {
        let (killed, all) = queue_of_two_epochs(integrity);
        let epochs: std::collections::BTreeSet<u64> =
            all.iter().map(|record| record.epoch).collect();
        assert_eq!(epochs.len(), 2);
        let names = segments(&killed);
        for name in &names {
            let damaged = killed.copy();
            change(&damaged, name, |bytes| bytes[..BLOCK].fill(0));
            let (told, to) = salvaged(&damaged);
            assert!(told.is_whole(), "{integrity:?} {name} {told:#?}");
            let mut found = content(&open(&to)).records;
            if integrity == Integrity::Crc32c {
                // Where the older epoch ends nothing tells: the newer one is taken, in which no
                // other record had these sequences.
                for (found, kept) in found.iter_mut().zip(&all) {
                    assert!(found.epoch >= kept.epoch, "{name}");
                    found.epoch = kept.epoch;
                }
            }
            assert!(found == all, "{integrity:?} {name}");
        }
    }
}

#[test]
fn a_payload_that_is_another_segment_does_not_speak_for_a_file_without_its_header() {
    for integrity in BOTH {
        let (stranger, _) = queue_of(100, integrity, 2);
        let strange = stranger.file_bytes(&segments(&stranger)[0]);
        let strange = strange.expect("a segment");
        assert!(frames(&strange, header_bytes(integrity)).len() > 10);
        // Where its frames are masked alike again: at a multiple of a power of two above its length.
        let place = strange.len().next_power_of_two();
        let header = header_bytes(integrity);
        let first = BLOCK + header + 64 + header;
        let mut payload = vec![0; place - first];
        payload.extend_from_slice(&strange);

        let memory = MemoryDirectory::new();
        let options = options(1).integrity(integrity).segment_bytes(1 << 20);
        let queue = options.open_on(Arc::new(memory.clone())).expect("a queue");
        queue.enqueue(&payload).expect("room");
        for number in 0..100 {
            queue
                .enqueue(format!("own {number} {:300}", ""))
                .expect("room");
        }
        let all = content(&queue).records;
        queue.close().expect("memory works");
        let name = segments(&memory).remove(0);
        let bytes = memory.file_bytes(&name).expect("a segment");
        assert!(bytes[place..].starts_with(&strange));

        // With its frame, and without, the copy is the first of which frames can be read.
        for (damage, kept) in [(BLOCK, &all[..]), (first, &all[1..])] {
            let damaged = memory.copy();
            change(&damaged, &name, |bytes| bytes[..damage].fill(0));
            let (told, to) = salvaged(&damaged);
            assert_eq!(lost(&told), missing(kept, 101), "{integrity:?}: {told:#?}");
            assert!(
                content(&open(&to)).records == kept,
                "{integrity:?}, {damage}"
            );
        }
    }
}

/// Ten small records, one with `strange` behind `padding` zeros, and nine small ones.
fn queue_around(
    strange: &[u8],
    padding: usize,
    integrity: Integrity,
) -> (Vec<u8>, MemoryDirectory) {
    let memory = MemoryDirectory::new();
    let options = options(1).integrity(integrity).segment_bytes(1 << 20);
    let queue = options.open_on(Arc::new(memory.clone())).expect("a queue");
    let mut payload = vec![0; padding];
    payload.extend_from_slice(strange);
    for number in 0..20 {
        let small = format!("own {number}").into_bytes();
        let own = if number == 10 { &payload } else { &small };
        queue.enqueue(own).expect("room");
    }
    queue.close().expect("memory works");
    let bytes = memory.file_bytes(&segments(&memory)[0]);
    (bytes.expect("a segment"), memory)
}

#[test]
fn a_damaged_payload_that_is_a_longer_segment_does_not_speak_for_the_frames_around_it() {
    for integrity in BOTH {
        let (stranger, _) = queue_of(100, integrity, 2);
        let strange = stranger.file_bytes(&segments(&stranger)[0]);
        let strange = strange.expect("a segment");
        let place_in = |bytes: &[u8]| {
            let mut windows = bytes.windows(strange.len());
            let place = windows.position(|window| window == strange);
            place.expect("it is the payload")
        };
        // Where its frames are masked alike again.
        let (bytes, _) = queue_around(&strange, 0, integrity);
        let place = strange.len().next_power_of_two();
        let (mut bytes, memory) = queue_around(&strange, place - place_in(&bytes), integrity);
        assert_eq!(place_in(&bytes), place);

        let all = content(&open(&memory.copy())).records;
        let kept: Vec<Kept> = all.into_iter().filter(|one| one.sequence != 10).collect();
        assert_eq!(kept.len(), 19);
        bytes[..BLOCK].fill(0);
        bytes[place] ^= 1;
        change(&memory, &segments(&memory)[0], |whole| *whole = bytes);
        let (told, to) = salvaged(&memory);
        assert_eq!(lost(&told), missing(&kept, 20), "{integrity:?}: {told:#?}");
        assert!(content(&open(&to)).records == kept, "{integrity:?}");
    }
}

#[test]
fn several_segments_in_a_row_without_their_headers_have_the_epochs_that_the_chain_tells() {
    let (killed, all) = queue_of_two_epochs(Integrity::Chained);
    let names = segments(&killed);
    for kept in 1..names.len() {
        let damaged = killed.copy();
        for name in &names[kept..] {
            change(&damaged, name, |bytes| bytes[..BLOCK].fill(0));
        }
        let (told, to) = salvaged(&damaged);
        assert!(told.is_whole(), "{kept} headers kept: {told:#?}");
        let found = content(&open(&to)).records;
        assert!(found == all, "{kept} headers kept");
    }
}

#[test]
fn records_behind_damaged_padding_come_out() {
    let memory = MemoryDirectory::new();
    let queue = options(3)
        .segment_bytes(65536)
        .commit_padding(CommitPadding::Sector)
        .open_on(Arc::new(memory.clone()))
        .expect("a queue");
    for number in 0..12 {
        queue.enqueue(format!("record {number}")).expect("room");
        queue.sync().expect("memory works");
    }
    let all = content(&queue).records;
    queue.close().expect("memory works");
    let names = segments(&memory);
    let whole = memory.file_bytes(&names[0]).expect("it is there");
    let paddings: Vec<usize> = (BLOCK + 8..whole.len() - 72)
        .step_by(8)
        .filter(|at| whole[at + 12..at + 16] == [3, 0, 9, 0])
        .collect();
    assert!(paddings.len() > 3, "{paddings:?}");
    for at in paddings {
        let damaged = memory.copy();
        change(&damaged, &names[0], |bytes| bytes[at] ^= 1);
        let (told, to) = salvaged(&damaged);
        assert!(told.is_whole(), "padding at {at}: {told:#?}");
        assert!(content(&open(&to)).records == all, "padding at {at}");
    }
}

#[test]
fn files_that_have_each_others_names_and_copies_of_them_make_no_difference() {
    let (memory, all) = queue_of(200, Integrity::Chained, 1);
    let names = segments(&memory);
    let (one, other) = (&names[1], &names[2]);
    let (first, second) = (memory.file_bytes(one), memory.file_bytes(other));
    let (first, second) = (first.expect("a segment"), second.expect("a segment"));
    change(&memory, one, |bytes| *bytes = second);
    change(&memory, other, |bytes| *bytes = first.clone());
    memory.put_file("segments/copy of it", &first);
    let (told, to) = salvaged(&memory);
    assert!(told.is_whole() && told.duplicates > 0);
    let misnamed =
        |file: &&forebay::salvage::SalvagedFile| matches!(file.state, FileState::Misnamed { .. });
    assert_eq!(told.files.iter().filter(misnamed).count(), 3);
    assert_eq!(content(&open(&to)), all);
}

#[test]
fn of_mixed_queues_the_one_asked_for_comes_out_and_the_others_are_told() {
    let (memory, all) = queue_of(120, Integrity::Chained, 1);
    let (stranger, others) = queue_of(120, Integrity::Chained, 2);
    for name in segments(&stranger) {
        let bytes = stranger.file_bytes(&name).expect("a segment");
        memory.put_file(&name.replace(".log", ".other"), &bytes);
    }
    let strange = inspect_on(&stranger).expect("a queue").id;
    let (told, to) = salvaged(&memory);
    assert!(told.is_whole(), "{told:?}");
    assert_eq!(content(&open(&to)), all);
    assert_eq!(told.foreign.len(), 1);
    assert_eq!(
        (told.foreign[0].id, told.foreign[0].records),
        (strange, 120)
    );
    let (told, to) = salvaged_with(&memory, &SalvageOptions::new().queue(strange));
    assert_eq!(told.rebuilt.id, strange);
    assert_eq!(content(&open(&to)), others);
    assert_eq!(
        told.lost_consumers.len(),
        2,
        "their cursors are of the other queue"
    );
    // Without QUEUE, and as many files of each, nobody can tell.
    memory.remove("QUEUE").expect("it is there");
    let to = Arc::new(MemoryDirectory::new());
    let refused = salvage_on(&memory, to, &SalvageOptions::new()).expect_err("two queues");
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    assert!(
        refused.to_string().contains(&strange.to_string()),
        "{refused}"
    );
}

#[test]
fn a_slot_of_another_queue_does_not_displace_the_consumers_own_place() {
    let (memory, _) = queue_of(120, Integrity::Chained, 1);
    let (stranger, _) = queue_of(120, Integrity::Chained, 2);
    let name = "cursors/ship.cursor";
    let strange = stranger.file_bytes(name).expect("a cursor");
    let own = memory.file_bytes(name).expect("a cursor");
    let (whole, _) = salvaged(&memory);
    let generation = |bytes: &[u8], slot: usize| {
        let at = slot * BLOCK + 16;
        u64::from_le_bytes(*bytes[at..].first_chunk().expect("eight bytes"))
    };
    let newest = |bytes: &[u8]| usize::from(generation(bytes, 1) > generation(bytes, 0)) * BLOCK;
    let (kept, taken) = (newest(&own), newest(&strange));
    // The other queue's place is of a higher generation, by its number alone.
    let slot = restamped(&strange[taken..taken + 140], 1 << 40);
    change(&memory, name, |bytes| {
        let other = BLOCK - kept;
        bytes[other..other + 140].copy_from_slice(&slot);
    });
    let (told, _) = salvaged(&memory);
    assert!(told.is_whole(), "{told:#?}");
    assert_eq!(told.consumers, whole.consumers);
}

/// The slot of a cursor with another generation.
fn restamped(slot: &[u8], generation: u64) -> Vec<u8> {
    let mut slot = slot.to_vec();
    slot[16..24].copy_from_slice(&generation.to_le_bytes());
    let checksum = crc32c::crc32c(&slot[..136]);
    slot[136..140].copy_from_slice(&checksum.to_le_bytes());
    slot
}

#[test]
fn what_is_not_proven_durable_comes_out_and_is_told() {
    let memory = MemoryDirectory::new();
    let queue = fill(&memory, 100, Integrity::Chained, 1);
    for number in 0..5 {
        queue.enqueue(format!("late {number}")).expect("room");
    }
    let killed = memory.process_kill();
    drop(queue);
    let (told, to) = salvaged(&killed);
    assert_eq!(told.unproven, Sequence::new(100)..Sequence::new(105));
    assert!(told.lost.is_empty());
    assert_eq!(content(&open(&to)).records.len(), 105);
}

#[test]
fn the_records_of_a_batch_without_its_end_come_out_and_are_told() {
    let (memory, _) = queue_of(100, Integrity::Chained, 1);
    let queue = options(1)
        .open_on(Arc::new(memory.clone()))
        .expect("a queue");
    queue.enqueue_batch(["one", "two", "three"]).expect("room");
    queue.close().expect("memory works");
    let name = segments(&memory).pop().expect("a segment");
    let bytes = memory.file_bytes(&name).expect("a segment");
    let hit = frames(&bytes, 72)[&102].start + 72;
    change(&memory, &name, |bytes| bytes[hit] ^= 1);
    let (told, to) = salvaged(&memory);
    assert_eq!(told.cut_batches, [Sequence::new(101)]);
    assert!(!told.is_whole());
    assert_eq!(told.lost.len(), 1);
    assert_eq!(told.lost[0], Sequence::new(102)..Sequence::new(103));
    assert_eq!(content(&open(&to)).records.len(), 102);
}

#[test]
fn of_two_records_with_one_sequence_the_newer_epoch_goes_out_and_the_other_is_kept() {
    let mut older = crate::scene::records(30);
    for record in &mut older {
        record.epoch = 1 << 32;
    }
    let mut newer = older[..20].to_vec();
    for record in &mut newer[10..] {
        record.epoch = 2 << 32;
        record.payload = b"another".to_vec();
    }
    let (memory, cut) = (MemoryDirectory::new(), MemoryDirectory::new());
    rebuild(&memory, Integrity::Chained, &newer).expect("memory works");
    let queue = inspect_on(&memory).expect("a queue").id;
    rebuild(&cut, Integrity::Chained, &older).expect("memory works");
    assert_eq!(
        inspect_on(&cut).expect("a queue").id,
        queue,
        "the seed is the same"
    );
    for (number, name) in segments(&cut).iter().enumerate() {
        let bytes = cut.file_bytes(name).expect("a segment");
        memory.put_file(&format!("quarantine/{number}.log"), &bytes);
    }
    let (told, to) = salvaged(&memory);
    assert!(
        told.is_whole() && told.superseded == 0,
        "quarantine is not asked for"
    );
    assert_eq!(content(&open(&to)).records, newer);
    let (told, to) = salvaged_with(&memory, &SalvageOptions::new().include_quarantine(true));
    assert_eq!(
        told.superseded, 20,
        "ten whose place is taken, ten behind the newer epoch"
    );
    assert_eq!(told.duplicates, 10);
    assert_eq!(content(&open(&to)).records, newer);
    let kept = to
        .file_bytes("quarantine/superseded.records")
        .expect("a file");
    for record in &older[10..] {
        let payload = &record.payload;
        assert!(payload.is_empty() || kept.windows(payload.len()).any(|part| part == payload));
    }
}

#[test]
fn gaps_that_are_known_are_no_loss_and_a_second_salvage_finds_nothing_new() {
    let (memory, _) = queue_of(120, Integrity::Chained, 1);
    let name = segments(&memory).remove(1);
    memory.remove(&name).expect("it is there");
    let (first, to) = salvaged(&memory);
    assert!(!first.lost.is_empty());
    let (second, again) = salvaged(&to);
    assert!(second.is_whole(), "{second:?}");
    assert_eq!(second.known_gaps, first.lost);
    assert_eq!(content(&open(&again)), content(&open(&to)));
}

#[test]
fn keys_of_records_that_are_reclaimed_or_not_are_still_known() {
    let memory = MemoryDirectory::new();
    let queue = fill(&memory, 200, Integrity::Chained, 1);
    queue.close().expect("memory works");
    let reclaiming = options(1).retention(forebay::Retention::UntilAcked);
    let queue = reclaiming
        .open_on(Arc::new(memory.clone()))
        .expect("a queue");
    queue.reclaim().expect("memory works");
    let first = queue.first();
    assert!(first.get() > 10);
    queue.close().expect("memory works");
    let (told, to) = salvaged(&memory);
    assert!(told.is_whole(), "{told:?}");
    assert_eq!(told.rebuilt.first, first);
    let queue = open(&to);
    for sequence in [3_u64, 10, 150, 199] {
        let sequence = sequence / 7 * 7 + 3;
        let key = u128::from(sequence).to_le_bytes();
        let found = queue.enqueue_once(key, "again").expect("known");
        assert_eq!(found.get(), sequence);
    }
}

#[test]
fn keys_of_records_behind_all_that_is_left_are_not_taken_over() {
    let memory = MemoryDirectory::new();
    fill(&memory, 200, Integrity::Chained, 1)
        .close()
        .expect("memory works");
    let first = &segments(&memory)[0];
    let bytes = memory.file_bytes(first).expect("a segment");
    let left = frames(&bytes, 72).len() as u64;
    let reclaiming = options(1).retention(forebay::Retention::UntilAcked);
    let queue = reclaiming
        .open_on(Arc::new(memory.clone()))
        .expect("a queue");
    queue.remove_consumer("ship").expect("it is there");
    queue.reclaim().expect("memory works");
    assert!(queue.first().get() > left + 7);
    queue.close().expect("memory works");
    // The first segment comes back, and nothing else does.
    let bare = MemoryDirectory::new();
    for folder in ["segments", "cursors", "quarantine"] {
        bare.create_folder(folder).expect("memory works");
    }
    for name in ["QUEUE", "KEYS"] {
        bare.put_file(name, &memory.file_bytes(name).expect("it is there"));
    }
    bare.put_file(first, &bytes);
    let (told, to) = salvaged(&bare);
    assert_eq!(told.rebuilt.next.get(), left);
    let queue = open(&to);
    for (sequence, given) in [(3, 3), (10, 10), (left / 7 * 7 + 10, left)] {
        let key = u128::from(sequence).to_le_bytes();
        let found = queue
            .enqueue_once(key, "again")
            .expect("the keys are known");
        assert_eq!(found.get(), given);
    }
}

#[test]
fn where_nothing_is_nothing_is_made() {
    let to = MemoryDirectory::new();
    let empty = MemoryDirectory::new();
    let refused = salvage_on(&empty, Arc::new(to.clone()), &SalvageOptions::new());
    assert_eq!(refused.expect_err("nothing").kind(), ErrorKind::NotFound);
    assert!(to.names().is_empty());
}
