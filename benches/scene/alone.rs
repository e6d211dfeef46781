//! One caller on a new queue.

use std::time::{Duration, Instant};

use forebay::{Queue, QueueOptions};

use crate::scene::folder;

/// The time that `work` takes on a new queue, which is gone before the next.
pub(crate) fn timed(options: &QueueOptions, work: impl FnOnce(&Queue)) -> Duration {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = options.clone().open(path).expect("a new queue");
    let began = Instant::now();
    work(&queue);
    let elapsed = began.elapsed();
    queue.close().expect("a clean end");
    elapsed
}
