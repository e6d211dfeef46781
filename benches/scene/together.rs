//! Many callers on a new queue.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use forebay::{Queue, QueueOptions};

use crate::scene::folder;

/// The time that so many threads take for `calls` in all, each waiting for its own.
pub(crate) fn timed(
    options: &QueueOptions,
    threads: u64,
    calls: u64,
    call: impl Fn(&Queue) + Sync,
) -> Duration {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = options.clone().open(path).expect("a new queue");
    let ready = Barrier::new(usize::try_from(threads).expect("few threads") + 1);
    let elapsed = thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let (queue, ready, call) = (&queue, &ready, &call);
                let own = calls / threads + u64::from(thread < calls % threads);
                scope.spawn(move || {
                    ready.wait();
                    (0..own).for_each(|_| call(queue));
                })
            })
            .collect();
        ready.wait();
        let began = Instant::now();
        for thread in running {
            thread.join().expect("no panic");
        }
        began.elapsed()
    });
    queue.close().expect("a clean end");
    elapsed
}
