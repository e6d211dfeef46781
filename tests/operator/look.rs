//! What tells an operator how a queue is: stats, ls, consumers, and the page.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use forebay::inspect::{SegmentRole, inspect};
use forebay::{Preallocate, Queue, Retention, Sequence, SyncPolicy};
use serde_json::Value;

use crate::browser::{Scheme, colours, document};
use crate::golden::run;
use crate::scenes;

/// The red of damage, by day and by night, as in the page's style.
const RED: [(Scheme, [u8; 3]); 2] = [
    (Scheme::Light, [0xcf, 0x24, 0x38]),
    (Scheme::Dark, [0xff, 0x5d, 0x6e]),
];
const WINDOW: (u32, u32) = (1200, 1000);

/// What the command printed, which must end as `code` says.
fn printed(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

fn json(folder: &Path, arguments: &[&str], code: i32) -> Value {
    serde_json::from_str(&printed(folder, arguments, code)).expect("JSON")
}

/// A folder that stays, for pages to be looked at.
fn gallery(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("pages")
        .join(name);
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The page of the queue `q` in `folder`.
fn page_of(folder: &Path, name: &str, code: i32) -> PathBuf {
    let page = gallery(name).join("page.html");
    let file = page.display().to_string();
    printed(folder, &["stats", "q", "--html", &file], code);
    page
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

fn count_of(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn ls_tells_of_every_segment_what_looking_finds() {
    let scene = scenes::whole();
    let found = inspect(scene.path()).expect("a queue");
    let told = json(scene.folder(), &["ls", "q", "--json"], 0);
    let rows = told["segments"].as_array().expect("segments");
    assert_eq!(rows.len(), found.segments.len());
    let table = printed(scene.folder(), &["ls", "q"], 0);
    assert_eq!(table.lines().count(), rows.len() + 1, "{table}");
    for ((segment, row), line) in found.segments.iter().zip(rows).zip(table.lines().skip(1)) {
        assert_eq!(row["number"], segment.number.get());
        assert_eq!(row["records"].as_u64(), segment.records);
        assert_eq!(row["frame_bytes"].as_u64(), segment.frame_bytes);
        let Some(chain) = segment.chain else { continue };
        let digits = hex(&chain);
        assert_eq!(row["chain"], *digits);
        assert!(line.contains(&digits[..16]), "{line}");
        assert!(!line.contains(&digits[..17]), "{line}");
    }
}

#[test]
fn consumers_tells_the_lag_and_finds_a_damaged_cursor() {
    let scene = scenes::whole();
    let told = json(scene.folder(), &["consumers", "q", "--json"], 0);
    for (at, (name, next)) in scenes::CURSORS.into_iter().enumerate() {
        let consumer = &told["consumers"][at];
        assert_eq!(consumer["name"], name);
        assert_eq!(consumer["next"], next);
        assert_eq!(consumer["lag"], scenes::RECORDS - next);
        assert_eq!(consumer["filtered"], false);
        assert!(consumer["lag_bytes"].as_u64() > Some(0), "{consumer}");
        assert!(consumer["oldest_unix_ns"].as_u64() > Some(0), "{consumer}");
    }
    let table = printed(scene.folder(), &["consumers", "q"], 0);
    assert!(table.contains("audit") && table.contains("180"), "{table}");

    let scene = scenes::cursor_gone();
    let output = run(scene.folder(), &["consumers", "q"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("the cursor of ship cannot be used"), "{said}");
}

#[test]
fn looking_at_damage_finds_it_and_ends_with_1() {
    let made: [(scenes::Make, &str); 5] = [
        (scenes::missing_segment, "missing"),
        (scenes::header_gone, "segment 3"),
        (scenes::swapped_files, "segment 2"),
        (scenes::mixed_queues, "segment 3"),
        (scenes::state_gone, "STATE"),
    ];
    for (make, words) in made {
        let scene = make();
        let before = scenes::files(scene.folder());
        let table = printed(scene.folder(), &["stats", "q"], 1);
        assert!(
            table.contains("damaged") && table.contains(words),
            "{table}"
        );
        assert!(before == scenes::files(scene.folder()), "{words}");
    }
    let scene = scenes::torn_tail();
    let table = printed(scene.folder(), &["stats", "q"], 0);
    assert!(table.contains("torn tail  100 B"), "{table}");
    assert!(table.contains("a kill or a power cut"), "{table}");
}

#[test]
fn a_queue_without_its_last_segment_is_not_told_as_new() {
    let scene = scenes::whole();
    fs::remove_dir_all(scene.file("segments")).expect("segments");
    fs::create_dir(scene.file("segments")).expect("room");
    let output = run(scene.folder(), &["ls", "q"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("every segment is gone"), "{said}");
}

#[test]
fn watching_tells_rates_and_ends_when_nobody_reads() {
    let scene = scenes::whole();
    let mut child = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(["stats", "q", "--watch", "0.01", "--json"])
        .current_dir(scene.folder())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("a line").expect("text");
        serde_json::from_str(&line).expect("one object a line")
    };
    assert!(next()["rates"].is_null());
    let queue = Queue::open(scene.path()).expect("nobody has it");
    queue.enqueue("one more").expect("room");
    let mut consumer = queue.consumer("audit").expect("a free consumer");
    consumer.drain(|_| Ok::<_, ()>(())).expect("no damage");
    let (mut came, mut went, mut audit) = (false, false, false);
    // Every change falls between two looks, after the few that are in the pipe already.
    for _ in 0..1000 {
        if came && audit {
            break;
        }
        let rates = &next()["rates"];
        came |= rates["records_in_per_second"].as_u64() > Some(0)
            && rates["bytes_in_per_second"].as_u64() > Some(0);
        audit |= rates["consumers"]["audit"].as_u64() > Some(0);
        went |= rates["records_out_per_second"].as_u64() > Some(0);
    }
    assert!(came && audit && went, "{came} {audit} {went}");
    drop(lines);
    let status = child.wait().expect("an end");
    assert_eq!(status.code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn colours_are_for_terminals_and_no_color_is_obeyed() {
    let scene = scenes::header_gone();
    let output = run(scene.folder(), &["stats", "q"]);
    assert!(!output.stdout.contains(&0x1b), "colours in a pipe");
    let on_terminal = |set: &[(&str, &str)], arguments: &str| {
        let command = format!("{} {arguments}", env!("CARGO_BIN_EXE_forebay"));
        let mut script = Command::new("script");
        script
            .args(["-qec", &command, "/dev/null"])
            .current_dir(scene.folder())
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .envs(set.iter().copied())
            .stdin(Stdio::null());
        let output = script.output().expect("script, of the package bsdutils");
        output.stdout
    };
    for arguments in ["stats q", "ls q", "consumers q"] {
        assert!(on_terminal(&[], arguments).contains(&0x1b), "{arguments}");
        for set in [("NO_COLOR", "1"), ("TERM", "dumb")] {
            let plain = on_terminal(&[set], arguments);
            assert!(!plain.is_empty() && !plain.contains(&0x1b), "{set:?}");
        }
    }
    assert!(on_terminal(&[], "--help").contains(&0x1b));
    assert!(!on_terminal(&[("NO_COLOR", "1")], "--help").contains(&0x1b));
}

#[test]
fn a_page_never_replaces_a_file() {
    let scene = scenes::whole();
    let file = scene.folder().join("page.html");
    fs::write(&file, "mine").expect("room");
    let output = run(scene.folder(), &["stats", "q", "--html", "page.html"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("page.html is there already"), "{said}");
    assert_eq!(fs::read(&file).expect("it"), b"mine");
}

/// Verifying may take minutes: what stands in the way of the page is told before.
#[test]
fn a_page_that_cannot_be_written_is_told_before_the_work() {
    let scene = scenes::whole();
    fs::write(scene.folder().join("page.html"), "mine").expect("room");
    for file in ["page.html", "nowhere/page.html"] {
        for command in ["stats", "verify"] {
            let output = run(scene.folder(), &[command, "q", "--html", file]);
            assert_eq!(output.status.code(), Some(2), "{command} {file}");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.is_empty(), "{command} {file}: {said}");
        }
    }
    printed(scene.folder(), &["verify", "q", "--html", "new.html"], 0);
    assert!(scene.folder().join("new.html").exists());
}

#[test]
fn the_page_of_a_queue_without_its_identity_tells_what_verify_finds() {
    let scene = scenes::identity_gone();
    let page = gallery("identity-gone").join("page.html");
    let file = page.display().to_string();
    printed(scene.folder(), &["verify", "q", "--html", &file], 1);
    let document = document(&page);
    assert!(document.contains(">Not sound<"), "{document}");
    assert!(document.contains("QUEUE at offset 0"), "{document}");
}

#[test]
fn the_page_of_verify_has_the_verdict_of_verify() {
    let scene = scenes::whole();
    let other = format!("{}:{}", scenes::RECORDS, "0".repeat(64));
    let arguments = ["verify", "q", "--anchor", &other, "--html", "other.html"];
    printed(scene.folder(), &arguments, 1);
    let page = |name: &str| fs::read_to_string(scene.folder().join(name)).expect("a page");
    let other = page("other.html");
    assert!(
        other.contains(">Not sound<") && other.contains("anchor 200"),
        "{other}"
    );
    let index = format!("segments/{:016}.idx", scenes::MIDDLE);
    scene.change(&index, |bytes| bytes[20] ^= 1);
    let told = printed(scene.folder(), &["verify", "q", "--html", "minor.html"], 0);
    assert!(told.contains("minor"), "{told}");
    let minor = page("minor.html");
    assert!(
        minor.contains(">Intact<") && minor.contains("1 finding"),
        "{minor}"
    );
}

#[test]
fn a_page_says_how_far_was_looked() {
    let scene = scenes::whole();
    for (command, words) in [
        ("stats", "Looked at as far as opening looks"),
        ("verify", "Every record was read"),
    ] {
        let file = format!("{command}.html");
        printed(scene.folder(), &[command, "q", "--html", &file], 0);
        let page = fs::read_to_string(scene.folder().join(file)).expect("a page");
        assert!(page.contains(words), "{page}");
    }
}

#[test]
fn a_page_fetches_nothing_and_shows_names_as_they_are() {
    let scene = scenes::whole();
    let evil = "a'&<img src=x onerror=alert(1)><script>x";
    let folder = scene.folder().join("p</title>\"<b>");
    // A name with a slash makes two folders, which is as good.
    fs::create_dir_all(&folder).expect("a folder");
    let queue = folder.join(evil);
    scenes::copy(&scene.path(), &queue);
    let page = gallery("names").join("page.html");
    let (path, file) = (queue.display().to_string(), page.display().to_string());
    printed(scene.folder(), &["stats", &path, "--html", &file], 0);
    let text = fs::read_to_string(&page).expect("a page");
    for forbidden in [
        "<script", "<img", "<b>&", "http:", "https:", " src=\"", "@import", "<link",
    ] {
        assert!(!text.contains(forbidden), "{forbidden} in {page:?}");
    }
    assert!(!text.contains("url(") || count_of(&text, "url(") == count_of(&text, "url(#"));
    let document = document(&page);
    let shown = "a'&amp;&lt;img src=x onerror=alert(1)&gt;&lt;script&gt;x";
    let heading = format!("<h1>{shown}</h1>");
    assert!(document.contains(&heading), "{document}");
    assert_eq!(
        count_of(&document, "<title>"),
        1 + count_of(&document, "<g><title>")
    );
}

/// A browser shows what the queue is: bars for segments, marks for consumers.
#[test]
fn the_page_of_a_whole_queue_has_its_bars_and_marks_and_no_red() {
    let scene = scenes::whole();
    let found = inspect(scene.path()).expect("a queue");
    let page = page_of(scene.folder(), "whole", 0);
    let document = document(&page);
    for segment in &found.segments {
        let title = format!("<title>segment {},", segment.number);
        assert_eq!(count_of(&document, &title), 1, "{title}");
    }
    for (name, next) in scenes::CURSORS {
        let title = format!("<title>{name} at {next}, {} records behind", 200 - next);
        assert_eq!(count_of(&document, &title), 1, "{title}");
        assert!(document.contains(&format!(">{name}</text>")), "{name}");
    }
    assert!(document.contains("id=\"rate\"") && document.contains("class=\"bar\""));
    for (scheme, red) in RED {
        let colours = colours(&page, scheme, WINDOW);
        assert!(colours.len() > 20, "{} colours", colours.len());
        assert_eq!(colours.get(&red), None, "{scheme:?}");
    }
}

#[test]
fn the_page_of_a_damaged_queue_shows_the_damage_in_red() {
    let scenes: [(&str, scenes::Make); 2] = [
        ("header-gone", scenes::header_gone),
        ("swapped", scenes::swapped_files),
    ];
    for (name, make) in scenes {
        let scene = make();
        let page = page_of(scene.folder(), name, 1);
        let text = fs::read_to_string(&page).expect("a page");
        assert!(text.contains(">Damaged<") && text.contains("class=\"damage\""));
        for (scheme, red) in RED {
            let colours = colours(&page, scheme, WINDOW);
            let area = colours.get(&red).copied().unwrap_or(0);
            assert!(
                area > 2000,
                "{area} red pixels, {scheme:?}, {}",
                page.display()
            );
        }
    }
}

#[test]
fn damage_to_one_record_is_red_where_that_record_is() {
    let scene = scenes::killed();
    let found = inspect(scene.path()).expect("a queue");
    let mut segments = found.segments.iter();
    let active = segments.find(|segment| segment.role == SegmentRole::Active);
    let number = active.expect("an active segment").number.get();
    let frames = scenes::frames(&scene, number);
    let frame = frames
        .iter()
        .find(|frame| frame.record.is_some() && frame.end - frame.start > 200);
    let frame = frame.expect("a long record");
    scene.change(&scenes::segment(number), |bytes| {
        bytes[frame.start + 100] ^= 1;
    });
    let lost = frame.record.expect("a record");

    let page = page_of(scene.folder(), "one-record", 1);
    let document = document(&page);
    let title = format!("<title>damage: records {lost}..{}, ", lost + 1);
    assert_eq!(count_of(&document, &title), 1, "{title}");
    for (scheme, red) in RED {
        let area = colours(&page, scheme, WINDOW).get(&red).copied();
        assert!(area.unwrap_or(0) > 50, "{area:?} red pixels, {scheme:?}");
    }
}

#[test]
fn the_page_shows_a_torn_tail_a_missing_segment_and_an_empty_queue() {
    let scene = scenes::torn_tail();
    let torn = document(&page_of(scene.folder(), "torn", 0));
    assert!(
        torn.contains("<title>torn tail: 100 B after the end"),
        "{torn}"
    );
    assert!(torn.contains(">Torn tail<"), "{torn}");

    let scene = scenes::missing_segment();
    let missing = document(&page_of(scene.folder(), "missing", 1));
    assert!(
        missing.contains("<title>segment 3, missing, records 74..111<"),
        "{missing}"
    );

    let folder = tempfile::tempdir().expect("a folder");
    let queue = Queue::open(folder.path().join("q")).expect("a new queue");
    queue.close().expect("a clean close");
    let page = page_of(folder.path(), "empty", 0);
    assert!(document(&page).contains("nothing was ever enqueued"));
    assert!(colours(&page, Scheme::Light, WINDOW).len() > 5);
}

#[test]
fn the_page_of_many_segments_has_them_all_in_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Queue::options()
        .segment_bytes(8192)
        .preallocate(Preallocate::None)
        .sync_policy(SyncPolicy::Manual)
        .retention(Retention::KeepForever);
    let queue = options.open(folder.path().join("q")).expect("a new queue");
    let payload = [7; 900];
    let mut consumers = Vec::new();
    for number in 0..800_u64 {
        queue.enqueue(&payload).expect("room");
        if number % 50 == 49 {
            queue.sync().expect("a working disk");
            let name = format!("consumer {number}");
            let mut consumer = queue.consumer(&name).expect("a new consumer");
            consumer
                .ack_through(Sequence::new(number))
                .expect("durable");
            consumers.push(name);
        }
    }
    queue.close().expect("a clean close");
    let found = inspect(folder.path().join("q")).expect("a queue");
    assert!(found.segments.len() > 200, "{}", found.segments.len());
    let page = page_of(folder.path(), "many", 0);
    let document = document(&page);
    let bars = count_of(&document, "<title>segment ");
    assert_eq!(bars, found.segments.len());
    for name in consumers {
        let title = format!("<title>{name} at ");
        assert_eq!(count_of(&document, &title), 1, "{name}");
    }
    assert!(colours(&page, Scheme::Light, WINDOW).len() > 20);
}

#[test]
fn shells_and_manual_know_every_subcommand() {
    let folder = tempfile::tempdir().expect("a folder");
    let help = printed(folder.path(), &["--help"], 0);
    let commands = help.split_once("Commands:\n").expect("commands").1;
    let names: Vec<&str> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.contains(&"stats") && names.len() > 7, "{names:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(folder.path(), &["completions", shell], 0);
        for name in &names {
            assert!(script.contains(name), "{name} in {shell}");
        }
        assert!(!script.contains("demo-child"), "{shell}");
    }
    printed(folder.path(), &["man", "pages"], 0);
    for name in &names {
        let help = printed(folder.path(), &[name, "--help"], 0);
        let page = folder.path().join(format!("pages/forebay-{name}.1"));
        let page = fs::read_to_string(page).expect("a page for each");
        assert!(
            page.contains(&format!("forebay\\-{} \\- ", name.replace('-', "\\-"))),
            "{page}"
        );
        let title = page.lines().find(|line| line.starts_with(".TH"));
        let version = concat!("\"forebay ", env!("CARGO_PKG_VERSION"), "\"");
        assert!(
            title.is_some_and(|title| title.contains(version)),
            "{title:?}"
        );
        let example = help.lines().skip_while(|line| !line.starts_with("Example"));
        for line in example.skip(1).filter(|line| !line.is_empty()) {
            let line = line.replace('\\', "\\e").replace('-', "\\-");
            assert!(page.contains(&line), "{line} in {page}");
        }
    }
    let whole = printed(folder.path(), &["man"], 0);
    assert!(whole.contains("forebay\\-stats(1)"), "{whole}");
    assert!(!whole.contains("child"), "{whole}");
}
