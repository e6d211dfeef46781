//! Start frames and headers that nobody wrote, with checksums that hold: a plan or a refusal, and
//! nothing else.

use forebay::storage::memory::MemoryDirectory;
use forebay::{CorruptionPolicy, ErrorKind, Integrity, repair};

use super::scene::{
    BLOCK, DAMAGES, Damage, Forget, flip, footer, last, make, name, scene_options, zero,
};
use crate::support::{Dice, contents, edit, try_open};

/// A field of the header block or of the start frame: its place in the file and its bytes.
type Field = (&'static str, usize, usize);

/// Where the start frame's body begins, with and without a hash in the header.
const BODY: [usize; 2] = [BLOCK + 72, BLOCK + 40];
const HEADER_CHECKSUM: usize = 64;

fn fields(body: usize) -> [Field; 10] {
    [
        ("number", 32, 8),
        ("epoch", 40, 8),
        ("salt", 48, 8),
        ("integrity", 56, 8),
        ("base", BLOCK + 16, 8),
        ("watermark", BLOCK + 32, 8),
        ("previous", body, 8),
        ("previous end", body + 8, 8),
        ("previous next", body + 16, 8),
        ("log bytes", body + 24, 8),
    ]
}

/// Puts `value` into a field, and makes all checksums of the header and the start frame hold again.
fn forge(bytes: &mut [u8], (_, at, length): Field, value: u64) {
    let body = BODY[usize::from(bytes[56] == 2)];
    bytes[at..at + length].copy_from_slice(&value.to_le_bytes()[..length]);
    let sum = crc32c::crc32c(&bytes[..HEADER_CHECKSUM]);
    bytes[HEADER_CHECKSUM..HEADER_CHECKSUM + 4].copy_from_slice(&sum.to_le_bytes());
    let mut masked = bytes[16..32].to_vec();
    masked.extend_from_slice(&bytes[48..56]);
    // The start frame's offset, divided by eight.
    masked.extend_from_slice(&512_u32.to_le_bytes());
    let mask = crc32c::crc32c(&masked);
    let sum = crc32c::crc32c(&bytes[body..body + 64]) ^ mask;
    bytes[BLOCK + 4..BLOCK + 8].copy_from_slice(&sum.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[BLOCK + 4..body]) ^ mask;
    bytes[BLOCK..BLOCK + 4].copy_from_slice(&sum.to_le_bytes());
}

/// Plans and repairs; a refusal names the way out and changes nothing. Whether it was repaired.
fn try_repair(memory: &MemoryDirectory, what: &str) -> bool {
    let before = contents(memory);
    let refused = |error: forebay::Error| {
        let told = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {told}");
        assert!(told.contains("salvage"), "{what}: {told}");
        let mut after = contents(memory);
        after.remove("LOCK");
        let mut before = before.clone();
        before.remove("LOCK");
        assert!(after == before, "{what}: something is changed");
    };
    if let Err(error) = repair::plan_on(memory) {
        refused(error);
        return false;
    }
    // A stand-in may be as long as a segment ever gets.
    memory.set_capacity(Some(16 << 20));
    let repaired = repair::apply_on(memory);
    memory.set_capacity(None);
    match repaired {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), ErrorKind::Full { .. }) => return false,
        Err(error) => {
            refused(error);
            return false;
        }
    }
    if let Err(error) = repair::plan_on(memory) {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
    }
    drop(try_open(
        memory,
        scene_options(CorruptionPolicy::RefuseRead),
    ));
    true
}

#[test]
fn a_start_that_names_no_possible_place_is_refused() {
    for integrity in [Integrity::Chained, Integrity::Crc32c] {
        let whole = make(integrity, true);
        let body = BODY[usize::from(integrity == Integrity::Crc32c)];
        let end = footer(&whole, 2) as u64;
        let previous_end = ("previous end", body + 8, 8);
        let impossible = [
            0,
            8,
            4096,
            end - 8,
            end + 4,
            end - 4,
            end + 12,
            1 << 40,
            u64::MAX,
        ];
        let harms: [(&str, Damage); 3] = [
            ("whole", |_| ()),
            ("missing", |memory| memory.forget(2)),
            ("without its tail", |memory| {
                let place = footer(memory, 2);
                zero(memory, 2, place - 700..place + 200);
            }),
        ];
        for value in impossible {
            for (harm, damage) in harms {
                let memory = whole.copy();
                damage(&memory);
                edit(&memory, &name(3), |bytes| forge(bytes, previous_end, value));
                let what = format!("{integrity:?}: {value} of {end}, {harm}");
                let is_repaired = try_repair(&memory, &what);
                let is_inside = harm == "whole" && value < end;
                let is_before = harm != "missing" && value <= 4096;
                let is_odd = harm != "whole" && !value.is_multiple_of(8);
                let is_impossible = is_inside || is_before || is_odd || value >= 1 << 40;
                assert!(!(is_repaired && is_impossible), "{what}");
            }
        }
    }
}

#[test]
fn forged_starts_and_headers_give_a_plan_or_a_refusal() {
    let mut dice = Dice::new(7);
    let (mut repaired, mut refused) = (0, 0);
    for integrity in [Integrity::Chained, Integrity::Crc32c] {
        for is_closed in [true, false] {
            let whole = make(integrity, is_closed);
            let count = last(&whole);
            for round in 0..400 {
                let memory = whole.copy();
                let mut what = format!("{integrity:?}, closed: {is_closed}, round {round}");
                if round % 3 == 0 {
                    let (name, damage) = DAMAGES[dice.below(DAMAGES.len())];
                    damage(&memory);
                    what = format!("{what}, {name}");
                }
                for _ in 0..=dice.below(2) {
                    let number = 1 + dice.roll() % count;
                    let field =
                        fields(BODY[usize::from(integrity == Integrity::Crc32c)])[dice.below(10)];
                    let value = value(&mut dice, count);
                    what = format!("{what}, {} of {number}: {value}", field.0);
                    let is_long = |bytes: &Vec<u8>| bytes.len() > BODY[0] + 64;
                    if memory
                        .file_bytes(&name(number))
                        .is_some_and(|bytes| is_long(&bytes))
                    {
                        edit(&memory, &name(number), |bytes| forge(bytes, field, value));
                    }
                }
                if dice.below(4) == 0 {
                    let number = 1 + dice.roll() % count;
                    if memory
                        .file_bytes(&name(number))
                        .is_some_and(|bytes| bytes.len() > 6000)
                    {
                        flip(&memory, number, BLOCK + 30 + dice.below(1000));
                    }
                }
                if try_repair(&memory, &what) {
                    repaired += 1;
                } else {
                    refused += 1;
                }
            }
        }
    }
    assert!(repaired > 100 && refused > 100, "{repaired} and {refused}");
}

/// A number that may be near something, or anything.
fn value(dice: &mut Dice, count: u64) -> u64 {
    match dice.below(6) {
        0 => dice.roll() % (count + 2),
        1 => dice.roll() % 200,
        2 => dice.roll() % 20_000,
        3 => dice.roll() % 2500 * 8,
        4 => u64::MAX - dice.roll() % 3,
        _ => 1 << dice.below(64),
    }
}

#[test]
fn a_stand_in_of_any_length_is_written_in_parts() {
    let memory = make(Integrity::Chained, true);
    let longest = u64::from(u32::MAX) * 8;
    edit(&memory, &name(3), |bytes| {
        forge(bytes, ("previous end", BODY[0] + 8, 8), longest - 4096);
    });
    memory.forget(2);
    memory.set_capacity(Some(64 << 20));
    let error = repair::apply_on(&memory).expect_err("there is not so much room");
    assert!(matches!(error.kind(), ErrorKind::Full { .. }), "{error}");
}

#[test]
fn a_copy_takes_no_name_that_other_bytes_have() {
    let (_, damage) = DAMAGES[1];
    let memory = make(Integrity::Chained, true);
    damage(&memory);
    let damaged = memory.file_bytes(&name(2)).expect("it is there");
    let kept = |memory: &MemoryDirectory| {
        let plan = repair::plan_on(memory).expect("it can be planned");
        let kept = plan.steps.iter().find_map(|step| step.kept.clone());
        kept.expect("a copy")
            .to_str()
            .expect("a plain name")
            .to_owned()
    };
    let first = kept(&memory);
    memory.put_file(&first, b"another's");
    let second = kept(&memory);
    assert_ne!(first, second);
    repair::apply_on(&memory).expect("it can be repaired");
    assert_eq!(
        memory.file_bytes(&first).expect("it is there"),
        b"another's"
    );
    assert!(memory.file_bytes(&second).expect("it is there") == damaged);
}
