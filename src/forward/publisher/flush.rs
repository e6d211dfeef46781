//! One flush: what waits goes to the sink, in order.

use super::Shared;
use super::attempt::Attempts;
use super::race::{First, first};
use super::stop::Stop;
use crate::buffer::Codec;
use crate::error::Result;

impl<T, C> Shared<T, C>
where
    T: Send + Sync + 'static,
    C: Codec<T> + Send + Sync + 'static,
{
    /// Delivers what waits until nothing does, or the sink refuses, or the deadline of `stop` has
    /// passed; notes what stands in the way, and returns how many events were delivered.
    pub(super) async fn flush(&self, stop: Option<&Stop>) -> Result<usize> {
        let core = &self.core;
        match self.buffer.is_empty() {
            Ok(false) => {}
            Ok(true) => {
                core.clear();
                return Ok(0);
            }
            // No hurdle: a queue that is poisoned or closed stays so.
            Err(error) => {
                core.told.flush_failed(&error);
                return Err(error);
            }
        }
        let turn = match stop {
            None => core.gate.flush().await,
            Some(stop) => match first(core.gate.flush(), stop.expired()).await {
                First::One(turn) => turn,
                First::Other(()) => return Ok(0),
            },
        };
        let flushed = self.drain(stop).await;
        if let Err(error) = &flushed {
            core.stumble();
            core.told.flush_failed(error);
        }
        drop(turn);
        flushed
    }

    async fn drain(&self, stop: Option<&Stop>) -> Result<usize> {
        let core = &self.core;
        let attempts = Attempts::new(&*self.sink, &self.options, stop, &core.told);
        loop {
            attempts.begin();
            let sent = self
                .buffer
                .send_with(&attempts, &self.options.sending)
                .await?;
            attempts.end(&sent);
            match sent.refused {
                // The next drain begins with this one, and gives it up.
                Some(refused) if attempts.will_give_up(&refused) => {}
                Some(refused) => {
                    core.meet(&refused);
                    core.told.flush_refused(&refused);
                    break;
                }
                None => {
                    core.clear();
                    break;
                }
            }
        }
        Ok(attempts.flushed())
    }
}
