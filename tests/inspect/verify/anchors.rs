//! Heads of the chain, and what becomes of them later.

use forebay::ErrorKind;
use forebay::storage::Directory as _;

use super::*;

/// The heads of a queue as it grew, over a kill and a new epoch, and the queue, closed.
fn witnessed() -> (Vec<Anchor>, MemoryDirectory) {
    let mut memory = MemoryDirectory::new();
    let mut heads = Vec::new();
    for life in 0..3 {
        let queue = options().open_on(Arc::new(memory.clone()));
        let queue = queue.expect("a queue that opens");
        for number in 0..40 {
            queue.enqueue(payload(life * 40 + number)).expect("room");
            // Now and then a record is there that is not durable, and not covered.
            if number % 3 != 0 {
                queue.sync().expect("a working disk");
            }
            let (epoch, sequence, hash) = queue.chain_head();
            let head = head_on(&memory).expect("a chain");
            assert_eq!(head.anchor.sequence, sequence);
            assert_eq!(head.anchor.hash, hash);
            assert_eq!(head.epoch, epoch);
            assert!(head.in_log, "{head:?}");
            heads.push(head.anchor);
        }
        if life == 1 {
            memory = memory.process_kill();
        } else {
            queue.close().expect("a clean close");
        }
    }
    (heads, memory)
}

fn outcome(memory: &MemoryDirectory, anchor: Anchor) -> AnchorOutcome {
    let options = VerifyOptions::new().anchor(anchor);
    let found = verify_on(memory, &options, &|_| {}).expect("a queue");
    let outcome = found.anchor.expect("an outcome");
    assert_eq!(
        found.is_sound(),
        outcome == AnchorOutcome::Proven && found.findings.is_empty()
    );
    outcome
}

#[test]
fn every_head_that_was_ever_witnessed_is_proven() {
    let (heads, memory) = witnessed();
    for head in heads {
        assert_eq!(outcome(&memory, head), AnchorOutcome::Proven, "{head}");
    }
}

#[test]
fn another_hash_beyond_the_end_and_below_the_beginning_have_their_own_outcome() {
    let (heads, memory) = witnessed();
    let mut other = heads[30];
    other.hash[0] ^= 1;
    let found = heads[30].hash;
    assert_eq!(outcome(&memory, other), AnchorOutcome::Differs { found });
    other.sequence = Sequence::new(121);
    assert_eq!(outcome(&memory, other), AnchorOutcome::Beyond);

    let queue = options()
        .retention(Retention::UntilAcked)
        .open_on(Arc::new(memory.clone()));
    let queue = queue.expect("a queue that opens");
    let mut consumer = queue.consumer("ship").expect("a free consumer");
    consumer.ack_through(Sequence::new(100)).expect("durable");
    assert!(queue.reclaim().expect("a working disk") > 0);
    let first = queue.first();
    drop((consumer, queue));
    assert!(first > Sequence::new(10), "{first}");
    assert_eq!(outcome(&memory, heads[0]), AnchorOutcome::Reclaimed);
    // The head at the first record is what the first start frame begins with.
    for head in heads {
        let expected = if head.sequence < first {
            AnchorOutcome::Reclaimed
        } else {
            AnchorOutcome::Proven
        };
        assert_eq!(outcome(&memory, head), expected, "{head}");
    }
}

#[test]
fn behind_a_hole_an_anchor_proves_what_follows_the_hole_only() {
    let (heads, memory) = witnessed();
    let name = segment(2);
    let mut bytes = memory.file_bytes(&name).expect("a segment");
    bytes[BLOCK + 136 + 72] ^= 1;
    memory.put_file(&name, &bytes);
    let found = verify_all(&memory);
    let gone = lost(&found.findings);
    assert_eq!(gone.len(), 1, "{found:#?}");
    let gone = Sequence::new(gone[0]);
    for head in heads {
        let expected = if head.sequence == gone.plus(1) {
            AnchorOutcome::Unreadable
        } else if head.sequence > gone {
            AnchorOutcome::ProvenFrom(gone.plus(1))
        } else {
            AnchorOutcome::Proven
        };
        let options = VerifyOptions::new().anchor(head);
        let found = verify_on(&memory, &options, &|_| {}).expect("a queue");
        assert_eq!(found.anchor, Some(expected), "{head}");
    }
}

/// `STATE` still knows the hash of a record that is gone.
#[test]
fn a_head_that_the_log_does_not_lead_to_is_told_as_such() {
    let memory = closed(&options());
    let whole = head_on(&memory).expect("a chain");
    let mut logs = memory.list("segments").expect("segments");
    logs.retain(|name| name.contains(".log"));
    logs.sort();
    // The last one may have been made ahead of need, and hold nothing.
    for name in logs.iter().rev() {
        memory
            .remove(&format!("segments/{name}"))
            .expect("a segment");
        let head = head_on(&memory).expect("STATE knows it");
        assert_eq!((head.anchor, head.epoch), (whole.anchor, whole.epoch));
        if !head.in_log {
            return;
        }
    }
    panic!("a log without a segment leads nowhere");
}

#[test]
fn what_a_damaged_first_segment_held_is_unreadable_and_not_reclaimed() {
    let (heads, memory) = witnessed();
    let name = segment(1);
    let mut bytes = memory.file_bytes(&name).expect("a segment");
    bytes[20] ^= 1;
    memory.put_file(&name, &bytes);
    let found = verify_all(&memory);
    assert_eq!(found.first, Sequence::ZERO);
    let behind = lost(&found.findings).last().map(|last| last + 1);
    let behind = Sequence::new(behind.expect("lost records"));
    assert!(heads.iter().any(|head| head.sequence < behind));
    for head in heads {
        let expected = if head.sequence < behind {
            AnchorOutcome::Unreadable
        } else {
            AnchorOutcome::ProvenFrom(behind)
        };
        assert_eq!(outcome(&memory, head), expected, "{head}");
    }
}

#[test]
fn a_queue_without_a_chain_has_no_head_and_proves_no_anchor() {
    let plain = closed(&options().integrity(Integrity::Crc32c));
    let error = head_on(&plain).expect_err("no chain");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    let (heads, _) = witnessed();
    assert_eq!(outcome(&plain, heads[5]), AnchorOutcome::NoChain);
    let found = verify_all(&plain);
    assert!(found.is_sound() && !found.chain, "{found:#?}");
    assert_eq!(found.records, RECORDS);
}

#[test]
fn where_nothing_was_ever_enqueued_the_head_is_zeros() {
    let memory = MemoryDirectory::new();
    let queue = options().open_on(Arc::new(memory.clone()));
    let queue = queue.expect("a new queue");
    for _ in 0..2 {
        let head = head_on(&memory).expect("a chain");
        assert_eq!(head.anchor.sequence, Sequence::ZERO);
        assert_eq!(head.anchor.hash, [0; 32]);
        assert_eq!(outcome(&memory, head.anchor), AnchorOutcome::Proven);
    }
    queue.close().expect("a clean close");
}
