//! What the benchmarks share: how long they measure, and where their queues are.

use std::time::Duration;

use criterion::Criterion;
use tempfile::TempDir;

/// Runs the subjects with the command line's choices.
pub(crate) fn run(subjects: &[fn(&mut Criterion)]) {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for subject in subjects {
        subject(&mut criterion);
    }
    criterion.final_summary();
}

/// A folder on a real disk: the system's own temporary one may be in memory.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder below the target directory")
}
