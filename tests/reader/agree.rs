//! Whether the reader and the crate say the same of one folder.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use forebay::inspect::{Inspection, SegmentRole, inspect};
use forebay::{Corruption, Integrity, Queue, Sequence};

use crate::listing::{Line, Listing};

/// What is wrong, as both can say it: file, offset, first and next sequence.
pub(crate) type Place = (String, u64, u64, u64);

/// How many of many comparisons fail; each failure prints itself.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    seen: usize,
    failed: usize,
}

impl Failures {
    pub(crate) fn watch(&mut self, check: impl FnOnce()) {
        self.seen += 1;
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
        self.failed += usize::from(result.is_err());
    }

    #[track_caller]
    pub(crate) fn report(&self) {
        let Self { seen, failed } = self;
        assert_eq!(*failed, 0, "of {seen} comparisons");
    }
}

/// Everything that `inspect` says about the folder, held against the reader's listing.
pub(crate) fn assert_agrees(what: &str, path: &Path, listing: &Listing) {
    let found = inspect(path).expect("a queue that can be looked at");
    let problem = std::panic::catch_unwind(|| assert_same(&found, listing)).is_err();
    assert!(
        !problem,
        "{what}: {}\n{:?}\n{:?}",
        listing.summary(),
        found.opening,
        found.segments
    );
}

fn assert_same(found: &Inspection, listing: &Listing) {
    let queue = listing.one("queue");
    assert_eq!(queue.text("id"), found.id.to_string());
    let integrity = match found.integrity {
        Integrity::Chained => 1,
        Integrity::Crc32c | _ => 2,
    };
    assert_eq!(queue.number("integrity"), integrity);
    assert_eq!(queue.number("created"), nanoseconds(found.created));

    let log = listing.one("log");
    assert_eq!(log.text("clean") == "yes", found.opening.clean, "clean");
    assert_eq!(log.number("next"), found.next.get(), "next");
    // The format tells what is not reclaimed, `inspect` what of that can be read.
    let is_readable = found
        .segments
        .first()
        .is_none_or(|view| view.defect.is_none());
    if is_readable {
        assert_eq!(log.number("first"), found.first.get(), "first");
    } else {
        assert!(log.number("first") <= found.first.get(), "first");
    }
    let durable = log.number("durable").min(found.next.get());
    assert_eq!(durable, found.durable.get(), "durable");
    assert_eq!(found.opening.next, found.next);

    let effective = listing.all("state-slot");
    let effective = effective.filter(|slot| slot.text("effective") == "yes");
    for slot in effective {
        assert_eq!(slot.number("epoch"), found.epoch.get(), "epoch");
    }
    assert_same_segments(found, listing);
    assert_same_cursors(found, listing);
    assert_same_tail(found, listing);
    // Opening scans only what may be torn; damage in older segments shows when they are read.
    let damaged = damaged_records(listing);
    for corruption in found.opening.corruption.iter().map(place) {
        assert!(
            damaged.contains(&corruption),
            "{corruption:?} is not among {damaged:?}"
        );
    }
}

fn assert_same_segments(found: &Inspection, listing: &Listing) {
    // What is below the first segment is reclaimed; `inspect` leaves it out.
    let lines: Vec<&Line> = listing
        .all("segment")
        .filter(|line| line.text("reclaimed") == "no")
        .collect();
    let numbers: Vec<u64> = lines.iter().map(|line| line.number("number")).collect();
    let expected: Vec<u64> = found
        .segments
        .iter()
        .filter(|view| view.role != SegmentRole::Missing)
        .map(|view| view.number.get())
        .collect();
    assert_eq!(numbers, expected, "segments");
    let files = found.segments.iter();
    let files = files.filter(|view| view.role != SegmentRole::Missing);
    for (line, view) in lines.into_iter().zip(files) {
        let number = view.number;
        let role = match view.role {
            SegmentRole::Prepared => "prepared",
            SegmentRole::Active => "end",
            SegmentRole::Sealed => "sealed",
            SegmentRole::Unsealed => "unsealed",
            SegmentRole::Stray | _ => "stray",
        };
        // A file with bytes but without a header is left out by opening, yet looks only prepared.
        let is_dropped = found.opening.dropped_segments.contains(&number);
        // Nor does it matter to the format whether one that has lost its first records counts.
        let is_blank = role == "prepared" && line.text("role") == "prepared";
        let role = if is_dropped && !is_blank {
            "stray"
        } else {
            role
        };
        assert_eq!(line.text("role"), role, "role of {number}");
        // What is lost of a segment, its neighbours may tell.
        if view.defect.is_none() {
            let base = view.base.map(Sequence::get);
            assert_eq!(line.find("base"), base, "base of {number}");
        }
        assert_eq!(line.number("bytes"), view.file_bytes, "length of {number}");
        // Of a file that holds nothing, the one tells what its header says, the other nothing.
        if !["stray", "prepared"].contains(&role) && !is_dropped {
            let epoch = view.epoch.map(forebay::Epoch::get);
            assert_eq!(line.find("epoch"), epoch, "epoch of {number}");
            if let Some(next) = line.find("next") {
                assert_eq!(Some(next), view.next.map(Sequence::get), "next of {number}");
            }
        }
    }
}

fn assert_same_cursors(found: &Inspection, listing: &Listing) {
    let lines: Vec<&Line> = listing.all("cursor").collect();
    assert_eq!(lines.len(), found.consumers.len(), "consumers");
    for (line, view) in lines.into_iter().zip(&found.consumers) {
        let file = format!("cursors/{}.cursor", view.name.replace(' ', "%20"));
        assert_eq!(line.text("file"), file);
        let next = view.next.map(Sequence::get);
        assert_eq!(line.find("effective"), next, "cursor of {}", view.name);
    }
}

fn assert_same_tail(found: &Inspection, listing: &Listing) {
    // A file that ends with its header block, a good one, holds nothing that could be torn.
    let is_blank = |file: &str| {
        listing.all("segment").any(|line| {
            let is_headed = line.find("epoch").is_some();
            is_headed && line.text("file") == file && line.number("bytes") <= 4096
        })
    };
    let torn: Vec<&Line> = listing
        .all("torn")
        .filter(|line| !is_blank(line.text("file")))
        .collect();
    let bytes = torn.iter().map(|line| line.number("bytes")).sum::<u64>();
    let tail = found.opening.torn.as_ref();
    let counted = tail.map_or(0, |tail| tail.bytes);
    // Where a blank end is counted is not a matter of the format.
    assert_eq!(
        bytes == 0,
        counted == 0,
        "a torn tail of {bytes}, of {counted}"
    );
    assert!(bytes <= counted, "a torn tail of {bytes}, of {counted}");
    if let (Some(line), Some(tail)) = (torn.first(), tail) {
        assert!(
            tail.file.ends_with(line.text("file")),
            "file of the torn tail"
        );
        assert_eq!(
            line.number("offset"),
            tail.offset.get(),
            "start of the torn tail"
        );
    }
}

/// The records that the reader says are damaged.
pub(crate) fn damaged_records(listing: &Listing) -> Vec<Place> {
    let damaged = listing.all("damaged");
    damaged
        .map(|line| {
            (
                line.text("file").to_owned(),
                line.number("offset"),
                line.number("start"),
                line.number("end"),
            )
        })
        .collect()
}

pub(crate) fn place(corruption: &Corruption) -> Place {
    let mut parts = corruption
        .file
        .iter()
        .rev()
        .take(2)
        .map(|part| part.to_string_lossy());
    let name = parts.next().unwrap_or_default();
    let folder = parts.next().unwrap_or_default();
    let Range { start, end } = corruption.range;
    (
        format!("{folder}/{name}"),
        corruption.offset.get(),
        start.get(),
        end.get(),
    )
}

fn hexadecimal(key: [u8; 16]) -> String {
    key.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_nanos()).expect("a time of this age")
}

/// One record as both can say it: sequence, kind, time, BLAKE3 of the payload, key.
type Told = (u64, u64, u64, String, String);

/// Drains the queue, and finds the same records as the reader, and the same damage.
pub(crate) fn assert_drains_the_same(what: &str, queue: &Queue, listing: &Listing) {
    let first = listing.one("log").number("first");
    let records = listing
        .all("record")
        .filter(|line| line.text("log") == "yes");
    let expected: Vec<Told> = records
        .filter(|line| line.number("sequence") >= first)
        .map(|line| {
            (
                line.number("sequence"),
                line.number("kind"),
                line.number("time"),
                line.text("blake3").to_owned(),
                line.text("key").to_owned(),
            )
        })
        .collect();
    let mut consumer = queue
        .consumer("whoever reads it all")
        .expect("a new consumer");
    consumer
        .seek(Sequence::new(first))
        .expect("a readable record");
    let mut got: Vec<Told> = Vec::new();
    let mut damage: Vec<Place> = Vec::new();
    loop {
        let sequence = match consumer.peek() {
            Ok(None) => break,
            Ok(Some(record)) => {
                got.push((
                    record.sequence.get(),
                    u64::from(record.kind),
                    nanoseconds(record.enqueued_at),
                    blake3::hash(record.payload).to_string(),
                    record.key.map_or_else(|| "-".to_owned(), hexadecimal),
                ));
                record.sequence
            }
            Err(error) => {
                let corruption = error.corruption().expect("damage, if anything");
                damage.push(place(corruption));
                consumer.skip_corrupt().expect("a working disk");
                continue;
            }
        };
        consumer.ack_through(sequence).expect("a working disk");
    }
    assert_eq!(got, expected, "{what}: {}", listing.summary());
    // Where nothing follows there is no byte to point at, and a footer may or may not be counted.
    let nothing = listing
        .all("damaged")
        .map(|line| line.text("reason") == "nothing-follows");
    let expected = damaged_records(listing);
    for ((got, expected), is_nothing) in damage.iter_mut().zip(&expected).zip(nothing) {
        if is_nothing {
            got.1 = expected.1;
        }
    }
    assert_eq!(damage, expected, "{what}: {}", listing.summary());
}
