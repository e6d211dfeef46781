//! `forebay repair`, on every queue that can be damaged: what it says, and what is there after it.

use std::collections::BTreeMap;

use forebay::{CorruptionPolicy, Queue};

use crate::golden::{check, run};
use crate::scenes::{ALL, Scene, drained, files, killed, whole};

/// What the plan, the repair and a second repair say, and what they leave.
fn repairs(name: &str, scene: &Scene) {
    let before = files(scene.folder());
    let plan = check(
        &format!("repair-{name}-plan"),
        scene.folder(),
        &["repair", "q"],
    );
    assert!(
        files(scene.folder()) == before,
        "{name}: a plan changes nothing"
    );
    let is_whole = plan.status.code() == Some(0);
    check(
        &format!("repair-{name}-apply"),
        scene.folder(),
        &["repair", "q", "--apply"],
    );
    let again = run(scene.folder(), &["repair", "q"]);
    assert_eq!(again.status.code(), Some(0), "{name}: {again:?}");
    assert_eq!(again.stdout, b"nothing to repair\n", "{name}");
    if is_whole {
        assert!(
            files(scene.folder()) == before,
            "{name}: nothing was to be done"
        );
    }
    let found: BTreeMap<u64, Vec<u8>> = drained(&scene.path());
    for (sequence, payload) in scene.undamaged() {
        assert_eq!(
            found.get(&sequence),
            Some(&payload),
            "{name}: record {sequence}"
        );
    }
    let options = Queue::options().open_existing();
    let strict = options.corruption_policy(CorruptionPolicy::RefuseOpen);
    let queue = strict.open(scene.path()).expect("nothing is damaged");
    assert!(queue.recovery().corruption.is_empty());
}

#[test]
fn every_damaged_queue_is_repaired_and_every_undamaged_record_is_there() {
    for (name, make) in ALL {
        repairs(name, &make());
    }
}

#[test]
fn the_json_object_has_the_fields_of_the_help() {
    let scene = crate::scenes::one_flip();
    check("repair-json", scene.folder(), &["repair", "q", "--json"]);
}

#[test]
fn a_repair_refuses_while_a_writer_has_the_queue() {
    let scene = crate::scenes::one_flip();
    let queue = Queue::open(scene.path()).expect("it opens");
    let output = run(scene.folder(), &["repair", "q", "--apply"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty());
    drop(queue);
    let output = run(scene.folder(), &["repair", "q", "--apply"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn what_is_no_queue_is_not_repaired() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("plain"), "text").expect("room");
    std::fs::create_dir(folder.path().join("empty")).expect("room");
    let before = files(folder.path());
    for name in ["plain", "empty", "none"] {
        let output = run(folder.path(), &["repair", name, "--apply"]);
        assert_eq!(output.status.code(), Some(2), "{name}: {output:?}");
    }
    assert!(files(folder.path()) == before);
    for scene in [whole(), killed()] {
        let output = run(scene.folder(), &["repair", "q", "--apply"]);
        assert_eq!(output.stdout, b"nothing to repair\n");
    }
}

#[test]
fn a_file_that_has_no_name_of_a_snapshot_is_left_alone() {
    let scene = whole();
    let stranger = scene.file("snapshots/._state.snapshot");
    std::fs::create_dir_all(scene.file("snapshots")).expect("room");
    std::fs::write(&stranger, "what a file manager leaves").expect("room");
    let output = run(scene.folder(), &["repair", "q", "--apply"]);
    assert_eq!(output.stdout, b"nothing to repair\n");
    assert!(stranger.exists());
}
