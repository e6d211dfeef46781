//! Ends the process when a campaign stands still: a hang must not look like patience.

use std::sync::Mutex;
use std::time::{Duration, Instant};

static LAST: Mutex<Option<(Instant, String)>> = Mutex::new(None);
const PATIENCE: Duration = Duration::from_mins(3);

/// Says what begins now.
pub(crate) fn beat(what: &str) {
    *LAST.lock().expect("no panic") = Some((Instant::now(), what.to_owned()));
}

/// Looks after the campaign from a thread of its own.
pub(crate) fn watch() {
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let last = LAST.lock().expect("no panic").clone();
            if let Some((since, what)) = last
                && since.elapsed() > PATIENCE
            {
                println!("BROKEN PROMISE: nothing has moved since: {what}");
                std::process::exit(1);
            }
        }
    });
}
