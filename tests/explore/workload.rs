//! What a queue goes through before the power is cut.

use forebay::{
    CommitPadding, Integrity, Overflow, Preallocate, QueueOptions, Retention, SyncPolicy,
};

use crate::dice::{Dice, mix};
use crate::operation::Operation;

/// More than any one operation enqueues without dropping any.
pub(crate) const CAPACITY: u64 = 12;

/// The name of the snapshots.
pub(crate) const SNAPSHOTS: &str = "s";
/// What is kept with [`Keep::Bytes`].
pub(crate) const KEPT_BYTES: u64 = 24_576;

/// What is kept of records that every consumer has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    Bytes,
    UntilSnapshot,
}

impl Keep {
    pub(crate) const ALL: [Self; 3] = [Self::Nothing, Self::Bytes, Self::UntilSnapshot];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Bytes => "bytes",
            Self::UntilSnapshot => "until-snapshot",
        }
    }
}

/// How the queue is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) always: bool,
    pub(crate) integrity: Integrity,
    pub(crate) padding: CommitPadding,
    pub(crate) preallocate: Preallocate,
    pub(crate) keep: Keep,
}

impl Setup {
    /// All that differ in how records are written; with the ways to keep them three times as many.
    pub(crate) const COUNT: usize = 36;
    const ALL_COUNT: usize = Self::COUNT * Keep::ALL.len();

    /// One of all setups, by its number.
    pub(crate) fn of(number: usize) -> Self {
        let padding = [
            CommitPadding::None,
            CommitPadding::Sector,
            CommitPadding::Page,
        ];
        let preallocate = [Preallocate::None, Preallocate::Allocate, Preallocate::Zero];
        Self {
            always: number.is_multiple_of(2),
            integrity: [Integrity::Chained, Integrity::Crc32c][number / 2 % 2],
            padding: padding[number / 4 % 3],
            preallocate: preallocate[number / 12 % 3],
            keep: Keep::ALL[number / Self::COUNT % Keep::ALL.len()],
        }
    }

    pub(crate) fn options(self) -> QueueOptions {
        let policy = if self.always {
            SyncPolicy::Always
        } else {
            SyncPolicy::Manual
        };
        let retention = match self.keep {
            Keep::Nothing => Retention::UntilAcked,
            Keep::Bytes => Retention::KeepBytes(KEPT_BYTES),
            Keep::UntilSnapshot => Retention::UntilSnapshot(SNAPSHOTS.to_owned()),
        };
        QueueOptions::new()
            .retention(retention)
            .segment_bytes(8192)
            .sync_policy(policy)
            .integrity(self.integrity)
            .commit_padding(self.padding)
            .preallocate(self.preallocate)
            .max_records(CAPACITY)
            .overflow(Overflow::DropOldest)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One of all short sequences, the power cut in its last operation; the cuts in the ones
    /// before are those of a shorter sequence.
    Short,
    /// The same with what readers do, after records that a second consumer has begun to take.
    Readers,
    /// A long random sequence, the power cut anywhere.
    Long,
    /// Several threads at once, the power cut anywhere.
    Threads,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Short, Self::Readers, Self::Long, Self::Threads];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Readers => "readers",
            Self::Long => "long",
            Self::Threads => "threads",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workload {
    pub(crate) kind: Kind,
    pub(crate) setup: Setup,
    /// Empty for threads, whose seed tells what they do.
    pub(crate) operations: Vec<Operation>,
    pub(crate) seed: u64,
}

/// How many sequences of up to four operations there are, the one of none included.
pub(crate) const SHORT_COUNT: usize = 1 + 11 + 121 + 1331 + 14_641;

/// How many sequences of up to three operations of readers there are.
const READERS_COUNT: usize = 1 + 13 + 169 + 2197;

/// What readers find.
const PRELUDE: [Operation; 6] = [
    Operation::Rotate,
    Operation::Rotate,
    Operation::Batch,
    Operation::MakeAtRecord,
    Operation::AckAll,
    Operation::Take,
];

/// The sequence `number` of all that are made of `from`, the shortest first.
fn sequence(number: usize, from: &[Operation]) -> Vec<Operation> {
    let mut rest = number;
    let mut length = 0;
    let mut count = 1;
    while rest >= count {
        rest -= count;
        count *= from.len();
        length += 1;
    }
    let operations = (0..length).map(|_| {
        let operation = from[rest % from.len()];
        rest /= from.len();
        operation
    });
    operations.collect()
}

impl Workload {
    /// The workload `number` of the endless row that belongs to `seed`.
    pub(crate) fn of(number: usize, seed: u64) -> Self {
        let own = mix(seed, number as u64);
        let (block, at) = (number / 32, number % 32);
        match at {
            31 => Self::threads(own),
            7 | 15 | 23 => Self::long(own),
            3 | 11 | 19 => Self::readers(3 * block + at / 8, seed),
            _ => {
                let others = [3, 7, 11, 15, 19, 23];
                let before = others.iter().filter(|other| **other < at).count();
                Self::short(25 * block + at - before, seed)
            }
        }
    }

    /// One of all short sequences, in an order that spreads them, with another setup each round.
    fn short(number: usize, seed: u64) -> Self {
        /// Has no factor in common with the count.
        const STRIDE: usize = 9973;
        let round = number / SHORT_COUNT;
        let rest = number % SHORT_COUNT * STRIDE % SHORT_COUNT;
        let spread = usize::from(mix(rest as u64, 0).to_le_bytes()[0]);
        let setup = (spread + round * 7) % Setup::COUNT;
        Self {
            kind: Kind::Short,
            operations: sequence(rest, &Operation::SHORT),
            setup: Setup::of(setup),
            seed: mix(seed, round as u64),
        }
    }

    /// One of all short sequences of what readers do, in the same way.
    fn readers(number: usize, seed: u64) -> Self {
        /// Has no factor in common with the count.
        const STRIDE: usize = 1013;
        let round = number / READERS_COUNT;
        let rest = number % READERS_COUNT * STRIDE % READERS_COUNT;
        let spread = usize::from(mix(rest as u64, 1).to_le_bytes()[0]);
        let mut operations = PRELUDE.to_vec();
        operations.extend(sequence(rest, &Operation::READERS));
        Self {
            kind: Kind::Readers,
            operations,
            setup: Setup::of((spread + round * 7) % Setup::ALL_COUNT),
            seed: mix(seed, number as u64),
        }
    }

    fn long(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let setup = Setup::of(dice.below(Setup::ALL_COUNT));
        let count = 8 + dice.below(25);
        let has_readers = !dice.once_in(3);
        let operations = (0..count).map(|_| {
            if has_readers && dice.once_in(2) {
                dice.pick(&Operation::LONG_READERS)
            } else {
                dice.pick(&Operation::LONG)
            }
        });
        Self {
            kind: Kind::Long,
            setup,
            operations: operations.collect(),
            seed,
        }
    }

    fn threads(seed: u64) -> Self {
        Self {
            kind: Kind::Threads,
            setup: Setup::of(Dice::new(seed).below(Setup::COUNT)),
            operations: Vec::new(),
            seed,
        }
    }

    /// The operation from which on the power may be cut.
    pub(crate) fn explored_from(&self) -> usize {
        match self.kind {
            Kind::Short | Kind::Readers => self.operations.len().saturating_sub(1),
            Kind::Long | Kind::Threads => 0,
        }
    }
}
