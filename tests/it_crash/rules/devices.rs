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
        let name = tree("/proc/self").open("comm", Access::Write);
        assert_refused("sync of a name", name.expect("a file").sync());
        assert_refused("sync of a folder", tree("/proc").sync("self"));
    }

    /// Beyond what a file may have the kernel refuses, before anything is written.
    #[test]
    fn what_there_is_no_room_for_is_told_apart_from_a_failing_device() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = tree(&folder.path().to_string_lossy()).create("file");
        let file = file.expect("room for a name");
        let error = file.write_at(b"record", 1 << 62).expect_err("too large");
        assert!(matches!(error.kind(), ErrorKind::Full { .. }), "{error}");
        assert_eq!(file.length().expect("it is there"), 0);
    }
}
