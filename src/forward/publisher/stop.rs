//! Being asked to stop, with a deadline.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The end that asks. Dropped, it asks to stop at once.
pub(super) type Asker = watch::Sender<Option<Instant>>;

/// The end that is asked.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Receiver<Option<Instant>>);

pub(super) fn stop() -> (Asker, Stop) {
    let (asker, receiver) = watch::channel(None);
    (asker, Stop(receiver))
}

/// The moment `duration` from now; where that is beyond all clocks, one that nobody lives to see.
pub(super) fn after(duration: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);
    Instant::now() + duration.min(CENTURY)
}

impl Stop {
    pub(super) fn is_asked(&self) -> bool {
        self.0.borrow().is_some() || self.0.has_changed().is_err()
    }

    pub(super) fn is_expired(&self) -> bool {
        match *self.0.borrow() {
            Some(deadline) => Instant::now() >= deadline || self.0.has_changed().is_err(),
            None => self.0.has_changed().is_err(),
        }
    }

    /// Ready when it is asked.
    pub(super) async fn asked(&self) {
        // An error means that the asker is gone, which is an answer too.
        self.0.clone().wait_for(Option::is_some).await.ok();
    }

    /// Ready when the deadline has passed.
    pub(super) async fn expired(&self) {
        let mut asked = self.0.clone();
        let deadline = asked
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|deadline| *deadline);
        if let Some(deadline) = deadline {
            let gone = async { while asked.changed().await.is_ok() {} };
            super::race::first(sleep_until(deadline), gone).await;
        }
    }
}
