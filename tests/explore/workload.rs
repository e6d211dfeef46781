//! What a queue goes through before the power is cut.

use forebay::{CommitPadding, Integrity, Overflow, Preallocate, QueueOptions, SyncPolicy};

use crate::dice::{Dice, mix};

/// More than any one operation enqueues without dropping any.
pub(crate) const CAPACITY: u64 = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Small,
    Spanning,
    Batch,
    Rotate,
    Ack,
    AckDurable,
    DropOldest,
    Reclaim,
    Sync,
    Close,
    /// A kill and another process.
    Reopen,
    /// One turn of what the commit thread does when nothing happens.
    Idle,
    /// A record without a byte.
    Empty,
    /// The consumer goes to the end, past what may be lost yet.
    Seek,
}

impl Operation {
    /// What the short sequences are made of.
    pub(crate) const SHORT: [Self; 11] = [
        Self::Small,
        Self::Spanning,
        Self::Batch,
        Self::Rotate,
        Self::Ack,
        Self::AckDurable,
        Self::DropOldest,
        Self::Reclaim,
        Self::Sync,
        Self::Close,
        Self::Reopen,
    ];
    /// What the long ones are made of, the usual more often.
    const LONG: [Self; 21] = [
        Self::Small,
        Self::Small,
        Self::Small,
        Self::Small,
        Self::Spanning,
        Self::Spanning,
        Self::Batch,
        Self::Batch,
        Self::Rotate,
        Self::Ack,
        Self::Ack,
        Self::AckDurable,
        Self::DropOldest,
        Self::Reclaim,
        Self::Sync,
        Self::Close,
        Self::Reopen,
        Self::Idle,
        Self::Idle,
        Self::Empty,
        Self::Seek,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Spanning => "spanning",
            Self::Batch => "batch",
            Self::Rotate => "rotate",
            Self::Ack => "ack",
            Self::AckDurable => "ack-durable",
            Self::DropOldest => "drop-oldest",
            Self::Reclaim => "reclaim",
            Self::Sync => "sync",
            Self::Close => "close",
            Self::Reopen => "reopen",
            Self::Idle => "idle",
            Self::Empty => "empty",
            Self::Seek => "seek",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut all = Self::SHORT.into_iter().chain(Self::LONG);
        all.find(|operation| operation.name() == name)
    }
}

/// How the queue is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) always: bool,
    pub(crate) integrity: Integrity,
    pub(crate) padding: CommitPadding,
    pub(crate) preallocate: Preallocate,
}

impl Setup {
    pub(crate) const COUNT: usize = 36;

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
        }
    }

    pub(crate) fn options(self) -> QueueOptions {
        let policy = if self.always {
            SyncPolicy::Always
        } else {
            SyncPolicy::Manual
        };
        QueueOptions::new()
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
    /// A long random sequence, the power cut anywhere.
    Long,
    /// Several threads at once, the power cut anywhere.
    Threads,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Short, Self::Long, Self::Threads];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
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

impl Workload {
    /// The workload `number` of the endless row that belongs to `seed`.
    pub(crate) fn of(number: usize, seed: u64) -> Self {
        let own = mix(seed, number as u64);
        match number % 32 {
            31 => Self::threads(own),
            7 | 15 | 23 => Self::long(own),
            _ => Self::short(number - number / 8, seed),
        }
    }

    /// One of all short sequences, in an order that spreads them, with another setup each round.
    fn short(number: usize, seed: u64) -> Self {
        /// Has no factor in common with the count.
        const STRIDE: usize = 9973;
        let round = number / SHORT_COUNT;
        let mut rest = number % SHORT_COUNT * STRIDE % SHORT_COUNT;
        let spread = usize::from(mix(rest as u64, 0).to_le_bytes()[0]);
        let setup = (spread + round * 7) % Setup::COUNT;
        let mut length = 0;
        let mut count = 1;
        while rest >= count {
            rest -= count;
            count *= Operation::SHORT.len();
            length += 1;
        }
        let operations = (0..length).map(|_| {
            let operation = Operation::SHORT[rest % Operation::SHORT.len()];
            rest /= Operation::SHORT.len();
            operation
        });
        Self {
            kind: Kind::Short,
            operations: operations.collect(),
            setup: Setup::of(setup),
            seed: mix(seed, round as u64),
        }
    }

    fn long(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let setup = Setup::of(dice.below(Setup::COUNT));
        let count = 8 + dice.below(25);
        Self {
            kind: Kind::Long,
            setup,
            operations: (0..count).map(|_| dice.pick(&Operation::LONG)).collect(),
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
            Kind::Short => self.operations.len().saturating_sub(1),
            Kind::Long | Kind::Threads => 0,
        }
    }
}
