//! `forebay dump`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forebay::rebuild::{Rebuild, RebuildOptions, RebuildRecord};
use forebay::{Epoch, Follower, Queue, Sequence, SyncPolicy};
use serde_json::Value;

use crate::golden;
use crate::scenes::{self, QUEUE, RECORDS, Scene, kind, payload};

fn dump(scene: &Scene, arguments: &[&str]) -> Output {
    let arguments = [&["dump", QUEUE], arguments].concat();
    golden::run(scene.folder(), &arguments)
}

/// What a dump printed, which ended as it should.
fn dumped(scene: &Scene, arguments: &[&str]) -> Vec<u8> {
    let output = dump(scene, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
    output.stdout
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

/// The sequences at the beginnings of the lines.
fn sequences(lines: Vec<u8>) -> Vec<u64> {
    let lines = text(lines);
    let first = |line: &str| line.split(' ').next().and_then(|word| word.parse().ok());
    lines
        .lines()
        .map(|line| first(line).expect("a sequence"))
        .collect()
}

/// The records in lines of JSON.
fn objects(lines: &[u8]) -> BTreeMap<u64, Vec<u8>> {
    let mut found = BTreeMap::new();
    for line in lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let object: Value = serde_json::from_slice(line).expect("an object");
        let payload = match (&object["text"], &object["base64"]) {
            (Value::String(text), Value::Null) => text.clone().into_bytes(),
            (Value::Null, Value::String(base64)) => STANDARD.decode(base64).expect("base64"),
            _ => panic!("neither or both: {object}"),
        };
        found.insert(object["sequence"].as_u64().expect("a number"), payload);
    }
    found
}

#[test]
fn each_format_holds_every_record_byte_for_byte() {
    let scene = scenes::whole();
    let all: BTreeMap<u64, Vec<u8>> = (0..RECORDS).map(|at| (at, payload(at))).collect();
    assert_eq!(objects(&dumped(&scene, &[])), all);
    let raw: Vec<u8> = all.values().flatten().copied().collect();
    assert_eq!(dumped(&scene, &["--format", "raw"]), raw);
    let (mut lengths, mut hex) = (String::new(), String::new());
    for (sequence, payload) in &all {
        writeln!(lengths, "{sequence} {}", payload.len()).expect("memory");
        write!(hex, "{sequence} ").expect("memory");
        for byte in payload {
            write!(hex, "{byte:02x}").expect("memory");
        }
        hex.push('\n');
    }
    assert_eq!(text(dumped(&scene, &["--format", "len"])), lengths);
    assert_eq!(text(dumped(&scene, &["--format", "hex"])), hex);
}

#[test]
fn a_line_of_json_has_what_names_the_record() {
    let scene = scenes::whole();
    let mut follower = Follower::open(scene.path()).expect("a queue");
    let lines = text(dumped(&scene, &["--to", "3"]));
    for line in lines.lines() {
        let object: Value = serde_json::from_str(line).expect("an object");
        let record = follower.next().expect("whole").expect("a record");
        let since = record
            .enqueued_at
            .duration_since(UNIX_EPOCH)
            .expect("a time");
        assert_eq!(object["sequence"], record.sequence.get());
        assert_eq!(object["epoch"], record.epoch.to_string());
        assert_eq!(object["kind"], record.kind);
        assert_eq!(
            u128::from(object["enqueued_unix_ns"].as_u64().expect("exact")),
            since.as_nanos()
        );
        assert_eq!(object.get("key"), None);
    }
    assert_eq!(lines.lines().count(), 3);
}

#[test]
fn ranges_are_half_open_and_kinds_are_chosen() {
    let scene = scenes::whole();
    let of =
        |arguments: &[&str]| sequences(dumped(&scene, &[&["--format", "len"], arguments].concat()));
    assert_eq!(of(&["--from", "10", "--to", "13"]), [10, 11, 12]);
    assert_eq!(of(&["--from", "10", "--to", "10"]), [0; 0]);
    assert_eq!(of(&["--from", "198"]), [198, 199]);
    assert_eq!(of(&["--from", "198", "--to", "9999"]), [198, 199]);
    assert_eq!(of(&["--from", "200"]), [0; 0]);
    let of_kinds = |kinds: &[u16]| {
        (0..RECORDS)
            .filter(|at| kinds.contains(&kind(*at)))
            .collect()
    };
    let expected: Vec<u64> = of_kinds(&[1]);
    assert_eq!(of(&["--kind", "1"]), expected);
    let expected: Vec<u64> = of_kinds(&[0, 2]);
    assert_eq!(of(&["--kind", "0", "--kind", "2"]), expected);
    assert_eq!(of(&["--kind", "0,2"]), expected);
    assert_eq!(of(&["--kind", "9"]), [0; 0]);
    for (arguments, word) in [
        (&["--from", "13", "--to", "10"][..], "13..10"),
        (&["--from", "201"], "201"),
        (&["--since", "yesterday"], "--since"),
        (&["--format", "xml"], "jsonl"),
    ] {
        let output = dump(&scene, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        assert!(text(output.stderr).contains(word), "{arguments:?}");
    }
}

#[test]
fn since_takes_a_moment_to_the_nanosecond_or_a_span_back_from_now() {
    let scene = scenes::whole();
    let mut follower = Follower::open(scene.path()).expect("a queue");
    let batch = follower.next_batch(121).expect("whole records");
    let at = batch.last().expect("a record");
    let (sequence, time) = (at.sequence.get(), at.enqueued_at);
    assert!(sequence > 20, "{sequence}");
    let since = |time: &str, more: &[&str]| {
        let arguments = [&["--format", "len", "--since", time], more].concat();
        sequences(dumped(&scene, &arguments))
    };
    let told = |time| humantime::format_rfc3339_nanos(time).to_string();
    let expected: Vec<u64> = (sequence..RECORDS).collect();
    assert_eq!(since(&told(time), &[]), expected);
    assert_eq!(since(&told(time - Duration::from_nanos(1)), &[]), expected);
    assert_eq!(
        since(&told(time + Duration::from_nanos(1)), &[]),
        expected[1..]
    );
    // The later one of two beginnings counts.
    assert_eq!(since(&told(time), &["--from", "3"]), expected);
    assert_eq!(since(&told(time), &["--from", "198"]), [198, 199]);
    // The records are of 2023.
    assert_eq!(since("2h", &[]), [0; 0]);
    assert_eq!(since("1000y", &[]).len(), 200);
}

#[test]
fn a_dump_beside_a_writer_needs_no_lock_and_changes_nothing() {
    let scene = scenes::killed();
    let before = scenes::files(scene.folder());
    dumped(&scene, &["--since", "1000y"]);
    assert!(scenes::files(scene.folder()) == before);
    let queue = Queue::options()
        .open_existing()
        .open(scene.path())
        .expect("unlocked");
    assert_eq!(objects(&dumped(&scene, &[])).len(), 200);
    queue.enqueue(b"one more").expect("room");
    assert_eq!(objects(&dumped(&scene, &[])).len(), 201);
}

#[test]
fn what_is_not_proven_durable_is_counted_and_not_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Queue::options().sync_policy(SyncPolicy::Manual);
    let queue = options
        .open(folder.path().join(QUEUE))
        .expect("a new queue");
    for number in 0..7 {
        queue.enqueue(format!("{number}").as_bytes()).expect("room");
        if number == 3 {
            queue.sync().expect("a working disk");
        }
    }
    let output = golden::run(folder.path(), &["dump", QUEUE, "--format", "raw"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(output.stdout), "0123");
    let said = text(output.stderr);
    assert!(
        said.contains(": 3 records") && said.contains("4..7"),
        "{said}"
    );
    let output = golden::run(folder.path(), &["dump", QUEUE, "--to", "4"]);
    assert_eq!(text(output.stderr), "");
}

#[test]
fn damage_ends_a_dump_with_its_place_unless_it_is_to_be_passed_over() {
    let scene = scenes::one_flip();
    let damaged = *scene.damaged.first().expect("a damaged record");
    let stopped = golden::check(
        "dump-one-flip",
        scene.folder(),
        &["dump", QUEUE, "--kind", "9"],
    );
    assert_eq!(stopped.status.code(), Some(1));
    let output = dump(&scene, &["--format", "len"]);
    assert_eq!(output.status.code(), Some(1));
    let before: Vec<u64> = (0..damaged).collect();
    assert_eq!(sequences(output.stdout), before);
    let arguments = ["dump", QUEUE, "--skip-damage", "--kind", "9"];
    golden::check("dump-one-flip-skip-damage", scene.folder(), &arguments);
    // What is not asked for may be damaged.
    let to = damaged.to_string();
    assert_eq!(objects(&dumped(&scene, &["--to", &to])).len(), before.len());
    let from = (damaged + 1).to_string();
    dumped(&scene, &["--from", &from]);
}

#[test]
fn past_damage_every_undamaged_record_is_shown() {
    for (name, make) in scenes::ALL {
        let scene = make();
        let before = scenes::files(scene.folder());
        let output = dump(&scene, &["--skip-damage"]);
        let said = text(output.stderr);
        assert!(
            scenes::files(scene.folder()) == before,
            "{name} was changed"
        );
        if ["state_gone", "identity_gone"].contains(&name) {
            // What is durable, or whose it is, nobody can say without repair.
            assert_eq!(output.status.code(), Some(1), "{name}: {said}");
            assert!(
                output.stdout.is_empty() && said.starts_with("forebay: "),
                "{name}"
            );
            continue;
        }
        assert!(
            objects(&output.stdout) == scene.undamaged(),
            "{name}: {said}"
        );
        let code = i32::from(!scene.damaged.is_empty());
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
    }
}

#[test]
fn a_gap_is_told_and_what_lies_behind_the_end_stays_behind_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(QUEUE);
    let mut rebuild = Rebuild::create(&path, &RebuildOptions::new()).expect("a new folder");
    for number in (0..10).chain(20..30) {
        let epoch = Epoch::default().following(0);
        let record = RebuildRecord::new(Sequence::new(number), epoch, b"x");
        rebuild.push(&record).expect("in order");
    }
    rebuild.finish().expect("a queue");
    let of = |arguments: &[&str]| {
        let arguments = [&["dump", QUEUE, "--format", "len"], arguments].concat();
        let output = golden::run(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(0));
        (sequences(output.stdout), text(output.stderr))
    };
    let (found, said) = of(&[]);
    assert!(found.into_iter().eq((0..10).chain(20..30)));
    assert!(said.contains("10..20 are gone"), "{said}");
    assert_eq!(of(&["--from", "8", "--to", "15"]).0, [8, 9]);
    assert_eq!(of(&["--from", "12", "--to", "22"]).0, [20, 21]);
}

#[test]
fn a_reader_that_has_enough_ends_the_dump_quietly() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = Queue::open(folder.path().join(QUEUE)).expect("a new queue");
    let payload = vec![b'x'; 100_000];
    queue
        .enqueue_batch((0..100).map(|_| &payload))
        .expect("room");
    let mut child = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(["dump", QUEUE])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    output.read_line(&mut line).expect("a line");
    drop(output);
    assert!(line.contains("\"sequence\":0,"));
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    let mut said = String::new();
    let mut stderr = child.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut said).expect("text");
    assert_eq!(said, "");
}

#[test]
fn what_is_no_queue_is_said_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("file"), "text").expect("a file");
    fs::create_dir(folder.path().join("empty")).expect("a folder");
    for name in ["file", "empty", "missing"] {
        for command in ["dump", "tail"] {
            let output = golden::run(folder.path(), &[command, name]);
            assert_eq!(output.status.code(), Some(2), "{name}");
            assert!(text(output.stderr).starts_with("forebay: "), "{name}");
        }
    }
    assert!(!folder.path().join("missing").exists());
    assert_eq!(
        fs::read_dir(folder.path().join("empty"))
            .expect("a folder")
            .count(),
        0
    );
    assert_eq!(
        fs::read(Path::new(&folder.path().join("file"))).expect("a file"),
        b"text"
    );
}
