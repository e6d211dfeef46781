//! Each row read once more and held against its record.

use std::path::Path;

use forebay::Follower;

use super::Moved;
use super::source::Rows;
use super::times::Clock;
use crate::facts::unix_ns;
use crate::failure::Failure;

/// Finds any difference between the rows and the records of the queue in `path`.
pub(super) fn compare(
    rows: &Rows<'_>,
    clock: &Clock,
    path: &Path,
    moved: &Moved,
) -> Result<(), Failure> {
    let mut follower = Follower::open(path)?;
    let (mut of_rows, mut of_records) = (blake3::Hasher::new(), blake3::Hasher::new());
    let mut count = 0_u64;
    rows.for_each(|row| {
        let record = follower.next()?;
        let record = record.ok_or_else(|| differs(&format!("row {} has no record", row.number)))?;
        of_rows.update(row.payload);
        of_records.update(record.payload);
        count += 1;
        let is_same = record.sequence.get() == row.number
            && record.payload == row.payload
            && unix_ns(record.enqueued_at) == clock.expected(row.time);
        if is_same {
            return Ok(());
        }
        Err(differs(&format!("row {} is not its record", row.number)))
    })?;
    if follower.next()?.is_some() || count != moved.rebuilt.records {
        return Err(differs("there are records without a row"));
    }
    let hashes = [of_rows.finalize(), of_records.finalize()];
    if hashes != [moved.hash; 2] {
        return Err(differs("the payloads have other hashes"));
    }
    Ok(())
}

fn differs(how: &str) -> Failure {
    Failure::Finding(format!(
        "what was written is not what was read: {how}; nothing was imported"
    ))
}
