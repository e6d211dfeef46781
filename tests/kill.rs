//! A real process, killed by a real signal while it enqueues and drains.
//!
//! The child says on its standard output what the queue has acknowledged to it; the parent kills
//! it at a random moment, opens the queue at once, and looks whether all of that is there, once,
//! in each thread's order. Every round goes on in the same directory.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use forebay::{ErrorKind, Queue, QueueOptions, SyncPolicy};

const THREADS: usize = 4;
const ROUNDS: u64 = 10;
/// What the child is told: `policy start start start start directory`.
const ORDERS: &str = "FOREBAY_TEST_KILL";
const SHIPPER: &str = "shipper";

fn options(policy: SyncPolicy) -> QueueOptions {
    QueueOptions::new()
        .segment_bytes(16 << 10)
        .sync_policy(policy)
        // So that every round can look at all records from the beginning.
        .retention(forebay::Retention::KeepForever)
}

/// Not a test by itself: the child. It stops only when it is killed.
#[test]
fn enqueue_and_drain_until_killed_when_told_to() -> forebay::Result<()> {
    let Ok(orders) = std::env::var(ORDERS) else {
        return Ok(());
    };
    let words: Vec<&str> = orders.splitn(THREADS + 2, ' ').collect();
    let policy = match words[0] {
        "always" => SyncPolicy::Always,
        _ => SyncPolicy::Manual,
    };
    let queue = options(policy).open(words[THREADS + 1])?;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (queue, start) = (&queue, words[thread + 1].parse().expect("a number"));
            scope.spawn(move || produce(queue, thread, start));
        }
        scope.spawn(|| ship(&queue));
    });
    Ok(())
}

/// How many letters follow the number in its line.
fn size_of_line(number: u64) -> usize {
    usize::try_from(number % 300).expect("small")
}

/// Enqueues the lines of one thread, one by one and in batches.
fn produce(queue: &Queue, thread: usize, start: u64) {
    let line = |number: u64| format!("{thread} {number} {}", "x".repeat(size_of_line(number)));
    let mut number = start;
    loop {
        let size = if number.is_multiple_of(5) { 3 } else { 1 };
        let range = queue.enqueue_batch((number..number + size).map(line));
        assert!(range.is_ok(), "{range:?}");
        number += size;
        say(&format!("acked {thread} {}", number - 1));
    }
}

/// Drains, in competition with the producers.
fn ship(queue: &Queue) {
    let mut consumer = queue.consumer(SHIPPER).expect("the only one");
    loop {
        consumer.wait(Duration::from_secs(1)).expect("open");
        let mut left = 20;
        let drained = consumer.drain(|_| {
            left -= 1;
            if left == 0 { Err(()) } else { Ok(()) }
        });
        assert!(drained.is_ok(), "{drained:?}");
        let next = consumer.next_sequence().get();
        say(&format!("shipped 0 {next}"));
    }
}

/// One line, written whole.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let said = out
        .write_all(format!("{line}\n").as_bytes())
        .and_then(|()| out.flush());
    said.expect("the parent reads");
}

/// What a child has said before it was killed.
#[derive(Debug, Default)]
struct Said {
    /// The last number acknowledged to each thread, and one more.
    acked: [u64; THREADS],
    /// Where the consumer was at least.
    shipped: u64,
}

impl Said {
    fn parse(text: &str) -> Self {
        let mut said = Self::default();
        // What follows the last line's end may be torn.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["acked", thread, number] => {
                    let thread: usize = thread.parse().expect("a number");
                    said.acked[thread] = number.parse::<u64>().expect("a number") + 1;
                }
                ["shipped", _, next] => said.shipped = next.parse().expect("a number"),
                _ => {}
            }
        }
        said
    }
}

fn spawn(path: &Path, policy: &str, starts: [u64; THREADS]) -> Child {
    let starts = starts.map(|start| start.to_string()).join(" ");
    Command::new(std::env::current_exe().expect("this one"))
        .args([
            "--exact",
            "--nocapture",
            "enqueue_and_drain_until_killed_when_told_to",
        ])
        .env(ORDERS, format!("{policy} {starts} {}", path.display()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs")
}

/// Lets a child run for `time`, kills it, and returns what it said.
fn run_and_kill(mut child: Child, time: Duration) -> Said {
    let mut out = child.stdout.take().expect("piped");
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        out.read_to_end(&mut text).expect("a pipe can be read");
        String::from_utf8_lossy(&text).into_owned()
    });
    std::thread::sleep(time);
    let ended = child.try_wait().expect("it was ours");
    child.kill().expect("it was ours");
    child.wait().expect("it was ours");
    let text = reader.join().expect("no panic");
    assert!(ended.is_none(), "the child ended by itself: {text}");
    Said::parse(&text)
}

/// Reads everything from the beginning; returns the next number of each thread.
fn check(queue: &Queue, said: &Said, round: u64) -> [u64; THREADS] {
    let mut next = [0; THREADS];
    let mut sequence = 0;
    let mut consumer = queue.consumer("check").expect("the only one");
    consumer.seek(forebay::Sequence::ZERO).expect("all is kept");
    let drained = consumer.drain(|record| {
        assert_eq!(record.sequence.get(), sequence, "round {round}");
        let text = std::str::from_utf8(record.payload).expect("text");
        let words: Vec<&str> = text.splitn(3, ' ').collect();
        let thread: usize = words[0].parse().expect("a number");
        let number: u64 = words[1].parse().expect("a number");
        assert_eq!(number, next[thread], "round {round}, of thread {thread}");
        assert_eq!(words[2].len(), size_of_line(number));
        next[thread] += 1;
        sequence += 1;
        Ok::<(), ()>(())
    });
    drained.expect("nothing is damaged");
    for (thread, (acked, there)) in said.acked.iter().zip(&next).enumerate() {
        assert!(
            acked <= there,
            "round {round}, thread {thread}: {acked} acked, {there} there"
        );
    }
    let shipper = queue
        .consumer(SHIPPER)
        .expect("the only one")
        .next_sequence();
    assert!(
        shipper.get() >= said.shipped,
        "round {round}: {said:?}, at {shipper}"
    );
    next
}

/// I1: a record acknowledged as durable is there, byte for byte, until it is acknowledged or given up by a limit.
#[test]
fn what_was_acknowledged_survives_sigkill_once_and_in_order() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("q");
    let mut random = u64::from(std::process::id()) | 1;
    let mut starts = [0; THREADS];
    let mut acked = 0;
    for round in 0..ROUNDS {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let time = Duration::from_millis(20 + (random >> 33) % 250);
        let policy = if round % 2 == 0 { "always" } else { "manual" };
        let said = run_and_kill(spawn(&path, policy, starts), time);
        acked += said.acked.iter().filter(|acked| **acked > 0).count();
        let queue = options(SyncPolicy::Always)
            .open(&path)
            .expect("it opens at once");
        let report = queue.recovery();
        assert!(report.corruption.is_empty(), "round {round}: {report:?}");
        starts = check(&queue, &said, round);
        if round % 3 == 0 {
            queue.close().expect("nothing is wrong");
        }
    }
    assert!(acked > 0, "no child came to acknowledging anything");
}

#[test]
fn a_killed_process_holds_no_lock() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("q");
    for _ in 0..3 {
        let child = spawn(&path, "always", [0; THREADS]);
        let pid = child.id();
        let seen = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let run = scope.spawn(|| run_and_kill(child, Duration::from_millis(300)));
            while !run.is_finished() {
                let opened = QueueOptions::new().open_existing().open(&path);
                if let Err(error) = opened
                    && error.kind() == (ErrorKind::Locked { pid: Some(pid) })
                {
                    seen.store(true, Ordering::Relaxed);
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            run.join().expect("no panic");
        });
        assert!(seen.load(Ordering::Relaxed), "never seen locked by {pid}");
        drop(Queue::open(&path).expect("it opens at once"));
        std::fs::remove_dir_all(&path).expect("can be removed");
    }
}
