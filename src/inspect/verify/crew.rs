//! Walks the segments, several at a time.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use super::ground::{Ground, is_reclaimed};
use super::index::IndexCheck;
use super::options::Progress;
use super::order::{Member, Started};
use super::rest::read_rest;
use super::walk::{Orders, Walked, walk};
use crate::error::Result;
use crate::position::Offset;
use crate::storage::Directory;

/// How often as long as reading took a gentle thread rests.
const RESTS: u32 = 3;

/// What one thread found, each with the place of its segment.
type Share = Vec<(usize, Option<Walked>)>;

/// What all threads of one call share.
pub(super) struct Crew<'a> {
    pub(super) directory: &'a dyn Directory,
    pub(super) ground: &'a Ground,
    pub(super) members: &'a [Member],
    pub(super) orders: Orders<'a>,
    pub(super) progress: &'a (dyn Fn(Progress) + Sync),
    total_bytes: u64,
    next: AtomicUsize,
    bytes: AtomicU64,
}

impl<'a> Crew<'a> {
    pub(super) fn new(
        directory: &'a dyn Directory,
        ground: &'a Ground,
        members: &'a [Member],
        orders: Orders<'a>,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Self {
        let total_bytes = members.iter().map(|member| member.file_bytes);
        Self {
            total_bytes: total_bytes.fold(0, u64::saturating_add),
            directory,
            ground,
            members,
            orders,
            progress,
            next: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// What each segment holds, in order; `None` for one that was reclaimed meanwhile.
    pub(super) fn walk_all(&self, jobs: usize) -> Result<Vec<Option<Walked>>> {
        let jobs = jobs.clamp(1, self.members.len().max(1));
        let shares: Vec<Result<Share>> = thread::scope(|scope| {
            let others: Vec<_> = (1..jobs).map(|_| scope.spawn(|| self.work())).collect();
            let own = self.work();
            let others = others.into_iter().map(|other| match other.join() {
                Ok(share) => share,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            std::iter::once(own).chain(others).collect()
        });
        let mut all = Vec::with_capacity(self.members.len());
        for share in shares {
            all.extend(share?);
        }
        all.sort_unstable_by_key(|(at, _)| *at);
        Ok(all.into_iter().map(|(_, walked)| walked).collect())
    }

    /// Takes the next segment nobody has, until there is none.
    fn work(&self) -> Result<Share> {
        let mut done = Vec::new();
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(member) = self.members.get(at) else {
                return Ok(done);
            };
            done.push((at, self.look_at(member)?));
        }
    }

    fn look_at(&self, member: &Member) -> Result<Option<Walked>> {
        let told = AtomicU64::new(0);
        let rested = Cell::new(Instant::now());
        let tell = |bytes: u64| {
            told.fetch_add(bytes, Ordering::Relaxed);
            self.tell(bytes);
            if self.orders.gentle {
                thread::sleep(rested.get().elapsed().saturating_mul(RESTS));
                rested.set(Instant::now());
            }
        };
        let walked = self.walk(member, &tell)?;
        let end = walked.as_ref().map_or(Offset::ZERO, |walked| walked.end);
        read_rest(self.directory, member.number, end, &tell)?;
        // What was cut off meanwhile is done with too.
        let told = told.into_inner();
        self.tell(member.file_bytes.saturating_sub(told));
        let is_sound = walked.as_ref().is_some_and(|walked| {
            walked.holes.is_empty() && walked.breaks.is_empty() && walked.index.is_none()
        });
        if is_sound {
            return Ok(walked);
        }
        // Again, from the file: it may be that the segment went away while it was read.
        let again = self.walk(member, &|_| {})?;
        let (queue, number) = (self.ground.identity.queue, member.number);
        let is_gone = is_reclaimed(self.directory, queue, number);
        Ok(again.filter(|_| !is_gone))
    }

    fn walk(&self, member: &Member, tell: &dyn Fn(u64)) -> Result<Option<Walked>> {
        // Without its beginning no reader opens it: what is in it is for salvage to find.
        if member.beginning.is_err() {
            return Ok(Some(Walked::default()));
        }
        Ok(
            match Started::open(self.directory, self.ground, member.number)? {
                Some(Started::Good(segment)) => {
                    let index = IndexCheck::open(self.directory, &segment)?;
                    let walked = walk(&segment, member.until, index, self.orders, tell)?;
                    Some(walked)
                }
                Some(Started::Bad(..)) => Some(Walked::default()),
                None => None,
            },
        )
    }

    fn tell(&self, bytes: u64) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        (self.progress)(Progress {
            bytes: before.saturating_add(bytes),
            total_bytes: self.total_bytes,
        });
    }
}
