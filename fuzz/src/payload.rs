//! Payloads that say which record they are, with a checksum of their own.

/// Bytes before the filler: sequence and life.
const LEAD_BYTES: usize = 9;
const CHECKSUM_BYTES: usize = 4;

/// The payload of the record `sequence` enqueued in `life`, of about `length` bytes.
pub(crate) fn make(life: u8, sequence: u64, length: usize) -> Vec<u8> {
    let mut bytes = sequence.to_le_bytes().to_vec();
    bytes.push(life);
    let filler = length.saturating_sub(LEAD_BYTES + CHECKSUM_BYTES);
    // Half of it blank: zeros are what recovery has to tell from the end.
    bytes.extend((0..filler).map(|at| {
        if at < filler / 2 {
            0
        } else {
            life.wrapping_add(1)
        }
    }));
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The life in which the payload was enqueued, if it is that of the record `sequence`.
pub(crate) fn life_of(bytes: &[u8], sequence: u64) -> Option<u8> {
    let (covered, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
    let (own, rest) = covered.split_first_chunk::<8>()?;
    let is_right = crc32c::crc32c(covered) == u32::from_le_bytes(*checksum)
        && u64::from_le_bytes(*own) == sequence;
    rest.first().copied().filter(|_| is_right)
}
