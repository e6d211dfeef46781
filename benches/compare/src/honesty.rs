//! How many syncs each peer really makes for a fixed number of commits, counted by strace.

use std::fs;

use crate::cell::Scratch;
use crate::class::Class;
use crate::figures::{Figures, float};
use crate::peer::{Entry, Promise, Result};
use crate::peers::RAW;
use crate::work::Load;

/// Files that are not there: opening them leaves a line in the trace where the counting begins and
/// ends.
const BEGIN: &str = "/forebay-compare-begin";
const END: &str = "/forebay-compare-end";
const CALLS: &str = "fsync,fdatasync,msync,sync_file_range,sync,syncfs,openat";
const COUNTED: [&str; 6] = [
    "fsync",
    "fdatasync",
    "msync",
    "sync_file_range",
    "sync",
    "syncfs",
];

/// The span in which syncs count: not those of opening and of filling.
pub struct Marks;

impl Marks {
    pub fn begin() -> Self {
        fs::File::open(BEGIN).ok();
        Self
    }

    pub fn end(self) {
        fs::File::open(END).ok();
    }
}

/// What a trace tells.
#[derive(Debug, Default, PartialEq, Eq)]
struct Trace {
    counts: [u64; COUNTED.len()],
    /// Files that were opened so that every write is a sync.
    synced_writes: u64,
}

/// The classes that are looked into: one for each way of committing.
pub fn classes() -> Vec<Class> {
    vec![
        Class::Os,
        Class::Durable,
        Class::Group { threads: 8 },
        Class::Batch,
        Class::Drain,
        Class::DrainBatch,
    ]
}

pub fn run(
    scratch: &Scratch,
    entries: &[&'static Entry],
    classes: &[Class],
    load: &Load,
) -> Result<String> {
    let has_strace = std::process::Command::new("strace")
        .arg("-V")
        .output()
        .is_ok_and(|output| output.status.success());
    let mut text = if has_strace {
        "counted by strace; `inside` is what the process itself counted\n".to_owned()
    } else {
        "there is no strace: only what the process itself counted\n".to_owned()
    };
    for class in classes {
        text.push_str(&format!(
            "\n{class}: {}\n  {:<16} {:>8} {:>8} {:>6} {:>9} {:>6} {:>6} {:>6} {:>7} {:>9}  {}\n",
            class.title(),
            "peer",
            "records",
            "commits",
            "fsync",
            "fdatasync",
            "msync",
            "range",
            "O_SYNC",
            "inside",
            "rec/sync",
            "verdict"
        ));
        for entry in entries.iter().filter(|entry| (entry.can)(*class)) {
            let load = Load {
                class: *class,
                ..*load
            };
            match counted(scratch, entry, &load, has_strace) {
                Ok((figures, trace)) => text.push_str(&line(entry, *class, &figures, &trace)),
                Err(reason) => text.push_str(&format!("  {:<16} {reason}\n", entry.name)),
            }
        }
    }
    Ok(text)
}

fn counted(
    scratch: &Scratch,
    entry: &Entry,
    load: &Load,
    has_strace: bool,
) -> std::result::Result<(Figures, Trace), String> {
    let file = scratch.path().join("trace");
    let runner: Vec<String> = if has_strace {
        let output = file.to_string_lossy().into_owned();
        [
            "strace",
            "-f",
            "-qq",
            "-e",
            &format!("trace={CALLS}"),
            "-o",
            &output,
        ]
        .map(str::to_owned)
        .to_vec()
    } else {
        Vec::new()
    };
    let figures = scratch.run(&runner, entry, load)?;
    let text = fs::read_to_string(&file).unwrap_or_default();
    fs::remove_file(&file).ok();
    let mut trace = read(&text);
    if !has_strace {
        trace.counts[0] = figures.syncs.unwrap_or(0);
    }
    Ok((figures, trace))
}

fn read(text: &str) -> Trace {
    let mut trace = Trace::default();
    let mut counts = false;
    for line in text.lines() {
        // The process, then the call; a call that was interrupted is told twice, once by name.
        let call = line
            .trim_start()
            .split_once(' ')
            .map_or("", |(_, call)| call.trim_start());
        let Some((name, arguments)) = call.split_once('(') else {
            continue;
        };
        if name == "openat" {
            counts |= arguments.contains(BEGIN);
            counts &= !arguments.contains(END);
            let synced = arguments.contains("O_SYNC") || arguments.contains("O_DSYNC");
            trace.synced_writes += u64::from(synced);
        } else if counts && let Some(at) = COUNTED.iter().position(|counted| *counted == name) {
            trace.counts[at] += 1;
        }
    }
    trace
}

fn line(entry: &Entry, class: Class, figures: &Figures, trace: &Trace) -> String {
    let commits = figures.calls;
    let records = figures.records;
    let [fsync, fdatasync, msync, range, sync, syncfs] = trace.counts;
    let syncs: u64 = trace.counts.iter().sum();
    let per_sync = if syncs > 0 {
        format!("{:.2}", records / float(syncs))
    } else {
        "-".to_owned()
    };
    let verdict = verdict(entry, class, commits, syncs, trace.synced_writes);
    format!(
        "  {:<16} {records:>8.0} {commits:>8} {:>6} {fdatasync:>9} {msync:>6} {range:>6} {:>6} \
         {:>7} {per_sync:>9}  {verdict}\n",
        entry.name,
        fsync + sync + syncfs,
        trace.synced_writes,
        figures
            .syncs
            .map_or_else(|| "-".to_owned(), |syncs| syncs.to_string()),
    )
}

fn verdict(entry: &Entry, class: Class, commits: u64, syncs: u64, synced_writes: u64) -> String {
    let threads = class.threads() as u64;
    // As many commits as there are callers may share a sync, and no more.
    let least = commits.div_ceil(threads);
    match class.promise() {
        Promise::Medium if syncs < least && synced_writes == 0 => {
            format!("DOES NOT SYNC: {syncs} syncs for {commits} commits of {threads} threads")
        }
        Promise::Medium if threads == 1 && syncs >= 2 * commits => {
            format!("{} syncs a commit", syncs / commits.max(1))
        }
        Promise::Medium => "syncs as it says".to_owned(),
        Promise::Kernel if class.drains() => {
            format!("its ack survives in: {}", entry.acknowledges)
        }
        Promise::Kernel if syncs == 0 || entry.name == RAW => "no sync, as it says".to_owned(),
        Promise::Kernel => format!("{syncs} in the background or at a limit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syncs_between_the_marks_are_counted_once_each() {
        let text = "\
7  openat(AT_FDCWD, \"/data/log\", O_RDWR|O_CREAT|O_SYNC|O_CLOEXEC, 0666) = 3
7  fsync(3) = 0
7  openat(AT_FDCWD, \"/forebay-compare-begin\", O_RDONLY|O_CLOEXEC) = -1 ENOENT
8  fdatasync(3 <unfinished ...>
7  fdatasync(4) = 0
8  <... fdatasync resumed>) = 0
7  openat(AT_FDCWD, \"/forebay-compare-end\", O_RDONLY|O_CLOEXEC) = -1 ENOENT
7  fsync(3) = 0
";
        let expected = Trace {
            counts: [0, 2, 0, 0, 0, 0],
            synced_writes: 1,
        };
        assert_eq!(read(text), expected);
    }

    #[test]
    fn a_peer_that_does_not_sync_is_told() {
        let entry = crate::peers::find("okaywal").expect("a peer");
        let told = verdict(entry, Class::Durable, 200, 3, 0);
        assert!(told.starts_with("DOES NOT SYNC"), "{told}");
        let told = verdict(entry, Class::Group { threads: 8 }, 1600, 200, 0);
        assert_eq!(told, "syncs as it says");
    }
}
