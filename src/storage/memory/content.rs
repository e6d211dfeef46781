//! The bytes of one file, in pages that images share until one of them changes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// What is allocated, and what a power cut splits a write into.
pub(super) const PAGE: usize = 4096;
/// What the device writes whole or not at all.
pub(super) const SECTOR: usize = 512;

const PAGE_BYTES: u64 = 4096;
const _: () = assert!(
    PAGE == 8 * SECTOR && PAGE_BYTES == 4096,
    "a page is eight sectors"
);

type Page = [u8; PAGE];

/// What a page reads as before it is written.
static ZEROS: Page = [0; PAGE];

/// A file's bytes at one moment. A page that is not there reads as zeros.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    length: u64,
    /// Every page below this one has its block, written or not.
    reserved: u64,
    /// Pages that have a block.
    blocks: u64,
    pages: BTreeMap<u64, Arc<Page>>,
}

/// The part of a read or a write that falls into one page.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) page: u64,
    /// Where it starts in the page.
    pub(super) start: usize,
    /// Which of the caller's bytes it is.
    pub(super) range: Range<usize>,
}

impl Piece {
    /// The sectors it touches, as bytes of the page.
    pub(super) fn sectors(&self) -> Range<usize> {
        let end = self.start + self.range.len();
        self.start / SECTOR * SECTOR..end.next_multiple_of(SECTOR)
    }
}

/// The pieces of `length` bytes at `offset`.
pub(super) fn pieces(offset: u64, length: usize) -> impl Iterator<Item = Piece> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let (page, start) = place(offset + done as u64);
        let count = (PAGE - start).min(length - done);
        let range = done..done + count;
        done += count;
        Some(Piece { page, start, range })
    })
}

/// Joins two numbers into one that depends on every bit of both.
pub(super) fn mix(one: u64, other: u64) -> u64 {
    let mixed = (one.rotate_left(25) ^ other).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ mixed >> 32
}

/// Where `page` ends in its file.
pub(super) fn page_end(page: u64) -> u64 {
    page.saturating_add(1).saturating_mul(PAGE_BYTES)
}

fn place(offset: u64) -> (u64, usize) {
    let start = usize::try_from(offset % PAGE_BYTES).expect("a page fits into memory");
    (offset / PAGE_BYTES, start)
}

impl Content {
    /// What a file that was written once holds.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        for piece in pieces(0, bytes.len()) {
            content.put(piece.page, piece.start, &bytes[piece.range]);
        }
        content.length = bytes.len() as u64;
        content
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let available = self.length.saturating_sub(offset);
        let count = usize::try_from(available)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        for piece in pieces(offset, count) {
            let target = &mut buffer[piece.range];
            match self.pages.get(&piece.page) {
                Some(page) => target.copy_from_slice(&page[piece.start..][..target.len()]),
                None => target.fill(0),
            }
        }
        count
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let length = usize::try_from(self.length).expect("a file in memory fits into memory");
        let mut bytes = vec![0; length];
        self.read(&mut bytes, 0);
        bytes
    }

    pub(super) fn has_block(&self, page: u64) -> bool {
        page < self.reserved || self.pages.contains_key(&page)
    }

    /// Changes bytes of one page; the length stays.
    pub(super) fn put(&mut self, page: u64, start: usize, bytes: &[u8]) {
        if !self.has_block(page) {
            self.blocks += 1;
        }
        let target = self.pages.entry(page).or_insert_with(|| Arc::new(ZEROS));
        Arc::make_mut(target)[start..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Whether a page has exactly these bytes from `start` on.
    pub(super) fn holds(&self, page: u64, start: usize, bytes: &[u8]) -> bool {
        let page = self.pages.get(&page).map_or(&ZEROS, |page| &**page);
        page[start..][..bytes.len()] == *bytes
    }

    /// A number that tells contents apart: of the length and of every page that was written.
    pub(super) fn fingerprint(&self) -> u64 {
        self.pages.iter().fold(self.length, |hash, (number, page)| {
            let mut lanes = [hash, *number, hash.rotate_left(32), !*number];
            for block in page.chunks_exact(32) {
                for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(8)) {
                    let word = word
                        .first_chunk()
                        .map_or(0, |word| u64::from_le_bytes(*word));
                    *lane = (*lane ^ word)
                        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                        .rotate_left(29);
                }
            }
            lanes.into_iter().fold(hash, mix)
        })
    }

    /// The bytes `range` of a page, as they are now.
    pub(super) fn image(&self, page: u64, range: Range<usize>) -> Arc<[u8]> {
        self.pages.get(&page).map_or_else(
            || Arc::from(&ZEROS[range.clone()]),
            |page| Arc::from(&page[range.clone()]),
        )
    }

    /// Takes a whole page over from `other`, without copying its bytes.
    pub(super) fn share_page(&mut self, page: u64, other: &Self) {
        if let Some(bytes) = other.pages.get(&page) {
            if !self.has_block(page) {
                self.blocks += 1;
            }
            self.pages.insert(page, Arc::clone(bytes));
        }
    }

    /// Makes the file at least this long.
    pub(super) fn extend(&mut self, bytes: u64) {
        self.length = self.length.max(bytes);
    }

    /// Cuts or extends; whatever lies beyond the new end is gone, with its blocks.
    pub(super) fn set_length(&mut self, bytes: u64) {
        let kept = bytes.div_ceil(PAGE_BYTES);
        let is_beyond = self
            .pages
            .last_key_value()
            .is_some_and(|(page, _)| *page >= kept);
        if is_beyond || self.reserved > kept {
            drop(self.pages.split_off(&kept));
            self.reserved = self.reserved.min(kept);
            self.blocks = self.reserved + self.pages.range(self.reserved..).count() as u64;
        }
        let (page, end) = place(bytes);
        if let Some(last) = self.pages.get_mut(&page)
            && last[end..] != ZEROS[end..]
        {
            Arc::make_mut(last)[end..].fill(0);
        }
        self.length = bytes;
    }

    /// How many blocks `reserve` would add.
    pub(super) fn blocks_missing(&self, bytes: u64) -> u64 {
        let wanted = bytes.div_ceil(PAGE_BYTES).max(self.reserved);
        let written = self.pages.range(self.reserved..wanted).count() as u64;
        wanted - self.reserved - written
    }

    /// Gives every page of the first `bytes` its block.
    pub(super) fn reserve(&mut self, bytes: u64) {
        self.blocks += self.blocks_missing(bytes);
        self.reserved = self.reserved.max(bytes.div_ceil(PAGE_BYTES));
    }
}
