//! What a user is told to do, and that it helps.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::golden::run;
use crate::scenes::{self, QUEUE, RECORDS};

/// What it says on standard error, ending with `code`.
fn error(folder: &Path, code: i32, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

#[test]
fn where_nothing_is_whoever_looks_or_rescues_is_told_to_check_the_path() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [
        &["stats", "missing"][..],
        &["verify", "missing"],
        &["dump", "missing"],
        &["drain", "missing"],
        &["repair", "missing"],
        &["salvage", "missing", "out"],
        &["backup", "missing", "out"],
        &["export", "missing", "out.jsonl"],
        &["dead-letters", "missing", "list"],
        &["consumer", "create", "missing", "audit"],
    ] {
        let said = error(folder.path(), 2, arguments);
        assert!(
            said.ends_with("\n  check the path\n"),
            "{arguments:?}: {said}"
        );
    }
    let made = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(made, 0, "something was made");
}

#[test]
fn a_consumer_that_is_not_there_is_not_to_be_made_to_be_removed() {
    let scene = scenes::whole();
    for arguments in [
        &["consumer", "remove", QUEUE, "nobody"][..],
        &["consumer", "seek", QUEUE, "nobody", "0"],
    ] {
        let said = error(scene.folder(), 2, arguments);
        assert!(said.contains("there are audit, ship"), "{said}");
        assert!(
            said.ends_with("`forebay consumers` shows them all\n"),
            "{said}"
        );
    }
}

#[test]
fn beyond_the_end_the_places_are_told_that_there_are() {
    let scene = scenes::whole();
    let range = format!("holds 0..{RECORDS}");
    for arguments in [
        ["consumer", "seek", QUEUE, "audit", "9999"].to_vec(),
        ["consumer", "create", QUEUE, "new", "--at", "9999"].to_vec(),
    ] {
        let said = error(scene.folder(), 2, &arguments);
        assert!(said.contains(&range), "{said}");
        assert!(
            said.contains("\n  a place is `first`, `end`, a sequence"),
            "{said}"
        );
    }
    let said = error(scene.folder(), 2, &["dump", QUEUE, "--from", "9999"]);
    assert!(said.contains(&format!("up to {RECORDS}")), "{said}");
    assert!(
        said.ends_with("\n  name a sequence up to that one, or a time with --since\n"),
        "{said}"
    );
}

#[test]
fn what_a_repair_gave_up_is_not_said_to_be_there() {
    let scene = scenes::one_flip();
    run(scene.folder(), &["repair", QUEUE, "--apply"]);
    let output = run(scene.folder(), &["verify", QUEUE]);
    let said = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.ends_with("verdict    sound; 1 record given up by a repair\n"),
        "{said}"
    );
    scene.change("cursors/ship.cursor", |bytes| bytes.fill(0xff));
    let said = error(scene.folder(), 1, &["verify", QUEUE]);
    let expected = "damaged, 1 record given up by a repair, no other record is lost: ";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_backup_is_restored_and_not_opened() {
    let scene = scenes::whole();
    run(scene.folder(), &["backup", QUEUE, "copy"]);
    let said = error(scene.folder(), 2, &["drain", "copy"]);
    assert!(said.contains("\n  `forebay restore` does that"), "{said}");
}

#[cfg(unix)]
#[test]
fn what_is_no_file_inside_of_a_queue_is_no_reason_to_choose_another_path_alone() {
    let scene = scenes::whole();
    fs::remove_file(scene.file("STATE")).expect("ours");
    fs::create_dir(scene.file("STATE")).expect("ours");
    let said = error(scene.folder(), 2, &["drain", QUEUE]);
    assert!(said.contains("put right what is there"), "{said}");
}

/// The page has the finding, also where looking alone fails.
#[test]
fn what_cannot_be_read_has_its_page_too() {
    let scene = scenes::whole();
    let segment = scenes::segment(scenes::MIDDLE);
    fs::remove_file(scene.file(&segment)).expect("ours");
    fs::create_dir(scene.file(&segment)).expect("ours");
    let arguments = ["verify", QUEUE, "--json", "--html", "page.html"];
    let output = run(scene.folder(), &arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(found["sound"], false);
    let page = fs::read_to_string(scene.folder().join("page.html")).expect("a page");
    for part in [&*segment, "expected a file, found a directory", "</html>"] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn where_a_repair_is_refused_salvage_is_named_and_gets_the_records_out() {
    let scene = scenes::whole();
    fs::remove_file(scene.file("QUEUE")).expect("it is there");
    for number in scenes::segments(&scene) {
        // Whose they are, nobody can tell any more.
        scene.change(&scenes::segment(number), |bytes| bytes[..512].fill(0));
    }
    let said = error(scene.folder(), 1, &["repair", QUEUE]);
    assert!(
        said.ends_with(
            "\n  `forebay salvage` gets every valid record out of it into a new queue\n"
        ),
        "{said}"
    );
    error(scene.folder(), 0, &["salvage", QUEUE, "out"]);
    assert!(scenes::drained(&scene.folder().join("out")) == scene.undamaged());
}
