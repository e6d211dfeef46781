//! Verifies a queue from beginning to end.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use super::anchor::Witness;
use super::crew::Crew;
use super::cursors::check_cursors;
use super::files::{check_identity, check_keys, check_state, count_quarantine};
use super::found::{Finding, Severity, Verification};
use super::ground::{Ground, newest_state};
use super::joints::{Joiner, words_of};
use super::options::{Progress, VerifyOptions};
use super::order::{Member, members};
use super::rest::read_rest;
use super::snapshots::check_snapshots;
use super::walk::{Orders, Walked};
use crate::error::Result;
use crate::format::{Chain, Integrity, STATE, StateSlot};
use crate::position::{Offset, SegmentNumber, Sequence};
use crate::recovery::refuse_backup;
use crate::storage::{Directory, DiskDirectory, Lenient};

/// How often the walks are joined where something is wrong.
const JOINS_MAX: usize = 8;

/// Reads every retained byte of the queue in the directory `path` and says what is wrong.
///
/// Takes no lock and changes nothing. Beside a live writer it judges what was durable when it
/// began, and files that are reclaimed meanwhile are no finding. `progress` is called from several
/// threads, about once a mebibyte.
///
/// Memory: less than one mebibyte a job, more only for a record that is larger, for the index of
/// the segment and for the file of the keys.
///
/// # Errors
///
/// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) and
/// [`ErrorKind::Foreign`](crate::ErrorKind::Foreign) where no queue is;
/// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion) for a later format;
/// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) when nothing tells any more whose queue this
/// is; [`ErrorKind::Io`](crate::ErrorKind::Io). Damage is no error, but what it finds; so are bytes
/// that the system does not give back, which count as zeros.
///
/// # Examples
///
/// ```
/// use forebay::Queue;
/// use forebay::inspect::{VerifyOptions, verify};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("queue");
/// let queue = Queue::open(&path)?;
/// queue.enqueue(b"as it was written")?;
///
/// let found = verify(&path, &VerifyOptions::new().chain(true), &|_| {})?;
/// assert!(found.is_sound() && found.records == 1, "{:?}", found.findings);
/// # Ok::<(), forebay::Error>(())
/// ```
pub fn verify(
    path: impl AsRef<Path>,
    options: &VerifyOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Verification> {
    verify_on(&DiskDirectory::open(path.as_ref())?, options, progress)
}

/// Verifies the queue in `directory`, as [`verify`] does.
///
/// # Errors
///
/// As [`verify`].
#[cfg_attr(
    not(feature = "test-support"),
    expect(unreachable_pub, reason = "public with the feature test-support")
)]
pub fn verify_on(
    directory: &dyn Directory,
    options: &VerifyOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Verification> {
    let started = Instant::now();
    let medium = directory;
    let directory = &Lenient::over(medium);
    let mut ground = Ground::of(directory)?;
    if !directory.noted().is_empty() {
        ground.open_strictly(medium);
    }
    let members = members(directory, &ground)?;
    let anchor = options.wanted_anchor();
    let marks: Vec<Sequence> = [
        anchor.map(|anchor| anchor.sequence),
        ground.state.map(|state| state.end.next),
    ]
    .into_iter()
    .flatten()
    .collect();
    let orders = Orders {
        durable: ground.durable,
        chain: options.wants_chain() && ground.identity.integrity == Integrity::Chained,
        gentle: options.is_gentle(ground.is_closed()),
        marks: &marks,
    };
    let crew = Crew::new(directory, &ground, &members, orders, progress);
    let walks = crew.walk_all(options.thread_count())?;
    for number in &ground.numbers {
        if !members.iter().any(|member| member.number == *number) {
            read_rest(directory, *number, Offset::ZERO, &|_| {})?;
        }
    }
    let tally = Tally::of(directory, &ground, &members, &walks)?;
    let mut findings = check_files(directory, &ground, &tally, orders.chain)?;
    let outcome = anchor.map(|anchor| {
        let witness = Witness {
            integrity: ground.identity.integrity,
            first: tally.first,
            durable: ground.durable,
            chain: tally.chain_at(anchor.sequence),
            findings: &findings,
            gaps: &tally.gaps,
        };
        witness.judge(anchor)
    });
    let unreadable = directory.noted();
    let opening = refuse_backup(medium).and(ground.opening);
    findings.splice(0..0, unreadable.iter().map(Finding::of_unreadable));
    Ok(Verification {
        path: directory.path().to_path_buf(),
        id: ground.identity.queue,
        integrity: ground.identity.integrity,
        first: tally.first,
        next: tally.next,
        durable: ground.durable,
        segments: tally.segments,
        records: tally.records,
        bytes: tally.bytes,
        chain: orders.chain,
        gaps: tally.gaps,
        anchor: outcome,
        quarantined: count_quarantine(medium)?,
        findings,
        unreadable,
        opening,
        elapsed: started.elapsed(),
    })
}

/// What is wrong, in the order of the files.
fn check_files(
    directory: &dyn Directory,
    ground: &Ground,
    tally: &Tally,
    chain: bool,
) -> Result<Vec<Finding>> {
    let mut findings: Vec<Finding> = check_identity(directory)?.into_iter().collect();
    findings.extend(check_state(directory, ground)?);
    if chain {
        findings.extend(check_end(directory, ground, tally));
    }
    findings.extend(tally.findings.iter().cloned());
    findings.extend(check_keys(directory, ground)?);
    findings.extend(check_cursors(directory, ground)?);
    findings.extend(check_snapshots(directory, ground)?);
    Ok(findings)
}

/// What all walks together say.
#[derive(Debug, Default)]
struct Tally {
    first: Sequence,
    next: Sequence,
    segments: usize,
    records: u64,
    bytes: u64,
    marks: Vec<(Sequence, Chain)>,
    gaps: Vec<Range<Sequence>>,
    findings: Vec<Finding>,
}

impl Tally {
    /// Joins the walks; again where something is wrong, as a slot of `STATE` may be half written
    /// when it is asked what is reclaimed.
    fn of(
        directory: &dyn Directory,
        ground: &Ground,
        members: &[Member],
        walks: &[Option<Walked>],
    ) -> Result<Self> {
        let mut tally = Self::default();
        for _ in 0..JOINS_MAX {
            let state = newest_state(directory, ground.identity.queue)?.or(ground.state);
            tally = Self::joined(directory, (ground, state), members, walks);
            if tally.findings.is_empty() {
                break;
            }
        }
        Ok(tally)
    }

    fn joined(
        directory: &dyn Directory,
        (ground, state): (&Ground, Option<StateSlot>),
        members: &[Member],
        walks: &[Option<Walked>],
    ) -> Self {
        let mut tally = Self::default();
        let mut first = None;
        let mut joiner = Joiner::new(directory.path(), ground, state);
        let first_segment = state.map_or(SegmentNumber::NONE, |state| state.first_segment);
        let retained = members.iter().zip(walks);
        for (member, walked) in retained.filter(|(member, _)| member.number >= first_segment) {
            let Some(walked) = walked else { continue };
            joiner.visit(member, walked);
            first = first.or(walked.first);
            tally.next = tally.next.max(walked.next);
            tally.records = tally.records.saturating_add(walked.records);
            tally.bytes = tally.bytes.saturating_add(walked.bytes);
            tally.marks.extend_from_slice(&walked.marks);
            tally.gaps.extend_from_slice(&walked.gaps);
            if let Ok(segment) = &member.beginning {
                // Where the record before is gone, this is what is left of the chain there.
                let mark = (segment.base, segment.start.previous_chain);
                tally.marks.push(mark);
            }
        }
        let end = ground.state.map(|state| state.end);
        if let Some(end) = end.filter(|end| end.next == ground.durable) {
            tally.marks.push((end.next, end.chain));
        }
        // What is retained and nobody can read is lost, not reclaimed.
        let stated = state.filter(|state| state.first_segment.is_some());
        let stated = stated.map(|state| state.first_base);
        tally.first = stated.or(first).unwrap_or(ground.next);
        tally.next = tally.next.max(tally.first);
        tally.segments = joiner.segments;
        tally.findings = joiner.finish();
        tally
    }

    /// The chain after the record before `sequence`.
    fn chain_at(&self, sequence: Sequence) -> Option<Chain> {
        let mut marks = self.marks.iter();
        let mark = marks.find(|(at, _)| *at == sequence);
        mark.map(|(_, chain)| *chain)
    }
}

/// Whether the newest slot of `STATE` has the chain that the log has at its end.
fn check_end(directory: &dyn Directory, ground: &Ground, tally: &Tally) -> Option<Finding> {
    let end = ground.state?.end;
    let found = tally.chain_at(end.next)?;
    let is_stated = end.chain != found && end.next <= ground.durable;
    is_stated.then(|| {
        let file = directory.path().join(STATE);
        let words = (words_of(found), words_of(end.chain));
        // It says nothing of any record before the end.
        Finding {
            range: end.next..end.next,
            ..Finding::plain(Severity::Tampering, file, Offset::ZERO, words)
        }
    })
}
