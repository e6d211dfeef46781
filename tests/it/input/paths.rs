//! Paths that are something else, somewhere odd, or nowhere.

use std::fs;
use std::path::{Path, PathBuf};

use forebay::{ErrorKind, EventBuffer, Queue, QueueOptions};

use crate::scene::{drain_exactly, enqueue, folder, refused, snapshot};

#[test]
fn a_file_is_refused_and_left_as_it_is() {
    let folder = folder();
    let path = folder.path().join("file");
    for bytes in [&b""[..], b"text", b"SQLite format 3", &[0; 5000]] {
        fs::write(&path, bytes).expect("can be written");
        let error = refused(Queue::open(&path), ErrorKind::Foreign);
        let text = error.to_string();
        assert!(
            text.contains("is a file") && text.contains("file: ") | text.contains("file"),
            "{text}"
        );
        assert!(!text.contains("SQLite"), "{text}");
        assert_eq!(error.path(), Some(&*path));
        refused(
            QueueOptions::new().open_existing().open(&path),
            ErrorKind::Foreign,
        );
        assert_eq!(fs::read(&path).expect("there"), bytes);
    }
    assert_eq!(snapshot(folder.path()).len(), 1);
}

#[test]
fn a_sqlite_database_is_called_one() {
    let folder = folder();
    let path = folder.path().join("buffer.db");
    fs::write(&path, b"SQLite format 3\0\x10\0\x02\x02").expect("can be written");
    let opened = EventBuffer::<u32>::new(&path, 10).map(drop);
    let error = refused(opened, ErrorKind::Foreign).to_string();
    assert!(
        error.contains("SQLite") && error.contains("buffer.db"),
        "{error}"
    );
    // By a link too.
    #[cfg(unix)]
    {
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("can be linked");
        let error = refused(Queue::open(&link), ErrorKind::Foreign).to_string();
        assert!(error.contains("SQLite"), "{error}");
    }
}

#[test]
fn a_path_below_a_file_is_refused() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, b"text").expect("can be written");
    for path in [file.join("q"), file.join("a/b/q")] {
        for options in [QueueOptions::new(), QueueOptions::new().open_existing()] {
            let error = options.open(&path).expect_err("there is no such folder");
            let kind = error.kind();
            assert!(
                matches!(kind, ErrorKind::Io | ErrorKind::Foreign),
                "{kind:?}: {error}"
            );
            assert!(error.to_string().contains("file"), "{error}");
        }
    }
    assert_eq!(fs::read(&file).expect("there"), b"text");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    // Root may write anywhere but here.
    for path in [
        "/proc/forebay-test",
        "/proc/self/forebay-test",
        "/sys/kernel/forebay-test",
    ] {
        let error = Queue::open(path).expect_err("not a place for files");
        assert!(error.to_string().contains(path), "{error}");
        assert!(
            matches!(error.kind(), ErrorKind::Io | ErrorKind::NotFound),
            "{error:?}"
        );
    }
    let error = Queue::open("/proc/self").expect_err("not a place for files");
    assert!(error.to_string().contains("LOCK"), "{error}");
    let error = Queue::open("/dev/null").expect_err("not a folder");
    assert!(error.to_string().contains("/dev/null"), "{error}");
}

#[test]
fn the_empty_path_is_refused() {
    refused(Queue::open(""), ErrorKind::InvalidInput);
    refused(
        QueueOptions::new().open_existing().open(""),
        ErrorKind::InvalidInput,
    );
}

#[cfg(unix)]
#[test]
fn a_path_with_a_nul_or_too_long_is_refused() {
    use std::os::unix::ffi::OsStrExt;

    let folder = folder();
    let with_nul = folder.path().join(std::ffi::OsStr::from_bytes(b"a\0b"));
    drop(Queue::open(with_nul).expect_err("no system has such names"));
    let long = folder.path().join("x".repeat(300));
    drop(Queue::open(long).expect_err("no system has such names"));
    assert!(snapshot(folder.path()).is_empty());
}

#[test]
fn foreign_files_are_ignored_and_left_as_they_are() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let foreign = [
        "README",
        "queue.txt",
        "segments/notes",
        "segments/0000000000000001.log.bak",
        "segments/1.log",
        "segments/x000000000000001.log",
        "segments/00000000000000099.log",
        "cursors/notes",
        "quarantine/kept by hand",
        "snapshots/mine",
        "folder/file",
        "q.ready",
    ];
    for name in foreign {
        let file = path.join(name);
        fs::create_dir_all(file.parent().expect("below q")).expect("can be made");
        fs::write(file, format!("foreign {name}")).expect("can be written");
    }
    for round in 0..3 {
        let queue = crate::scene::quick().open(&path)?;
        enqueue(&queue, round * 300..(round + 1) * 300)?;
        drain_exactly(&mut queue.consumer("a")?, round * 300..(round + 1) * 300)?;
        queue.reclaim()?;
    }
    for name in foreign {
        let found = fs::read_to_string(path.join(name)).expect("left there");
        assert_eq!(found, format!("foreign {name}"));
    }
    Ok(())
}

#[test]
fn open_existing_never_creates_anything() {
    let folder = folder();
    let open = |path: &Path| QueueOptions::new().open_existing().open(path);
    refused(open(&folder.path().join("missing")), ErrorKind::NotFound);
    refused(open(&folder.path().join("a/b/c")), ErrorKind::NotFound);
    assert!(snapshot(folder.path()).is_empty());
    // The folder under a mount that is missing.
    refused(open(folder.path()), ErrorKind::NotFound);
    assert!(
        snapshot(folder.path()).is_empty(),
        "{:?}",
        snapshot(folder.path())
    );
    fs::write(folder.path().join("notes"), "foreign").expect("can be written");
    refused(open(folder.path()), ErrorKind::NotFound);
    assert_eq!(snapshot(folder.path()).len(), 1);
}

#[test]
fn missing_parents_are_made() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("a/b c/d");
    let queue = Queue::open(&path)?;
    enqueue(&queue, 0..1)?;
    assert!(path.join("QUEUE").is_file());
    Ok(())
}

/// The way from the working directory to `path`, which is absolute.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().expect("there is one");
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    up.join(path.strip_prefix("/").expect("absolute"))
}

#[cfg(unix)]
#[test]
fn odd_paths_lead_to_the_same_queue() -> forebay::Result<()> {
    use std::os::unix::ffi::OsStrExt;

    let folder = folder();
    let base = folder.path().join("with space \u{e4}");
    let base = base.join(std::ffi::OsStr::from_bytes(b"not unicode \xff\xfe"));
    let plain = base.join("q");
    let mut slash = plain.clone().into_os_string();
    slash.push("/");
    let mut slashes = plain.clone().into_os_string();
    slashes.push("//.//");
    let link = folder.path().join("link");
    let ways = [
        plain.clone(),
        slash.into(),
        slashes.into(),
        base.join("./q"),
        base.join("q/../q"),
        relative(&plain),
        link.join("q"),
    ];
    let mut next = 0;
    for way in ways {
        if way.starts_with(&link) {
            std::os::unix::fs::symlink(&base, &link).expect("can be linked");
        }
        let queue = Queue::open(&way)?;
        assert_eq!(queue.next().get(), next, "{}", way.display());
        enqueue(&queue, next..next + 1)?;
        next += 1;
    }
    drain_exactly(&mut Queue::open(&plain)?.consumer("a")?, 0..next)
}

const BARE: &str = "FOREBAY_TEST_BARE_NAME";

/// Not a test by itself: what the next one runs in a folder of its own.
#[test]
fn open_a_bare_name_when_told_to() -> forebay::Result<()> {
    let Some(name) = std::env::var_os(BARE) else {
        return Ok(());
    };
    let queue = Queue::open(&name)?;
    enqueue(&queue, 0..1)
}

#[test]
fn a_bare_name_is_in_the_working_directory() {
    let folder = folder();
    for name in ["q", "./r", "s/"] {
        let status = std::process::Command::new(std::env::current_exe().expect("this one"))
            .args(["--exact", "input::paths::open_a_bare_name_when_told_to"])
            .env(BARE, name)
            .current_dir(folder.path())
            .stdout(std::process::Stdio::null())
            .status()
            .expect("it runs");
        assert!(status.success(), "{name}");
        assert!(folder.path().join(name).join("QUEUE").is_file(), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_only() -> forebay::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder();
    let path = folder.path().join("made/by/us/q");
    let queue = crate::scene::quick().open(&path)?;
    enqueue(&queue, 0..500)?;
    let mut consumer = queue.consumer("a")?;
    consumer.drain(|record| {
        if record.sequence.get() < 300 {
            Ok(())
        } else {
            Err(())
        }
    })?;
    drop(consumer);
    queue.close()?;
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let mut checked = 0;
    for (name, _) in snapshot(&folder.path().join("made")) {
        let found = folder.path().join("made").join(&name);
        let wanted = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&found), wanted, "{name}");
        checked += 1;
    }
    assert!(checked > 12, "{checked}");
    Ok(())
}
