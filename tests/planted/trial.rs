//! Running many tests at once, and how one of them ended.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// It failed, and said so.
    Failed(String),
    /// It did not end in time.
    Hung,
    /// It was not run.
    Unknown(String),
}

impl Outcome {
    /// The outcome of one test in what its binary has printed.
    pub(crate) fn of_test(output: &str, in_time: bool) -> Self {
        if !in_time {
            return Self::Hung;
        }
        if output.contains("test result: ok. 1 passed;") {
            return Self::Passed;
        }
        if output.contains("test result: ok. 0 passed;") || !output.contains("running 1 test") {
            return Self::Unknown("no such test".to_owned());
        }
        // What a panic says stands in the line after the place of the panic.
        let mut lines = output.lines();
        let place = lines.find(|line| line.contains("panicked at"));
        let said = place.and_then(|_| lines.next());
        let hang = || output.lines().find(|line| line.starts_with("HANG"));
        Self::Failed(said.or_else(hang).unwrap_or("aborted").trim().to_owned())
    }

    pub(crate) fn is_kill(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Hung)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passes"),
            Self::Failed(said) => f.write_str(said),
            Self::Hung => f.write_str("does not end in 120 s"),
            Self::Unknown(why) => write!(f, "not run: {why}"),
        }
    }
}

/// What `act` makes of each of `items`, in their order; as many at once as there are cores.
pub(crate) fn each<T: Sync, R: Send>(items: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let taken = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some((at, item)) = {
                    let at = taken.fetch_add(1, Ordering::Relaxed);
                    items.get(at).map(|item| (at, item))
                } {
                    let made = act(item);
                    done.lock().expect("no panic").push((at, made));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no panic");
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, made)| made).collect()
}
