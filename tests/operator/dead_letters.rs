//! `forebay dead-letters`.

use std::ops::ControlFlow;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forebay::{DeadLetters, Delivery, EventBuffer, Follower, Queue, SendOptions, SinkError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;

use crate::golden;
use crate::scenes;

/// Something that only its program's codec can make sense of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Event {
    number: u64,
    text: Option<String>,
    ratio: f64,
}

fn event(number: u64) -> Event {
    Event {
        number,
        text: (number % 2 == 1).then(|| "odd".repeat(9)),
        ratio: 0.1 * f64::from(u32::try_from(number).expect("small")),
    }
}

/// A folder with a buffer, and with dead letters: all of its five events.
fn scene() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let letters = DeadLetters::open(folder.path().join("dead")).expect("new letters");
    let buffer = buffer(folder.path(), "buffer");
    for number in 0..5 {
        let kind = u16::try_from(number).expect("small");
        buffer.enqueue_kind(&event(number), kind).expect("room");
    }
    let options = SendOptions::new().dead_letters(&letters);
    let mut refuse = |delivery: &Delivery<Event>| -> Result<(), SinkError> {
        let number = delivery.event.number;
        Err(SinkError::reject(format!(
            "field {number}\nis\u{1b}[31m odd"
        )))
    };
    let sent = buffer
        .drain_with(&mut refuse, &options)
        .expect("all are parked");
    assert_eq!(sent.parked, 5);
    folder
}

fn buffer(folder: &Path, name: &str) -> EventBuffer<Event> {
    EventBuffer::new(folder.join(name), 1000).expect("a buffer")
}

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = golden::run(folder, &[&["dead-letters", "dead"], arguments].concat());
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn listed(folder: &Path) -> Vec<Value> {
    let (code, said, error) = run(folder, &["list", "--json"]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    serde_json::from_str(&said).expect("an array")
}

/// The bytes of the letters' events, by the library.
fn letters(folder: &Path) -> Vec<Vec<u8>> {
    let letters = DeadLetters::open(folder.join("dead")).expect("closed");
    let mut found = Vec::new();
    let visited = letters.visit(|letter| {
        found.push(letter.payload);
        ControlFlow::Continue(())
    });
    visited.expect("whole letters");
    found
}

/// The bytes of the records of a queue from `skip` on.
fn records(path: &Path, skip: usize) -> Vec<(u16, Vec<u8>)> {
    let mut follower = Follower::open(path).expect("a queue");
    let mut found = Vec::new();
    while let Some(record) = follower.next().expect("whole records") {
        found.push((record.kind, record.payload.to_vec()));
    }
    found.split_off(skip)
}

#[test]
fn the_list_tells_all_that_is_known_beside_the_program_that_has_them_open() {
    let folder = scene();
    let open = DeadLetters::open(folder.path().join("dead")).expect("closed");
    let before = scenes::files(&folder.path().join("dead"));
    let listed = listed(folder.path());
    assert!(scenes::files(&folder.path().join("dead")) == before);
    drop(open);
    let payloads = letters(folder.path());
    assert_eq!(listed.len(), 5);
    for (number, (letter, payload)) in listed.iter().zip(&payloads).enumerate() {
        assert_eq!(letter["sequence"], number);
        assert_eq!(letter["record"], number);
        assert_eq!(letter["kind"], number);
        assert_eq!(letter["attempts"], 1);
        assert_eq!(letter["refusal"], "reject");
        assert_eq!(letter["key"], Value::Null);
        assert_eq!(
            letter["reason"],
            format!("field {number}\nis\u{1b}[31m odd")
        );
        let bytes = if let Value::String(text) = &letter["text"] {
            text.clone().into_bytes()
        } else {
            let base64 = letter["base64"].as_str().expect("base64");
            STANDARD.decode(base64).expect("base64")
        };
        assert_eq!(bytes, *payload);
    }
}

#[test]
fn in_the_table_a_reason_is_one_line_that_cannot_control_the_terminal() {
    let folder = scene();
    let (code, said, _) = run(folder.path(), &["list"]);
    assert_eq!((code, said.lines().count()), (Some(0), 6), "{said}");
    assert!(said.contains("field 3 is [31m odd\n"), "{said}");
    assert!(!said.contains('\u{1b}'));
}

#[test]
fn a_replay_restores_the_bytes_that_the_codec_wrote() {
    let folder = scene();
    let payloads = letters(folder.path());
    let written = records(&folder.path().join("buffer"), 0);
    let (code, said, error) = run(folder.path(), &["replay", "--into", "buffer"]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert_eq!(said, "put 5 events back into buffer\n");
    let restored = records(&folder.path().join("buffer"), 5);
    assert_eq!(restored, written);
    assert!(restored.iter().map(|(_, bytes)| bytes).eq(&payloads));
    let mut events = Vec::new();
    let drained = buffer(folder.path(), "buffer").drain(|event| {
        events.push(event);
        Ok::<_, std::io::Error>(())
    });
    assert_eq!(drained.expect("its own codec"), 5);
    assert_eq!(events, (0..5).map(event).collect::<Vec<_>>());
    assert!(listed(folder.path()).is_empty());
    let (code, said, _) = run(folder.path(), &["replay", "--into", "buffer", "--json"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        serde_json::from_str::<Value>(&said).expect("an object")["replayed"],
        0
    );
    assert_eq!(run(folder.path(), &["list"]).1, "no dead letters\n");
}

#[test]
fn letters_of_another_buffer_go_back_only_where_that_is_asked_for() {
    let folder = scene();
    drop(buffer(folder.path(), "other"));
    let (code, _, error) = run(folder.path(), &["replay", "--into", "other"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("--any-buffer"), "{error}");
    assert_eq!(listed(folder.path()).len(), 5);
    let (code, _, _) = run(
        folder.path(),
        &["replay", "--into", "other", "--any-buffer"],
    );
    assert_eq!(code, Some(0));
    assert_eq!(records(&folder.path().join("other"), 0).len(), 5);
}

#[test]
fn where_no_letters_or_no_buffer_is_nothing_is_made_and_nothing_moved() {
    let folder = scene();
    let queue = Queue::open(folder.path().join("plain")).expect("a new queue");
    queue.enqueue(b"an event").expect("room");
    queue.close().expect("a clean close");
    let before = scenes::files(folder.path());
    for arguments in [
        &["dead", "replay", "--into", "missing"][..],
        &["dead", "replay", "--into", "dead"],
        &["dead", "replay"],
        &["dead", "drop"],
        &["dead", "drop", "--all", "--through", "3"],
        &["dead", "drop", "--through", "5"],
        &["plain", "list"],
        &["plain", "drop", "--all"],
        &["plain", "replay", "--into", "buffer"],
        &["missing", "list"],
        &["missing", "drop", "--all"],
    ] {
        let arguments = [&["dead-letters"], arguments].concat();
        let output = golden::run(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    let after = scenes::files(folder.path());
    assert!(after.keys().eq(before.keys()));
    assert_eq!(listed(folder.path()).len(), 5);
    assert_eq!(records(&folder.path().join("plain"), 0).len(), 1);
}

#[test]
fn letters_are_dropped_up_to_one_or_all() {
    let folder = scene();
    let (code, said, _) = run(folder.path(), &["drop", "--through", "1"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "dropped 2 letters; left: 3\n")
    );
    assert_eq!(listed(folder.path())[0]["sequence"], 2);
    let (code, said, error) = run(folder.path(), &["drop", "--through", "0", "--json"]);
    assert_eq!(error, "");
    let object: Value = serde_json::from_str(&said).expect("an object");
    assert_eq!(
        (code, &object["dropped"], &object["left"]),
        (Some(0), &0.into(), &3.into())
    );
    let (code, said, _) = run(folder.path(), &["drop", "--all"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "dropped 3 letters; left: 0\n")
    );
    assert!(letters(folder.path()).is_empty());
    assert_eq!(records(&folder.path().join("buffer"), 0).len(), 5);
}
