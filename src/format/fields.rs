//! Fixed-width little-endian fields, read and written in order.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

/// Reads fields from the front of a byte slice; `None` when the bytes run out.
#[derive(Debug)]
pub(super) struct FieldReader<'a>(&'a [u8]);

impl<'a> FieldReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.bytes().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }
}

/// Appends fields to a buffer.
#[derive(Debug)]
pub(super) struct FieldWriter<'a>(pub(super) &'a mut Vec<u8>);

impl FieldWriter<'_> {
    pub(super) fn bytes(&mut self, field: &[u8]) -> &mut Self {
        self.0.extend_from_slice(field);
        self
    }

    pub(super) fn u32(&mut self, field: u32) -> &mut Self {
        self.bytes(&field.to_le_bytes())
    }

    pub(super) fn u64(&mut self, field: u64) -> &mut Self {
        self.bytes(&field.to_le_bytes())
    }
}

/// Puts fields into bytes that are there already, front to back. What does not fit is left out.
///
/// Every field's width is known to the compiler, so that a header costs a few moves of words.
#[derive(Debug)]
pub(super) struct FieldFiller<'a>(pub(super) &'a mut [u8]);

impl FieldFiller<'_> {
    pub(super) fn put<const N: usize>(&mut self, field: [u8; N]) -> &mut Self {
        if let Some((place, rest)) = std::mem::take(&mut self.0).split_first_chunk_mut() {
            *place = field;
            self.0 = rest;
        }
        self
    }
}

/// A length in memory as a length on disk. `usize` has at most 64 bits wherever Rust runs today.
pub(crate) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A length on disk as a length in memory. On a 32-bit machine a larger one saturates, and the
/// allocation or the slice that follows is refused.
pub(crate) fn narrow(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "the bytes are the test's own")]
mod tests {
    use super::*;

    #[test]
    fn fields_read_back_in_the_order_written() {
        let mut bytes = Vec::new();
        FieldWriter(&mut bytes)
            .bytes(&[1, 2])
            .u32(0x0605_0403)
            .u64(7)
            .bytes(b"xy");
        assert_eq!(&bytes[..6], &[1, 2, 3, 4, 5, 6]);
        let mut fields = FieldReader::new(&bytes);
        assert_eq!(fields.u16(), Some(0x0201));
        assert_eq!(fields.u32(), Some(0x0605_0403));
        assert_eq!(fields.u64(), Some(7));
        assert_eq!(fields.bytes::<2>(), Some(*b"xy"));
        assert_eq!(fields.u16(), None);
    }

    #[test]
    fn fields_fill_bytes_in_order_and_never_beyond() {
        let mut bytes = [9; 7];
        FieldFiller(&mut bytes)
            .put(0x0201_u16.to_le_bytes())
            .put([3, 4, 5])
            .put(0_u32.to_le_bytes());
        assert_eq!(bytes, [1, 2, 3, 4, 5, 9, 9]);
    }
}
