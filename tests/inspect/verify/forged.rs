//! History rewritten by somebody who knows the format: every checksum and every hash is right.

use super::*;

/// The frames of a queue as a forger sees them, sealed again after every change.
struct Forger {
    memory: MemoryDirectory,
    queue: [u8; 16],
}

/// How much is made to fit.
#[derive(Clone, Copy, PartialEq)]
enum Effort {
    /// The checksums of the record.
    Checksums,
    /// The hashes from there on.
    Segments,
    /// The hash in STATE as well.
    Everything,
}

fn crc_of(parts: &[&[u8]]) -> u32 {
    parts
        .iter()
        .fold(0, |sum, part| crc32c::crc32c_append(sum, part))
}

impl Forger {
    fn new(memory: &MemoryDirectory) -> Self {
        let identity = memory.file_bytes("QUEUE").expect("an identity");
        Self {
            memory: memory.copy(),
            queue: *identity[16..].first_chunk().expect("a queue"),
        }
    }

    /// Puts `bytes` in place of as many of record `target`.
    fn forge(&self, target: u64, bytes: &[u8], effort: Effort) {
        let mut chain = [0; 32];
        let mut epoch = 0;
        for number in 1.. {
            let name = segment(number);
            let Some(mut file) = self.memory.file_bytes(&name) else {
                break;
            };
            let own_epoch = u64_at(&file, 40);
            let salt = u64_at(&file, 48);
            let mut at = BLOCK;
            while file
                .get(at..at + 72)
                .is_some_and(|header| header[14] & 1 != 0)
            {
                let length = u32_at(&file, at + 8) as usize;
                let (sequence, kind) = (u64_at(&file, at + 16), file[at + 12]);
                let is_control = file[at + 14] & 8 != 0;
                if is_control && kind == 1 {
                    if effort != Effort::Checksums {
                        file[at + 104..at + 136].copy_from_slice(&chain);
                    }
                    if own_epoch != epoch {
                        let words = [b"epoch".as_slice(), &own_epoch.to_le_bytes()];
                        let more = [salt.to_le_bytes(), sequence.to_le_bytes()].concat();
                        chain = keyed(&chain, &[&words.concat(), more.as_slice()].concat());
                        epoch = own_epoch;
                    }
                } else if !is_control {
                    if sequence == target {
                        file[at + 72..at + 72 + bytes.len()].copy_from_slice(bytes);
                    }
                    let hash = blake3::hash(&file[at + 72..at + 72 + length]);
                    let fields = [&file[at + 16..at + 32], &file[at + 8..at + 16]].concat();
                    let input = [hash.as_bytes().as_slice(), &fields].concat();
                    chain = keyed(&chain, &input);
                }
                if effort != Effort::Checksums {
                    file[at + 40..at + 72].copy_from_slice(&chain);
                }
                self.seal(&mut file, at, length, salt);
                at += (72 + length).next_multiple_of(8);
            }
            self.memory.put_file(&name, &file);
        }
        if effort == Effort::Everything {
            self.forge_state(chain);
        }
    }

    /// Puts a gap frame in place of record `target`, as a repair does.
    fn give_up(&self, target: u64) {
        for number in 1..=3 {
            let name = segment(number);
            let mut file = self.memory.file_bytes(&name).expect("a segment");
            let salt = u64_at(&file, 48);
            let mut at = BLOCK;
            while file
                .get(at..at + 72)
                .is_some_and(|header| header[14] & 1 != 0)
            {
                let length = u32_at(&file, at + 8) as usize;
                if file[at + 14] & 8 == 0 && u64_at(&file, at + 16) == target {
                    file[at + 12..at + 16].copy_from_slice(&[4, 0, 9, 0]);
                    file[at + 40..at + 72].fill(7);
                    file[at + 72..at + 80].copy_from_slice(&(target + 1).to_le_bytes());
                    self.seal(&mut file, at, length, salt);
                }
                at += (72 + length).next_multiple_of(8);
            }
            self.memory.put_file(&name, &file);
        }
    }

    fn seal(&self, file: &mut [u8], at: usize, length: usize, salt: u64) {
        let units = u32::try_from(at / 8).expect("a small segment");
        let mask = crc_of(&[&self.queue, &salt.to_le_bytes(), &units.to_le_bytes()]);
        let payload = crc_of(&[&file[at + 72..at + 72 + length]]) ^ mask;
        file[at + 4..at + 8].copy_from_slice(&payload.to_le_bytes());
        let header = crc_of(&[&file[at + 4..at + 72]]) ^ mask;
        file[at..at + 4].copy_from_slice(&header.to_le_bytes());
    }

    fn forge_state(&self, chain: [u8; 32]) {
        let mut file = self.memory.file_bytes("STATE").expect("a state");
        for slot in [0, BLOCK] {
            if file[slot] == 0 || u64_at(&file, slot + 80) != RECORDS {
                continue;
            }
            file[slot + 96..slot + 128].copy_from_slice(&chain);
            let sum = crc_of(&[&file[slot..slot + 160]]);
            file[slot + 160..slot + 164].copy_from_slice(&sum.to_le_bytes());
        }
        self.memory.put_file("STATE", &file);
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("eight bytes"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("four bytes"))
}

fn keyed(key: &[u8; 32], input: &[u8]) -> [u8; 32] {
    *blake3::keyed_hash(key, input).as_bytes()
}

const TARGET: u64 = 33;

fn forged(whole: &MemoryDirectory, effort: Effort) -> MemoryDirectory {
    let forger = Forger::new(whole);
    forger.forge(TARGET, b"RECORD", effort);
    forger.memory
}

/// The forger knows the format: who changes nothing leaves every byte as it was.
#[test]
fn sealing_without_a_change_changes_nothing() {
    let whole = closed(&options());
    let forger = Forger::new(&whole);
    forger.forge(TARGET, b"record", Effort::Everything);
    for name in whole.names() {
        assert!(
            forger.memory.file_bytes(&name) == whole.file_bytes(&name),
            "{name}"
        );
    }
}

#[test]
fn a_record_whose_checksums_alone_are_made_to_fit_is_named() {
    let memory = forged(&closed(&options()), Effort::Checksums);
    let found = verify_all(&memory);
    let told: Vec<_> = found.findings.iter().collect();
    assert_eq!(told.len(), 1, "{found:#?}");
    assert_eq!(told[0].severity, Severity::Tampering);
    assert_eq!(
        told[0].range,
        Sequence::new(TARGET)..Sequence::new(TARGET + 1)
    );
    let quick = verify_on(&memory, &VerifyOptions::new(), &|_| {}).expect("a queue");
    assert!(
        quick.is_sound() && !quick.chain,
        "only hashes tell: {quick:#?}"
    );
}

#[test]
fn hashes_that_do_not_end_as_state_says_are_told() {
    let found = verify_all(&forged(&closed(&options()), Effort::Segments));
    assert_eq!(found.findings.len(), 1, "{found:#?}");
    assert_eq!(found.findings[0].severity, Severity::Tampering);
    assert!(found.findings[0].file.ends_with("STATE"));
}

#[test]
fn a_history_rewritten_from_some_record_on_is_caught_by_the_anchor_alone() {
    let whole = closed(&options());
    let witnessed = head_on(&whole).expect("a chain").anchor;
    let memory = forged(&whole, Effort::Everything);
    let (records, _) = contents(&memory);
    assert!(
        records[&TARGET].starts_with(b"RECORD"),
        "the forgery is read"
    );
    assert!(verify_all(&memory).is_sound(), "{:#?}", verify_all(&memory));

    let anchored = VerifyOptions::new().anchor(witnessed);
    let found = verify_on(&memory, &anchored, &|_| {}).expect("a queue");
    assert!(!found.is_sound());
    let outcome = found.anchor.expect("an outcome");
    assert!(
        matches!(outcome, AnchorOutcome::Differs { .. }),
        "{outcome:?}"
    );
    let found = verify_on(&whole, &anchored, &|_| {}).expect("a queue");
    assert_eq!(found.anchor, Some(AnchorOutcome::Proven), "{found:#?}");
    assert!(found.is_sound());
}

#[test]
fn a_gap_that_a_repair_left_is_known_and_no_finding() {
    let whole = closed(&options());
    let witnessed = head_on(&whole).expect("a chain").anchor;
    let forger = Forger::new(&whole);
    forger.give_up(TARGET);
    let found = verify_all(&forger.memory);
    assert!(found.findings.is_empty() && found.is_sound(), "{found:#?}");
    let after = Sequence::new(TARGET + 1);
    assert_eq!(found.gaps, [Sequence::new(TARGET)..after]);
    assert_eq!(found.records, RECORDS - 1);
    let anchored = VerifyOptions::new().anchor(witnessed);
    let found = verify_on(&forger.memory, &anchored, &|_| {}).expect("a queue");
    assert_eq!(found.anchor, Some(AnchorOutcome::ProvenFrom(after)));
    assert!(!found.is_sound());
}
