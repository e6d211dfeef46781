//! What a command says, compared with a text in `tests/operator/golden`.
//!
//! `FOREBAY_BLESS=1` writes the texts anew, to be looked at before they are committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the command in `folder`, where it finds neither colours nor a terminal.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .output()
        .expect("the command runs")
}

/// Runs the command in `folder` and compares what it says, and how it ends, with the golden text
/// `name`. Returns what it said, for more checks.
pub(crate) fn check(name: &str, folder: &Path, arguments: &[&str]) -> Output {
    let output = run(folder, arguments);
    compare(name, &transcript(folder, arguments, &output));
    output
}

/// The command as it was typed, what it said, and how it ended.
fn transcript(folder: &Path, arguments: &[&str], output: &Output) -> String {
    let code = output.status.code();
    let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
    let mut parts = vec![format!("$ forebay {}", arguments.join(" "))];
    for (stream, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            let said = settle(&String::from_utf8_lossy(bytes), folder);
            parts.push(format!("--- {stream}\n{}", said.trim_end()));
        }
    }
    parts.push(format!("--- exit code {code}\n"));
    parts.join("\n")
}

/// Compares `text` with the golden text `name`.
pub(crate) fn compare(name: &str, text: &str) {
    let path = home().join(format!("{name}.txt"));
    if std::env::var_os("FOREBAY_BLESS").is_some() {
        fs::create_dir_all(home()).expect("a folder for golden texts");
        fs::write(path, text).expect("a writable golden text");
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == text,
        "not as in {}; FOREBAY_BLESS=1 writes it anew\n--- expected\n{golden}\n--- found\n{text}",
        path.display()
    );
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/operator/golden")
}

/// `said` with what differs from run to run named instead: where the folder is, how long something
/// took, how fast it was.
pub(crate) fn settle(said: &str, folder: &Path) -> String {
    let resolved = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let said = said
        .replace(&*resolved.to_string_lossy(), "DIR")
        .replace(&*folder.to_string_lossy(), "DIR");
    let mut text = String::new();
    for line in said.split_inclusive('\n') {
        text.push_str(&settle_line(line));
    }
    text
}

fn settle_line(line: &str) -> String {
    if let Some((key, rest)) = line.split_once("\": ") {
        let is_time = ["elapsed", "seconds", "_age", "age_", "per_second", "took"]
            .iter()
            .any(|word| key.contains(word));
        if is_time && rest.starts_with(|first: char| first.is_ascii_digit()) {
            let comma = if rest.trim_end().ends_with(',') {
                ","
            } else {
                ""
            };
            return format!("{key}\": TIME{comma}\n");
        }
    }
    let mut text = String::new();
    let mut rest = line;
    while let Some(found) = rest.chars().next() {
        let is_inside = text.ends_with(|last: char| last.is_alphanumeric() || "._-".contains(last));
        if let Some((placeholder, after)) = placeholder(rest).filter(|_| !is_inside) {
            // Numbers are set flush right: how far depends on them.
            if text.ends_with("  ") && !text.trim_end().is_empty() {
                text.truncate(text.trim_end().len());
                text.push(' ');
            }
            text.push_str(placeholder);
            rest = after;
        } else {
            text.push(found);
            rest = &rest[found.len_utf8()..];
        }
    }
    text
}

/// What stands for the span of time or the rate that `text` begins with, and what follows it.
fn placeholder(text: &str) -> Option<(&'static str, &str)> {
    let (unit, mut after) = quantity(text)?;
    if unit.ends_with("/s") {
        return Some(("RATE", after));
    }
    let is_time = |unit| ["ns", "us", "ms", "s", "min", "h", "d"].contains(&unit);
    if !is_time(unit) {
        return None;
    }
    while let Some(more) = after.strip_prefix(' ').and_then(quantity) {
        if !is_time(more.0) {
            break;
        }
        after = more.1;
    }
    Some(("TIME", after))
}

/// The unit of the quantity that `text` begins with, and what follows it.
fn quantity(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|found: char| !found.is_ascii_digit() && found != '.')?;
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let rest = &text[end..];
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let end = rest.find(|found: char| !found.is_ascii_alphabetic() && found != '/');
    let (unit, after) = rest.split_at(end.unwrap_or(rest.len()));
    // Otherwise it is a part of something else, a hash for example.
    let is_whole = !after.starts_with(|found: char| found.is_alphanumeric());
    is_whole.then_some((unit, after))
}

#[test]
fn what_differs_from_run_to_run_is_named_instead() {
    let folder = Path::new("/tmp/of-a-test");
    for (said, settled) in [
        ("at /tmp/of-a-test/q\n", "at DIR/q\n"),
        ("took 12 ms, done\n", "took TIME, done\n"),
        (
            "waits for 713 d 4 h, since then\n",
            "waits for TIME, since then\n",
        ),
        (
            "200 records in 1.2 s (153 records/s)\n",
            "200 records in TIME (RATE)\n",
        ),
        ("at 1.5 GiB/s.\n", "at RATE.\n"),
        (
            "  \"elapsed_seconds\": 0.012,\n",
            "  \"elapsed_seconds\": TIME,\n",
        ),
        ("  \"next\": 12,\n", "  \"next\": 12,\n"),
        ("checksum 59d2825c, 7f\n", "checksum 59d2825c, 7f\n"),
        ("12 segments, 3 damaged\n", "12 segments, 3 damaged\n"),
        ("checksum 27d35313, 5h9\n", "checksum 27d35313, 5h9\n"),
        ("segment   3  sealed\n", "segment   3  sealed\n"),
    ] {
        assert_eq!(settle(said, folder), settled);
    }
}

#[test]
fn where_no_queue_is_the_command_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = check("no-queue", folder.path(), &["stats", "q"]);
    assert!(output.stdout.is_empty());
}
