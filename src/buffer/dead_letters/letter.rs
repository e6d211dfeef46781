//! One dead letter, and its bytes. docs/FORMAT.md describes them.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::buffer::sink::{Delivery, Refusal, SinkError};
use crate::consumer::Record;
use crate::error::{Error, ErrorKind, Result};
use crate::position::{Epoch, QueueId, RecordId, Sequence};

/// The version of the bytes that this release writes and reads.
const VERSION: u32 = 1;
/// A reason is cut to so many bytes.
const REASON_BYTES_MAX: usize = 4096;
/// Set where the event has a key.
const KEYED: u16 = 1;

/// An event that a sink did not accept, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The letter's own number among the dead letters.
    pub sequence: Sequence,
    /// When it was parked, by the clock of the machine.
    pub parked_at: SystemTime,
    /// The record that held the event in its buffer.
    pub record: RecordId,
    /// The kind that the event was enqueued with.
    pub kind: u16,
    /// The key that the event was enqueued with.
    pub key: Option<[u8; 16]>,
    /// When the event was enqueued, by the clock of the machine.
    pub enqueued_at: SystemTime,
    /// How often the event was refused, as far as the process that parked it knew.
    pub attempts: u32,
    /// What the last refusal asked for.
    pub refusal: Refusal,
    /// What the sink said: the first 4096 bytes of it.
    pub reason: String,
    /// The bytes that the buffer's codec made of the event.
    pub payload: Vec<u8>,
}

impl DeadLetter {
    /// The letter that `record` holds: for who looks at them by a
    /// [`Follower`](crate::Follower) beside the program that has them open.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`], naming the sequence, for a letter of another version and for a record
    /// that is none.
    pub fn of_record(record: &Record<'_>) -> Result<Self> {
        let mut letter = Self::from_bytes(record.payload).map_err(|why| {
            let what = format!("the dead letter {} cannot be read: {why}", record.sequence);
            Error::new(ErrorKind::Decode, what)
        })?;
        letter.sequence = record.sequence;
        letter.parked_at = record.enqueued_at;
        Ok(letter)
    }

    /// What is to be parked of `delivery`; `None` where it never was in the buffer.
    pub(in crate::buffer) fn of<T>(
        delivery: Delivery<T>,
        refused: &SinkError,
        attempts: u32,
    ) -> Option<Self> {
        let mut reason = refused.to_string();
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        Some(Self {
            sequence: Sequence::ZERO,
            parked_at: UNIX_EPOCH,
            record: delivery.record?,
            kind: delivery.kind,
            key: delivery.key,
            enqueued_at: delivery.enqueued_at,
            attempts,
            refusal: refused.refusal(),
            reason,
            payload: delivery.payload,
        })
    }

    /// The letter's bytes, without what the record around them says.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let reason = self.reason.as_bytes();
        let reason_bytes = u32::try_from(reason.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.attempts.to_le_bytes());
        bytes.extend_from_slice(&self.record.queue.get());
        bytes.extend_from_slice(&self.record.epoch.get().to_le_bytes());
        bytes.extend_from_slice(&self.record.sequence.get().to_le_bytes());
        bytes.extend_from_slice(&nanoseconds(self.enqueued_at).to_le_bytes());
        bytes.extend_from_slice(&self.kind.to_le_bytes());
        let flags = if self.key.is_some() { KEYED } else { 0 };
        bytes.extend_from_slice(&flags.to_le_bytes());
        bytes.extend_from_slice(&code_of(self.refusal).to_le_bytes());
        bytes.extend_from_slice(&self.key.unwrap_or_default());
        bytes.extend_from_slice(&reason_bytes.to_le_bytes());
        bytes.extend_from_slice(reason);
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// The letter in `bytes`, or what is wrong with them.
    fn from_bytes(bytes: &[u8]) -> Parsed<Self> {
        let mut fields = Fields(bytes);
        if fields.u32()? != VERSION {
            return Err("a dead letter of another version");
        }
        let attempts = fields.u32()?;
        let record = RecordId {
            queue: QueueId::new(fields.array()?),
            epoch: Epoch::new(fields.u64()?),
            sequence: Sequence::new(fields.u64()?),
        };
        let enqueued_at = UNIX_EPOCH
            .checked_add(Duration::from_nanos(fields.u64()?))
            .ok_or("a time that cannot be told")?;
        let kind = fields.u16()?;
        let flags = fields.u16()?;
        let refusal = refusal_of(fields.u32()?).ok_or("a refusal that is not known")?;
        let key = fields.array()?;
        let reason_bytes = usize::try_from(fields.u32()?).map_err(|_wide| SHORT)?;
        let reason = std::str::from_utf8(fields.take(reason_bytes)?)
            .map_err(|_bytes| "a reason that is no text")?;
        Ok(Self {
            sequence: Sequence::ZERO,
            parked_at: UNIX_EPOCH,
            record,
            kind,
            key: (flags & KEYED != 0).then_some(key),
            enqueued_at,
            attempts,
            refusal,
            reason: reason.to_owned(),
            payload: fields.0.to_vec(),
        })
    }
}

/// What was read, or what is wrong with the bytes.
type Parsed<T> = std::result::Result<T, &'static str>;

const SHORT: &str = "it ends early";

/// What is left to be read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, bytes: usize) -> Parsed<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(bytes).ok_or(SHORT)?;
        self.0 = left;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let (taken, left) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = left;
        Ok(*taken)
    }

    fn u16(&mut self) -> Parsed<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Parsed<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Parsed<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

fn code_of(refusal: Refusal) -> u32 {
    match refusal {
        Refusal::Retry => 1,
        Refusal::Reject => 2,
        Refusal::Stop => 3,
    }
}

fn refusal_of(code: u32) -> Option<Refusal> {
    let known = [Refusal::Retry, Refusal::Reject, Refusal::Stop];
    known.into_iter().find(|refusal| code_of(*refusal) == code)
}

/// Nanoseconds since 1970; 0 before.
fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> DeadLetter {
        DeadLetter {
            sequence: Sequence::ZERO,
            parked_at: UNIX_EPOCH,
            record: RecordId {
                queue: QueueId::new(std::array::from_fn(|at| {
                    u8::try_from(at).map_or(0, |at| 0x10 | at)
                })),
                epoch: Epoch::new(0x0000_0001_c0ff_ee42),
                sequence: Sequence::new(9),
            },
            kind: 7,
            key: Some([0xAB; 16]),
            enqueued_at: UNIX_EPOCH
                .checked_add(Duration::from_secs(1_700_000_000))
                .expect("a time in 2023"),
            attempts: 3,
            refusal: Refusal::Reject,
            reason: "no such field".to_owned(),
            payload: b"hello".to_vec(),
        }
    }

    /// The example of docs/FORMAT.md.
    const GOLDEN: &str = "\
        01 00 00 00 03 00 00 00 10 11 12 13 14 15 16 17 \
        18 19 1a 1b 1c 1d 1e 1f 42 ee ff c0 01 00 00 00 \
        09 00 00 00 00 00 00 00 00 00 2a 36 fe 9c 97 17 \
        07 00 01 00 02 00 00 00 ab ab ab ab ab ab ab ab \
        ab ab ab ab ab ab ab ab 0d 00 00 00 6e 6f 20 73 \
        75 63 68 20 66 69 65 6c 64 68 65 6c 6c 6f";

    fn golden() -> Vec<u8> {
        GOLDEN
            .split(' ')
            .map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"))
            .collect()
    }

    #[test]
    fn a_dead_letter_has_the_bytes_of_the_format() {
        assert_eq!(letter().to_bytes(), golden());
        assert_eq!(DeadLetter::from_bytes(&golden()), Ok(letter()));
    }

    #[test]
    fn a_dead_letter_without_a_key_comes_back_without_one() {
        for refusal in [Refusal::Retry, Refusal::Stop] {
            let plain = DeadLetter {
                key: None,
                refusal,
                payload: Vec::new(),
                ..letter()
            };
            assert_eq!(DeadLetter::from_bytes(&plain.to_bytes()), Ok(plain));
        }
    }

    #[test]
    fn other_versions_refusals_and_cut_letters_are_errors() {
        let changed = |at: usize, byte: u8| {
            let mut bytes = golden();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            DeadLetter::from_bytes(&bytes).expect_err("it is not a letter")
        };
        assert!(changed(0, 2).contains("version"));
        assert!(changed(52, 9).contains("refusal"));
        assert!(changed(76, 0xFF).contains("text"));
        assert_eq!(changed(72, 0xFF), SHORT);
        for length in 0..76 + 13 {
            let golden = golden();
            let cut = golden.get(..length).unwrap_or_default();
            assert_eq!(DeadLetter::from_bytes(cut), Err(SHORT), "{length} bytes");
        }
    }
}
