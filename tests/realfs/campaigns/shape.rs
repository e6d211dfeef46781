//! How a queue is opened in one life: chosen anew each time, because options never limit reading.

use std::time::Duration;

use forebay::{CommitPadding, Preallocate, QueueOptions, Retention, SyncPolicy};

use super::random::Random;

/// What is chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) policy: SyncPolicy,
    pub(crate) segment_bytes: u64,
    padding: CommitPadding,
    preallocate: Preallocate,
    keep_bytes: Option<u64>,
}

impl Shape {
    /// Small segments, so that there is rotation and reclaim all the time.
    pub(crate) fn choose(random: &mut Random) -> Self {
        let interval = SyncPolicy::Interval(Duration::from_millis(5));
        let always = SyncPolicy::Always;
        let policies = [always, always, always, SyncPolicy::Manual, interval];
        let none = CommitPadding::None;
        let paddings = [none, none, CommitPadding::Sector, CommitPadding::Page];
        Self {
            policy: random.choose(&policies),
            segment_bytes: 8192 << random.below(6),
            padding: random.choose(&paddings),
            preallocate: random.choose(&[
                Preallocate::Allocate,
                Preallocate::None,
                Preallocate::Zero,
            ]),
            keep_bytes: random.choose(&[None, Some(100_000)]),
        }
    }

    pub(crate) fn options(&self) -> QueueOptions {
        let retention = self.keep_bytes.map(Retention::KeepBytes);
        QueueOptions::new()
            .sync_policy(self.policy)
            .segment_bytes(self.segment_bytes)
            .commit_padding(self.padding)
            .preallocate(self.preallocate)
            .retention(retention.unwrap_or_default())
    }
}
