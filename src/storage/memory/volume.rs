//! The disk: names, files, and the space they take. Knows no handles and no errors of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::content::mix;
use super::input_output_error;
use super::names::{Entry, Names};
use super::node::{Device, Inode, Node};
use crate::storage::Filesystem;

/// What taking a lock came to.
#[derive(Debug)]
pub(super) enum Locking {
    Taken(Inode),
    /// Another holds it, who left this text.
    Held(String),
}

/// All that one disk holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Volume {
    pub(super) names: Names,
    nodes: BTreeMap<Inode, Node>,
    next_inode: Inode,
    pub(super) device: Device,
    pub(super) filesystem: Filesystem,
    /// Names of files whose next sync fails and marks them clean.
    forgetful: BTreeSet<String>,
}

impl Volume {
    /// The files that a name leads to, now or perhaps after a power cut.
    pub(super) fn reachable_nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(|node| node.is_reachable)
    }

    pub(super) fn nodes_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.nodes.values_mut()
    }

    /// The file with a name or a handle, and what it takes its space from.
    pub(super) fn node(&mut self, inode: Inode) -> (&mut Node, &mut Device) {
        let node = self
            .nodes
            .get_mut(&inode)
            .expect("a file with a name or a handle exists");
        (node, &mut self.device)
    }

    pub(super) fn open(&mut self, name: &str) -> io::Result<Inode> {
        let inode = self.names.file(name)?;
        self.node(inode).0.handles += 1;
        Ok(inode)
    }

    pub(super) fn create(&mut self, name: &str) -> io::Result<Inode> {
        self.names.require_free(name)?;
        self.device.require_room()?;
        let inode = self.add(Node::opened(name));
        self.names.create(name, inode, self.device.tick());
        Ok(inode)
    }

    fn add(&mut self, node: Node) -> Inode {
        self.next_inode += 1;
        self.nodes.insert(self.next_inode, node);
        self.next_inode
    }

    /// Ends the life of one handle.
    pub(super) fn close(&mut self, inode: Inode) {
        let (node, _) = self.node(inode);
        node.handles -= 1;
        if node.handles == 0 && node.links == 0 {
            self.recount();
        }
    }

    pub(super) fn create_folder(&mut self, folder: &str) -> io::Result<()> {
        if folder.is_empty() || self.names.find(folder) == Some(Entry::Folder) {
            return Ok(());
        }
        self.names.require_free(folder)?;
        self.device.require_room()?;
        self.names.create_folder(folder, self.device.tick());
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let inode = self.names.file(from)?;
        if self.names.find(to) == Some(Entry::File(inode)) {
            // As rename(2) has it for two names of one file, which may be the same name.
            return Ok(());
        }
        // A file gives way to the one that takes its name; a folder does not.
        if !matches!(self.names.find(to), Some(Entry::File(_))) {
            self.names.require_free(to)?;
        }
        let device = &mut self.device;
        self.names.rename(inode, from, to, || device.tick());
        self.recount();
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.names.file(name)?;
        self.names.remove(name, self.device.tick());
        self.recount();
        Ok(())
    }

    pub(super) fn sync_folder(&mut self, folder: &str) -> io::Result<()> {
        self.names.require_folder(folder)?;
        self.names.sync(folder);
        self.recount();
        Ok(())
    }

    /// Takes the lock file `name`, which is created where it is missing.
    pub(super) fn lock(&mut self, name: &str, contents: &str) -> io::Result<Locking> {
        let inode = match self.open(name) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => self.create(name)?,
            opened => opened?,
        };
        let (node, device) = self.node(inode);
        if node.is_locked {
            node.handles -= 1;
            let hint = node.live().to_vec();
            return Ok(Locking::Held(String::from_utf8_lossy(&hint).into_owned()));
        }
        node.is_locked = true;
        // The contents are a hint that nobody decides by: not worth a choice in a power cut.
        node.plant(contents.as_bytes(), device);
        Ok(Locking::Taken(inode))
    }

    pub(super) fn unlock(&mut self, inode: Inode) {
        self.node(inode).0.is_locked = false;
        self.close(inode);
    }

    pub(super) fn sync_file(&mut self, inode: Inode) -> io::Result<()> {
        let name = Arc::clone(&self.node(inode).0.name);
        let is_forgetful = self.forgetful.remove(&*name);
        let (node, _) = self.node(inode);
        if is_forgetful {
            node.forget_changes();
            return Err(input_output_error());
        }
        node.sync();
        Ok(())
    }

    /// Makes the next sync of the file `name` fail and forget.
    pub(super) fn make_forgetful(&mut self, name: &str) {
        self.forgetful.insert(name.to_owned());
    }

    /// Puts a file with these bytes at `name`, with the folders it needs, all of it durable.
    pub(super) fn put_file(&mut self, name: &str, bytes: &[u8]) {
        for (end, _) in name.match_indices('/') {
            self.plant_folder(&name[..end]);
        }
        let inode = match self.names.find(name) {
            Some(Entry::File(inode)) => inode,
            Some(Entry::Folder) => panic!("a file is put where no folder is: {name}"),
            None => self.add(Node::default()),
        };
        let (node, device) = self.node(inode);
        node.plant(bytes, device);
        self.names.plant(name, Entry::File(inode));
        self.recount();
    }

    fn plant_folder(&mut self, path: &str) {
        let found = self.names.find(path);
        assert!(
            !matches!(found, Some(Entry::File(_))),
            "what holds a file is a folder: {path}"
        );
        self.names.plant(path, Entry::Folder);
    }

    /// The process ends: no handles, no locks. What was written stays, and stays unsynced.
    pub(super) fn restart(&mut self) {
        self.forgetful.clear();
        for node in self.nodes.values_mut() {
            node.handles = 0;
            node.is_locked = false;
        }
        self.recount();
    }

    pub(super) fn fingerprint(&self, is_left_out: impl Fn(&str) -> bool) -> u64 {
        let counted = self.names.live().filter(|(path, _)| !is_left_out(path));
        counted.fold(0, |hash, (path, entry)| {
            let hash = path.bytes().fold(hash, |hash, byte| mix(hash, byte.into()));
            let content = match entry {
                Entry::File(inode) => self.nodes[&inode].live().fingerprint(),
                Entry::Folder => 0,
            };
            mix(hash, content)
        })
    }

    /// Brings up to date what depends on names, and forgets files that nothing leads to.
    fn recount(&mut self) {
        for node in self.nodes.values_mut() {
            node.links = 0;
            node.is_reachable = false;
        }
        for inode in self.names.perhaps_reachable() {
            if let Some(node) = self.nodes.get_mut(&inode) {
                node.is_reachable = true;
            }
        }
        for (path, entry) in self.names.live() {
            if let Entry::File(inode) = entry
                && let Some(node) = self.nodes.get_mut(&inode)
            {
                node.is_reachable = true;
                node.links += 1;
                if !Arc::ptr_eq(&node.name, path) {
                    node.name = Arc::clone(path);
                }
            }
        }
        self.nodes
            .retain(|_, node| node.is_reachable || node.handles > 0);
        let taking = self
            .nodes
            .values()
            .filter(|node| node.links > 0 || node.handles > 0);
        self.device.used = taking.map(|node| node.live().blocks()).sum();
    }
}
