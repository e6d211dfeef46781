//! One file apart from its names: what reads see, what the medium holds, and what lies between.

use std::io;
use std::sync::Arc;

use super::content::{Content, PAGE, SECTOR, page_end, pieces};
use super::crash::{Fate, UnsyncedChange, noise, sector_mask};

/// The number of a file, whatever its names.
pub(super) type Inode = u64;

/// As large as the length of a file can be on Linux.
const LENGTH_MAX: u64 = i64::MAX.cast_unsigned();

/// What all files share: the space, and the order in which things happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Device {
    /// Pages there are; no limit when `None`.
    pub(super) capacity: Option<u64>,
    /// Pages that files with a name or a handle have.
    pub(super) used: u64,
    clock: u64,
}

impl Device {
    /// The number of the next change.
    pub(super) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Takes `pages`, all or none.
    fn take(&mut self, pages: u64) -> io::Result<()> {
        let used = self.used.saturating_add(pages);
        if pages > 0 && self.capacity.is_some_and(|capacity| used > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.used = used;
        Ok(())
    }

    /// Fails when not one page is left. A new name takes none here, but would on a real disk.
    pub(super) fn require_room(&self) -> io::Result<()> {
        if self.capacity.is_some_and(|capacity| self.used >= capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

/// A change to a file since its last sync.
#[derive(Clone, Debug)]
struct Change {
    /// When, by the device's clock.
    stamp: u64,
    effect: Effect,
}

#[derive(Clone, Debug)]
enum Effect {
    /// Sectors of one page got new bytes: from byte `start` of the page they are `image` now.
    Sectors {
        page: u64,
        start: usize,
        image: Arc<[u8]>,
    },
    /// The length changed, and the first `reserved` bytes have their blocks.
    Length { from: u64, to: u64, reserved: u64 },
}

impl Effect {
    fn describe(&self) -> UnsyncedChange {
        match self {
            Self::Sectors { page, start, image } => UnsyncedChange::Page {
                page: *page,
                sectors: sector_mask(*start, image.len()),
            },
            Self::Length { from, to, .. } => UnsyncedChange::Length {
                from: *from,
                to: *to,
            },
        }
    }

    fn is_cut(&self) -> bool {
        matches!(self, Self::Length { from, to, .. } if to < from)
    }
}

/// One file.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// The last name it had, for messages.
    pub(super) name: Arc<str>,
    live: Arc<Content>,
    durable: Arc<Content>,
    /// In the order of happening; empty right after a sync.
    changes: Vec<Change>,
    /// How many live names it has.
    pub(super) links: u64,
    /// How many open handles and locks it has.
    pub(super) handles: u64,
    /// Whether it has a name, or may get one back in a power cut.
    pub(super) is_reachable: bool,
    pub(super) is_locked: bool,
}

impl Node {
    /// A new file that its creator has open.
    pub(super) fn opened(name: &str) -> Self {
        Self {
            name: name.into(),
            links: 1,
            handles: 1,
            is_reachable: true,
            ..Self::default()
        }
    }

    pub(super) fn live(&self) -> &Content {
        &self.live
    }

    pub(super) fn change_count(&self) -> usize {
        self.changes.len()
    }

    /// Makes `bytes` the content, of the medium too.
    pub(super) fn plant(&mut self, bytes: &[u8], device: &mut Device) {
        let content = Arc::new(Content::of(bytes));
        device.used = device.used.saturating_sub(self.live.blocks()) + content.blocks();
        self.live = Arc::clone(&content);
        self.durable = content;
        self.changes.clear();
    }

    /// Writes until done or until there is no room; what was put down stays.
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        offset: u64,
        device: &mut Device,
    ) -> io::Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        if end > LENGTH_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let live = Arc::make_mut(&mut self.live);
        let mut put = 0;
        let mut outcome = Ok(());
        for piece in pieces(offset, bytes.len()) {
            outcome = device.take(u64::from(!live.has_block(piece.page)));
            if outcome.is_err() {
                break;
            }
            let sectors = piece.sectors();
            put = piece.range.end;
            live.put(piece.page, piece.start, &bytes[piece.range]);
            let (page, start) = (piece.page, sectors.start);
            let effect = Effect::Sectors {
                page,
                start,
                image: live.image(page, sectors),
            };
            self.changes.push(Change {
                stamp: device.tick(),
                effect,
            });
        }
        let end = offset + put as u64;
        if put > 0 && end > self.live.length() {
            self.change_length(end, device);
        }
        outcome
    }

    pub(super) fn set_length(&mut self, bytes: u64, device: &mut Device) -> io::Result<()> {
        if bytes > LENGTH_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if bytes != self.live.length() {
            self.change_length(bytes, device);
        }
        Ok(())
    }

    pub(super) fn allocate(&mut self, bytes: u64, device: &mut Device) -> io::Result<()> {
        if bytes > LENGTH_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        device.take(self.live.blocks_missing(bytes))?;
        Arc::make_mut(&mut self.live).reserve(bytes);
        let (from, to) = (self.live.length(), bytes);
        if to > from {
            Arc::make_mut(&mut self.live).extend(to);
            let effect = Effect::Length {
                from,
                to,
                reserved: bytes,
            };
            self.changes.push(Change {
                stamp: device.tick(),
                effect,
            });
        }
        Ok(())
    }

    fn change_length(&mut self, to: u64, device: &mut Device) {
        let from = self.live.length();
        let blocks = self.live.blocks();
        let live = Arc::make_mut(&mut self.live);
        if to > from {
            live.extend(to);
        } else {
            live.set_length(to);
        }
        device.used = device.used.saturating_sub(blocks) + live.blocks();
        let effect = Effect::Length {
            from,
            to,
            reserved: 0,
        };
        self.changes.push(Change {
            stamp: device.tick(),
            effect,
        });
    }

    /// The changes reach the medium.
    pub(super) fn sync(&mut self) {
        if self.changes.is_empty() {
            return;
        }
        let durable = Arc::make_mut(&mut self.durable);
        let mut length = None;
        for change in &self.changes {
            if let Effect::Length { to, reserved, .. } = change.effect {
                if change.effect.is_cut() {
                    durable.set_length(durable.length().min(to));
                }
                durable.reserve(reserved);
                length = Some(self.live.length());
            }
        }
        for change in self.changes.drain(..) {
            if let Effect::Sectors { page, .. } = change.effect {
                // A page is written back whole, and with it the length that covers it. That
                // matters after `forget_changes`, when no change of the length is left to sync.
                durable.share_page(page, &self.live);
                durable.extend(page_end(page).min(self.live.length()));
            }
        }
        if let Some(length) = length {
            durable.set_length(length);
        }
    }

    /// The changes count as synced, but the medium does not have them.
    pub(super) fn forget_changes(&mut self) {
        self.changes.clear();
    }

    /// What is not synced, each with the time it happened.
    pub(super) fn unsynced(&self) -> impl Iterator<Item = (u64, UnsyncedChange)> + '_ {
        self.changes
            .iter()
            .map(|change| (change.stamp, change.effect.describe()))
    }

    /// Becomes what a power cut leaves when each change has the fate that `fate` tells.
    pub(super) fn lose_power(&mut self, fate: &dyn Fn(u64) -> Fate) {
        let changes = std::mem::take(&mut self.changes);
        // The length is one field of the inode: when a later value of it survived, the blocks
        // that an earlier one cut off were gone by then.
        let last_length = changes.iter().rposition(|change| {
            matches!(change.effect, Effect::Length { .. }) && fate(change.stamp).keeps()
        });
        let synced = Arc::clone(&self.durable);
        let mut is_changed = false;
        for (index, change) in changes.iter().enumerate() {
            let is_implied = change.effect.is_cut() && last_length.is_some_and(|at| index < at);
            let fate = if is_implied {
                Fate::Kept
            } else {
                fate(change.stamp)
            };
            if fate.keeps() {
                let durable = Arc::make_mut(&mut self.durable);
                change.effect.survive(fate, &synced, durable);
                is_changed = true;
            }
        }
        if is_changed {
            // Bytes may have survived without the length that covers them.
            let length = self.durable.length();
            Arc::make_mut(&mut self.durable).set_length(length);
        }
        self.live = Arc::clone(&self.durable);
    }
}

impl Effect {
    fn survive(&self, fate: Fate, synced: &Content, content: &mut Content) {
        match self {
            Self::Length { from, to, .. } if to < from => content.set_length(*to),
            Self::Length { to, reserved, .. } => {
                content.extend(*to);
                content.reserve(*reserved);
            }
            Self::Sectors { page, start, image } if fate == Fate::Kept => {
                content.put(*page, *start, image);
            }
            Self::Sectors { page, start, image } => {
                let is_change = !content.holds(*page, *start, image);
                for (index, sector) in image.chunks(SECTOR).enumerate() {
                    let start = start + index * SECTOR;
                    if fate.keeps_sector(start) {
                        content.put(*page, start, sector);
                    }
                }
                let written = sector_mask(*start, image.len());
                if is_change {
                    spoil((*page, written), fate, synced, content);
                }
            }
        }
    }
}

/// Makes zeros and noise of what `fate` says, after a write of the sectors `written`.
fn spoil((page, written): (u64, u8), fate: Fate, synced: &Content, content: &mut Content) {
    let Fate::Scrambled {
        kept,
        zeroed,
        noisy,
        harsh,
    } = fate
    else {
        return;
    };
    for start in (0..PAGE).step_by(SECTOR) {
        let sector = sector_mask(start, SECTOR);
        let spared = if harsh {
            false
        } else {
            written & sector == 0 || !synced.holds(page, start, &[0; SECTOR])
        };
        if spared || kept & sector != 0 {
            continue;
        }
        if noisy & sector != 0 {
            content.put(page, start, &noise(page, start));
        } else if zeroed & sector != 0 {
            content.put(page, start, &[0; SECTOR]);
        }
    }
}
