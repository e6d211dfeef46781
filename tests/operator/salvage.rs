//! `forebay salvage`: what it says of every damaged queue, and that every undamaged record is in
//! what it makes.

use std::fs;

use serde_json::Value;

use crate::golden::{check, run};
use crate::scenes::{self, Scene, drained, files};

/// Salvages `q` into `out`, compares what is said, and what is there then with what was enqueued.
fn salvages(name: &str, scene: &Scene, code: i32) {
    let before = files(&scene.path());
    let output = check(
        &format!("salvage-{name}"),
        scene.folder(),
        &["salvage", "q", "out"],
    );
    assert_eq!(output.status.code(), Some(code), "{name}");
    assert!(files(&scene.path()) == before, "{name}: it is only read");
    let stats = run(scene.folder(), &["stats", "out"]);
    assert_eq!(stats.status.code(), Some(0), "{name}: no finding is left");
    let found = drained(&scene.folder().join("out"));
    let undamaged = scene.undamaged();
    assert!(found.keys().eq(undamaged.keys()), "{name}: {found:?}");
    assert!(found == undamaged, "{name}");
}

#[test]
fn every_undamaged_record_of_every_damaged_queue_comes_out() {
    for (name, make) in scenes::ALL {
        let mut scene = make();
        if ["swapped_files", "header_gone"].contains(&name) {
            // Read by name and header these count as damaged; their frames are all there.
            scene.damaged.clear();
        }
        let is_lost = !scene.damaged.is_empty() || name == "cursor_gone";
        salvages(name, &scene, i32::from(is_lost));
    }
}

#[test]
fn with_json_it_is_one_object_with_the_same_facts() {
    let scene = scenes::zeroed_page();
    let output = run(scene.folder(), &["salvage", "q", "out", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&output.stdout).expect("one document");
    let (first, last) = (scene.damaged.first(), scene.damaged.last());
    let (first, last) = (first.expect("damage"), last.expect("damage"));
    let gone = serde_json::json!([{"first": first, "next": last + 1}]);
    assert_eq!(told["lost"], gone);
    assert_eq!(told["lost_records"], scene.damaged.len());
    assert_eq!(told["records"], scene.undamaged().len());
    assert_eq!(told["consumers"].as_array().map(Vec::len), Some(2));
    let damaged = |file: &&Value| file["damaged"] == true;
    let files = told["files"].as_array().expect("files").iter();
    let damaged: Vec<&Value> = files.filter(damaged).collect();
    assert_eq!(damaged.len(), 1);
    assert_eq!(damaged[0]["name"], *scenes::segment(scenes::MIDDLE));
}

#[test]
fn the_queue_that_is_asked_for_comes_out_of_a_mixture() {
    let scene = scenes::mixed_queues();
    let told = run(scene.folder(), &["salvage", "q", "ours", "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).expect("one document");
    let other = told["foreign"][0]["id"].as_str().expect("an id");
    let arguments = ["salvage", "q", "theirs", "--queue", other];
    run(scene.folder(), &arguments);
    let theirs = drained(&scene.folder().join("theirs"));
    let records = told["foreign"][0]["records"].as_u64();
    assert_eq!(u64::try_from(theirs.len()).ok(), records);
    for (sequence, payload) in theirs {
        assert_eq!(payload, scenes::payload(sequence));
    }
}

#[test]
fn what_cannot_be_salvaged_is_said_and_nothing_is_made() {
    let scene = scenes::whole();
    let folder = scene.folder();
    fs::create_dir(folder.join("full")).expect("a new folder");
    fs::write(folder.join("full/letter"), "dear").expect("room");
    fs::create_dir(folder.join("empty")).expect("a new folder");
    fs::write(folder.join("file"), "text").expect("room");
    for (name, arguments) in [
        ("no-queue", ["salvage", "nowhere", "out"]),
        ("empty", ["salvage", "empty", "out"]),
        ("file", ["salvage", "file", "out"]),
        ("full", ["salvage", "q", "full"]),
        ("inside", ["salvage", "q", "q/out"]),
    ] {
        let output = check(&format!("salvage-refuses-{name}"), folder, &arguments);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(!folder.join("out").exists() && !folder.join("q/out").exists());
    }
    assert_eq!(
        fs::read_dir(folder.join("full")).expect("a folder").count(),
        1
    );
}
