//! `forebay export` and `forebay import`: every record of a queue is the same in the other one.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::UNIX_EPOCH;

use forebay::inspect::inspect;
use forebay::rebuild::{Rebuild, RebuildOptions, RebuildRecord};
use forebay::{Epoch, Follower, Integrity, RecordId, Sequence};
use proptest::prelude::*;

use crate::golden::{check, run};
use crate::scenes;

/// A record, and all that names and describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    id: RecordId,
    kind: u16,
    time: u128,
    key: Option<[u8; 16]>,
    payload: Vec<u8>,
}

fn records(path: &Path) -> Vec<Kept> {
    let mut follower = Follower::open(path).expect("a queue");
    let mut found = Vec::new();
    loop {
        let batch = follower.next_batch(1000).expect("no damage");
        if batch.is_empty() {
            return found;
        }
        found.extend(batch.iter().map(|record| {
            Kept {
                id: record.id(),
                kind: record.kind,
                time: record
                    .enqueued_at
                    .duration_since(UNIX_EPOCH)
                    .expect("after 1970")
                    .as_nanos(),
                key: record.key,
                payload: record.payload.to_vec(),
            }
        }));
    }
}

type Drawn = (u64, bool, u16, u64, Option<[u8; 16]>, Vec<u8>);

fn any_record() -> impl Strategy<Value = Drawn> {
    let text = any::<String>().prop_map(String::into_bytes);
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    let steps = prop_oneof![5 => Just(0_u64), 1 => 1..1000_u64];
    let epochs = prop::bool::weighted(0.1);
    (
        steps,
        epochs,
        any::<u16>(),
        0..u64::MAX / 2,
        any::<Option<[u8; 16]>>(),
        prop_oneof![text, bytes],
    )
}

/// A queue of these records in `path`, with what is missing in between.
fn make(path: &Path, drawn: &[Drawn], integrity: Integrity) {
    let options = RebuildOptions::new()
        .integrity(integrity)
        .segment_bytes(8192);
    let mut rebuild = Rebuild::create(path, &options).expect("a new place");
    let (mut sequence, mut epoch) = (3, Epoch::new(1 << 32));
    for (skipped, is_newer, kind, time, key, payload) in drawn {
        sequence += skipped;
        if *is_newer {
            epoch = epoch.following(0);
        }
        let mut record = RebuildRecord::new(Sequence::new(sequence), epoch, payload);
        record.kind = *kind;
        record.enqueued_at = *time;
        record.key = *key;
        rebuild.push(&record).expect("in order");
        sequence += 1;
    }
    rebuild.skip_to(Sequence::new(sequence + 2)).expect("room");
    rebuild.finish().expect("a working disk");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_record_is_the_same_after_export_and_import(
        drawn in prop::collection::vec(any_record(), 0..60),
        chained: bool,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let integrity = if chained { Integrity::Chained } else { Integrity::Crc32c };
        make(&folder.join("one"), &drawn, integrity);
        for arguments in [
            ["export", "one", "lines"],
            ["import", "other", "lines"],
            ["export", "other", "again"],
        ] {
            let output = run(folder, &arguments);
            prop_assert_eq!(output.status.code(), Some(0), "{:?}", output);
        }
        let (one, other) = (records(&folder.join("one")), records(&folder.join("other")));
        prop_assert_eq!(one.len(), drawn.len());
        prop_assert!(one == other);
        let (one, other) = (inspect(folder.join("one")), inspect(folder.join("other")));
        let (one, other) = (one.expect("a queue"), other.expect("a queue"));
        prop_assert_eq!((one.id, one.created, one.integrity), (other.id, other.created, other.integrity));
        prop_assert_eq!((one.first, one.next), (other.first, other.next));
        prop_assert!(other.epoch > one.epoch, "a later record's id is another one");
        // But for that, which the first line has.
        let lines = |name| fs::read_to_string(folder.join(name)).expect("lines");
        let (lines, again) = (lines("lines"), lines("again"));
        prop_assert!(lines.lines().skip(1).eq(again.lines().skip(1)));
    }
}

#[test]
fn a_queue_that_a_program_wrote_comes_back_also_through_pipes() {
    let scene = scenes::whole();
    let exported = check("export", scene.folder(), &["export", "q", "lines"]);
    assert!(exported.status.success() && exported.stdout.is_empty());
    let piped = run(scene.folder(), &["export", "q", "-"]);
    let lines = fs::read(scene.folder().join("lines")).expect("lines");
    assert!(piped.stdout == lines);
    let output = piped_into(scene.folder(), &["import", "copy", "-", "--json"], &lines);
    assert!(output.status.success());
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!(told["records"], scenes::RECORDS);
    assert_eq!(told["gaps"], serde_json::json!([]));
    assert!(records(&scene.path()) == records(&scene.folder().join("copy")));
}

/// What the command says that is given `input` through a pipe, of which it may leave a part.
fn piped_into(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(input).ok();
    drop(pipe);
    child.wait_with_output().expect("it ends")
}

#[test]
fn an_export_that_nobody_reads_to_its_end_is_not_told_as_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = forebay::Queue::open(folder.path().join("q")).expect("a new queue");
    queue.enqueue(vec![b'x'; 4 << 20]).expect("room");
    queue.close().expect("a clean close");
    let mut child = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(["export", "q", "-"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{output:?}");
}

/// As `<(zstd -d events.jsonl.zst)` gives it: what was read of it does not come again.
#[cfg(unix)]
#[test]
fn a_pipe_that_has_a_name_is_imported_from_its_beginning() {
    let scene = scenes::whole();
    let folder = scene.folder();
    let lines = run(folder, &["export", "q", "-"]).stdout;
    assert!(lines.len() > 16 << 10, "more than one piece");
    let output = piped_into(folder, &["import", "copy", "/dev/stdin"], &lines);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(records(&scene.path()) == records(&folder.join("copy")));
}

#[test]
fn a_first_line_without_an_end_is_refused_before_it_fills_the_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let endless = vec![b' '; 8 << 20];
    let output = piped_into(folder.path(), &["import", "copy", "-"], &endless);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("line 1: it is longer than 65536 bytes"),
        "{said}"
    );
    assert!(!folder.path().join("copy").exists());
}

#[test]
fn damage_stops_an_export_and_leaves_no_file_unless_it_is_to_be_passed_over() {
    let scene = scenes::one_flip();
    let output = check("export-damaged", scene.folder(), &["export", "q", "lines"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!scene.folder().join("lines").exists());
    let arguments = ["export", "q", "lines", "--skip-damage"];
    let output = check("export-skips-damage", scene.folder(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    let output = check("import", scene.folder(), &["import", "copy", "lines"]);
    assert!(output.status.success());
    let sequences = records(&scene.folder().join("copy")).into_iter();
    let sequences = sequences.map(|kept| kept.id.sequence.get());
    assert!(sequences.eq(scene.undamaged().into_keys()));
}

#[test]
fn an_export_is_never_written_over() {
    let scene = scenes::whole();
    fs::write(scene.folder().join("lines"), "mine").expect("room");
    let output = check("export-refuses", scene.folder(), &["export", "q", "lines"]);
    assert_eq!(output.status.code(), Some(2));
    let kept = fs::read(scene.folder().join("lines")).expect("a file");
    assert_eq!(kept, b"mine");
}

#[test]
fn lines_that_are_not_a_whole_export_make_nothing() {
    let scene = scenes::whole();
    let folder = scene.folder();
    assert!(run(folder, &["export", "q", "lines"]).status.success());
    let lines = fs::read_to_string(folder.join("lines")).expect("lines");
    let lines: Vec<&str> = lines.lines().collect();
    let without = |left_out: usize| {
        let kept = lines.iter().enumerate().filter(|(at, _)| *at != left_out);
        kept.map(|(_, line)| *line).collect::<Vec<_>>().join("\n")
    };
    let mut swapped = lines.clone();
    swapped.swap(10, 11);
    for (name, text) in [
        ("empty", String::new()),
        ("no-header", without(0)),
        ("cut-off", without(lines.len() - 1)),
        ("one-missing", without(50)),
        ("swapped", swapped.join("\n")),
        (
            "later-version",
            lines
                .join("\n")
                .replacen("\"version\":1", "\"version\":2", 1),
        ),
        ("other-text", "a line\n".to_owned()),
    ] {
        fs::write(folder.join("input"), text).expect("room");
        let output = check(
            &format!("import-refuses-{name}"),
            folder,
            &["import", "copy", "input"],
        );
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(!folder.join("copy").exists(), "{name}");
    }
    let output = run(folder, &["import", "q", "lines"]);
    assert_eq!(output.status.code(), Some(2), "a queue is there");
}
