//! Real files, where what the tests in memory take for granted is done by the kernel.

#[cfg(target_os = "linux")]
mod linux {
    use std::path::Path;

    use forebay::storage::{Access, Directory, DiskDirectory};
    use forebay::{ErrorKind, Result};

    fn tree(path: &str) -> DiskDirectory {
        DiskDirectory::open(Path::new(path)).expect("every Linux has it")
    }

    fn assert_refused(what: &str, outcome: Result<()>) {
        let error = outcome.expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        let number = error.io_error().and_then(std::io::Error::raw_os_error);
        assert_eq!(
            number,
            Some(22),
            "{what}: not what the kernel says: {error}"
        );
    }

    /// The kernel has no sync for these and says EINVAL: a sync that never reached it would succeed.
    #[test]
    fn a_sync_of_a_file_or_a_folder_reaches_the_kernel() {
        let null = tree("/dev").open("null", Access::Write).expect("a device");
        assert_refused("sync of a device", null.sync());
        assert_refused("sync of a folder", tree("/proc").sync("self"));
    }

    /// A device that is full for every write, and where the error comes from the kernel.
    #[test]
    fn a_full_device_is_told_apart_from_a_failing_one() {
        let full = tree("/dev").open("full", Access::Write).expect("a device");
        let error = full.write_at(b"record", 0).expect_err("it is full");
        assert!(matches!(error.kind(), ErrorKind::Full { .. }), "{error}");
    }
}
