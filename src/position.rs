//! Numbers that must not be confused: records, segments, byte offsets, epochs.
//!
//! Everything here is a plain value. Arithmetic saturates, because the inputs may come from a
//! damaged file; a saturated value fails the next comparison instead of wrapping round to a
//! plausible one.

use std::fmt;

/// The number of a record: dense, starting at 0.
///
/// Within one epoch a sequence names one record for ever.
///
/// # Examples
///
/// ```
/// use forebay::Sequence;
///
/// let first = Sequence::ZERO;
/// assert_eq!(first.plus(3), Sequence::new(3));
/// assert_eq!(Sequence::new(7).since(Sequence::new(4)), 3);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(u64);

impl Sequence {
    /// The first sequence of a new queue.
    pub const ZERO: Self = Self(0);

    /// A sequence from its number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sequence `count` records later.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// How many records lie in `[earlier, self)`; 0 when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Sequence> for u64 {
    fn from(sequence: Sequence) -> Self {
        sequence.0
    }
}

/// The number of a segment file: starts at 1, never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentNumber(u64);

impl SegmentNumber {
    /// No segment: what precedes the first one.
    pub const NONE: Self = Self(0);

    /// A segment number from its integer.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The integer.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number after this one.
    #[must_use]
    pub const fn following(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Whether this names a segment at all.
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.0 != 0
    }
}

impl fmt::Display for SegmentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Bytes from the start of a file. Never a record number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(u64);

impl Offset {
    /// The start of a file.
    pub const ZERO: Self = Self(0);

    /// An offset from its number of bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The offset `bytes` further on.
    #[must_use]
    pub const fn plus(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }

    /// How many bytes lie in `[earlier, self)`; 0 when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a frame is: which segment, and how far into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The segment file.
    pub segment: SegmentNumber,
    /// Bytes from the start of that file.
    pub offset: Offset,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {} offset {}", self.segment, self.offset)
    }
}

/// The name of one unbroken run of the log; changes whenever a sequence might be used again.
///
/// The upper half counts, the lower half is random, so that two copies of one queue that both go
/// on after an unclean end do not share an epoch. A cleanly closed queue goes on in the epoch that
/// it has: copies of one that both go on give the same ids to different records. `forebay backup`
/// and restore, salvage and import give every copy an epoch of its own.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// An epoch from its 64 bits.
    #[must_use]
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// The 64 bits.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The counting half.
    #[must_use]
    pub const fn counter(self) -> u32 {
        let bytes = self.0.to_le_bytes();
        u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]])
    }

    /// The epoch after this one, told apart from its twins by `random`.
    #[must_use]
    pub const fn following(self, random: u64) -> Self {
        let counter = self.counter().saturating_add(1).to_le_bytes();
        let random = random.to_le_bytes();
        Self(u64::from_le_bytes([
            random[0], random[1], random[2], random[3], counter[0], counter[1], counter[2],
            counter[3],
        ]))
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The 128-bit identity of a queue, drawn when it is created and repeated in every file.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct QueueId([u8; 16]);

impl QueueId {
    /// An identity from its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn get(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Debug for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueueId({self})")
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.iter();
        let number = number.fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
        write!(f, "{number:032x}")
    }
}

/// What names a record for ever, whichever queue, machine or run of the log it came from.
///
/// Shown as the queue's identity, the epoch and the sequence with hyphens between, for a receiver
/// that knows what it has by text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordId {
    /// The queue.
    pub queue: QueueId,
    /// The run of the log that wrote the record.
    pub epoch: Epoch,
    /// The record's number.
    pub sequence: Sequence,
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.queue, self.epoch, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_following_epoch_is_greater_whatever_the_random_half() {
        let epoch = Epoch::new(0).following(u64::MAX);
        assert_eq!(epoch.counter(), 1);
        let after = epoch.following(0);
        assert!(after > epoch);
        assert_eq!(after.counter(), 2);
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Sequence::new(u64::MAX).plus(1), Sequence::new(u64::MAX));
        assert_eq!(Offset::new(3).since(Offset::new(9)), 0);
        assert_eq!(SegmentNumber::new(u64::MAX).following().get(), u64::MAX);
    }

    #[test]
    fn what_is_printed_in_digits_is_debugged_in_the_same() {
        let (queue, epoch) = (QueueId::new([0x1b; 16]), Epoch::new(0x1_f7a5_445c));
        assert_eq!(format!("{epoch:?}"), "Epoch(00000001f7a5445c)");
        assert_eq!(format!("{queue:?}"), format!("QueueId({queue})"));
    }
}
