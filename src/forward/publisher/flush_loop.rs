//! The task that flushes: when there is something, when the sink may be back, never by the clock
//! alone.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep_until;

use super::Shared;
use super::core::Hurdle;
use super::race::{First, caught, first};
use super::stop::{Asker, Stop, after, stop};
use crate::buffer::Codec;
use crate::error::{Error, ErrorKind, Result};
use crate::forward::backoff::Backoff;
use crate::forward::trace;

/// The flush loop of a [`Publisher`](crate::Publisher). Dropped, the loop ends by itself, without a
/// last flush.
#[derive(Debug)]
#[must_use = "dropped, the loop ends"]
pub struct FlushLoop {
    asker: Asker,
    task: JoinHandle<Result<usize>>,
}

/// What a loop that was shut down has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// How many events wait in the buffer. They are delivered after the next start.
    pub buffered: usize,
}

impl FlushLoop {
    pub(super) fn start<T, C>(shared: Arc<Shared<T, C>>) -> Self
    where
        T: Send + Sync + 'static,
        C: Codec<T> + Send + Sync + 'static,
    {
        let (asker, stop) = stop();
        let task = tokio::spawn(async move { run(&shared, &stop).await });
        Self { asker, task }
    }

    /// Stops the loop after a last flush, and returns what is left. Events published afterwards go
    /// the usual way; those that are buffered wait for the next loop.
    ///
    /// With the deadline the sink is asked for nothing more, and an answer is waited for no longer.
    /// File work that was begun is ended all the same: what the sink confirmed is acknowledged, and
    /// does not come again. After [`Refusal::Stop`](crate::Refusal::Stop) there is no last flush.
    ///
    /// Where this future is dropped, the deadline is now.
    ///
    /// # Errors
    ///
    /// As for [`EventBuffer::len`](crate::EventBuffer::len).
    pub async fn shutdown(self, deadline: Duration) -> Result<Left> {
        let Self { asker, task } = self;
        asker.send(Some(after(deadline))).ok();
        let buffered = task.await.map_err(|why| {
            let what = format!("the flush loop did not end by itself: {why}");
            Error::new(ErrorKind::Io, what)
        })??;
        drop(asker);
        Ok(Left { buffered })
    }
}

async fn run<T, C>(shared: &Shared<T, C>, stop: &Stop) -> Result<usize>
where
    T: Send + Sync + 'static,
    C: Codec<T> + Send + Sync + 'static,
{
    let core = &shared.core;
    let options = &shared.options;
    let mut backoff = Backoff::new(options.backoff_initial, options.backoff_max);
    let mut reconnect = Reconnect::new(shared);
    reconnect.arm();
    loop {
        clear_of_hurdles(shared, stop, &mut backoff, &mut reconnect).await;
        if stop.is_asked() {
            break;
        }
        reconnect.arm();
        flush(shared, stop).await;
        // Now: what is refused directly while the listeners look is another matter.
        if core.hurdle().is_none() {
            backoff.reset();
        }
        rest(shared).await;
        if core.hurdle().is_none() {
            first(core.woken(), stop.asked()).await;
        }
    }
    if core.hurdle() != Some(Hurdle::Stop) && !stop.is_expired() {
        flush(shared, stop).await;
    }
    shared.buffer.len()
}

/// Waits until the sink may be asked, or the loop is to stop.
async fn clear_of_hurdles<T, C>(
    shared: &Shared<T, C>,
    stop: &Stop,
    backoff: &mut Backoff,
    reconnect: &mut Reconnect<'_>,
) {
    let core = &shared.core;
    while let Some(hurdle) = core.hurdle()
        && !stop.is_asked()
    {
        match hurdle {
            Hurdle::Stop => {
                first(core.woken(), stop.asked()).await;
            }
            Hurdle::Pause(asked) => {
                pause(shared, stop, backoff.next(asked), reconnect).await;
                if core.hurdle() != Some(Hurdle::Stop) {
                    return;
                }
            }
        }
    }
}

/// A flush that ends neither the loop nor the process, whatever panics in it. What came of it is
/// told and noted there.
async fn flush<T, C>(shared: &Shared<T, C>, stop: &Stop)
where
    T: Send + Sync + 'static,
    C: Codec<T> + Send + Sync + 'static,
{
    let flushed = caught(trace::flushing(shared.flush(Some(stop)))).await;
    match flushed {
        Ok(Ok(_) | Err(_)) => {}
        Err(panic) => {
            shared.core.stumble();
            let what = format!("a flush panicked: {panic}");
            let error = Error::new(ErrorKind::Io, what);
            shared.core.told.flush_failed(&error);
        }
    }
}

/// Lets the listeners look at the queue, where a disk may be waited for.
async fn rest<T, C>(shared: &Shared<T, C>) {
    if shared.core.told.has_listeners() {
        let core = Arc::clone(&shared.core);
        let rested = tokio::task::spawn_blocking(move || core.told.resting(&core.queue));
        // A listener that panics has been told not to.
        rested.await.ok();
    }
}

/// Leaves the sink alone for `delay`; less where the other side is back, something was delivered
/// meanwhile, or the loop is to stop.
async fn pause<T, C>(
    shared: &Shared<T, C>,
    stop: &Stop,
    delay: Duration,
    reconnect: &mut Reconnect<'_>,
) {
    let mut over = pin!(first(sleep_until(after(delay)), reconnect.happened()));
    loop {
        let news = first(shared.core.woken(), stop.asked());
        match first(over.as_mut(), news).await {
            First::One(_) | First::Other(First::Other(())) => return,
            // More events in the buffer are no reason to ask a sink that is away.
            First::Other(First::One(())) => {
                if !matches!(shared.core.hurdle(), Some(Hurdle::Pause(_))) {
                    return;
                }
            }
        }
    }
}

type Back<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Hears of the other side's return, also when that is during the attempt that fails.
struct Reconnect<'a> {
    make: Box<dyn Fn() -> Back<'a> + Send + Sync + 'a>,
    back: Option<Back<'a>>,
}

impl<'a> Reconnect<'a> {
    fn new<T, C>(shared: &'a Shared<T, C>) -> Self
    where
        T: Send + Sync + 'static,
        C: Send + Sync,
    {
        let make = move || -> Back<'a> {
            Box::pin(caught(async move { shared.sink.reconnected().await }))
        };
        Self {
            make: Box::new(make),
            back: None,
        }
    }

    /// Listens from now on. A sink that is ready each time it is asked does not tell of a return,
    /// and is not listened to until the next time.
    fn arm(&mut self) {
        for _ in 0..2 {
            let mut back = self.back.take().unwrap_or_else(|| (self.make)());
            let mut context = Context::from_waker(Waker::noop());
            if back.as_mut().poll(&mut context) == Poll::Pending {
                self.back = Some(back);
                return;
            }
        }
    }

    /// Ready when the other side came back since [`arm`](Self::arm); once.
    async fn happened(&mut self) {
        if let Some(back) = &mut self.back
            && let Ok(()) = back.as_mut().await
        {
            self.back = None;
            return;
        }
        self.back = None;
        std::future::pending::<()>().await;
    }
}
