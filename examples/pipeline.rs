//! Write, ingest, materialise, query: a program that is killed and goes on as if it had not been.
//!
//! ```sh
//! cargo run --release --example pipeline
//! ```
//!
//! A writer enqueues page views. A worker folds them into totals and saves the totals as a snapshot
//! now and then, so that the log can be cut. A query reads the totals. The whole is a child process
//! that is killed again and again at moments that nobody chose; whatever it was at, the next one
//! recovers the totals and goes on. In the end they have to be those of a run that was never
//! killed. The exit code says whether they are.
//!
//! `pipeline DIR COUNT` is that child: it brings the queue in `DIR` to `COUNT` events and prints
//! the totals.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program tells its user what it found"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use forebay::snapshot::Store;
use forebay::{ConsumerOptions, Flow, Queue, Retention, Sequence, SyncPolicy, WorkerOptions};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// How many events the proof writes.
const EVENTS: u64 = 200_000;
/// A snapshot is taken after so many records.
const SNAPSHOT_RECORDS: u64 = 5_000;
/// The name of the consumer and of the snapshot.
const VIEW: &str = "totals";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [] => prove(),
        [directory, count] => match count.parse() {
            Ok(count) => run(Path::new(directory), count),
            Err(_) => Err(format!("{count:?} is not a number of events").into()),
        },
        _ => Err("usage: pipeline [DIR COUNT]".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The event `number`: a page, and for how long somebody looked at it.
fn event(number: u64) -> (String, u64) {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    (format!("/page/{}", mixed % 97), mixed % 1000)
}

/// What is known of each page: how often it was seen, and for how long in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Totals {
    pages: BTreeMap<String, (u64, u64)>,
}

impl Totals {
    fn add(&mut self, payload: &[u8]) -> Outcome {
        let text = std::str::from_utf8(payload)?;
        let (page, milliseconds) = text.split_once(' ').ok_or("not an event")?;
        let (views, time) = self.pages.entry(page.to_owned()).or_default();
        *views += 1;
        *time += milliseconds.parse::<u64>()?;
        Ok(())
    }

    /// One line a page: the form in which totals are saved and printed.
    fn to_text(&self) -> String {
        let mut text = String::new();
        for (page, (views, time)) in &self.pages {
            // A string takes everything.
            writeln!(text, "{page} {views} {time}").ok();
        }
        text
    }

    fn of_text(text: &str) -> Outcome<Self> {
        let mut pages = BTreeMap::new();
        for line in text.lines() {
            let mut fields = line.split(' ');
            let (Some(page), Some(views), Some(time)) =
                (fields.next(), fields.next(), fields.next())
            else {
                return Err(format!("not a line of totals: {line:?}").into());
            };
            pages.insert(page.to_owned(), (views.parse()?, time.parse()?));
        }
        Ok(Self { pages })
    }
}

/// The totals, and which records are in them.
#[derive(Debug)]
struct View {
    totals: Totals,
    next: Sequence,
}

/// Brings the queue in `directory` to `count` events, all of them in the totals, and prints these.
fn run(directory: &Path, count: u64) -> Outcome {
    let queue = Queue::options()
        .sync_policy(SyncPolicy::Interval(Duration::from_millis(5)))
        .segment_bytes(1 << 20)
        .retention(Retention::UntilSnapshot(VIEW.to_owned()))
        .open(directory)?;
    let store = queue.snapshots(VIEW)?;
    let view = Arc::new(Mutex::new(recover(&store)?));

    // A record may come twice: after a kill the cursor can be behind the totals. It is in them once.
    let options = WorkerOptions::new()
        .consumer(ConsumerOptions::new())
        .batch_records(256);
    let own = Arc::clone(&view);
    let mut saved = lock(&view).next;
    let worker = queue.worker(VIEW, options, move |batch| {
        let mut view = lock(&own);
        for record in batch.iter() {
            if record.sequence >= view.next {
                view.totals.add(record.payload)?;
                view.next = record.sequence.plus(1);
            }
        }
        let is_last = view.next.get() == count;
        if is_last || view.next.since(saved) >= SNAPSHOT_RECORDS {
            save(&store, &view)?;
            saved = view.next;
        }
        Ok(if is_last { Flow::Stop } else { Flow::Continue })
    })?;

    // The queue knows how many events there are: the next one follows, whatever happened.
    for number in queue.next().get()..count {
        let (page, milliseconds) = event(number);
        queue.enqueue(format!("{page} {milliseconds}"))?;
    }
    if lock(&view).next.get() == count {
        // All was handled before, and nothing is left to tell the worker so.
        worker.stop();
    }
    worker.join()?;
    print!("{}", lock(&view).totals.to_text());
    queue.close()?;
    Ok(())
}

fn lock(view: &Mutex<View>) -> std::sync::MutexGuard<'_, View> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The newest saved totals, and in them every record that came after.
fn recover(store: &Store) -> Outcome<View> {
    let mut replay = store.replay()?;
    let mut totals = match replay.state() {
        Some(state) => Totals::of_text(std::str::from_utf8(state)?)?,
        None => Totals::default(),
    };
    while let Some(record) = replay.next_record()? {
        totals.add(record.payload)?;
    }
    let next = replay.report().read.end;
    Ok(View { totals, next })
}

fn save(store: &Store, view: &View) -> Outcome {
    let mut draft = store.begin()?;
    draft.put(view.totals.to_text().as_bytes())?;
    draft.finish(view.next)?;
    Ok(())
}

/// Runs the child, kills it at moments of all lengths, lets the last one end, and compares.
fn prove() -> Outcome {
    let folder = tempfile::tempdir()?;
    let directory = folder.path().join("queue");
    let mut kills = 0;
    let mut patience = Duration::from_millis(20);
    let printed = loop {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(&directory)
            .arg(EVENTS.to_string())
            .stdout(Stdio::piped())
            .spawn()?;
        let deadline = Instant::now() + patience;
        while child.try_wait()?.is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        if child.try_wait()?.is_none() {
            child.kill()?;
            child.wait()?;
            kills += 1;
            // Longer each time, so that it ends on a slow machine, too.
            patience = patience.mul_f64(1.25);
            continue;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("the pipeline ended with {}", output.status).into());
        }
        break String::from_utf8(output.stdout)?;
    };
    let mut straight = Totals::default();
    for number in 0..EVENTS {
        let (page, milliseconds) = event(number);
        straight.add(format!("{page} {milliseconds}").as_bytes())?;
    }
    if Totals::of_text(&printed)? != straight {
        return Err("the totals are not those of a straight run".into());
    }
    println!("{EVENTS} events, killed {kills} times: the totals are those of a straight run");
    let mut pages: Vec<_> = straight.pages.into_iter().collect();
    pages.sort_by_key(|(_, (views, _))| std::cmp::Reverse(*views));
    for (page, (views, time)) in pages.into_iter().take(3) {
        println!("  {page}: {views} views, {time} ms");
    }
    Ok(())
}
