//! `backup` and `restore` on queues that are whole, open and damaged.

use std::fs;
use std::path::Path;

use forebay::Queue;
use serde_json::Value;

use crate::golden::{check, run};
use crate::scenes::{self, QUEUE, RECORDS, Scene, drained, files};

fn backup(scene: &Scene) {
    let output = run(scene.folder(), &["backup", QUEUE, "copy"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// Changes a byte in the middle of `path`.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("a file of the backup");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("a writable file");
}

#[test]
fn a_backup_is_made_checked_and_restored_with_every_record() {
    for (name, make) in [
        ("whole", scenes::whole as scenes::Make),
        ("killed", scenes::killed),
        ("torn_tail", scenes::torn_tail),
    ] {
        let scene = make();
        let before = files(&scene.path());
        let folder = scene.folder();
        check(
            &format!("backup-{name}"),
            folder,
            &["backup", QUEUE, "copy"],
        );
        check(
            &format!("backup-check-{name}"),
            folder,
            &["backup", "--check", "copy"],
        );
        check(
            &format!("restore-{name}"),
            folder,
            &["restore", "copy", "again"],
        );
        assert!(
            before == files(&scene.path()),
            "{name}: the queue was changed"
        );
        assert!(
            drained(&folder.join("again")) == scene.undamaged(),
            "{name}"
        );
    }
}

#[test]
fn a_damaged_queue_is_backed_up_with_what_is_left_of_it() {
    for (name, make) in scenes::ALL {
        if ["whole", "killed", "torn_tail", "identity_gone"].contains(&name) {
            continue;
        }
        let scene = make();
        let folder = scene.folder();
        let output = check(
            &format!("backup-{name}"),
            folder,
            &["backup", QUEUE, "copy"],
        );
        assert_eq!(output.status.code(), Some(1), "{name}");
        let output = run(folder, &["restore", "copy", "again"]);
        assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
        assert!(
            drained(&folder.join("again")) == scene.undamaged(),
            "{name}"
        );
    }
}

#[test]
fn without_an_identity_there_is_no_backup() {
    let scene = scenes::identity_gone();
    check(
        "backup-identity_gone",
        scene.folder(),
        &["backup", QUEUE, "copy"],
    );
    assert!(!scene.folder().join("copy").exists());
}

#[test]
fn a_backup_that_was_changed_is_refused_with_the_file_s_name() {
    let scene = scenes::whole();
    let folder = scene.folder();
    let segment = folder.join("copy").join(scenes::segment(scenes::MIDDLE));
    for (name, change) in [
        ("flipped", &flip as &dyn Fn(&Path)),
        ("missing", &|path| fs::remove_file(path).expect("a file")),
        ("extra", &|path| {
            fs::write(path.with_extension("idx"), "more").expect("room");
        }),
    ] {
        backup(&scene);
        change(&segment);
        check(
            &format!("restore-{name}"),
            folder,
            &["restore", "copy", "again"],
        );
        let output = run(folder, &["backup", "--check", "copy"]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(!folder.join("again").exists(), "{name}");
        fs::remove_dir_all(folder.join("copy")).expect("a folder");
    }
}

#[test]
fn a_place_that_holds_something_and_a_place_without_a_backup_are_refused() {
    let scene = scenes::whole();
    let folder = scene.folder();
    check("backup-onto-a-queue", folder, &["backup", QUEUE, QUEUE]);
    check("restore-nothing", folder, &["restore", QUEUE, "again"]);
    backup(&scene);
    check("restore-onto-a-queue", folder, &["restore", "copy", QUEUE]);
    assert_eq!(drained(&scene.path()), scene.undamaged());
}

#[test]
fn json_says_the_same_as_the_table() {
    let scene = scenes::one_flip();
    let folder = scene.folder();
    let output = run(folder, &["backup", QUEUE, "copy", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let made: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(made["next"], RECORDS);
    assert_eq!(
        made["damage"][0]["first"],
        *scene.damaged.first().expect("one")
    );
    for arguments in [
        &["backup", "--check", "copy", "--json"][..],
        &["restore", "copy", "again", "--json"],
    ] {
        let output = run(folder, arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let told: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        for field in [
            "backup", "id", "epoch", "first", "next", "durable", "files", "bytes",
        ] {
            assert_eq!(told[field], made[field], "{field}");
        }
    }
}

#[test]
fn a_queue_that_is_open_elsewhere_is_backed_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = Queue::open(folder.path().join(QUEUE)).expect("a new queue");
    queue.enqueue("before").expect("room");
    let output = run(folder.path(), &["backup", QUEUE, "copy"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    queue.enqueue("after").expect("room");
    let output = run(folder.path(), &["restore", "copy", "again"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let restored = Queue::open(folder.path().join("again")).expect("a queue");
    assert_eq!(restored.next().get(), 1);
}

#[test]
fn a_backup_is_not_opened_for_a_queue_whether_it_is_finished_or_not() {
    let scene = scenes::whole();
    let (queue, copy) = (scene.path(), scene.folder().join("copy"));
    forebay::backup::backup(&queue, &copy).expect("a whole queue");
    for name in ["MANIFEST", "MANIFEST.tmp"] {
        let before = files(&copy);
        let error = Queue::open(&copy).map(drop);
        let error = error.expect_err("a backup is no queue");
        assert_eq!(error.kind(), forebay::ErrorKind::Foreign, "{error}");
        assert!(files(&copy) == before, "opening changed the backup");
        if name == "MANIFEST" {
            let finished = copy.join("MANIFEST");
            fs::copy(&finished, copy.join("MANIFEST.tmp")).expect("ours");
            fs::remove_file(finished).expect("ours");
        }
    }
}

#[test]
fn neither_copy_is_made_inside_of_what_it_is_made_of() {
    let scene = scenes::whole();
    let folder = scene.folder();
    fs::create_dir(scene.path().join("snapshots")).ok();
    let before = files(&scene.path());
    for inside in ["q/snapshots", "q/snapshots/../new/place"] {
        assert_eq!(
            run(folder, &["backup", QUEUE, inside]).status.code(),
            Some(2)
        );
        assert_eq!(
            run(folder, &["salvage", QUEUE, inside]).status.code(),
            Some(2)
        );
    }
    assert!(files(&scene.path()) == before, "something was made");
    assert_eq!(
        run(folder, &["backup", QUEUE, "copy"]).status.code(),
        Some(0)
    );
    let before = files(&folder.join("copy"));
    let restored = run(folder, &["restore", "copy", "copy/again"]);
    assert_eq!(restored.status.code(), Some(2));
    assert!(files(&folder.join("copy")) == before, "something was made");
}
