//! Durable records that are damaged: a follower says what a consumer says.

use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, Follower, Gap, GapReason, Queue, Result, Retention, Start, SyncPolicy};

use crate::stage::{Seen, Stage, at, fill, follow, follow_from, open, refused, still};

fn scene() -> (MemoryDirectory, Queue) {
    let memory = MemoryDirectory::new();
    let options = still(1, SyncPolicy::Always).retention(Retention::KeepForever);
    let queue = open(options, &Stage::new(&memory));
    fill(&queue, 0, 60);
    (memory, queue)
}

/// Where damage is. What was expected there is told differently by who still knows of the segment.
fn place(text: &str) -> String {
    let end = text.find(": expected").expect("both values are told");
    text[..end].to_owned()
}

/// Each damage with the gap that it became, and all records.
type Read = (Vec<(String, Gap)>, Vec<(u64, Vec<u8>)>);

/// Reads to the end, skipping damage.
fn by_follower(mut follower: Follower) -> Result<Read> {
    let (mut damages, mut records) = (Vec::new(), Vec::new());
    loop {
        match follower.next() {
            Ok(Some(record)) => records.push((record.sequence.get(), record.payload.to_vec())),
            Ok(None) => break,
            Err(error) => {
                // It says the same until told to go on.
                let again = refused(follower.next_batch(9), ErrorKind::Corrupt);
                assert_eq!(again, error.to_string());
                let gap = follower.skip_corrupt()?.expect("there is damage");
                damages.push((place(&again), gap));
            }
        }
    }
    assert_eq!(follower.skip_corrupt()?, None);
    let told: Vec<Gap> = damages.iter().map(|(_, gap)| gap.clone()).collect();
    assert!(told.iter().all(|gap| gap.reason == GapReason::Damaged));
    assert_eq!(follower.take_gaps(), told);
    Ok((damages, records))
}

fn by_consumer(queue: &Queue) -> Result<Read> {
    let mut consumer = queue.consumer("c")?;
    let (mut damages, mut records) = (Vec::new(), Vec::new());
    loop {
        match consumer.peek() {
            Ok(Some(record)) => {
                let sequence = record.sequence;
                records.push((sequence.get(), record.payload.to_vec()));
                consumer.ack_through(sequence)?;
            }
            Ok(None) => return Ok((damages, records)),
            Err(error) => {
                let gap = consumer.skip_corrupt()?.expect("there is damage");
                damages.push((place(&error.to_string()), gap));
            }
        }
    }
}

#[test]
fn damage_anywhere_in_a_segment_is_what_a_consumer_says_it_is() {
    let mut met = 0;
    for at in (0..8192).step_by(61) {
        let (memory, queue) = scene();
        let segment = "segments/0000000000000002.log";
        let mut bytes = memory.file_bytes(segment).expect("it is there");
        let Some(byte) = bytes.get_mut(at) else { break };
        *byte ^= 0x10;
        memory.put_file(segment, &bytes);
        let followed = by_follower(follow(&Stage::read_only(&memory))).expect("it can be skipped");
        met += followed.0.len();
        assert_eq!(followed, by_consumer(&queue).expect("it can be skipped"));
    }
    assert!(met > 40, "{met}");
}

#[test]
fn a_segment_that_is_gone_is_damage_and_no_gap_of_a_reclaim() {
    for number in 1..=4 {
        let (memory, queue) = scene();
        let segment = format!("segments/{number:016}.log");
        memory.put_file(&segment, b"");
        let followed = by_follower(follow(&Stage::read_only(&memory))).expect("it can be skipped");
        let (damages, _) = &followed;
        assert_eq!(damages.len(), 1);
        assert_eq!(followed, by_consumer(&queue).expect("it can be skipped"));
    }
}

#[test]
fn damage_under_a_follower_that_has_the_segment_open_is_told() {
    let (memory, queue) = scene();
    let mut follower = follow(&Stage::read_only(&memory));
    let mut seen = Seen::from(0);
    seen.take(&mut follower, 1).expect("nothing fails");
    let segment = "segments/0000000000000002.log";
    let mut bytes = memory.file_bytes(segment).expect("it is there");
    bytes[5000] ^= 1;
    memory.put_file(segment, &bytes);
    let error = seen.take_all(&mut follower).expect_err("it is damaged");
    let corruption = error.corruption().expect("with its place");
    assert!(corruption.file.ends_with(segment));
    assert_eq!(corruption.range.start.get(), seen.next());
    drop(queue);
}

#[test]
fn damage_before_an_unclean_end_is_read_past_as_a_consumer_reads_past_it() {
    for damaged in 0..30 {
        let memory = MemoryDirectory::new();
        let options = |life| still(life, SyncPolicy::Manual).retention(Retention::KeepForever);
        let queue = open(options(1), &Stage::new(&memory));
        fill(&queue, 1, 20);
        queue.sync().expect("nothing fails");
        // Written, whole, and not durable.
        fill(&queue, 1, 10);
        let left = memory.process_kill();
        drop(queue);
        spoil(&left, &format!("life 1 record {damaged}:"));
        let reader = Stage::read_only(&left);
        // One stands there already, in the middle of what was durable.
        let before = follow_from(&reader, Start::At(at(20))).expect("it is there");
        let queue = open(options(2), &Stage::new(&left));
        fill(&queue, 2, 30);
        queue.sync().expect("nothing fails");
        let (damages, records) = by_consumer(&queue).expect("it can be skipped");
        let fresh = by_follower(follow(&reader)).expect("it can be skipped");
        assert_eq!(fresh, (damages, records.clone()), "record {damaged}");
        let (_, later) = by_follower(before).expect("it can be skipped");
        let expected = records.into_iter().filter(|(sequence, _)| *sequence >= 20);
        assert!(later == expected.collect::<Vec<_>>(), "record {damaged}");
    }
}

/// Changes a byte of `needle`, in whichever segment it is.
fn spoil(memory: &MemoryDirectory, needle: &str) {
    for name in memory.names() {
        let mut bytes = memory.file_bytes(&name).expect("a listed file");
        let mut windows = bytes.windows(needle.len());
        if let Some(found) = windows.position(|window| window == needle.as_bytes()) {
            bytes[found] ^= 1;
            memory.put_file(&name, &bytes);
            return;
        }
    }
    panic!("no file holds {needle}");
}
