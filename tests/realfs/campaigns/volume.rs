//! A small file system of its own, in a file, mounted over a loop device.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::command::run;
use super::failure::{Must, Outcome};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ext4,
    Xfs,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }

    /// The smallest that its tool makes (xfs), or a small one.
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::Ext4 => 16 << 20,
            Self::Xfs => 320 << 20,
        }
    }
}

/// How the file system is shut down: with its log written, or without.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Shutdown {
    /// Everything is written first.
    Frozen = 0,
    LogFlushed = 1,
    LogLost = 2,
}

pub(crate) struct Volume {
    kind: Kind,
    image: PathBuf,
    point: PathBuf,
    /// Every request to the loop device is of one page: it fails or succeeds as a whole.
    single_pages: bool,
    mounted: bool,
}

impl Volume {
    /// A new file system in the file `image`, not mounted yet.
    pub(crate) fn make(kind: Kind, image: &Path, bytes: u64) -> Outcome<Self> {
        let file = File::create_new(image).must("make the image")?;
        file.set_len(bytes).must("make the image")?;
        let path = text(image);
        match kind {
            // Small images would get blocks of 1 KiB, and blocks that only root may use.
            Kind::Ext4 => run("mkfs.ext4", &["-q", "-b", "4096", "-m", "0", path])?,
            Kind::Xfs => run("mkfs.xfs", &["-q", "-f", path])?,
        };
        Self::of(kind, image)
    }

    /// The file system that is in `image`.
    pub(crate) fn of(kind: Kind, image: &Path) -> Outcome<Self> {
        let point = image.with_extension("mounted");
        std::fs::create_dir(&point).must("make the mount point")?;
        Ok(Self {
            kind,
            image: image.to_path_buf(),
            point,
            single_pages: false,
            mounted: false,
        })
    }

    pub(crate) fn with_single_pages(mut self) -> Self {
        self.single_pages = true;
        self
    }

    pub(crate) fn point(&self) -> &Path {
        &self.point
    }

    pub(crate) fn mount(&mut self) -> Outcome {
        let device = run("losetup", &["--find", "--show", text(&self.image)])?;
        let mounted = self.mount_device(&device);
        // Detached as soon as it is unmounted, or now if it was not mounted.
        let detached = run("losetup", &["--detach", &device]);
        mounted.and(detached.map(drop))
    }

    fn mount_device(&mut self, device: &str) -> Outcome {
        if self.single_pages {
            let name = device.trim_start_matches("/dev/");
            let limit = format!("/sys/block/{name}/queue/max_sectors_kb");
            std::fs::write(limit, "4").must("limit the loop device's requests")?;
        }
        run(
            "mount",
            &["-t", self.kind.name(), device, text(&self.point)],
        )?;
        self.mounted = true;
        Ok(())
    }

    pub(crate) fn unmount(&mut self) -> Outcome {
        let mut tries = 0;
        loop {
            match run("umount", &[text(&self.point)]) {
                Ok(_) => break,
                Err(failure) if tries == 100 => return Err(failure),
                // Somebody looks at all mounts, a scanner perhaps.
                Err(_) => tries += 1,
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.mounted = false;
        Ok(())
    }

    pub(crate) fn remount(&mut self) -> Outcome {
        self.unmount()?;
        self.mount()
    }

    /// Makes the file system stop at once, as a power cut would.
    pub(crate) fn shut_down(&self, how: Shutdown) -> Outcome {
        shut_down(&self.point, how as u32).must("shut the file system down")
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if self.mounted {
            // A failure is being told already; what still uses it ends with this process.
            run("umount", &["--lazy", text(&self.point)]).ok();
        }
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("scratch paths are text")
}

#[expect(unsafe_code, reason = "the standard library has no ioctl")]
fn shut_down(point: &Path, how: u32) -> io::Result<()> {
    /// `FS_IOC_SHUTDOWN` of the kernel, 0x8004587d.
    const REQUEST: libc::Ioctl = libc::_IOR::<u32>(b'X' as u32, 125);
    let folder = File::open(point)?;
    // SAFETY: the descriptor is open during the call, and the request reads one u32 through the
    // pointer, which points to `how`.
    let result = unsafe { libc::ioctl(folder.as_raw_fd(), REQUEST, &raw const how) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
