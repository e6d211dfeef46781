//! A writer under load, killed or not, and followers in processes of their own.
//!
//! The children are this test binary again, told what to do by an environment variable. Each
//! follower says on its standard output what it has got; the parent compares.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use forebay::{ErrorKind, Follower, Overflow, Queue, QueueOptions, Retention, SyncPolicy};

/// What a child is told: `role directory`.
const ORDERS: &str = "FOREBAY_TEST_FOLLOW";
const RECORDS: u64 = 30_000;
const GROUP: u64 = 20;

fn payload(sequence: u64) -> Vec<u8> {
    let length = usize::try_from(sequence * 31 % 200).expect("small");
    format!("{sequence} {}", "x".repeat(length)).into_bytes()
}

/// Not a test by itself: the child.
#[test]
fn write_or_follow_when_told_to() {
    let Ok(orders) = std::env::var(ORDERS) else {
        return;
    };
    let (role, path) = orders.split_once(' ').expect("a role and a directory");
    match role {
        "write" => write(Path::new(path)),
        "write-until-killed" => write_until_killed(Path::new(path)),
        _ => follow(Path::new(path)),
    }
}

fn small() -> QueueOptions {
    QueueOptions::new().segment_bytes(32 << 10)
}

/// Enqueues everything, acknowledging some way behind, dropping the oldest in between.
fn write(path: &Path) {
    let options = small()
        .max_records(3000)
        .overflow(Overflow::DropOldest)
        .retention(Retention::UntilAcked);
    let queue = options.open(path).expect("a new queue");
    let mut consumer = queue.consumer("c").expect("the only one");
    while queue.next().get() < RECORDS {
        let next = queue.next().get();
        let batch = (next..next + GROUP).map(payload);
        queue.enqueue_batch(batch).expect("the oldest are dropped");
        if next.is_multiple_of(GROUP * 50) && next > RECORDS / 2 {
            let done = consumer.peek_batch(400).expect("nothing fails");
            let done = done.last().map(|record| record.sequence);
            if let Some(done) = done {
                consumer.ack_through(done).expect("it was delivered");
            }
        }
    }
    queue.enqueue("end").expect("the oldest is dropped");
}

fn write_until_killed(path: &Path) {
    let options = small()
        .retention(Retention::KeepForever)
        .sync_policy(SyncPolicy::Interval(Duration::from_millis(1)));
    let queue = options.open(path).expect("it opens at once");
    loop {
        let next = queue.next().get();
        let batch = (next..next + 3).map(payload);
        queue.enqueue_batch(batch).expect("there is room");
    }
}

/// One line, written whole.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let said = out.write_all(format!("{line}\n").as_bytes());
    said.and_then(|()| out.flush()).expect("the parent reads");
}

/// Says `record sequence hash` and `gap start end reason` until the record "end" has come.
fn follow(path: &Path) {
    let mut follower = loop {
        match Follower::open(path) {
            Ok(follower) => break follower,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    };
    say("begun");
    loop {
        follower.wait(Duration::from_mins(1)).expect("no error");
        let batch = follower.next_batch(64).expect("nothing is damaged");
        let mut lines = Vec::new();
        let mut ended = false;
        for record in batch.iter() {
            let hash = hash(record.payload);
            lines.push(format!("record {} {hash:016x}", record.sequence));
            ended |= record.payload == b"end";
        }
        for gap in follower.take_gaps() {
            let (start, end) = (gap.range.start, gap.range.end);
            say(&format!("gap {start} {end} {:?}", gap.reason));
        }
        if !lines.is_empty() {
            say(&lines.join("\n"));
        }
        if ended {
            return;
        }
    }
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A child that is killed when the test fails.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn spawn(role: &str, path: &Path) -> Process {
    let child = Command::new(std::env::current_exe().expect("this one"))
        .args([
            "--exact",
            "--nocapture",
            "processes::write_or_follow_when_told_to",
        ])
        .env(ORDERS, format!("{role} {}", path.display()))
        .stdout(Stdio::piped())
        .spawn();
    Process(child.expect("it runs"))
}

/// What a follower has said.
#[derive(Debug, Default)]
struct Said {
    records: BTreeMap<u64, String>,
    gaps: Vec<(u64, u64)>,
}

/// Reads what a follower says, in a thread; the channel gets a word with the first record.
fn listen(process: &mut Process) -> (std::thread::JoinHandle<Said>, std::sync::mpsc::Receiver<()>) {
    let out = BufReader::new(process.0.stdout.take().expect("piped"));
    let (told, first) = std::sync::mpsc::channel();
    let listener = std::thread::spawn(move || {
        let mut said = Said::default();
        let mut next = None;
        for line in out.lines() {
            let line = line.expect("text");
            let words: Vec<&str> = line.split(' ').collect();
            let number = |word: &str| word.parse::<u64>().expect("a number");
            match words[..] {
                ["begun"] => {
                    told.send(()).ok();
                }
                ["record", sequence, hash] => {
                    let sequence = number(sequence);
                    assert_eq!(sequence, *next.get_or_insert(sequence), "in order");
                    next = Some(sequence + 1);
                    said.records.insert(sequence, hash.to_owned());
                    told.send(()).ok();
                }
                ["gap", start, end, reason] => {
                    assert_eq!(reason, "Reclaimed");
                    assert_eq!(number(start), *next.get_or_insert(number(start)));
                    next = Some(number(end));
                    said.gaps.push((number(start), number(end)));
                }
                _ => {}
            }
        }
        said
    });
    (listener, first)
}

fn signal(process: &Process, name: &str) {
    let number = process.0.id().to_string();
    let sent = Command::new("kill").args([name, &number]).status();
    assert!(sent.expect("there is a command kill").success());
}

fn wait_for(process: &mut Process) {
    let status = process.0.wait().expect("it was ours");
    assert!(status.success(), "{status}");
}

#[test]
fn three_followers_in_processes_of_their_own_see_the_same_records() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("q");
    let mut early = spawn("follow", &path);
    let (early_said, _) = listen(&mut early);
    let mut writer = spawn("write", &path);
    let mut stopped = spawn("follow", &path);
    let (stopped_said, begun) = listen(&mut stopped);
    // One word for the queue, one for a record.
    begun.recv().expect("it finds the queue");
    begun.recv().expect("it gets a record");
    signal(&stopped, "-STOP");
    let mut late = spawn("follow", &path);
    let (late_said, _) = listen(&mut late);
    let mut noise = String::new();
    let out = writer.0.stdout.as_mut().expect("piped");
    out.read_to_string(&mut noise).expect("text");
    wait_for(&mut writer);
    signal(&stopped, "-CONT");
    for follower in [&mut early, &mut stopped, &mut late] {
        wait_for(follower);
    }
    let first = Queue::open(&path).expect("it is closed").first().get();
    for (name, said) in [
        ("early", early_said),
        ("stopped", stopped_said),
        ("late", late_said),
    ] {
        let said = said.join().expect("in order, and typed");
        assert_eq!(said.records.keys().next_back(), Some(&RECORDS), "{name}");
        for (sequence, found) in said.records.range(..RECORDS) {
            let expected = format!("{:016x}", hash(&payload(*sequence)));
            assert_eq!(*found, expected, "{name}: record {sequence}");
        }
        for (_, end) in &said.gaps {
            assert!(
                *end <= first,
                "{name}: nothing from {first} on is reclaimed"
            );
        }
        if name == "stopped" {
            assert!(!said.gaps.is_empty(), "it slept through all of it");
        }
    }
}

#[test]
fn a_writer_killed_under_load_and_started_again_is_followed_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("q");
    drop(small().open(&path).expect("a new queue"));
    let mut follower = Follower::open(&path).expect("it is there");
    let mut seen = 0;
    let mut read_on = |until: u64| {
        loop {
            let batch = follower.next_batch(100).expect("nothing is damaged");
            for record in batch.iter() {
                assert_eq!(record.sequence.get(), seen);
                assert_eq!(record.payload, payload(seen));
                seen += 1;
            }
            if seen >= until {
                return seen;
            }
            follower.wait(Duration::from_secs(20)).expect("no error");
        }
    };
    let mut reached = 0;
    for _ in 0..5 {
        let mut writer = spawn("write-until-killed", &path);
        reached = read_on(reached + 500);
        writer.0.kill().expect("it was ours");
        writer.0.wait().expect("it was ours");
        reached = read_on(reached);
    }
    let queue = small().open(&path).expect("it opens at once");
    assert!(queue.recovery().corruption.is_empty());
    assert_eq!(read_on(queue.next().get()), queue.next().get());
}
