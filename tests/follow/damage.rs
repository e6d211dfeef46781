//! Durable records that are damaged: a follower says what a consumer says.

use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, Gap, GapReason, Queue, Result, Retention, SyncPolicy};

use crate::stage::{Seen, Stage, fill, follow, open, refused, still};

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

/// Reads to the end, skipping damage: each damage with the gap that it became, and all sequences.
fn by_follower(memory: &MemoryDirectory) -> Result<(Vec<(String, Gap)>, Vec<u64>)> {
    let mut follower = follow(&Stage::read_only(memory));
    let (mut damages, mut sequences) = (Vec::new(), Vec::new());
    loop {
        match follower.next() {
            Ok(Some(record)) => sequences.push(record.sequence.get()),
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
    Ok((damages, sequences))
}

fn by_consumer(queue: &Queue) -> Result<(Vec<(String, Gap)>, Vec<u64>)> {
    let mut consumer = queue.consumer("c")?;
    let (mut damages, mut sequences) = (Vec::new(), Vec::new());
    loop {
        match consumer.peek() {
            Ok(Some(record)) => {
                let sequence = record.sequence;
                sequences.push(sequence.get());
                consumer.ack_through(sequence)?;
            }
            Ok(None) => return Ok((damages, sequences)),
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
        let followed = by_follower(&memory).expect("it can be skipped");
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
        let followed = by_follower(&memory).expect("it can be skipped");
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
