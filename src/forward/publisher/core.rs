//! What publishing, flushing and the flush loop share, whatever the events are.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::gate::Gate;
use super::told::Told;
use crate::buffer::{Refusal, SinkError};
use crate::error::{ErrorKind, Result};
use crate::queue::{Entry, Queue};

/// What keeps the flush loop from trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hurdle {
    /// The sink is to be left alone for a while; so long, where it said so itself.
    Pause(Option<Duration>),
    /// Nothing is to be tried unasked.
    Stop,
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) queue: Queue,
    pub(super) gate: Gate,
    pub(super) told: Told,
    hurdle: Mutex<Option<Hurdle>>,
    /// There is something new for the flush loop: an event in the buffer, or a hurdle gone.
    wake: Notify,
}

impl Core {
    pub(super) fn new(queue: Queue, gate: Gate, told: Told) -> Self {
        Self {
            queue,
            gate,
            told,
            hurdle: Mutex::new(None),
            wake: Notify::new(),
        }
    }

    /// Whether events wait: those in flight count until they are acknowledged. Answered from memory,
    /// also when the queue does not serve any more.
    pub(super) fn has_backlog(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(super) fn hurdle(&self) -> Option<Hurdle> {
        *self.hurdle.lock()
    }

    /// Notes what the sink's refusal asks for.
    pub(super) fn meet(&self, refused: &SinkError) {
        let hurdle = match refused.refusal() {
            Refusal::Stop => Hurdle::Stop,
            Refusal::Retry | Refusal::Reject => Hurdle::Pause(refused.retry_after()),
        };
        *self.hurdle.lock() = Some(hurdle);
    }

    /// Notes that the buffer itself failed: it may do so again at once.
    pub(super) fn stumble(&self) {
        *self.hurdle.lock() = Some(Hurdle::Pause(None));
    }

    /// Notes that nothing speaks against trying.
    pub(super) fn clear(&self) {
        let cleared = self.hurdle.lock().take();
        if cleared.is_some() {
            self.poke();
        }
    }

    pub(super) fn poke(&self) {
        self.wake.notify_one();
    }

    /// Ready when something is new, also when that was before it was called.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Puts an event into the buffer. It may wait for the disk.
    pub(super) fn store(self: Arc<Self>, key: [u8; 16], payload: Vec<u8>) -> Result<()> {
        let stored = match self.queue.enqueue_once(key, &payload) {
            // The queue knows no keys any more, because its file of them is damaged. Better stored
            // under another id, and perhaps delivered twice, than lost.
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                self.queue.enqueue(Entry::from(payload))
            }
            stored => stored,
        };
        // Here and not by the caller, whose future may have been dropped meanwhile.
        self.gate.close();
        self.poke();
        stored.map(drop)
    }
}
