//! Names that somebody else chose: none of them commands the terminal that shows it.

use std::fs;
use std::path::Path;

use crate::golden::run;
use crate::scenes;

/// Turns text red, where a terminal obeys it.
const RED: &str = "\u{1b}[31m";

#[expect(
    clippy::disallowed_methods,
    reason = "no power cut is to be survived here"
)]
fn rename(from: &Path, to: &Path) {
    fs::rename(from, to).expect("room");
}

/// A damaged queue with such a sequence in its own name and in those of files in its folders.
fn scene() -> (scenes::Scene, String) {
    let scene = scenes::one_flip();
    let segment = |name: &str| scene.file(&format!("segments/{name}"));
    let middle = scene.file(&scenes::segment(scenes::MIDDLE + 1));
    rename(&middle, &segment(&format!("{RED}moved.log")));
    for folder in ["segments", "cursors", "snapshots", "quarantine", ""] {
        let folder = scene.file(folder);
        fs::create_dir_all(&folder).expect("a folder");
        for ending in ["log", "cursor", "snapshot", "note"] {
            let name = format!("{RED}stray.{ending}");
            fs::write(folder.join(name), "of no use").expect("room");
        }
    }
    let name = format!("{RED}q");
    rename(&scene.path(), &scene.folder().join(&name));
    (scene, name)
}

/// What the command says, on both of its ends.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn no_name_commands_the_terminal_it_is_shown_on() {
    let (scene, queue) = scene();
    let queue = queue.as_str();
    let new = format!("{RED}new");
    let new = new.as_str();
    let asked: &[&[&str]] = &[
        &["stats", queue],
        &["ls", queue],
        &["consumers", queue],
        &["verify", queue],
        &["verify", queue, "--chain", "--html", RED],
        &["head", queue],
        &["dump", queue, "--skip-damage", "--format", "len"],
        &["dump", queue],
        &["tail", queue],
        &["dead-letters", queue, "list"],
        &["backup", queue, new],
        &["backup", "--check", new],
        &["restore", new, "\u{1b}[31mrestored"],
        &["restore", new, new],
        &["export", queue, "\u{1b}[31mlines"],
        &["export", queue, "\u{1b}[31mall", "--skip-damage"],
        &["import", "\u{1b}[31mimported", "\u{1b}[31mall"],
        &["import", queue, "\u{1b}[31mnone"],
        &[
            "salvage",
            queue,
            "\u{1b}[31msalvaged",
            "--include-quarantine",
        ],
        &["salvage", queue, queue],
        &["repair", queue],
        &["consumer", "seek", queue, "audit", "first"],
        &["consumer", "create", queue, new],
        &["consumer", "seek", queue, new, "end"],
        &["consumer", "seek", queue, "\u{1b}[31mnobody", "end"],
        &["consumer", "remove", queue, new],
        &["drain", queue, "--consumer", new],
        &["repair", queue, "--apply"],
        &["stats", "\u{1b}[31mmissing"],
        &["bench", "\u{1b}[31mmissing"],
    ];
    let mut shown = 0;
    for arguments in asked {
        let said = said(scene.folder(), arguments);
        // The records have none.
        assert!(!said.contains('\u{1b}'), "{arguments:?}: {said:?}");
        shown += said.matches("\u{fffd}[31m").count();
    }
    assert!(shown > 35, "names are shown: {shown}");
}
