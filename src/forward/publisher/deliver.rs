//! One event: straight to the sink where nothing waits, into the buffer otherwise.

use std::sync::Arc;
use std::time::SystemTime;

use super::attempt::attempt;
use super::{Published, Shared};
use crate::buffer::{Codec, Delivery, Refusal};
use crate::error::{Error, ErrorKind};
use crate::forward::listener::Loss;

impl<T, C> Shared<T, C>
where
    T: Send + Sync + 'static,
    C: Codec<T> + Send + Sync + 'static,
{
    /// Hands the event to the sink, or puts it into the buffer.
    pub(super) async fn deliver(&self, event: T) -> Published {
        let payload = match self.buffer.encode(&event) {
            Ok(payload) => payload,
            Err(error) => return self.lose(&Loss::NotStored(&error)),
        };
        // Before anything is tried: an attempt whose outcome nobody knows is repeated under the key.
        let key = self.keys.next();
        let delivery = Delivery {
            event,
            payload,
            kind: 0,
            enqueued_at: SystemTime::now(),
            record: None,
            key: Some(key),
        };
        let core = &self.core;
        // Held until the event is stored, so that whoever waits for it finds the backlog.
        let permit = core.gate.direct(|| core.has_backlog()).await;
        if permit.is_some() {
            let one = std::slice::from_ref(&delivery);
            let said = attempt(&*self.sink, one, self.options.attempt_timeout).await;
            match said.refused {
                None => {
                    core.clear();
                    core.told.published();
                    return Published::Delivered;
                }
                Some(error) => {
                    core.told.publish_error(&error);
                    match error.refusal() {
                        // A flush will ask once more, and then park it.
                        Refusal::Reject if self.options.has_letters => {}
                        Refusal::Reject => return self.lose(&Loss::Rejected(&error)),
                        Refusal::Retry | Refusal::Stop => core.meet(&error),
                    }
                }
            }
        }
        self.store(key, delivery.payload).await
    }

    async fn store(&self, key: [u8; 16], payload: Vec<u8>) -> Published {
        if self.buffer.capacity() == 0 {
            return self.lose(&Loss::NoCapacity);
        }
        let core = Arc::clone(&self.core);
        let stored = match tokio::task::spawn_blocking(move || core.store(key, payload)).await {
            Ok(stored) => stored,
            Err(why) => Err(Error::new(
                ErrorKind::Io,
                format!("the event was not stored: {why}"),
            )),
        };
        match stored {
            Ok(()) => {
                self.core.told.buffered();
                Published::Buffered
            }
            Err(error) => self.lose(&Loss::NotStored(&error)),
        }
    }

    fn lose(&self, why: &Loss<'_>) -> Published {
        self.core.told.lost(why);
        Published::Lost
    }
}
