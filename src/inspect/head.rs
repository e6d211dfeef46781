//! The head of the chain, to be witnessed elsewhere.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::path::Path;

use super::verify::{Anchor, Ground, Started};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Chain, Integrity};
use crate::position::{Epoch, Offset, SegmentNumber, Sequence};
use crate::segment::{Segment, read_index};
use crate::storage::{Directory, DiskDirectory};

/// How often to look where segments are reclaimed meanwhile.
const LOOKS_MAX: usize = 4;

/// The chain at the durable watermark, as [`Queue::chain_head`](crate::Queue::chain_head) has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainHead {
    /// The run of the log.
    pub epoch: Epoch,
    /// The watermark, and the chain there.
    pub anchor: Anchor,
    /// Whether the log leads there; false where the last durable record is gone, and `STATE` alone
    /// tells what its hash was.
    pub in_log: bool,
}

/// The head of the chain of the queue in the directory `path`: kept elsewhere, it proves later
/// that no record below it was changed. Where the last durable record is gone, for example with its
/// segment, it is what `STATE` says, and [`in_log`](ChainHead::in_log) is false.
///
/// Takes no lock and changes nothing, and may be used beside a live writer.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`] where the queue has no chain; [`ErrorKind::Corrupt`] where the last
/// durable record cannot be read; otherwise as [`inspect`](super::inspect()).
///
/// # Examples
///
/// ```
/// use forebay::{Queue, inspect};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("queue");
/// let queue = Queue::open(&path)?;
/// queue.enqueue(b"witnessed")?;
/// let (epoch, sequence, hash) = queue.chain_head();
///
/// let head = inspect::head(&path)?;
/// assert_eq!((head.epoch, head.anchor.sequence, head.anchor.hash), (epoch, sequence, hash));
/// # Ok::<(), forebay::Error>(())
/// ```
pub fn head(path: impl AsRef<Path>) -> Result<ChainHead> {
    head_on(&DiskDirectory::open(path.as_ref())?)
}

/// The head of the chain of the queue in `directory`, as [`head`] has it.
///
/// # Errors
///
/// As [`head`].
#[cfg_attr(
    not(feature = "test-support"),
    expect(unreachable_pub, reason = "public with the feature test-support")
)]
pub fn head_on(directory: &dyn Directory) -> Result<ChainHead> {
    let mut stated = None;
    for _ in 0..LOOKS_MAX {
        let ground = Ground::of(directory)?;
        let opening = ground.opening.as_ref().map_err(Error::clone)?;
        let epoch = opening.epoch;
        if ground.identity.integrity != Integrity::Chained {
            let what = "the queue was made without a chain: it has checksums only";
            return Err(Error::at(ErrorKind::InvalidInput, what, directory.path()));
        }
        let read = chain_at(directory, &ground)?;
        let in_log = read.is_some() || !ground.has_records();
        let found = read.or_else(|| stated_chain(&ground)).map(|chain| {
            let (sequence, hash) = (ground.durable, chain.bytes());
            let anchor = Anchor { sequence, hash };
            ChainHead {
                epoch,
                anchor,
                in_log,
            }
        });
        match found {
            Some(head) if in_log => return Ok(head),
            found => stated = found,
        }
    }
    if let Some(stated) = stated {
        return Ok(stated);
    }
    let what = "the last durable record cannot be read, and the chain's head with it";
    Err(Error::at(ErrorKind::Corrupt, what, directory.path()))
}

/// What `STATE` says that the chain is at the durable watermark.
fn stated_chain(ground: &Ground) -> Option<Chain> {
    let end = ground.state.map(|state| state.end);
    let stated = end.filter(|end| end.next == ground.durable);
    stated.map(|end| end.chain)
}

/// The chain at the durable watermark, where the segments that are there lead to it.
fn chain_at(directory: &dyn Directory, ground: &Ground) -> Result<Option<Chain>> {
    let sequence = ground.durable;
    for number in ground.newest_first() {
        let Some(Started::Good(segment)) = Started::open(directory, ground, number)? else {
            continue;
        };
        if segment.base == sequence {
            return Ok(Some(segment.start.previous_chain));
        }
        if segment.base < sequence {
            return walk_to(directory, &segment, sequence);
        }
    }
    Ok(None)
}

/// The hash of the record before `sequence`, if the frames lead there.
fn walk_to(
    directory: &dyn Directory,
    segment: &Segment,
    sequence: Sequence,
) -> Result<Option<Chain>> {
    let limit = Offset::new(segment.file.length()?);
    let entry = read_index(directory, segment).and_then(|index| index.at_or_before(sequence));
    let starts = entry.map(|entry| entry.offset);
    for start in starts.into_iter().chain([segment.data_start()]) {
        let mut stream = segment.stream();
        let mut at = start;
        let mut chain = None;
        while let Ok(span) = stream.frame_at(at, limit)? {
            let header = span.header;
            // A gap frame has the chain with the gap bound in.
            if span.next > header.sequence {
                if header.sequence >= sequence {
                    break;
                }
                chain = Some((span.next, header.chain));
            }
            at = span.end;
        }
        if let Some((next, chain)) = chain
            && next == sequence
        {
            return Ok(Some(chain));
        }
    }
    Ok(None)
}

impl Ground {
    /// Whether the log should hold a record: one was enqueued, and not everything is reclaimed.
    fn has_records(&self) -> bool {
        let end = self.state.map(|state| state.end.position.segment);
        self.durable > Sequence::ZERO && end.is_none_or(|end| end >= self.first_segment())
    }

    fn newest_first(&self) -> impl Iterator<Item = SegmentNumber> + '_ {
        let first = self.first_segment();
        let retained = self.numbers.iter().copied();
        retained.filter(move |number| *number >= first).rev()
    }
}
