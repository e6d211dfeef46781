//! What is enqueued: bytes that no peer can compress, made before the measurement.

use crate::random::Random;

/// Enough different records that none is in the first-level cache each time.
const RECORDS_MAX: usize = 1024;
/// Memory for them, whatever their size.
const BYTES_MAX: usize = 16 << 20;

pub struct Payloads {
    bytes: Vec<u8>,
    size: usize,
}

impl Payloads {
    pub fn new(size: usize) -> Self {
        let size = size.max(1);
        let records = (BYTES_MAX / size).clamp(1, RECORDS_MAX);
        let mut random = Random::new(1);
        let words = (size * records).div_ceil(8);
        let mut bytes: Vec<u8> = (0..words)
            .flat_map(|_| random.next().to_le_bytes())
            .collect();
        bytes.truncate(size * records);
        Self { bytes, size }
    }

    /// The record `number`; they come round again.
    pub fn get(&self, number: usize) -> &[u8] {
        let at = number % (self.bytes.len() / self.size) * self.size;
        &self.bytes[at..at + self.size]
    }

    /// Endless records.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..).map(|number| self.get(number))
    }
}
