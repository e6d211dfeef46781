//! The kinds of work, each with the promise it needs, by the names used on the command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::peer::Promise;

/// Records of a batch, and of an acknowledgement in `drainb`.
pub const BATCH: usize = 100;
/// Threads of `osmt`.
pub const THREADS: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// One thread, no sync.
    Os,
    /// Eight threads, no sync.
    OsThreads,
    /// One thread, durable on return.
    Durable,
    /// Threads in a closed loop, durable on return.
    Group { threads: usize },
    /// The same with pauses between calls, of this mean in microseconds.
    Pause { threads: usize, mean: u64 },
    /// One thread, 100 records a commit, durable on return.
    Batch,
    /// Taking out, an acknowledgement a record.
    Drain,
    /// Taking out, an acknowledgement per 100.
    DrainBatch,
    /// Opening with undelivered records.
    Reopen,
    /// The same after the process was killed.
    Killed,
    /// Adding while so many records wait.
    Backlog { records: u64 },
}

impl Class {
    /// What is measured unless asked otherwise; `huge` adds what takes minutes and gigabytes.
    pub fn all(huge: bool) -> Vec<Self> {
        let mut classes = vec![Self::Os, Self::OsThreads, Self::Durable];
        classes.extend([2, 4, 8, 16, 64].map(|threads| Self::Group { threads }));
        for mean in [50, 200, 1000] {
            classes.extend([2, 8, 64].map(|threads| Self::Pause { threads, mean }));
        }
        classes.extend([Self::Batch, Self::Drain, Self::DrainBatch]);
        classes.extend([Self::Reopen, Self::Killed]);
        classes.extend([1_000, 100_000].map(|records| Self::Backlog { records }));
        if huge {
            let records = 10_000_000;
            classes.push(Self::Backlog { records });
        }
        classes
    }

    pub fn promise(self) -> Promise {
        match self {
            Self::Durable | Self::Group { .. } | Self::Pause { .. } | Self::Batch => {
                Promise::Medium
            }
            Self::Os
            | Self::OsThreads
            | Self::Drain
            | Self::DrainBatch
            | Self::Reopen
            | Self::Killed
            | Self::Backlog { .. } => Promise::Kernel,
        }
    }

    pub fn threads(self) -> usize {
        match self {
            Self::OsThreads => THREADS,
            Self::Group { threads } | Self::Pause { threads, .. } => threads,
            _ => 1,
        }
    }

    pub fn pause(self) -> Duration {
        match self {
            Self::Pause { mean, .. } => Duration::from_micros(mean),
            _ => Duration::ZERO,
        }
    }

    /// The class in which the raw device is measured for this one's ratio: one thread, whatever
    /// the peers use. None where the device has no such work.
    pub fn raw(self) -> Option<Self> {
        match self {
            Self::Os | Self::OsThreads | Self::Backlog { .. } => Some(Self::Os),
            Self::Durable | Self::Group { .. } | Self::Pause { .. } => Some(Self::Durable),
            Self::Batch | Self::Drain | Self::DrainBatch => Some(self),
            Self::Reopen | Self::Killed => None,
        }
    }

    /// Whether nothing is durable and nothing is read: what every peer that writes can do.
    pub fn writes(self) -> bool {
        matches!(self, Self::Os | Self::OsThreads)
    }

    pub fn commits(self) -> bool {
        matches!(
            self,
            Self::Durable | Self::Group { .. } | Self::Pause { .. }
        )
    }

    pub fn drains(self) -> bool {
        matches!(self, Self::Drain | Self::DrainBatch)
    }

    /// Whether there are many callers at a time: what shows a group commit.
    pub fn groups(self) -> bool {
        matches!(self, Self::Group { .. } | Self::Pause { .. })
    }

    pub fn opens(self) -> bool {
        matches!(self, Self::Reopen | Self::Killed)
    }

    pub fn waits(self) -> bool {
        self.opens() || matches!(self, Self::Backlog { .. })
    }

    /// What is measured, in words.
    pub fn title(self) -> String {
        match self {
            Self::Os => "1 thread, survives kill -9".to_owned(),
            Self::OsThreads => format!("{THREADS} threads, survives kill -9"),
            Self::Durable => "1 thread, survives power loss".to_owned(),
            Self::Group { threads } => format!("{threads} threads, survives power loss"),
            Self::Pause { threads, mean } => {
                format!("{threads} threads that pause {mean} us, survives power loss")
            }
            Self::Batch => format!("{BATCH} records a commit, survives power loss"),
            Self::Drain => "taking out, an ack a record".to_owned(),
            Self::DrainBatch => format!("taking out, an ack per {BATCH}"),
            Self::Reopen => "opening after a clean end, to the first record".to_owned(),
            Self::Killed => "opening after a kill, to the first record".to_owned(),
            Self::Backlog { records } => format!("adding while {records} records wait"),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Os => f.write_str("os"),
            Self::OsThreads => f.write_str("osmt"),
            Self::Durable => f.write_str("durable"),
            Self::Group { threads } => write!(f, "group-{threads}"),
            Self::Pause { threads, mean } => write!(f, "pause-{mean}-{threads}"),
            Self::Batch => f.write_str("batch"),
            Self::Drain => f.write_str("drain"),
            Self::DrainBatch => f.write_str("drainb"),
            Self::Reopen => f.write_str("reopen"),
            Self::Killed => f.write_str("killed"),
            Self::Backlog { records } => write!(f, "backlog-{records}"),
        }
    }
}

impl FromStr for Class {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("there is no class {text}");
        let mut parts = text.split('-');
        let name = parts.next().unwrap_or_default();
        let numbers: Vec<u64> = parts
            .map(|part| part.parse().map_err(|_| unknown()))
            .collect::<Result<_, _>>()?;
        let count = |number: u64| usize::try_from(number).map_err(|_| unknown());
        Ok(match (name, numbers.as_slice()) {
            ("os", []) => Self::Os,
            ("osmt", []) => Self::OsThreads,
            ("durable", []) => Self::Durable,
            ("group", [threads @ (1..)]) => Self::Group {
                threads: count(*threads)?,
            },
            ("pause", [mean, threads @ (1..)]) => Self::Pause {
                threads: count(*threads)?,
                mean: *mean,
            },
            ("batch", []) => Self::Batch,
            ("drain", []) => Self::Drain,
            ("drainb", []) => Self::DrainBatch,
            ("reopen", []) => Self::Reopen,
            ("killed", []) => Self::Killed,
            ("backlog", [records @ (1..)]) => Self::Backlog { records: *records },
            _ => return Err(unknown()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_read_as_it_is_written() {
        for class in Class::all(true) {
            assert_eq!(class.to_string().parse(), Ok(class));
        }
        for wrong in ["", "group", "group-0", "os-1", "backlog-x"] {
            assert!(wrong.parse::<Class>().is_err(), "{wrong}");
        }
    }
}
