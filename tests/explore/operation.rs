//! What happens to a queue, one thing after the other.

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
    /// The first consumer has everything: what is kept is kept for others.
    AckAll,
    /// The second consumer is handed some records and acknowledges some, in any order.
    Take,
    /// The same, from the lowest that is out on.
    Rewind,
    /// The second consumer is removed.
    Remove,
    /// The second consumer is made again, for what comes.
    MakeAtEnd,
    /// The second consumer is made again, at any record that is there.
    MakeAtRecord,
    /// The state of the records up to one of them is saved.
    Publish,
    /// The state is made of the saved one and the records after it.
    Replay,
    /// What stands beside the queue reads on, to the end.
    Follow,
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
    pub(crate) const LONG: [Self; 21] = [
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
    /// What the short sequences of readers are made of.
    pub(crate) const READERS: [Self; 13] = [
        Self::Small,
        Self::Rotate,
        Self::DropOldest,
        Self::AckDurable,
        Self::Take,
        Self::Rewind,
        Self::Remove,
        Self::MakeAtEnd,
        Self::MakeAtRecord,
        Self::Publish,
        Self::Replay,
        Self::Reclaim,
        Self::Reopen,
    ];
    /// What else the long ones are made of, in two of three.
    pub(crate) const LONG_READERS: [Self; 15] = [
        Self::AckAll,
        Self::AckAll,
        Self::Take,
        Self::Take,
        Self::Take,
        Self::Rewind,
        Self::Remove,
        Self::MakeAtEnd,
        Self::MakeAtRecord,
        Self::MakeAtRecord,
        Self::Publish,
        Self::Publish,
        Self::Replay,
        Self::Follow,
        Self::Follow,
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
            Self::AckAll => "ack-all",
            Self::Take => "take",
            Self::Rewind => "rewind",
            Self::Remove => "remove",
            Self::MakeAtEnd => "make-at-end",
            Self::MakeAtRecord => "make-at-record",
            Self::Publish => "publish",
            Self::Replay => "replay",
            Self::Follow => "follow",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let all = Self::SHORT.into_iter().chain(Self::LONG);
        let mut all = all.chain(Self::READERS).chain(Self::LONG_READERS);
        all.find(|operation| operation.name() == name)
    }
}
