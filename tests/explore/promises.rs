//! What was promised to one reader, and what its state is.

use crate::dice::mix;

/// Where a consumer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Acks {
    /// Whether the consumer was made, and so has to be there.
    pub(crate) exists: bool,
    /// Everything below survives power loss.
    pub(crate) durable: u64,
    /// Everything below survives a kill.
    pub(crate) written: u64,
    /// Nothing from here on was acknowledged, as far as anybody knows.
    pub(crate) tried: u64,
}

/// Whether a consumer that comes and goes is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Presence {
    #[default]
    Gone,
    /// It is being made or removed right now.
    Either,
    There,
}

/// Where the second consumer is: at its frontier, which is known to a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Second {
    pub(crate) presence: Presence,
    /// The frontier that survives power loss, or an earlier one.
    pub(crate) durable: u64,
    /// The frontier that survives a kill.
    pub(crate) written: u64,
    /// Where it may be meanwhile.
    pub(crate) tried: u64,
}

impl Second {
    /// It is right here.
    pub(crate) fn is_at(&mut self, sequence: u64) {
        self.written = sequence;
        self.tried = sequence;
    }
}

/// What the saved state covers; the state itself follows from that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Saved {
    /// As survives power loss: no older one comes back.
    pub(crate) durable: Option<u64>,
    pub(crate) written: Option<u64>,
    /// No newer one was made.
    pub(crate) tried: Option<u64>,
}

/// A user's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    count: u64,
    sum: u64,
}

impl State {
    pub(crate) fn add(&mut self, payload: &[u8]) {
        self.count += 1;
        self.sum = mix(self.sum, crc32c::crc32c(payload).into());
    }

    /// As it is saved: over several pages, some of the time.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut bytes = [self.count.to_le_bytes(), self.sum.to_le_bytes()].concat();
        let filler = self.sum.to_le_bytes()[0];
        bytes.resize(16 + usize::from(filler) % 4 * 3000, filler);
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk()?;
        let sum = rest.first_chunk()?;
        let state = Self {
            count: u64::from_le_bytes(*count),
            sum: u64::from_le_bytes(*sum),
        };
        (state.bytes() == bytes).then_some(state)
    }
}
