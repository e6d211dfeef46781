//! Short and interrupted reads and writes are gone on with, so that bytes come and go whole.

use std::io;

/// Reads from `offset` until `buffer` is full or the file ends; returns the bytes read.
pub(super) fn read_on(
    buffer: &mut [u8],
    offset: u64,
    mut read_some: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match read_some(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(source),
        }
    }
    Ok(done)
}

/// Writes all of `bytes` at `offset`. After an error any part of them may be there.
pub(super) fn write_on(
    bytes: &[u8],
    offset: u64,
    mut write_some: impl FnMut(&[u8], u64) -> io::Result<usize>,
) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match write_some(&bytes[done..], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => done += count,
            Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(source),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: &[u8] = b"one two three four";

    /// A device that moves at most `most` bytes a call, and of which every `nth` call is
    /// interrupted.
    struct Device {
        bytes: Vec<u8>,
        most: usize,
        nth: usize,
        calls: usize,
    }

    impl Device {
        fn count(&mut self, wanted: usize) -> io::Result<usize> {
            self.calls += 1;
            if self.calls.is_multiple_of(self.nth) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            Ok(wanted.min(self.most))
        }

        fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
            let count = self.count(bytes.len())?;
            let at = usize::try_from(offset).expect("a small file");
            self.bytes.resize(self.bytes.len().max(at + count), 0);
            self.bytes[at..at + count].copy_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn read(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let at = usize::try_from(offset).expect("a small file");
            let left = self.bytes.len().saturating_sub(at);
            let count = self.count(buffer.len().min(left))?;
            buffer[..count].copy_from_slice(&self.bytes[at..at + count]);
            Ok(count)
        }
    }

    fn all_devices() -> impl Iterator<Item = Device> {
        (1..=BYTES.len()).flat_map(|most| {
            (2..8).map(move |nth| Device {
                bytes: Vec::new(),
                most,
                nth,
                calls: 0,
            })
        })
    }

    #[test]
    fn interrupted_and_short_writes_are_gone_on_with() {
        for mut device in all_devices() {
            write_on(BYTES, 3, |bytes, offset| device.write(bytes, offset)).expect("no error");
            assert_eq!(&device.bytes[3..], BYTES);
        }
    }

    #[test]
    fn interrupted_and_short_reads_are_gone_on_with_to_the_end_of_the_file() {
        for mut device in all_devices() {
            device.bytes = BYTES.to_vec();
            let mut buffer = [0; 40];
            let read = read_on(&mut buffer, 4, |buffer, offset| device.read(buffer, offset));
            assert_eq!(read.expect("no error"), BYTES.len() - 4);
            assert_eq!(&buffer[..BYTES.len() - 4], &BYTES[4..]);
        }
    }

    #[test]
    fn a_write_that_ends_early_is_an_error_and_never_a_success() {
        for good in 0..BYTES.len() {
            for fails in [false, true] {
                let mut left = good;
                let written = write_on(BYTES, 0, |_, _| {
                    if left == 0 && fails {
                        return Err(io::ErrorKind::StorageFull.into());
                    }
                    let count = left.min(4);
                    left -= count;
                    Ok(count)
                });
                let kind = written.expect_err("not all of it was taken").kind();
                let expected = if fails {
                    io::ErrorKind::StorageFull
                } else {
                    io::ErrorKind::WriteZero
                };
                assert_eq!(kind, expected);
            }
        }
    }
}
