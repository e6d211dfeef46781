//! One round: a child enqueues and is killed, then its queue is opened and drained.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use forebay::{Queue, RecoveryReport};

use super::child::{CHILD, LANES};
use super::ledger::Ledger;
use super::random::Random;
use super::source::Source;
use crate::failure::Failure;

/// How often the upstream refuses, in percent.
const REFUSALS_PERCENT: u64 = 2;
/// How long the child may take to get its first record acknowledged.
const PATIENCE: Duration = Duration::from_secs(30);
const CONSUMER: &str = "upstream";

/// What happened in a round.
#[derive(Debug)]
pub(super) struct Round {
    /// How long the child lived after its first record was acknowledged.
    pub(super) lived: Duration,
    pub(super) ended: ExitStatus,
    pub(super) acknowledged: u64,
    pub(super) arrived: u64,
    pub(super) refused: u64,
    pub(super) report: RecoveryReport,
}

/// What a child reported.
#[derive(Debug, Default)]
struct Reports {
    acknowledged: Vec<(u64, u64)>,
}

pub(super) fn play(
    source: &Source,
    queue: &Path,
    drains_all: bool,
    ledger: &mut Ledger,
    random: &mut Random,
) -> Result<Round, Failure> {
    let next = ledger.next_of_lanes();
    let (lived, ended, reports) = run_and_kill(source, queue, &next, random)?;
    for (sequence, index) in &reports.acknowledged {
        ledger.acknowledge(*sequence, *index);
    }
    let before = (ledger.arrived(), ledger.refused);
    let report = drain(source, queue, drains_all, ledger, random)?;
    Ok(Round {
        lived,
        ended,
        acknowledged: reports.acknowledged.len().try_into().unwrap_or(u64::MAX),
        arrived: (ledger.arrived() - before.0).try_into().unwrap_or(u64::MAX),
        refused: ledger.refused - before.1,
        report,
    })
}

/// Starts a child, lets it enqueue for a while, and kills it without warning.
fn run_and_kill(
    source: &Source,
    queue: &Path,
    next: &[u64],
    random: &mut Random,
) -> Result<(Duration, ExitStatus, Reports), Failure> {
    let failed = || Failure::io("cannot run the child process");
    let program = std::env::current_exe().map_err(failed())?;
    let child = Command::new(program)
        .arg(CHILD)
        .arg(queue)
        .arg(&source.path)
        .args(next.iter().map(u64::to_string))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed())?;
    let mut child = KilledOnDrop(child);
    let output = child.0.stdout.take();
    let (began, reports) = output.map(listen).transpose().map_err(failed())?.unzip();
    // A child that dies at once ends the wait too.
    began.and_then(|began: Receiver<()>| began.recv_timeout(PATIENCE).ok());
    let started = Instant::now();
    thread::sleep(random.span(200, 1500));
    child.0.kill().map_err(failed())?;
    let lived = started.elapsed();
    let ended = child.0.wait().map_err(failed())?;
    let reports = reports.and_then(|reports| reports.join().ok());
    if !was_killed(ended) {
        return Err(Failure::Input {
            what: format!("the child ended by itself before it was killed: {ended}"),
            remedy: "why is told above; nothing was found out about the queue",
        });
    }
    Ok((lived, ended, reports.unwrap_or_default()))
}

/// A child that is not left behind when this process fails.
struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        // Both fail for a child that has been waited for, which is how it should be.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

type Listening = (Receiver<()>, thread::JoinHandle<Reports>);

/// Reads a child's reports as they come, so that it never waits, and rings at the first.
fn listen(output: ChildStdout) -> std::io::Result<Listening> {
    let (bell, began) = sync_channel(1);
    let listener = thread::Builder::new().spawn(move || {
        let mut reports = Reports::default();
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let report = line
                .split_once(' ')
                .and_then(|(sequence, index)| Some((sequence.parse().ok()?, index.parse().ok()?)));
            reports.acknowledged.extend(report);
            bell.try_send(()).ok();
        }
        reports
    })?;
    Ok((began, listener))
}

#[cfg(unix)]
fn was_killed(ended: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;

    const SIGKILL: i32 = 9;
    ended.signal() == Some(SIGKILL)
}

#[cfg(not(unix))]
fn was_killed(ended: ExitStatus) -> bool {
    !ended.success()
}

/// Opens what the child left, and drains all of it or a part, past every refusal.
fn drain(
    source: &Source,
    path: &Path,
    drains_all: bool,
    ledger: &mut Ledger,
    random: &mut Random,
) -> Result<RecoveryReport, Failure> {
    let queue = Queue::options()
        .open_existing()
        .segment_bytes(1 << 20)
        .open(path)?;
    let report = queue.recovery().clone();
    let mut consumer = queue.consumer(CONSUMER)?;
    let waiting = consumer.len()?;
    let wanted = if drains_all {
        waiting
    } else {
        waiting / 2 + random.below(waiting / 2 + 1)
    };
    let mut accepted = 0_u64;
    while accepted < wanted {
        let mut refused = false;
        let drained = consumer.drain(|record| {
            if accepted == wanted {
                return Err(());
            }
            if random.is_in(REFUSALS_PERCENT) {
                refused = true;
                return Err(());
            }
            ledger.arrive(record.sequence.get(), source.index_of(record.payload));
            accepted += 1;
            Ok(())
        })?;
        ledger.refused += u64::from(refused);
        if drained == 0 && !refused {
            // Less is there than was told: the books will show what is missing.
            break;
        }
    }
    drop(consumer);
    queue.close()?;
    Ok(report)
}

impl Ledger {
    /// The line that each lane goes on with: the one after the last that was acknowledged.
    fn next_of_lanes(&self) -> Vec<u64> {
        let mut next: Vec<u64> = (0..LANES).collect();
        for index in self.acknowledged_lines() {
            let lane = usize::try_from(index % LANES).unwrap_or_default();
            if let Some(next) = next.get_mut(lane) {
                *next = (*next).max(index + LANES);
            }
        }
        next
    }
}
