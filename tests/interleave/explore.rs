//! Runs a model under many schedules and tells how many.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

use crate::sync::{Time, begin};

/// Schedules of a claim when nobody asks for more.
const SCHEDULES: u64 = 3000;
/// Where the random choices begin when nobody asks for others.
const SEED: u64 = 0x666f_7265_6261_7921;
/// How many times a schedule of the second sort takes the turn from the most important thread.
const CHANGES: usize = 3;
/// The deepest stack is that of opening a queue.
const STACK_BYTES: usize = 1 << 20;

fn asked(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Runs `model` under random schedules, and as many with few changes of turn (the two find
/// different bugs).
pub(super) fn explore(claim: &str, time: Time, model: fn()) {
    let schedules = usize::try_from(asked("FOREBAY_SCHEDULES", SCHEDULES) / 2).expect("a count");
    let seed = asked("FOREBAY_SEED", SEED);
    let random = RandomScheduler::new_from_seed(seed, schedules);
    run(claim, "random", seed, random, time, model);
    let few = PctScheduler::new_from_seed(seed, CHANGES, schedules);
    run(claim, "few changes", seed, few, time, model);
}

#[expect(
    clippy::print_stderr,
    reason = "the figures are what a campaign is for"
)]
fn run(
    claim: &str,
    sort: &str,
    seed: u64,
    scheduler: impl Scheduler + 'static,
    time: Time,
    model: fn(),
) {
    let begun = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&begun);
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.silence_warnings = true;
    // The schedule of a whole queue is long; the seed says the same.
    config.failure_persistence = FailurePersistence::None;
    let started = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        Runner::new(scheduler, config).run(move || {
            count.fetch_add(1, Ordering::Relaxed);
            begin(time);
            model();
        })
    }));
    let schedules = begun.load(Ordering::Relaxed);
    let seconds = started.elapsed().as_secs_f64();
    if let Err(panic) = outcome {
        eprintln!("{claim}: fails at schedule {schedules} ({sort}, FOREBAY_SEED={seed})");
        resume_unwind(panic);
    }
    let rate = f64::from(u32::try_from(schedules).unwrap_or(u32::MAX)) / seconds;
    eprintln!("{claim}: {schedules} schedules ({sort}), {seconds:.1} s, {rate:.0} a second");
}

/// Names the test after its claim and explores it.
macro_rules! claim {
    ($name:ident, $time:ident, $model:expr) => {
        #[test]
        fn $name() {
            crate::interleave::explore::explore(
                stringify!($name),
                crate::sync::Time::$time,
                $model,
            );
        }
    };
}

pub(super) use claim;
