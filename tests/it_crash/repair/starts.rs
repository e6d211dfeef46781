//! A segment whose start frame is lost, beside segments that lost something too: nothing readable
//! is given up.

use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, Integrity, repair};

use super::scene::{
    BLOCK, Forget, assert_sound_but, assert_whole, flip, footer, last, lost, make, zero,
};
use crate::support::contents;

/// What is done to a segment of the given number.
type Harm = (&'static str, fn(&MemoryDirectory, u64));

const BEGINNINGS: &[Harm] = &[
    ("the start frame", |memory, number| {
        flip(memory, number, BLOCK + 30);
    }),
    (
        "the start frame and the record behind it",
        |memory, number| {
            zero(memory, number, BLOCK..BLOCK + 150);
        },
    ),
    ("the start frame, and a bit further on", |memory, number| {
        flip(memory, number, BLOCK + 30);
        flip(memory, number, BLOCK + 3000);
    }),
    ("the first page of frames", |memory, number| {
        zero(memory, number, BLOCK..2 * BLOCK);
    }),
    ("a page and a half", |memory, number| {
        zero(memory, number, BLOCK..BLOCK + 6000);
    }),
];

const BEFORE: &[Harm] = &[
    ("intact", |_, _| ()),
    ("missing", |memory, number| memory.forget(number)),
    ("without its header", |memory, number| {
        zero(memory, number, 0..BLOCK);
    }),
    ("without its start frame", |memory, number| {
        flip(memory, number, BLOCK + 30);
    }),
    ("without its tail", |memory, number| {
        let place = footer(memory, number);
        zero(memory, number, place - 700..place + 200);
    }),
    ("without its footer", |memory, number| {
        let place = footer(memory, number);
        flip(memory, number, place + 20);
    }),
    ("damaged in its middle", |memory, number| {
        zero(memory, number, 8000..9000);
    }),
    ("missing, with the one before it", |memory, number| {
        memory.forget(number);
        if number > 1 {
            memory.forget(number - 1);
        }
    }),
    (
        "missing, the one before it without its tail",
        |memory, number| {
            memory.forget(number);
            if number > 1 {
                let place = footer(memory, number - 1);
                zero(memory, number - 1, place - 700..place + 200);
            }
        },
    ),
    ("missing, with all before it", |memory, number| {
        (1..=number).for_each(|number| memory.forget(number));
    }),
];

#[test]
fn what_stands_readable_in_a_segment_without_its_start_is_kept_or_repair_refuses() {
    let (mut repaired, mut refused) = (0, 0);
    for integrity in [Integrity::Chained, Integrity::Crc32c] {
        for is_closed in [true, false] {
            let whole = make(integrity, is_closed);
            for number in 2..=last(&whole) {
                for (name, begin) in BEGINNINGS {
                    for (before, harm) in BEFORE {
                        let memory = whole.copy();
                        begin(&memory, number);
                        harm(&memory, number - 1);
                        let what = format!(
                            "{integrity:?}, closed: {is_closed}, {name} of {number}, {before}"
                        );
                        if is_repaired(&whole, &memory, &what) {
                            repaired += 1;
                        } else {
                            refused += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(repaired > 10 * refused, "{repaired} and {refused}");
}

/// Repairs the queue, which loses only what is damaged; false where that is refused.
fn is_repaired(whole: &MemoryDirectory, memory: &MemoryDirectory, what: &str) -> bool {
    let gone = lost(whole, memory);
    let found = contents(memory);
    let report = match repair::apply_on(memory) {
        Ok(report) => report,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
            assert!(error.to_string().contains("salvage"), "{what}: {error}");
            let changed = contents(memory);
            let is_lock = |name: &&String| *name != "LOCK";
            assert!(
                changed
                    .keys()
                    .filter(is_lock)
                    .eq(found.keys().filter(is_lock)),
                "{what}"
            );
            assert!(
                found
                    .iter()
                    .all(|(name, bytes)| changed.get(name) == Some(bytes)),
                "{what}"
            );
            return false;
        }
    };
    assert_sound_but(memory, &report, what);
    assert_whole(memory, &gone, what);
    true
}
