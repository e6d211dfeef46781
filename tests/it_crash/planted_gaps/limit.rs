//! A real file system that writes less than it was given.

use std::process::Command;

use forebay::{ErrorKind, Preallocate, Queue, SyncPolicy};

const PATH: &str = "FOREBAY_TEST_LIMIT";
const RECORD_BYTES: usize = 300_000;

/// Not a test by itself: a process whose files may not grow beyond a limit.
#[test]
fn meet_the_limit_when_told_to() {
    let Some(path) = std::env::var_os(PATH) else {
        return;
    };
    let queue = Queue::options()
        .preallocate(Preallocate::None)
        .sync_policy(SyncPolicy::Manual)
        .open(path)
        .expect("a new queue");
    let mut accepted = 0_u8;
    let error = loop {
        match queue.enqueue(vec![accepted + 1; RECORD_BYTES]) {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error.kind(), ErrorKind::Full { .. }), "{error}");
    assert!(accepted > 0, "the limit is too low to show anything");
    let mut consumer = queue.consumer("c").expect("it has its own file");
    let mut whole = 0;
    consumer
        .drain(|record| {
            whole += 1;
            assert_eq!(record.payload, vec![whole; RECORD_BYTES]);
            Ok::<(), ()>(())
        })
        .expect("what was accepted can be read");
    assert_eq!(whole, accepted, "half a record was accepted");
}

#[cfg(unix)]
#[test]
fn a_short_write_is_never_taken_for_a_whole_one() {
    // At the limit of a file's size the kernel writes what fits, and refuses the rest when asked
    // again. The signal that comes with it is ignored, as a shell can have it for its children.
    let folder = tempfile::tempdir().expect("a folder for the test");
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this one"))
        .args([
            "--exact",
            "planted_gaps::limit::meet_the_limit_when_told_to",
        ])
        .env(PATH, folder.path().join("q"))
        .output()
        .expect("there is a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}
