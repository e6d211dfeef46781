//! `forebay consumer`.

use std::path::Path;

use forebay::{ConsumerOptions, Queue, Retention};
use serde_json::Value;

use crate::golden;
use crate::scenes::{self, QUEUE};

fn consumer(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = golden::run(folder, &[&["consumer"], arguments].concat());
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// The fields `next` and `lag` of what it says.
fn place(folder: &Path, arguments: &[&str]) -> (u64, u64) {
    let (code, said, error) = consumer(folder, &[arguments, &["--json"]].concat());
    assert_eq!((code, error.as_str()), (Some(0), ""), "{arguments:?}");
    let object: Value = serde_json::from_str(&said).expect("an object");
    let number = |name: &str| object[name].as_u64().expect("a number");
    (number("next"), number("lag"))
}

#[test]
fn a_consumer_is_made_moved_and_removed() {
    let scene = scenes::whole();
    let of = |arguments: &[&str]| place(scene.folder(), arguments);
    assert_eq!(of(&["create", QUEUE, "new"]), (0, 200));
    assert_eq!(of(&["create", QUEUE, "end", "--at", "end"]), (200, 0));
    assert_eq!(of(&["create", QUEUE, "at", "--at", "150"]), (150, 50));
    assert_eq!(of(&["create", QUEUE, "now", "--at", "10m"]), (200, 0));
    assert_eq!(
        of(&["create", QUEUE, "old", "--at", "2020-01-01"]),
        (0, 200)
    );
    assert_eq!(of(&["seek", QUEUE, "ship", "7"]), (7, 193));
    assert_eq!(of(&["seek", QUEUE, "ship", "end"]), (200, 0));
    assert_eq!(of(&["seek", QUEUE, "ship", "first"]), (0, 200));
    assert_eq!(of(&["seek", QUEUE, "ship", "1h"]), (200, 0));
    golden::check(
        "consumer-seek",
        scene.folder(),
        &["consumer", "seek", QUEUE, "ship", "120"],
    );
    golden::check(
        "consumer-remove",
        scene.folder(),
        &["consumer", "remove", QUEUE, "audit"],
    );
    let queue = Queue::options()
        .open_existing()
        .open(scene.path())
        .expect("closed");
    assert_eq!(
        queue.consumers(),
        ["at", "end", "new", "now", "old", "ship"]
    );
    let next = |name| {
        queue
            .consumer(name)
            .expect("a consumer")
            .next_sequence()
            .get()
    };
    assert_eq!((next("at"), next("ship")), (150, 120));
}

#[test]
fn a_consumer_of_kinds_is_bound_to_them() {
    let scene = scenes::whole();
    place(
        scene.folder(),
        &["create", QUEUE, "odd", "--kind", "1", "--kind", "2"],
    );
    let (code, _, error) = consumer(scene.folder(), &["seek", QUEUE, "odd", "5"]);
    assert_eq!(code, Some(2), "{error}");
    assert_eq!(
        place(
            scene.folder(),
            &["seek", QUEUE, "odd", "6", "--kind", "1,2"]
        )
        .0,
        6
    );
    let queue = Queue::options()
        .open_existing()
        .open(scene.path())
        .expect("closed");
    let options = ConsumerOptions::new().kinds([1, 2]);
    let mut odd = queue.consumer_with("odd", &options).expect("the consumer");
    assert_eq!(
        odd.peek().expect("whole").expect("a record").sequence.get(),
        7
    );
}

#[test]
fn what_cannot_be_is_refused_and_nothing_changes() {
    let scene = scenes::whole();
    let places = || {
        let queue = Queue::options().open_existing();
        let queue = queue
            .retention(Retention::KeepForever)
            .open(scene.path())
            .expect("closed");
        let lag = |name: &String| (name.clone(), queue.lag(name).expect("a lag").records);
        queue.consumers().iter().map(lag).collect::<Vec<_>>()
    };
    let before = places();
    for (arguments, word) in [
        (&["create", QUEUE, "ship"][..], "already"),
        (&["create", QUEUE, "../x"], "../x"),
        (&["create", QUEUE, "new", "--at", "201"], "0..200"),
        (&["create", QUEUE, "new", "--at", "later"], "first, end"),
        (&["seek", QUEUE, "nobody", "0"], "audit, ship"),
        (&["seek", QUEUE, "ship", "201"], "0..200"),
        (&["remove", QUEUE, "nobody"], "audit, ship"),
        (&["create", "missing", "new"], "missing"),
    ] {
        let (code, _, error) = consumer(scene.folder(), arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(error.contains(word), "{arguments:?}: {error}");
    }
    assert_eq!(places(), before);
    assert!(!scene.folder().join("missing").exists());
}

#[test]
fn beside_the_program_that_has_the_queue_it_says_so() {
    let scene = scenes::whole();
    let queue = Queue::options()
        .open_existing()
        .open(scene.path())
        .expect("closed");
    for arguments in [
        &["create", QUEUE, "new"][..],
        &["seek", QUEUE, "ship", "0"],
        &["remove", QUEUE, "ship"],
    ] {
        let (code, _, error) = consumer(scene.folder(), arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(error.contains("one process has a queue open"), "{error}");
    }
    assert_eq!(queue.consumers(), ["audit", "ship"]);
}

#[test]
fn a_consumer_with_a_damaged_cursor_can_be_removed() {
    let scene = scenes::cursor_gone();
    let (code, said, error) = consumer(scene.folder(), &["remove", QUEUE, "ship"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(said.contains("left are audit"), "{said}");
}

#[test]
fn a_consumer_of_some_kinds_is_drained_by_naming_them() {
    let scene = scenes::whole();
    let folder = scene.folder();
    let made = consumer(folder, &["create", QUEUE, "some", "--kind", "2"]);
    assert_eq!(made.0, Some(0), "{made:?}");
    for arguments in [
        vec!["drain", QUEUE, "--consumer", "some"],
        vec!["drain", QUEUE, "--consumer", "some", "--kind", "1"],
        vec!["drain", QUEUE, "--consumer", "ship", "--kind", "1"],
        vec!["consumer", "seek", QUEUE, "some", "first"],
    ] {
        let output = golden::run(folder, &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("name with --kind"), "{said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let arguments = ["drain", QUEUE, "--consumer", "some", "--kind", "2"];
    let output = golden::run(folder, &[&arguments[..], &["--max", "1"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(output.stdout, [scenes::payload(2), b"\n".to_vec()].concat());
}
