//! `forebay tail`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use forebay::Queue;

use crate::golden;
use crate::scenes::{self, QUEUE};

fn lines_of(folder: &Path, arguments: &[&str]) -> Vec<String> {
    let arguments = [&["tail", QUEUE, "--format", "len"], arguments].concat();
    let output = golden::run(folder, &arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_newest_records_are_shown_ten_unless_said() {
    let scene = scenes::killed();
    let before = scenes::files(scene.folder());
    let ten = lines_of(scene.folder(), &[]);
    assert_eq!(ten.len(), 10);
    assert!(
        ten[0].starts_with("190 ") && ten[9].starts_with("199 "),
        "{ten:?}"
    );
    assert_eq!(lines_of(scene.folder(), &["-n", "2"]), ten[8..]);
    assert_eq!(lines_of(scene.folder(), &["--lines", "0"]), [""; 0]);
    assert_eq!(lines_of(scene.folder(), &["--lines", "100000"]).len(), 200);
    assert!(scenes::files(scene.folder()) == before);
}

#[test]
fn damage_among_the_newest_ends_it_unless_it_is_to_be_passed_over() {
    let scene = scenes::one_flip();
    let damaged = *scene.damaged.first().expect("a damaged record");
    let count = (scenes::RECORDS - damaged).to_string();
    let arguments = ["tail", QUEUE, "-n", &count, "--format", "len"];
    let output = golden::run(scene.folder(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let arguments = [&arguments[..], &["--skip-damage"]].concat();
    let output = golden::run(scene.folder(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8(output.stdout)
        .expect("text")
        .lines()
        .count();
    assert_eq!(u64::try_from(shown + 1).ok(), count.parse().ok());
}

/// `forebay tail -f` of a queue, showing payloads in lines.
fn follow(folder: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(["tail", "-f", QUEUE, "-n", "1", "--format", "len"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let stdout = child.stdout.take().expect("a pipe");
    (child, BufReader::new(stdout))
}

fn next_line(output: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    line
}

#[test]
fn records_are_shown_as_they_come_and_it_ends_with_its_reader_also_while_none_comes() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = Queue::open(folder.path().join(QUEUE)).expect("a new queue");
    queue.enqueue(b"").expect("room");
    queue.enqueue(b"1").expect("room");
    let (mut child, mut output) = follow(folder.path());
    assert_eq!(next_line(&mut output), "1 1\n");
    for count in 2..5_usize {
        queue.enqueue(vec![b'x'; count]).expect("room");
        assert_eq!(next_line(&mut output), format!("{count} {count}\n"));
    }
    // Nothing comes any more, so that nothing is written into the pipe that nobody reads.
    drop(output);
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    let mut said = String::new();
    let mut stderr = child.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut said).expect("text");
    assert_eq!(said, "");
}

#[test]
fn it_goes_on_with_the_next_program_that_has_the_queue() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(QUEUE);
    let queue = Queue::open(&path).expect("a new queue");
    queue.enqueue(b"").expect("room");
    let (mut child, mut output) = follow(folder.path());
    assert_eq!(next_line(&mut output), "0 0\n");
    queue.close().expect("a clean close");
    let queue = Queue::open(&path).expect("unlocked");
    queue.enqueue(b"x").expect("room");
    assert_eq!(next_line(&mut output), "1 1\n");
    child.kill().expect("it still runs");
    child.wait().expect("an end");
}
