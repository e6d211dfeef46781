//! The bare disk: one thread that writes and syncs.

use std::fs::{self, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::latencies::{Figures, Latencies};
use crate::failure::Failure;

/// What is written again and again: blocks that the file has already, so that a sync writes data
/// and nothing else.
const FILE_BYTES: u64 = 16 << 20;
/// Zeros come in small pieces: large ones leave large pages behind, which slow every later write.
const ZEROS: [u8; 4096] = [0; 4096];

pub(super) fn measure(
    directory: &Path,
    payload: &[u8],
    time: Duration,
) -> Result<Figures, Failure> {
    let file = directory.join("raw");
    let measured = write_and_sync(&file, payload, time);
    // The directory goes in the end, with whatever is left.
    fs::remove_file(&file).ok();
    let (latencies, elapsed, syncs) = measured.map_err(Failure::io("cannot measure the disk"))?;
    Ok(latencies.figures(elapsed, syncs))
}

fn write_and_sync(
    path: &Path,
    payload: &[u8],
    time: Duration,
) -> io::Result<(Latencies, Duration, u64)> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let length = u64::try_from(payload.len()).unwrap_or(u64::MAX).max(1);
    let file_bytes = FILE_BYTES.max(length);
    let mut filled = 0;
    while filled < file_bytes {
        file.write_all(&ZEROS)?;
        filled += 4096;
    }
    file.sync_all()?;
    let warm_until = Instant::now() + time / 5;
    let mut latencies = Latencies::default();
    let mut began = None;
    let mut at = 0;
    let mut syncs = 0;
    loop {
        let call = Instant::now();
        file.seek(SeekFrom::Start(at))?;
        file.write_all(payload)?;
        file.sync_data()?;
        let now = Instant::now();
        at = if at + 2 * length > file_bytes {
            0
        } else {
            at + length
        };
        let Some(began) = began else {
            began = (now >= warm_until).then_some(now);
            continue;
        };
        latencies.record(now - call);
        syncs += 1;
        if now - began >= time {
            return Ok((latencies, now - began, syncs));
        }
    }
}
