//! How a publisher tries.

use std::sync::Arc;
use std::time::Duration;

use crate::buffer::{DeadLetters, SendOptions};
use crate::forward::listener::PublisherListener;

/// How a publisher tries, and who hears of it.
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a publisher is made with them"]
pub struct PublisherOptions {
    pub(super) backoff_initial: Duration,
    pub(super) backoff_max: Duration,
    pub(super) attempt_timeout: Duration,
    pub(super) sending: SendOptions,
    /// Whether a rejected event has somewhere to go.
    pub(super) has_letters: bool,
    pub(super) listeners: Vec<Arc<dyn PublisherListener>>,
}

impl Default for PublisherOptions {
    fn default() -> Self {
        Self {
            backoff_initial: Duration::from_millis(100),
            backoff_max: Duration::from_secs(30),
            attempt_timeout: Duration::from_secs(10),
            sending: SendOptions::new(),
            has_letters: false,
            listeners: Vec::new(),
        }
    }
}

impl PublisherOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long the flush loop leaves the sink alone after a refusal: `initial` at first, twice as
    /// long each time, at most `max`; up to half of it is taken off at random. Default: 100 ms to
    /// 30 s. What the sink asks for itself is waited for as well.
    pub fn backoff(mut self, initial: Duration, max: Duration) -> Self {
        self.backoff_initial = initial;
        self.backoff_max = max;
        self
    }

    /// How long the sink may take for one event, or for events that are handed over together, before
    /// it counts as away. Default: 10 s. Any of them may have arrived all the same; they come again
    /// under the same ids.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// Where events go that the sink rejects for good. Default: nowhere, they are lost and told.
    pub fn dead_letters(mut self, letters: &DeadLetters) -> Self {
        self.sending = self.sending.dead_letters(letters);
        self.has_letters = true;
        self
    }

    /// How often a flush tries an event again before it becomes a dead letter, where there are any,
    /// although the sink only asks for another try. An outage counts: at the limit it makes dead
    /// letters of what would have arrived after it. Default: for ever.
    pub fn retries_max(mut self, retries: u32) -> Self {
        self.sending = self.sending.retries_max(retries);
        self
    }

    /// Who hears what the publisher does; may be called more than once. Default: nobody.
    pub fn listener(mut self, listener: Arc<dyn PublisherListener>) -> Self {
        self.listeners.push(listener);
        self
    }
}
