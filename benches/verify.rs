//! How fast a queue is verified, how much memory that takes, and what a writer beside it notices.
//!
//! A program of its own: `cargo bench --features cli --bench verify -- [--mebibytes N] [--seconds N]
//! [--record-bytes N] [--folder DIR] [--gentle]`. It measures a queue of so many mebibytes, its pages
//! warm, against a plain read and the bare checksum. Then it writes for so many seconds alone and
//! for as many beside verifications, in turns. It fails on a false alarm.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use forebay::inspect::{Pace, VerifyOptions, verify};
use forebay::{Queue, Retention, SyncPolicy};

const BATCH: usize = 100;
/// How long the writer is alone, and then in company, before it is alone again.
const TURN: Duration = Duration::from_secs(5);

/// What the command line asks for.
struct Choice {
    mebibytes: u64,
    seconds: u64,
    record_bytes: usize,
    /// Of what goes on beside the writer.
    pace: Pace,
    /// Where the queues are made.
    folder: PathBuf,
}

fn main() {
    let choice = choice();
    let folder = tempfile::tempdir_in(&choice.folder).expect("a folder");
    let path = folder.path().join("queue");
    fill(&path, &choice);
    warm(&path);
    floor(&path);
    for (chain, jobs) in [(false, 1), (false, 2), (true, 1), (true, 2)] {
        alone(&path, chain, jobs);
    }
    memory(&path);
    fs::remove_dir_all(&path).expect("a queue of ours");
    beside(&path, &choice);
}

fn choice() -> Choice {
    let mut choice = Choice {
        mebibytes: 128,
        seconds: 10,
        record_bytes: 256,
        pace: Pace::Full,
        folder: env!("CARGO_TARGET_TMPDIR").into(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--folder" {
            choice.folder = words.next().expect("a folder").into();
            continue;
        }
        if word == "--gentle" {
            choice.pace = Pace::Gentle;
            continue;
        }
        let mut number = || words.next().and_then(|text| text.parse().ok());
        match word.as_str() {
            "--mebibytes" => choice.mebibytes = number().expect("a number of mebibytes"),
            "--seconds" => choice.seconds = number().expect("a number of seconds"),
            "--record-bytes" => {
                let bytes = number().expect("a number of bytes");
                choice.record_bytes = usize::try_from(bytes).expect("a small number");
            }
            // What cargo adds.
            _ => {}
        }
    }
    choice
}

fn fill(path: &Path, choice: &Choice) {
    let options = Queue::options()
        .sync_policy(SyncPolicy::Manual)
        .retention(Retention::KeepForever);
    let queue = options.open(path).expect("a new queue");
    let record = vec![0x5a; choice.record_bytes];
    let frame = u64::try_from(choice.record_bytes + 72).expect("a small number");
    let mut left = (choice.mebibytes << 20) / frame;
    while left > 0 {
        let count = usize::try_from(left).map_or(BATCH, |left| left.min(BATCH));
        queue
            .enqueue_batch(std::iter::repeat_n(&record, count))
            .expect("room");
        left -= u64::try_from(count).expect("a small number");
    }
    queue.close().expect("a clean end");
}

fn segments(path: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(path.join("segments")).expect("a queue");
    let all = listed.map(|entry| entry.expect("an entry").path());
    all.filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect()
}

/// Reads every segment into one small buffer, and gives it to `look`.
fn read_all(path: &Path, mut look: impl FnMut(&[u8])) -> u64 {
    let mut buffer = vec![0; 256 << 10];
    let mut bytes = 0;
    for segment in segments(path) {
        let mut file = File::open(segment).expect("a segment");
        let length = file.metadata().expect("a length").len();
        let mut left = length;
        while left > 0 {
            let count = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            file.read_exact(&mut buffer[..count]).expect("its bytes");
            look(&buffer[..count]);
            left -= u64::try_from(count).expect("a small number");
        }
        bytes += length;
    }
    bytes
}

fn warm(path: &Path) {
    read_all(path, |bytes| {
        black_box(bytes);
    });
}

fn tell(what: &str, bytes: u64, elapsed: Duration) {
    let rate = u128::from(bytes) / elapsed.as_micros().max(1);
    let seconds = elapsed.as_secs_f64();
    say(&format!("{what:<28} {rate:>6} MB/s, {seconds:.2} s"));
}

fn say(line: &str) {
    writeln!(io::stdout(), "{line}").expect("somebody listens");
}

/// What nobody can be faster than.
fn floor(path: &Path) {
    let began = Instant::now();
    let bytes = read_all(path, |bytes| {
        black_box(bytes);
    });
    tell("plain read", bytes, began.elapsed());
    let buffer = vec![0x5a_u8; 256 << 10];
    let rounds = 4096;
    let began = Instant::now();
    for _ in 0..rounds {
        black_box(crc32c::crc32c(black_box(&buffer)));
    }
    let summed = u64::try_from(buffer.len()).expect("a small number") * rounds;
    tell("crc32c over a warm buffer", summed, began.elapsed());
}

fn alone(path: &Path, chain: bool, jobs: usize) {
    let options = VerifyOptions::new()
        .chain(chain)
        .jobs(jobs)
        .pace(Pace::Full);
    let best = (0..3).map(|_| {
        let found = verify(path, &options, &|_| {}).expect("a queue");
        assert!(found.is_sound(), "{:#?}", found.findings);
        (found.elapsed, found.bytes)
    });
    let (elapsed, bytes) = best.min().expect("three runs");
    let hashes = if chain { "hashes" } else { "checksums" };
    tell(&format!("verify, {hashes}, {jobs} jobs"), bytes, elapsed);
}

/// The largest resident size of the command while it verifies.
fn memory(path: &Path) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(["verify", "--chain", "--jobs", "2"])
        .arg(path)
        .stdout(Stdio::null())
        .spawn()
        .expect("the command runs");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("a child").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(number.unwrap_or(0));
        thread::sleep(Duration::from_millis(1));
    }
    say(&format!("memory of the command        {peak} KiB at most"));
    assert!(peak < 64 << 10, "more than 64 MiB");
}

/// A writer at full speed, in turns alone and with verifications one after another.
fn beside(path: &Path, choice: &Choice) {
    let record = vec![0x5a; choice.record_bytes];
    let queue = Queue::options()
        .sync_policy(SyncPolicy::Interval(Duration::from_millis(100)))
        .open(path)
        .expect("a new queue");
    let mut consumer = queue.consumer("ship").expect("a free name");
    let (mut written, mut spent) = ([0_u64; 2], [Duration::ZERO; 2]);
    let mut verified = 0;
    let until = Instant::now() + Duration::from_secs(choice.seconds) * 2;
    let mut in_company = false;
    // Each way at least once.
    while Instant::now() < until || spent[1].is_zero() {
        let over = AtomicBool::new(false);
        let began = Instant::now();
        let records = thread::scope(|scope| {
            let other = scope.spawn(|| look_on(path, &over, in_company.then_some(choice.pace)));
            let mut records = 0;
            while began.elapsed() < TURN {
                queue
                    .enqueue_batch(std::iter::repeat_n(&record, BATCH))
                    .expect("room");
                records += 1;
                // A consumer far behind, so that segments go while they are verified.
                if records % 4096 == 0 {
                    let last = queue.durable().get().saturating_sub(1_000_000);
                    consumer
                        .ack_through(forebay::Sequence::new(last))
                        .expect("durable records");
                }
            }
            let elapsed = began.elapsed();
            over.store(true, Ordering::Relaxed);
            spent[usize::from(in_company)] += elapsed;
            verified += other.join().expect("no false alarm");
            records
        });
        written[usize::from(in_company)] += records * 100;
        in_company = !in_company;
    }
    let rate = |which: usize| u128::from(written[which]) * 1_000_000 / spent[which].as_micros();
    let (alone, beside) = (rate(0), rate(1));
    say(&format!("writer alone                 {alone} records/s"));
    say(&format!("writer beside verify         {beside} records/s"));
    let share = beside * 1000 / alone.max(1);
    say(&format!("share of alone               {share} of 1000"));
    say(&format!(
        "verifications                {verified}, no false alarm"
    ));
}

/// Verifies again and again until it is `over`; how often.
fn look_on(path: &Path, over: &AtomicBool, pace: Option<Pace>) -> u64 {
    let mut count = 0;
    let Some(pace) = pace else { return count };
    while !over.load(Ordering::Relaxed) {
        let options = VerifyOptions::new().chain(count % 2 == 1).pace(pace);
        let found = verify(path, &options, &|_| {}).expect("a queue");
        assert!(found.findings.is_empty(), "a false alarm: {found:#?}");
        count += 1;
    }
    count
}
