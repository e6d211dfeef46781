//! What kind of file system a path is on, as far as it changes what we may promise.

use std::path::Path;

/// A kind of file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filesystem {
    /// Local, overwriting in place: what the durability rules assume.
    #[default]
    Local,
    /// Local, copying on write: reserving blocks ahead is of no use there.
    CopyOnWrite,
    /// On another machine: locks and syncs may not mean what they say.
    Network,
}

impl Filesystem {
    /// The kind of the file system with this name, as Linux spells it.
    fn named(name: &str) -> Self {
        match name {
            "nfs" | "nfs4" | "cifs" | "smb3" | "smbfs" | "9p" | "ceph" | "afs" | "lustre"
            | "glusterfs" | "fuse.sshfs" | "fuse.glusterfs" | "fuse.s3fs" => Self::Network,
            "btrfs" | "zfs" | "bcachefs" => Self::CopyOnWrite,
            _ => Self::Local,
        }
    }

    /// The kind of the file system that the existing directory `path` is on; `Local` where the
    /// platform does not tell.
    #[cfg(target_os = "linux")]
    pub(super) fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;

        let Ok(metadata) = std::fs::metadata(path) else {
            return Self::Local;
        };
        let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else {
            return Self::Local;
        };
        let device = metadata.dev();
        let major = ((device >> 8) & 0xfff) | ((device >> 32) & 0xffff_f000);
        let minor = (device & 0xff) | ((device >> 12) & 0xffff_ff00);
        mount_type(&mounts, &format!("{major}:{minor}")).map_or(Self::Local, Self::named)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn of(_path: &Path) -> Self {
        Self::Local
    }
}

/// The type of the mount of `device` in the text of `/proc/self/mountinfo` (proc(5)).
#[cfg(target_os = "linux")]
fn mount_type<'a>(mounts: &'a str, device: &str) -> Option<&'a str> {
    let line = mounts
        .lines()
        .find(|line| line.split(' ').nth(2) == Some(device))?;
    line.split_once(" - ")?.1.split(' ').next()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_and_copying_file_systems_are_told_apart_from_local_ones() {
        let mounts = "22 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n\
                      30 22 0:45 / /mnt/far rw - nfs4 host:/x rw\n\
                      31 22 0:46 / /mnt/cow rw shared:4 master:2 - btrfs /dev/vdb rw\n";
        let kind = |device| mount_type(mounts, device).map(Filesystem::named);
        assert_eq!(kind("254:0"), Some(Filesystem::Local));
        assert_eq!(kind("0:45"), Some(Filesystem::Network));
        assert_eq!(kind("0:46"), Some(Filesystem::CopyOnWrite));
        assert_eq!(kind("9:9"), None);
    }

    #[test]
    fn a_missing_path_counts_as_local() {
        assert_eq!(
            Filesystem::of(Path::new("/nowhere/at/all")),
            Filesystem::Local
        );
    }
}
