//! A small queue that is the same each time, and the question what damage did to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay::storage::memory::MemoryDirectory;
use forebay::{
    Consumer, ErrorKind, Host, Preallocate, Queue, QueueOptions, Retention, Sequence, SyncPolicy,
};

use crate::support::{options, ranges, segments};

/// A machine that gives the same answers each time.
#[derive(Debug, Default)]
struct Fixed(AtomicU64);

impl Host for Fixed {
    fn now(&self) -> u64 {
        1_700_000_000_000_000_000
    }

    fn random(&self) -> u64 {
        let drawn = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn process(&self) -> u32 {
        1
    }
}

/// How the queue was left before it is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Closed,
    Killed,
    PowerCut,
}

/// The undamaged queue and what it holds.
pub(crate) struct Golden {
    pub(crate) left: Left,
    pub(crate) image: MemoryDirectory,
    payloads: Vec<Vec<u8>>,
    acked: u64,
    /// Every sequence below this is proven durable by something outside of its own group.
    proven: u64,
}

fn small() -> QueueOptions {
    options(SyncPolicy::Always)
        .preallocate(Preallocate::None)
        .retention(Retention::KeepForever)
        .host(Arc::new(Fixed::default()))
}

pub(crate) fn open_small(memory: &MemoryDirectory) -> Result<Queue, forebay::Error> {
    small().open_on(Arc::new(memory.clone()))
}

/// Three segments, of short records and one that is long and blank.
pub(crate) fn make_golden(left: Left) -> Golden {
    let memory = MemoryDirectory::new();
    let queue = open_small(&memory).expect("a new queue");
    let mut consumer = queue.consumer("c").expect("a new consumer");
    let mut payloads = Vec::new();
    for (sequence, length) in (0..9).zip([20, 30, 3400, 25, 3500, 1, 20, 0, 33]) {
        let mut bytes = format!("record {sequence}:").into_bytes();
        bytes.resize(length, 0);
        queue.enqueue(&bytes).expect("nothing fails");
        payloads.push(bytes);
    }
    for sequence in 0..2 {
        consumer
            .ack_through(Sequence::new(sequence))
            .expect("nothing fails");
    }
    drop(consumer);
    let image = match left {
        Left::Closed => {
            queue.close().expect("nothing fails");
            memory
        }
        Left::Killed => memory.process_kill(),
        Left::PowerCut => memory.crash_losing_all(),
    };
    assert_eq!(segments(&image).len(), 3, "several segments");
    Golden {
        left,
        image,
        payloads,
        acked: 2,
        proven: if left == Left::PowerCut { 8 } else { 9 },
    }
}

/// What was done to which files.
pub(crate) struct Damage<'a> {
    pub(crate) names: &'a [&'a str],
    /// Bytes are gone, so that nothing may be left to report.
    pub(crate) is_gone: bool,
    pub(crate) text: String,
}

impl std::fmt::Display for Damage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// What one consumer got, and what it was told that it did not get.
struct Drained {
    from: u64,
    got: Vec<u64>,
    told: Vec<std::ops::Range<u64>>,
    corrupt: bool,
}

/// Drains `consumer`, passing over damage.
fn drain_past_damage(consumer: &mut Consumer, golden: &Golden, what: &Damage<'_>) -> Drained {
    let mut drained = Drained {
        from: consumer.next_sequence().get(),
        got: Vec::new(),
        told: Vec::new(),
        corrupt: false,
    };
    for _ in 0..100 {
        let sequence = match consumer.peek() {
            Ok(None) => {
                let gaps = consumer.take_gaps();
                drained.told.extend(ranges(&gaps));
                return drained;
            }
            Ok(Some(record)) => {
                let at = usize::try_from(record.sequence.get()).expect("a small queue");
                let expected = golden.payloads.get(at);
                assert!(
                    expected.is_some_and(|expected| expected == record.payload),
                    "{what}: {at} is not what was enqueued"
                );
                assert!(
                    drained
                        .got
                        .last()
                        .is_none_or(|last| *last < record.sequence.get()),
                    "{what}: {at} comes out of order"
                );
                record.sequence
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
                drained.corrupt = true;
                let gap = consumer
                    .skip_corrupt()
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(gap.is_some(), "{what}: an error without damage");
                continue;
            }
        };
        drained.got.push(sequence.get());
        consumer.ack_through(sequence).expect("it was delivered");
    }
    panic!("{what}: draining never ends");
}

/// Opens and drains damaged `image`; how the damage showed.
pub(crate) fn examine(golden: &Golden, image: &MemoryDirectory, what: &Damage<'_>) -> String {
    let queue = match open_small(image) {
        Ok(queue) => queue,
        Err(error) => {
            let is_identity = what.names.contains(&"QUEUE");
            assert!(is_identity, "{what}: does not open: {error}");
            return "refused".to_owned();
        }
    };
    let report = queue.recovery().clone();
    let mut seen = Vec::new();
    let mut lost = 0;
    for name in ["c", "audit"] {
        let mut consumer = match queue.consumer(name) {
            Ok(consumer) => consumer,
            Err(error) => {
                let is_damaged = what.names.contains(&"cursors/c.cursor");
                assert!(is_damaged, "{what}: {error}");
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
                seen.push("cursor refused".to_owned());
                continue;
            }
        };
        let drained = drain_past_damage(&mut consumer, golden, what);
        lost = count_lost(&queue, name, &drained, golden, what);
        if drained.corrupt && !seen.contains(&"corruption at read".to_owned()) {
            seen.push("corruption at read".to_owned());
        }
    }
    assert!(
        report.corruption.is_empty() || seen.contains(&"corruption at read".to_owned()),
        "{what}: reported at open but not at read; {report:?}"
    );
    let is_clean = golden.left == Left::Closed;
    let facts = [
        (report.torn.is_some(), "torn tail"),
        (report.state_rebuilt, "rebuilt"),
        (is_clean && seen.is_empty() && !report.clean, "scanned"),
    ];
    let facts = facts.into_iter().filter(|(is_so, _)| *is_so);
    seen.extend(facts.map(|(_, what)| what.to_owned()));
    let next = queue.next();
    let appended = queue
        .enqueue(b"more")
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(appended, next, "{what}");
    if lost > 0 {
        seen.push(format!("lost {lost}"));
    }
    if seen.is_empty() {
        "harmless".to_owned()
    } else {
        seen.join(", ")
    }
}

/// Asserts that what a consumer did not get was told; how many records that is.
fn count_lost(
    queue: &Queue,
    name: &str,
    drained: &Drained,
    golden: &Golden,
    what: &Damage<'_>,
) -> usize {
    let from = if name == "c" { golden.acked } else { 0 };
    let end = golden.payloads.len() as u64;
    assert!(drained.from <= from, "{what}: {name} skips");
    let report = queue.recovery();
    // What is not below the end of the log was cut off.
    let next = match report.torn {
        Some(_) => report.next.get(),
        None => end,
    };
    let is_cut_reported = report
        .torn
        .as_ref()
        .is_some_and(|torn| torn.possibly_acknowledged);
    let missing: Vec<u64> = (from..end)
        .filter(|sequence| !drained.got.contains(sequence))
        .collect();
    for sequence in &missing {
        let is_told = drained.told.iter().any(|range| range.contains(sequence));
        let is_cut = *sequence >= next && is_cut_reported;
        // The residual: the newest group is gone with its file, and nothing else knows of it.
        let is_unknown = what.is_gone && *sequence >= golden.proven;
        assert!(
            is_told || is_cut || is_unknown,
            "{what}: {sequence} is lost silently; told {:?}; {report:?}",
            drained.told
        );
    }
    missing.len()
}
