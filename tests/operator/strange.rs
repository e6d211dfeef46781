//! What is no file in the place of one: told, passed over, and never waited for.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use forebay::{ErrorKind, Queue};

use crate::scenes::{self, MIDDLE, QUEUE, RECORDS, Scene, segment};

/// What `timeout` ends with when it had to end the command.
const TIMED_OUT: i32 = 124;

/// Runs the command, which is ended when it waits for something that never comes.
fn run(scene: &Scene, arguments: &[&str]) -> Output {
    let output = Command::new("timeout")
        .args(["30", env!("CARGO_BIN_EXE_forebay")])
        .args(arguments)
        .current_dir(scene.folder())
        .env("NO_COLOR", "1")
        .output()
        .expect("the command runs");
    let code = output.status.code();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(code != Some(TIMED_OUT), "{arguments:?} waited");
    assert!(code.is_some_and(|code| code <= 2), "{arguments:?}: {said}");
    output
}

/// A way to put something else in the place of a file.
type Put = fn(&Path);

/// All of them, and what each is called.
const KINDS: [(&str, Put); 4] = [
    ("a directory", |path| {
        fs::create_dir(path).expect("it can be made");
        fs::write(path.join("inside"), "kept").expect("it can be written");
    }),
    ("a pipe", |path| {
        let made = Command::new("mkfifo").arg(path).status();
        assert!(made.expect("it runs").success());
    }),
    ("a symbolic link", |path| {
        symlink("/etc/hostname", path).expect("it can be linked");
    }),
    ("a socket", |path| {
        drop(std::os::unix::net::UnixListener::bind(path).expect("a short path"));
    }),
];

/// A whole queue in which something else is in the place of the file `name`.
fn strange(name: &str, put: Put) -> Scene {
    let scene = scenes::whole();
    let path = scene.file(name);
    // There may be none yet.
    fs::remove_file(&path).ok();
    put(&path);
    scene
}

/// The number of a whole queue's last segment.
fn last_segment() -> u64 {
    let numbers = scenes::segments(&scenes::whole());
    *numbers.last().expect("a segment")
}

fn places() -> Vec<String> {
    let last = last_segment();
    let mut places: Vec<String> = ["STATE", "KEYS", "cursors/audit.cursor"]
        .map(str::to_owned)
        .to_vec();
    places.extend([1, MIDDLE, last].map(segment));
    places
}

#[test]
fn verify_tells_what_is_no_file_and_goes_on() {
    for (kind, put) in KINDS {
        for name in places() {
            let scene = strange(&name, put);
            let output = run(&scene, &["verify", QUEUE]);
            let said = String::from_utf8_lossy(&output.stdout);
            let told = format!("{name} at offset 0: expected a file, found {kind}");
            assert!(said.contains(&told), "{name}: {said}");
            assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        }
    }
}

#[test]
fn salvage_and_dump_get_all_records_of_the_other_files() {
    for (kind, put) in KINDS {
        for name in places() {
            let scene = strange(&name, put);
            let salvaged = run(&scene, &["salvage", QUEUE, "rescued"]);
            let said = String::from_utf8_lossy(&salvaged.stdout);
            assert!(said.contains(&format!("found {kind}")), "{name}: {said}");
            assert_eq!(salvaged.status.code(), Some(1), "{name}: {said}");
            let from_rescued = run(&scene, &["dump", "rescued", "--format", "len"]);
            let lines = from_rescued.stdout.split(|byte| *byte == b'\n').count() - 1;
            let is_segment = name.starts_with("segments");
            assert_eq!(
                lines < usize::try_from(RECORDS).expect("few"),
                is_segment,
                "{name}"
            );
            if name != "STATE" {
                let dumped = run(&scene, &["dump", QUEUE, "--skip-damage", "--format", "len"]);
                let dumped_lines = dumped.stdout.split(|byte| *byte == b'\n').count() - 1;
                assert_eq!(dumped_lines, lines, "{name}");
            }
        }
    }
}

#[test]
fn a_backup_is_made_of_all_else_and_restored() {
    for (kind, put) in KINDS {
        for name in places() {
            let scene = strange(&name, put);
            let output = run(&scene, &["backup", QUEUE, "copy"]);
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                said.contains(&format!("found {kind}")),
                "{name}: {output:?}"
            );
            assert_eq!(output.status.code(), Some(1), "{name}: {said}");
            let restored = run(&scene, &["restore", "copy", "restored"]);
            assert!(restored.status.success(), "{name}: {restored:?}");
        }
    }
}

#[test]
fn a_repair_moves_it_aside_and_the_queue_is_sound() {
    for (kind, put) in KINDS {
        for name in places() {
            let scene = strange(&name, put);
            let output = run(&scene, &["repair", QUEUE, "--apply"]);
            assert!(output.status.success(), "{kind}, {name}: {output:?}");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains(&format!("found {kind}")), "{name}: {said}");
            let last = name.rsplit('/').next().expect("a name");
            let kept = scene.file(&format!("quarantine/0-{last}"));
            assert!(
                fs::symlink_metadata(&kept).is_ok(),
                "{kind}, {name}: {output:?}"
            );
            let verified = run(&scene, &["verify", QUEUE]);
            assert!(verified.status.success(), "{kind}, {name}: {verified:?}");
            // It is a file of a backup like any other, or left out.
            let copied = run(&scene, &["backup", QUEUE, "copy"]);
            assert!(
                copied.status.code() <= Some(1),
                "{kind}, {name}: {copied:?}"
            );
        }
    }
}

#[test]
fn opening_fails_at_once_and_says_why() {
    for (kind, put) in KINDS {
        let last = segment(last_segment());
        for name in ["LOCK", "QUEUE", "STATE", &last] {
            let scene = strange(name, put);
            let arguments = ["consumer", "create", QUEUE, "new"];
            let output = run(&scene, &arguments);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                said.contains(&format!("expected a file, found {kind}")),
                "{name}: {said}"
            );
            let error = Queue::open(scene.path())
                .map(drop)
                .expect_err("no file is there");
            assert_eq!(error.kind(), ErrorKind::Foreign, "{name}: {error}");
        }
    }
}

#[test]
fn folders_and_pipes_under_other_names_are_nobodys_business() {
    let scene = scenes::whole();
    for folder in ["segments", "cursors", "quarantine"] {
        fs::create_dir_all(scene.file(folder).join("folder")).expect("it can be made");
        let pipe = scene.file(folder).join("pipe");
        let made = Command::new("mkfifo").arg(pipe).status();
        assert!(made.expect("it runs").success());
    }
    for arguments in [
        &["verify", QUEUE][..],
        &["repair", QUEUE, "--apply"],
        &["dump", QUEUE, "--skip-damage"],
        &["stats", QUEUE],
        &["ls", QUEUE],
    ] {
        let output = run(&scene, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    run(&scene, &["backup", QUEUE, "copy"]);
    run(
        &scene,
        &["salvage", QUEUE, "rescued", "--include-quarantine"],
    );
}
