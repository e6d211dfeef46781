//! What a power cut may leave: the choices, one for each thing that is not synced.

use std::sync::Arc;

use super::content::SECTOR;
use super::volume::Volume;

/// Something that power loss may undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsynced {
    /// The file or folder concerned: for a change of names the name in the folder that was not
    /// synced, for a change of content the last name of the file.
    pub name: Arc<str>,
    /// What happened to it.
    pub change: UnsyncedChange,
}

/// What happened since the last sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnsyncedChange {
    /// The file got its name.
    Created,
    /// The folder was made.
    FolderCreated,
    /// The file lost its name.
    Removed,
    /// The file got another name in the same folder.
    Renamed {
        /// The new name.
        to: Arc<str>,
    },
    /// The file came from another folder.
    MovedIn {
        /// The name it had there.
        from: Arc<str>,
    },
    /// The file went to another folder.
    MovedOut {
        /// The name it has there.
        to: Arc<str>,
    },
    /// Bytes of one 4 KiB page were written.
    Page {
        /// Which page of the file.
        page: u64,
        /// The 512-byte sectors that were written into, the lowest bit for the first one.
        sectors: u8,
    },
    /// The length changed: by a write past the end, `set_length` or `allocate`.
    Length {
        /// What it was, in bytes.
        from: u64,
        /// What it is, in bytes.
        to: u64,
    },
}

/// What became of something that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It did not reach the medium.
    Lost,
    /// It reached the medium.
    Kept,
    /// Only some sectors of the page did. Anything but a write of a page is kept whole.
    Torn {
        /// The sectors kept, the lowest bit for the first one of the page.
        sectors: u8,
    },
    /// Every sector of the page met an end of its own; one that is in no set did not reach the
    /// medium. Anything but a write of a page is kept whole.
    Scrambled {
        /// The sectors kept, the lowest bit for the first one of the page.
        kept: u8,
        /// Those that read as zeros now.
        zeroed: u8,
        /// Those that read as noise now.
        noisy: u8,
        /// Where false, bytes that the write did not change survive it, and so do synced ones: what
        /// is zeroed or noisy is a written sector that held nothing but zeros on the medium. Where
        /// true, it is any sector of the page, unless the write changed none of its bytes.
        harsh: bool,
    },
}

impl Fate {
    pub(super) fn keeps(self) -> bool {
        self != Self::Lost
    }

    /// Whether the sector that starts at byte `start` of its page is kept.
    pub(super) fn keeps_sector(self, start: usize) -> bool {
        match self {
            Self::Lost => false,
            Self::Kept => true,
            Self::Torn { sectors } | Self::Scrambled { kept: sectors, .. } => {
                sectors & sector_mask(start, SECTOR) != 0
            }
        }
    }
}

/// The sectors of the `length` bytes of a page from byte `start`, both whole sectors.
pub(super) fn sector_mask(start: usize, length: usize) -> u8 {
    (start / SECTOR..(start + length) / SECTOR).fold(0, |mask, sector| mask | (1 << sector))
}

/// What is in the sector that starts at byte `start` of `page` after it went wrong.
pub(super) fn noise(page: u64, start: usize) -> [u8; SECTOR] {
    let mut state = (page << 12) | start as u64 | 1 << 63;
    let mut bytes = [0; SECTOR];
    for word in bytes.chunks_exact_mut(8) {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        word.copy_from_slice(&(state ^ state >> 29).to_le_bytes());
    }
    bytes
}

impl Volume {
    /// What is not synced, in the order of happening.
    pub(super) fn unsynced(&self) -> Vec<(u64, Unsynced)> {
        let names = self.names.unsynced();
        let mut all: Vec<_> = names
            .map(|(stamp, name, change)| (stamp, Unsynced { name, change }))
            .collect();
        for node in self.reachable_nodes() {
            all.extend(node.unsynced().map(|(stamp, change)| {
                (
                    stamp,
                    Unsynced {
                        name: Arc::clone(&node.name),
                        change,
                    },
                )
            }));
        }
        all.sort_unstable_by_key(|(stamp, _)| *stamp);
        all
    }

    /// Becomes what a power cut leaves, when `choice` tells what became of each unsynced thing.
    pub(super) fn lose_power(&mut self, choice: &mut dyn FnMut(&Unsynced) -> Fate) {
        let fates: Vec<_> = self
            .unsynced()
            .iter()
            .map(|(stamp, unit)| (*stamp, choice(unit)))
            .collect();
        let fate = |stamp: u64| {
            fates
                .binary_search_by_key(&stamp, |(at, _)| *at)
                .map_or(Fate::Lost, |at| fates[at].1)
        };
        self.names.lose_power(&fate);
        for node in self.nodes_mut() {
            node.lose_power(&fate);
        }
        self.restart();
    }
}
