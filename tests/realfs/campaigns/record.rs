//! Records that say who made them, and whose every byte can be checked.

use super::random::Random;

/// What names one record for the whole campaign. Payloads are computed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) producer: u32,
    /// The life of the queue in which it was handed in: no name is used in two.
    pub(crate) cycle: u32,
    pub(crate) number: u32,
    /// Of the payload.
    pub(crate) bytes: u32,
}

impl Name {
    /// The shortest payload: the name itself.
    pub(crate) const BYTES: u32 = 16;

    pub(crate) fn payload(&self) -> Vec<u8> {
        let fields = [self.producer, self.cycle, self.number, self.bytes];
        let mut payload: Vec<u8> = fields
            .iter()
            .flat_map(|field| field.to_le_bytes())
            .collect();
        let seed = u64::from(self.producer) << 48 ^ u64::from(self.cycle) << 24;
        let mut random = Random::new(seed ^ u64::from(self.number));
        let length = usize::try_from(self.bytes).expect("a small record");
        while payload.len() < length {
            payload.extend(random.next().to_le_bytes());
        }
        payload.truncate(length);
        payload
    }

    /// The name in `payload`, if that is byte for byte what was made for it.
    pub(crate) fn of(payload: &[u8]) -> Option<Self> {
        let mut fields = payload.chunks_exact(4).map(|field| {
            let field: [u8; 4] = field.try_into().expect("four bytes");
            u32::from_le_bytes(field)
        });
        let name = Self {
            producer: fields.next()?,
            cycle: fields.next()?,
            number: fields.next()?,
            bytes: fields.next()?,
        };
        let is_sound = u32::try_from(payload.len()) == Ok(name.bytes) && name.payload() == payload;
        is_sound.then_some(name)
    }

    /// The name as numbers in a line.
    pub(crate) fn words(&self) -> String {
        let Self {
            producer,
            cycle,
            number,
            bytes,
        } = self;
        format!("{producer} {cycle} {number} {bytes}")
    }

    pub(crate) fn from_words(numbers: &[u64]) -> Self {
        let field = |at: usize| u32::try_from(numbers[at]).expect("written by `words`");
        Self {
            producer: field(0),
            cycle: field(1),
            number: field(2),
            bytes: field(3),
        }
    }

    /// Names of one producer go up along the queue.
    pub(crate) fn age(&self) -> (u32, u32) {
        (self.cycle, self.number)
    }
}
