//! What damage to the golden queue did: how it showed, and that nothing was lost silently.

use forebay::storage::memory::MemoryDirectory;
use forebay::{Consumer, ErrorKind, Queue};

use crate::golden::{Golden, Left, open_small};
use crate::support::ranges;

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

/// How damage showed while a queue was opened and drained.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one way to show")]
struct Shown {
    at_open: bool,
    at_read: bool,
    cursor_refused: bool,
    torn: bool,
    rebuilt: bool,
    scanned: bool,
    lost: usize,
}

impl Shown {
    /// In words, as docs/TRUST.md has them.
    fn words(&self) -> String {
        let loses = self.lost > 0;
        // What is lost is told by the first of these.
        let is_residual = loses && !self.at_read;
        let facts = [
            (self.at_open, "corruption at open and read"),
            (self.at_read && !self.at_open, "corruption at read"),
            (self.cursor_refused, "cursor refused"),
            (self.torn && is_residual, "cut, possibly acknowledged"),
            (self.torn && !is_residual, "cut"),
            (self.rebuilt, "rebuilt"),
            (self.scanned && !self.torn && !self.rebuilt, "scanned"),
            (is_residual && !self.torn, "newest records gone"),
        ];
        let words: Vec<_> = facts
            .iter()
            .filter(|(is_so, _)| *is_so)
            .map(|(_, word)| *word)
            .collect();
        if words.is_empty() {
            "harmless".to_owned()
        } else {
            words.join(" + ")
        }
    }
}

/// Opens and drains damaged `image`; how the damage showed.
pub(crate) fn examine(golden: &Golden, image: &MemoryDirectory, what: &Damage<'_>) -> String {
    let queue = match open_small(image) {
        Ok(queue) => queue,
        Err(error) => {
            let is_identity = what.names.contains(&"QUEUE");
            assert!(is_identity, "{what}: does not open: {error}");
            return if error.kind() == ErrorKind::Corrupt {
                "refused".to_owned()
            } else {
                format!("refused: {error}")
            };
        }
    };
    let report = queue.recovery().clone();
    let mut shown = Shown {
        at_open: !report.corruption.is_empty(),
        torn: report.torn.is_some(),
        rebuilt: report.state_rebuilt,
        ..Shown::default()
    };
    for name in ["c", "audit"] {
        let mut consumer = match queue.consumer(name) {
            Ok(consumer) => consumer,
            Err(error) => {
                let is_damaged = what.names.contains(&"cursors/c.cursor");
                assert!(is_damaged, "{what}: {error}");
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
                shown.cursor_refused = true;
                continue;
            }
        };
        let drained = drain_past_damage(&mut consumer, golden, what);
        shown.lost = count_lost(&queue, name, &drained, golden, what);
        shown.at_read |= drained.corrupt;
    }
    assert!(
        report.corruption.is_empty() || shown.at_read,
        "{what}: reported at open but not at read; {report:?}"
    );
    let is_told = shown.at_open || shown.at_read || shown.cursor_refused;
    shown.scanned = golden.left == Left::Closed && !is_told && !report.clean;
    let next = queue.next();
    let appended = queue
        .enqueue(b"more")
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(appended, next, "{what}");
    check_numbers(&queue, what);
    shown.words()
}

/// No number is absurd, whatever was lost.
fn check_numbers(queue: &Queue, what: &Damage<'_>) {
    let stats = queue
        .stats()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let is_plausible = stats.first <= stats.next
        && stats.floor <= stats.next
        && stats.durable <= stats.next
        && stats.records == queue.len()
        && stats.records <= stats.next.get()
        && stats.bytes.is_none_or(|bytes| bytes < 100_000)
        && (stats.enqueued, stats.dropped) == (1, 0);
    assert!(is_plausible, "{what}: {stats:?}");
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
        // The residual: the newest records are gone with all that was written after them, and
        // nothing else knows of them.
        let is_unknown = what.is_gone && *sequence >= golden.proven;
        assert!(
            is_told || is_cut || is_unknown,
            "{what}: {sequence} is lost silently; told {:?}; {report:?}",
            drained.told
        );
    }
    missing.len()
}
