//! The names of the whole tree: the ones that calls see, the ones on the medium, and what lies
//! between.
//!
//! What survives a power cut is, for every name, one of the states that it went through. So a
//! change that survives takes with it the earlier ones of the same name; changes of different
//! names survive in any order.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use super::crash::{Fate, UnsyncedChange};
use super::node::Inode;

/// What has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    File(Inode),
    Folder,
}

/// Whole paths, so that a folder is the range of the paths below it.
type Tree = BTreeMap<Arc<str>, Entry>;

/// A change to a folder since its last sync.
#[derive(Clone, Debug)]
struct Change {
    /// When, by the device's clock.
    stamp: u64,
    effect: Effect,
}

#[derive(Clone, Debug)]
enum Effect {
    Create {
        path: Arc<str>,
        inode: Inode,
    },
    CreateFolder {
        path: Arc<str>,
    },
    Remove {
        path: Arc<str>,
    },
    /// Within one folder, where it is one change.
    Rename {
        from: Arc<str>,
        to: Arc<str>,
        inode: Inode,
    },
    /// The new name of a rename between folders, a change of the folder of `to`.
    MoveIn {
        from: Arc<str>,
        to: Arc<str>,
        inode: Inode,
    },
    /// The old name of a rename between folders, a change of the folder of `from`.
    MoveOut {
        from: Arc<str>,
        to: Arc<str>,
    },
}

impl Effect {
    /// A name in the folder whose sync makes this durable.
    fn subject(&self) -> &Arc<str> {
        match self {
            Self::Create { path, .. } | Self::CreateFolder { path } | Self::Remove { path } => path,
            Self::Rename { from, .. } | Self::MoveOut { from, .. } => from,
            Self::MoveIn { to, .. } => to,
        }
    }

    /// Whether this changes the name `path`.
    fn touches(&self, path: &str) -> bool {
        let renamed = matches!(self, Self::Rename { to, .. } if **to == *path);
        renamed || **self.subject() == *path
    }

    /// The names whose earlier changes survive when this does. For the old name of a move that
    /// includes the new one: a file that is moved is never without a name.
    fn takes_along(&self) -> [&Arc<str>; 2] {
        match self {
            Self::Rename { from, to, .. } | Self::MoveOut { from, to } => [from, to],
            Self::Create { .. }
            | Self::CreateFolder { .. }
            | Self::Remove { .. }
            | Self::MoveIn { .. } => [self.subject(), self.subject()],
        }
    }

    fn apply(&self, tree: &mut Tree) {
        match self {
            Self::Create { path, inode } => {
                tree.insert(Arc::clone(path), Entry::File(*inode));
            }
            Self::CreateFolder { path } => {
                tree.insert(Arc::clone(path), Entry::Folder);
            }
            Self::Remove { path } | Self::MoveOut { from: path, .. } => {
                tree.remove(path);
            }
            Self::Rename { from, to, inode } => {
                tree.remove(from);
                tree.insert(Arc::clone(to), Entry::File(*inode));
            }
            Self::MoveIn { to, inode, .. } => {
                tree.insert(Arc::clone(to), Entry::File(*inode));
            }
        }
    }

    fn describe(&self) -> UnsyncedChange {
        match self {
            Self::Create { .. } => UnsyncedChange::Created,
            Self::CreateFolder { .. } => UnsyncedChange::FolderCreated,
            Self::Remove { .. } => UnsyncedChange::Removed,
            Self::Rename { to, .. } => UnsyncedChange::Renamed { to: Arc::clone(to) },
            Self::MoveIn { from, .. } => UnsyncedChange::MovedIn {
                from: Arc::clone(from),
            },
            Self::MoveOut { to, .. } => UnsyncedChange::MovedOut { to: Arc::clone(to) },
        }
    }
}

/// The folder that holds `path`; `""` is the tree itself.
fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// All names, with what is not synced of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    live: Arc<Tree>,
    durable: Arc<Tree>,
    /// In the order of happening.
    changes: Vec<Change>,
}

impl Names {
    pub(super) fn live(&self) -> impl Iterator<Item = (&Arc<str>, Entry)> {
        self.live.iter().map(|(path, entry)| (path, *entry))
    }

    /// The files that may have a name after a power cut, but for those that have a live one.
    pub(super) fn perhaps_reachable(&self) -> impl Iterator<Item = Inode> + '_ {
        let pending = self
            .changes
            .iter()
            .filter_map(|change| match change.effect {
                Effect::Create { inode, .. }
                | Effect::Rename { inode, .. }
                | Effect::MoveIn { inode, .. } => Some(inode),
                Effect::CreateFolder { .. } | Effect::Remove { .. } | Effect::MoveOut { .. } => {
                    None
                }
            });
        let is_other = !Arc::ptr_eq(&self.live, &self.durable);
        let durable = is_other
            .then(|| self.durable.values())
            .into_iter()
            .flatten();
        let durable = durable.filter_map(|entry| match entry {
            Entry::File(inode) => Some(*inode),
            Entry::Folder => None,
        });
        durable.chain(pending)
    }

    pub(super) fn find(&self, path: &str) -> Option<Entry> {
        self.live.get(path).copied()
    }

    pub(super) fn file(&self, path: &str) -> io::Result<Inode> {
        match self.find(path) {
            Some(Entry::File(inode)) => Ok(inode),
            Some(Entry::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn require_folder(&self, folder: &str) -> io::Result<()> {
        match self.find(folder) {
            _ if folder.is_empty() => Ok(()),
            Some(Entry::Folder) => Ok(()),
            Some(Entry::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Fails unless `path` is a free name in an existing folder.
    pub(super) fn require_free(&self, path: &str) -> io::Result<()> {
        self.require_folder(folder_of(path))?;
        if path.is_empty() || self.find(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(())
    }

    pub(super) fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.require_folder(folder)?;
        let below = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let from = (Bound::Included(below.as_str()), Bound::Unbounded);
        let paths = self
            .live
            .range::<str, _>(from)
            .map_while(|(path, _)| path.strip_prefix(&below));
        Ok(paths
            .filter(|name| !name.contains('/'))
            .map(str::to_owned)
            .collect())
    }

    /// Gives `inode` the free name `path`.
    pub(super) fn create(&mut self, path: &str, inode: Inode, stamp: u64) {
        self.change(
            stamp,
            Effect::Create {
                path: path.into(),
                inode,
            },
        );
    }

    pub(super) fn create_folder(&mut self, path: &str, stamp: u64) {
        self.change(stamp, Effect::CreateFolder { path: path.into() });
    }

    pub(super) fn remove(&mut self, path: &str, stamp: u64) {
        self.change(stamp, Effect::Remove { path: path.into() });
    }

    /// Gives the file `inode` at `from` the name `to`; `tick` tells the time of each change.
    pub(super) fn rename(
        &mut self,
        inode: Inode,
        from: &str,
        to: &str,
        mut tick: impl FnMut() -> u64,
    ) {
        let (from, to) = (Arc::<str>::from(from), Arc::<str>::from(to));
        if folder_of(&from) == folder_of(&to) {
            self.change(tick(), Effect::Rename { from, to, inode });
        } else {
            let (left, entered) = (Arc::clone(&from), Arc::clone(&to));
            self.change(tick(), Effect::MoveIn { from, to, inode });
            self.change(
                tick(),
                Effect::MoveOut {
                    from: left,
                    to: entered,
                },
            );
        }
    }

    fn change(&mut self, stamp: u64, effect: Effect) {
        effect.apply(Arc::make_mut(&mut self.live));
        self.changes.push(Change { stamp, effect });
    }

    /// Gives `entry` the name `path`, on the medium too.
    pub(super) fn plant(&mut self, path: &str, entry: Entry) {
        let kept = self
            .changes
            .iter()
            .map(|change| change.effect.touches(path))
            .collect();
        self.settle(kept);
        for tree in [&mut self.live, &mut self.durable] {
            Arc::make_mut(tree).insert(path.into(), entry);
        }
    }

    /// The changes of `folder` reach the medium.
    pub(super) fn sync(&mut self, folder: &str) {
        let changes = self.changes.iter();
        let kept = changes
            .map(|change| folder_of(change.effect.subject()) == folder)
            .collect();
        self.settle(kept);
    }

    pub(super) fn change_count(&self) -> usize {
        self.changes.len()
    }

    /// What is not synced, each with the time it happened and the name it happened to.
    pub(super) fn unsynced(&self) -> impl Iterator<Item = (u64, Arc<str>, UnsyncedChange)> + '_ {
        self.changes.iter().map(|change| {
            (
                change.stamp,
                Arc::clone(change.effect.subject()),
                change.effect.describe(),
            )
        })
    }

    /// Becomes what a power cut leaves when each change has the fate that `fate` tells.
    pub(super) fn lose_power(&mut self, fate: &dyn Fn(u64) -> Fate) {
        if !self.changes.is_empty() {
            let kept = self
                .changes
                .iter()
                .map(|change| fate(change.stamp).keeps())
                .collect();
            self.settle(kept);
            let lost = std::mem::take(&mut self.changes);
            if lost
                .iter()
                .any(|change| matches!(change.effect, Effect::CreateFolder { .. }))
            {
                self.drop_unreachable();
            }
        }
        self.live = Arc::clone(&self.durable);
    }

    /// Makes the changes that are `kept`, and what they take along, durable.
    fn settle(&mut self, mut kept: Vec<bool>) {
        let mut along: Vec<&Arc<str>> = Vec::new();
        for (change, kept) in self.changes.iter().zip(&mut kept).rev() {
            *kept = *kept || along.iter().any(|path| change.effect.touches(path));
            if *kept {
                along.extend(change.effect.takes_along());
            }
        }
        let mut fates = kept.into_iter();
        let durable = &mut self.durable;
        self.changes.retain(|change| {
            let is_kept = fates.next() == Some(true);
            if is_kept {
                change.effect.apply(Arc::make_mut(durable));
            }
            !is_kept
        });
    }

    /// A folder that did not survive takes with it what is in it, synced or not.
    fn drop_unreachable(&mut self) {
        let mut folders: Vec<Arc<str>> = vec!["".into()];
        // In this order a folder comes before everything in it.
        Arc::make_mut(&mut self.durable).retain(|path, entry| {
            let is_kept = folders.iter().any(|folder| **folder == *folder_of(path));
            if is_kept && *entry == Entry::Folder {
                folders.push(Arc::clone(path));
            }
            is_kept
        });
    }
}
