//! The command as a shell runs it: what goes in, what comes out, and how it ends.

#![cfg(feature = "cli")]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use forebay::{Queue, Retention, Sequence, inspect};
use serde_json::Value;

/// A folder of its own for each test, and the command run in it.
struct Shell {
    folder: tempfile::TempDir,
}

impl Shell {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_forebay"))
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command runs")
    }

    /// Runs the command to its end with `input`.
    fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self.start(arguments);
        let mut stdin = child.stdin.take().expect("a pipe");
        thread::scope(|scope| {
            scope.spawn(move || {
                // The command may end before it has read everything.
                stdin.write_all(input).ok();
            });
            child.wait_with_output().expect("an end")
        })
    }

    /// Runs the command, which must succeed, and returns what it printed.
    fn output(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let output = self.run(arguments, input);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}",
            said(&output)
        );
        output.stdout
    }
}

/// What the command wrote to standard error.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn assert_fails(output: &Output, code: i32, words: &[&str]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.starts_with("forebay: "), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} in {said}");
    }
}

/// The lines 0 to `count`, each with some text behind its number.
fn numbered(count: usize) -> Vec<u8> {
    let mut lines = String::new();
    for number in 0..count {
        let text = "lorem ipsum dolor sit amet ".repeat(number % 7);
        writeln!(lines, "{number} {text}").expect("a string takes all");
    }
    lines.into_bytes()
}

fn line_count(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').count() - 1
}

#[test]
fn what_goes_in_comes_out_byte_for_byte() {
    let mut text = b"first\n\n\ncarriage return\r\n\t tabs \x00 zero \xff\xfe not UTF-8\n".to_vec();
    text.extend_from_slice("x".repeat(700_000).as_bytes());
    text.push(b'\n');
    text.extend_from_slice(&numbered(5000));
    for options in [
        &["--sync", "always"][..],
        &["--sync", "manual"],
        &["--sync", "interval=5"],
        &["--batch", "7"],
    ] {
        let shell = Shell::new();
        let mut arguments = vec!["enqueue", "q"];
        arguments.extend_from_slice(options);
        assert!(shell.output(&arguments, &text).is_empty());
        let drained = shell.output(&["drain", "q"], b"");
        assert!(drained == text, "not the same with {options:?}");
        assert!(shell.output(&["drain", "q"], b"").is_empty());
    }
}

#[test]
fn a_last_line_without_newline_gains_one() {
    let shell = Shell::new();
    shell.output(&["enqueue", "q"], b"one\ntwo");
    assert_eq!(shell.output(&["drain", "q"], b""), b"one\ntwo\n");
    shell.output(&["enqueue", "q"], b"");
    assert!(shell.output(&["drain", "q"], b"").is_empty());
}

#[test]
fn enqueue_tells_count_and_rate() {
    let shell = Shell::new();
    let output = shell.run(&["enqueue", "q"], &numbered(1234));
    let said = said(&output);
    assert!(said.contains("enqueued 1234 records"), "{said}");
    assert!(said.contains("records/s"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn enqueue_tells_a_program_which_sequences_its_lines_got() {
    let shell = Shell::new();
    for (input, first, next, bytes) in [
        (&b"one\ntwo\n"[..], 0, 2, 8),
        (b"", 2, 2, 0),
        (b"three\n\nfive", 2, 5, 11),
    ] {
        let output = shell.run(&["enqueue", "q", "--json"], input);
        assert_eq!(said(&output), "");
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let number = |name: &str| told[name].as_u64().expect("a number");
        assert_eq!((number("first"), number("next")), (first, next), "{told}");
        assert_eq!(number("records"), next - first, "{told}");
        assert_eq!(number("bytes"), bytes, "{told}");
        assert!(told["elapsed_seconds"].is_f64(), "{told}");
    }
    let output = shell.run(
        &["enqueue", "q", "--json", "--max-record-bytes", "2"],
        b"long\n",
    );
    assert_fails(&output, 2, &["in the queue before it: 0 lines"]);
    assert_eq!(output.stdout, b"");
}

#[test]
fn enqueue_deletes_nothing_that_the_queue_s_program_keeps() {
    let shell = Shell::new();
    let kept = Queue::options()
        .segment_bytes(8192)
        .retention(Retention::KeepForever);
    let queue = kept.open(shell.path("q")).expect("a new queue");
    for _ in 0..20 {
        queue.enqueue(&[b'.'; 1000]).expect("room");
    }
    let mut consumer = queue.consumer("c").expect("a new consumer");
    consumer
        .ack_through(Sequence::new(19))
        .expect("all of them");
    drop(consumer);
    queue.close().expect("nothing fails");
    shell.output(&["enqueue", "q"], b"one more\n");
    let left = inspect::inspect(shell.path("q")).expect("a queue");
    assert_eq!((left.first.get(), left.next.get()), (0, 21));
}

#[test]
fn a_slow_producer_s_line_is_durable_before_the_next_comes() {
    let shell = Shell::new();
    let mut child = shell.start(&["enqueue", "q"]);
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"one\ntwo\nhalf a li").expect("a reader");
    let until = Instant::now() + Duration::from_secs(20);
    let durable = || inspect::inspect(shell.path("q")).map_or(0, |found| found.next.get());
    while durable() < 2 && Instant::now() < until {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(durable(), 2);
    stdin.write_all(b"ne\n").expect("a reader");
    drop(stdin);
    assert!(child.wait().expect("an end").success());
    let drained = shell.output(&["drain", "q"], b"");
    assert_eq!(drained, b"one\ntwo\nhalf a line\n");
}

#[test]
fn a_line_that_is_too_long_is_named_and_those_before_it_are_kept() {
    let shell = Shell::new();
    let limit = ["enqueue", "q", "--max-record-bytes", "10"];
    let output = shell.run(&limit, b"one\n0123456789\n0123456789x\nfour\n");
    let words = ["line 3", "10 bytes", "2 lines", "--max-record-bytes"];
    assert_fails(&output, 2, &words);
    assert_eq!(shell.output(&["drain", "q"], b""), b"one\n0123456789\n");
}

#[test]
fn a_closed_pipe_ends_quietly_and_loses_nothing() {
    let shell = Shell::new();
    let lines = 200_000;
    shell.output(&["enqueue", "q", "--sync", "manual"], &numbered(lines));
    let mut read = 0;
    for taken in [1, 40_000, 1] {
        let mut child = shell.start(&["drain", "q"]);
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        for at in 0..taken {
            line.clear();
            output.read_line(&mut line).expect("text");
            let number: usize = line
                .split(' ')
                .next()
                .and_then(|number| number.parse().ok())
                .expect("a number");
            assert!(number <= read, "{number} after {read}");
            read = read.max(number + 1);
            assert!(at > 0 || taken < 2 || number == 0, "began at {number}");
        }
        drop(output);
        let end = child.wait_with_output().expect("an end");
        assert_eq!(end.status.code(), Some(0), "{}", said(&end));
        assert_eq!(said(&end), "");
    }
    let rest = shell.output(&["drain", "q"], b"");
    let all = numbered(lines);
    assert!(all.ends_with(&rest), "the rest is not the rest");
    assert!(line_count(&rest) >= lines - read, "lines are lost");
    // What is certain to have been read is not delivered for ever.
    assert!(line_count(&rest) < lines);
}

#[test]
fn draining_again_goes_on_where_it_stopped() {
    let shell = Shell::new();
    shell.output(&["enqueue", "q"], b"1\n2\n3\n4\n5\n");
    assert_eq!(shell.output(&["drain", "q", "--max", "2"], b""), b"1\n2\n");
    let audit = ["drain", "q", "--consumer", "audit", "--max", "1"];
    assert_eq!(shell.output(&audit, b""), b"1\n");
    assert_eq!(shell.output(&["drain", "q", "--max", "0"], b""), b"");
    assert_eq!(shell.output(&["drain", "q", "--max", "1"], b""), b"3\n");
    shell.output(&["enqueue", "q"], b"6\n");
    assert_eq!(shell.output(&["drain", "q"], b""), b"4\n5\n6\n");
}

fn stats(shell: &Shell) -> Value {
    let printed = shell.output(&["stats", "q", "--json"], b"");
    serde_json::from_slice(&printed).expect("JSON")
}

#[test]
fn stats_tell_the_right_numbers_also_beside_a_writer() {
    let shell = Shell::new();
    shell.output(&["enqueue", "q"], &numbered(100));
    shell.output(&["drain", "q", "--max", "30"], b"");
    let found = stats(&shell);
    assert_eq!(found["clean"], true);
    assert_eq!(found["damaged"], false);
    assert_eq!(found["first"], 0);
    assert_eq!(found["next"], 100);
    assert_eq!(found["durable"], 100);
    assert_eq!(found["floor"], 30);
    assert_eq!(found["waiting_records"], 70);
    assert!(found["waiting_bytes"].as_u64() > Some(70 * 72));
    assert!(found["oldest_waiting_unix_ns"].as_u64() >= found["created_unix_ns"].as_u64());
    assert_eq!(found["consumers"][0]["name"], "cli");
    assert_eq!(found["consumers"][0]["lag"], 70);
    assert_eq!(found["segments"][0]["role"], "active");
    assert!(found["torn"].is_null());

    let queue = Queue::open(shell.path("q")).expect("nobody has it");
    queue.enqueue("one more").expect("room");
    let found = stats(&shell);
    assert_eq!(found["clean"], false);
    assert_eq!(found["next"], 101);
    let table = shell.output(&["stats", "q"], b"");
    let table = String::from_utf8(table).expect("text");
    assert!(
        table.contains("71 wait") && table.contains("cli"),
        "{table}"
    );
    assert!(table.lines().count() < 24, "{table}");
    let output = shell.run(&["enqueue", "q"], b"x\n");
    assert_fails(&output, 2, &["open elsewhere", "forebay stats"]);
}

#[test]
fn stats_of_a_damaged_queue_show_it_and_exit_with_1() {
    let shell = Shell::new();
    shell.output(&["enqueue", "q"], &numbered(100));
    shell.output(&["drain", "q", "--max", "30"], b"");
    fs::write(shell.path("q/cursors/cli.cursor"), "garbage").expect("a file");
    let output = shell.run(&["stats", "q", "--json"], b"");
    assert_fails(&output, 1, &["damaged"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["damaged"], true);
    assert!(found["consumers"][0]["defect"].is_string());
    assert!(found["consumers"][0]["next"].is_null());
    let output = shell.run(&["drain", "q"], b"");
    assert_fails(&output, 1, &["cli.cursor", "forebay verify"]);
    assert_eq!(
        line_count(&shell.output(&["drain", "q", "--consumer", "other"], b"")),
        100
    );
}

#[test]
fn errors_say_what_is_wrong_and_exit_with_2() {
    let shell = Shell::new();
    let output = shell.run(&["drain", "none"], b"");
    assert_fails(&output, 2, &["none", "check the path"]);
    assert!(!shell.path("none").exists());
    assert_fails(&shell.run(&["stats", "none"], b""), 2, &["none"]);

    fs::create_dir(shell.path("empty")).expect("a folder");
    let output = shell.run(&["drain", "empty"], b"");
    assert_fails(&output, 2, &["no queue is here"]);

    fs::write(shell.path("file"), "text").expect("a file");
    fs::write(shell.path("db"), b"SQLite format 3\0...").expect("a file");
    for command in ["enqueue", "drain", "stats"] {
        let output = shell.run(&[command, "file"], b"");
        assert_fails(&output, 2, &["is a file", "another path"]);
        assert_fails(&shell.run(&[command, "db"], b""), 2, &["SQLite"]);
    }

    let output = shell.run(&["enqueue", "q", "--sync", "sometimes"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("interval=MS"), "{}", said(&output));
    assert_eq!(shell.run(&["enqueue"], b"").status.code(), Some(2));
    shell.output(&["enqueue", "q"], b"x\n");
    let output = shell.run(&["drain", "q", "--consumer", "../x"], b"");
    assert_fails(&output, 2, &["../x"]);
}

#[test]
fn the_demo_keeps_the_promise_and_cleans_up() {
    let shell = Shell::new();
    fs::write(shell.path("text"), numbered(3000)).expect("a file");
    let arguments = ["demo", "text", "--rounds", "2", "--seed", "5", "--dir", "d"];
    let printed = shell.output(&arguments, b"");
    let printed = String::from_utf8(printed).expect("text");
    assert!(printed.contains("3000 lines"), "{printed}");
    assert_eq!(printed.matches("signal 9").count(), 2, "{printed}");
    assert!(printed.contains("byte for byte"), "{printed}");
    let found = inspect::inspect(shell.path("d")).expect("a queue is left");
    assert_eq!(found.waiting_records, 0);
    assert!(found.next > Sequence::ZERO);
    let output = shell.run(&arguments, b"");
    assert_fails(&output, 2, &["something", "empty directory"]);
}

#[test]
fn bench_tells_what_the_disk_and_the_queue_reach_and_leaves_nothing() {
    let shell = Shell::new();
    fs::create_dir(shell.path("d")).expect("a folder");
    fs::write(shell.path("d/mine"), "kept").expect("a file");
    let arguments = ["bench", "d", "--seconds", "0.05", "--threads", "1,3"];
    let table = String::from_utf8(shell.output(&arguments, b"")).expect("text");
    for words in ["records/s", "x raw", "rec/sync", "p99.9", "256 bytes"] {
        assert!(table.contains(words), "{words} in {table}");
    }
    let mut first_words = table
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    assert!(first_words.any(|word| word == "raw"), "{table}");
    assert_eq!(first_words.collect::<Vec<_>>(), ["1", "3"], "{table}");

    let printed = shell.output(
        &[&arguments[..], &["--json", "--size", "1000"]].concat(),
        b"",
    );
    let found: Value = serde_json::from_slice(&printed).expect("JSON");
    assert_eq!(found["record_bytes"], 1000);
    let positive = |value: &Value| value.as_f64().is_some_and(|value| value > 0.0);
    assert!(positive(&found["raw"]["syncs_per_second"]), "{found}");
    let steps = found["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), 2, "{found}");
    for (step, threads) in steps.iter().zip([1, 3]) {
        assert_eq!(step["threads"], threads);
        for field in [
            "records_per_second",
            "efficiency",
            "raw_syncs_per_second",
            "p50_seconds",
        ] {
            assert!(positive(&step[field]), "{field} in {found}");
        }
        assert!(
            step["p50_seconds"].as_f64() <= step["max_seconds"].as_f64(),
            "{found}"
        );
    }

    let left = fs::read_dir(shell.path("d")).expect("the folder").count();
    assert_eq!(left, 1, "only what was there before");
}

#[test]
fn bench_touches_no_queue_and_needs_its_directory() {
    let shell = Shell::new();
    shell.output(&["enqueue", "q"], b"one\n");
    let output = shell.run(&["bench", "q", "--seconds", "0.05"], b"");
    assert_fails(&output, 2, &["q is a queue", "same disk"]);
    assert_eq!(shell.output(&["drain", "q"], b""), b"one\n");
    let output = shell.run(&["bench", "missing"], b"");
    assert_fails(&output, 2, &["cannot create missing"]);
    assert!(!shell.path("missing").exists());
    for wrong in [["--threads", "0"], ["--seconds", "0"], ["--size", "0"]] {
        let output = shell.run(&[&["bench", "."], &wrong[..]].concat(), b"");
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_demo_child_is_really_killed_and_what_it_reported_is_there() {
    use std::os::unix::process::ExitStatusExt;

    let shell = Shell::new();
    fs::write(shell.path("text"), "alpha\nbeta\n\ndelta\n").expect("a file");
    let mut child = shell.start(&["demo-child", "q", "text", "0", "1", "2", "3"]);
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut reports = String::new();
    for _ in 0..100 {
        output.read_line(&mut reports).expect("a report");
    }
    child.kill().expect("a running child");
    output.read_to_string(&mut reports).expect("text");
    let status = child.wait().expect("an end");
    assert_eq!(status.signal(), Some(9));

    let records = records_of(&shell.path("q"));
    // The last line may have been cut by the kill.
    let whole = reports.rsplit_once('\n').expect("lines").0;
    for report in whole.lines() {
        let (sequence, index) = report.split_once(' ').expect("a report");
        let record = &records[sequence.parse::<usize>().expect("a number")];
        let line = ["alpha", "beta", "", "delta"][index.parse::<usize>().expect("a number") % 4];
        assert_eq!(record, &format!("{index}\t{line}"));
    }
}

/// All records of a queue whose owner was killed.
fn records_of(path: &Path) -> Vec<String> {
    let queue = Queue::options().open_existing().open(path);
    let queue = queue.expect("recoverable");
    assert!(!queue.recovery().clean);
    let mut records = Vec::new();
    let mut consumer = queue.consumer("test").expect("a free consumer");
    let drained = consumer.drain(|record| {
        records.push(String::from_utf8_lossy(record.payload).into_owned());
        Ok::<_, ()>(())
    });
    drained.expect("no damage");
    records
}
