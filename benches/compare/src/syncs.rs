//! Counts the syncs that this process makes, whoever makes them.
//!
//! The four functions below have the names of the C library's own and take their place in this
//! program, so every peer comes through here; each makes the same call of the kernel. The counts
//! cost nothing beside a sync. `honesty` holds them against strace.

use std::sync::atomic::{AtomicU64, Ordering};

static SYNCS: AtomicU64 = AtomicU64::new(0);

/// How long a sync takes at least, in microseconds.
static LEAST: AtomicU64 = AtomicU64::new(0);

/// Makes every sync of this process take so long at least: a slower device, for peers and the bare
/// device alike.
pub fn prolong(microseconds: u64) {
    LEAST.store(microseconds, Ordering::Relaxed);
}

/// Syncs that succeeded since the process began; always 0 where they cannot be counted.
pub fn made() -> u64 {
    SYNCS.load(Ordering::Relaxed)
}

/// Whether they can be counted here.
pub const COUNTED: bool = cfg!(target_os = "linux");

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "the names and the calls are those of the C library"
)]
mod interposed {
    use std::sync::atomic::Ordering;
    use std::thread;
    use std::time::{Duration, Instant};

    use libc::{c_int, c_long, c_uint, c_void, off64_t, size_t};

    fn counted(sync: impl FnOnce() -> c_long) -> c_int {
        let least = Duration::from_micros(super::LEAST.load(Ordering::Relaxed));
        let began = (!least.is_zero()).then(Instant::now);
        let outcome = sync();
        if let Some(began) = began {
            thread::sleep(least.saturating_sub(began.elapsed()));
        }
        if outcome == 0 {
            super::SYNCS.fetch_add(1, Ordering::Relaxed);
        }
        c_int::try_from(outcome).unwrap_or(-1)
    }

    #[unsafe(no_mangle)]
    extern "C" fn fsync(file: c_int) -> c_int {
        // SAFETY: the call takes a number and touches no memory of this process.
        counted(|| unsafe { libc::syscall(libc::SYS_fsync, file) })
    }

    #[unsafe(no_mangle)]
    extern "C" fn fdatasync(file: c_int) -> c_int {
        // SAFETY: the call takes a number and touches no memory of this process.
        counted(|| unsafe { libc::syscall(libc::SYS_fdatasync, file) })
    }

    #[unsafe(no_mangle)]
    extern "C" fn msync(from: *mut c_void, bytes: size_t, flags: c_int) -> c_int {
        // SAFETY: the kernel checks the range; nothing is written to it.
        counted(|| unsafe { libc::syscall(libc::SYS_msync, from, bytes, flags) })
    }

    #[unsafe(no_mangle)]
    extern "C" fn sync_file_range(
        file: c_int,
        from: off64_t,
        bytes: off64_t,
        flags: c_uint,
    ) -> c_int {
        let call = || {
            // SAFETY: the call takes numbers and touches no memory of this process.
            unsafe { libc::syscall(libc::SYS_sync_file_range, file, from, bytes, flags) }
        };
        if flags & libc::SYNC_FILE_RANGE_WAIT_AFTER == 0 {
            // Only a hint to begin writing: nobody waits for it.
            return c_int::try_from(call()).unwrap_or(-1);
        }
        counted(call)
    }
}
