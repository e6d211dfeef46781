//! The upstream of the tests, which does as it is told, and an ear for what a publisher tells.

use std::collections::HashSet;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::{
    AsyncSink, Delivery, EventBuffer, Loss, Publisher, PublisherListener, PublisherOptions,
    QueueOptions, SinkError, SinkFuture, SyncPolicy,
};
use tempfile::TempDir;
use tokio::sync::{Notify, Semaphore};

/// What the upstream does with the next event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mood {
    /// Confirms it.
    Up,
    /// Refuses it at once.
    Away,
    /// Confirms it, with turns of the executor after it has arrived, and before where the order allows it.
    Yields,
    /// Confirms it if it is below this one, and refuses it otherwise.
    Below(u32),
    /// Confirms two, and refuses the next.
    TwoOfThree,
    /// Refuses it, and asks to be left alone for so long.
    AwayFor(Duration),
    /// Refuses it, and wants to be asked nothing more.
    Stopped,
    /// Refuses it for good if the function says so, and confirms it otherwise.
    Rejects(fn(u32) -> bool),
    /// Refuses it for good if the function says so, and refuses it for now otherwise.
    AwayRejects(fn(u32) -> bool),
    /// Never answers.
    Silent,
    /// Takes it, and never answers.
    TakesSilently,
    /// Takes it, and says that it did not.
    TakesAndRefuses,
    Panics,
    /// Waits for [`Upstream::let_pass`], then confirms it.
    Waits,
}

#[derive(Debug)]
pub(crate) struct Upstream {
    state: Mutex<State>,
    passes: Semaphore,
    back: Notify,
    asked: Notify,
}

#[derive(Debug)]
struct State {
    mood: Mood,
    arrived: Vec<(String, u32)>,
    asked: usize,
    in_flight: usize,
    in_flight_seen: usize,
    in_flight_max: NonZeroUsize,
    batch_max: NonZeroUsize,
}

impl Upstream {
    pub(crate) fn new(mood: Mood) -> Arc<Self> {
        Self::wide(mood, 1)
    }

    /// One that takes `in_flight_max` events at once.
    pub(crate) fn wide(mood: Mood, in_flight_max: usize) -> Arc<Self> {
        Self::together(mood, in_flight_max, 1)
    }

    /// The same, which is given up to `batch_max` of them together.
    pub(crate) fn together(mood: Mood, in_flight_max: usize, batch_max: usize) -> Arc<Self> {
        let state = State {
            mood,
            arrived: Vec::new(),
            asked: 0,
            in_flight: 0,
            in_flight_seen: 0,
            in_flight_max: NonZeroUsize::new(in_flight_max).expect("not 0"),
            batch_max: NonZeroUsize::new(batch_max).expect("not 0"),
        };
        Arc::new(Self {
            state: Mutex::new(state),
            passes: Semaphore::new(0),
            back: Notify::new(),
            asked: Notify::new(),
        })
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    /// Is up again, and says so.
    pub(crate) fn come_back(&self) {
        self.set(Mood::Up);
        self.back.notify_waiters();
    }

    /// Lets so many events of [`Mood::Waits`] pass.
    pub(crate) fn let_pass(&self, events: usize) {
        self.passes.add_permits(events);
    }

    /// Every event that arrived, as often as it did.
    pub(crate) fn arrived(&self) -> Vec<u32> {
        let arrived = &self.lock().arrived;
        arrived.iter().map(|(_, event)| *event).collect()
    }

    /// What a receiver keeps that knows each id once.
    pub(crate) fn kept(&self) -> Vec<u32> {
        let mut known = HashSet::new();
        let arrived = &self.lock().arrived;
        let new = arrived.iter().filter(|(id, _)| known.insert(id.clone()));
        new.map(|(_, event)| *event).collect()
    }

    /// How often it was asked to take an event.
    pub(crate) fn asked(&self) -> usize {
        self.lock().asked
    }

    /// The most events that were ever in flight.
    pub(crate) fn in_flight_seen(&self) -> usize {
        self.lock().in_flight_seen
    }

    /// Waits until it was asked `times` times.
    pub(crate) async fn until_asked(&self, times: usize) {
        loop {
            let notified = self.asked.notified();
            if self.asked() >= times {
                return;
            }
            notified.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is held")
    }

    /// Notes that an event arrived.
    pub(crate) fn take(&self, delivery: &Delivery<u32>) {
        self.take_late((delivery.id(), delivery.event));
    }

    /// The same for one that was on its way for longer than its delivery.
    pub(crate) fn take_late(&self, arrival: (String, u32)) {
        self.lock().arrived.push(arrival);
    }

    fn begin(&self) -> Mood {
        let mut state = self.lock();
        state.asked += 1;
        state.in_flight += 1;
        state.in_flight_seen = state.in_flight_seen.max(state.in_flight);
        let mood = state.mood;
        drop(state);
        self.asked.notify_waiters();
        mood
    }

    async fn answer(&self, delivery: &Delivery<u32>) -> Result<(), SinkError> {
        let mood = self.begin();
        let _flight = Flight(self);
        if matches!(mood, Mood::AwayRejects(_)) {
            // So that those behind it are in flight, too.
            tokio::task::yield_now().await;
        }
        match mood {
            Mood::Below(limit) if delivery.event >= limit => return Err(SinkError::retry("away")),
            Mood::TwoOfThree if self.asked().is_multiple_of(3) => {
                return Err(SinkError::retry("not so fast"));
            }
            Mood::AwayFor(time) => return Err(SinkError::retry("busy").after(time)),
            Mood::Stopped => return Err(SinkError::stop("no credentials")),
            Mood::Rejects(rejected) | Mood::AwayRejects(rejected) if rejected(delivery.event) => {
                return Err(SinkError::reject("poison"));
            }
            Mood::Up | Mood::TwoOfThree | Mood::Below(_) | Mood::Rejects(_) => {}
            Mood::Yields => {
                // With more than one in flight the order has to be fixed at once.
                if self.in_flight_max().get() == 1 {
                    tokio::task::yield_now().await;
                }
                self.take(delivery);
                tokio::task::yield_now().await;
                return Ok(());
            }
            Mood::Away | Mood::AwayRejects(_) => return Err(SinkError::retry("away")),
            Mood::Silent => std::future::pending().await,
            Mood::TakesSilently => {
                self.take(delivery);
                std::future::pending::<()>().await;
            }
            Mood::TakesAndRefuses => {
                self.take(delivery);
                return Err(SinkError::retry("connection lost"));
            }
            Mood::Panics => panic!("the upstream of this test panics"),
            Mood::Waits => self.passes.acquire().await.expect("never closed").forget(),
        }
        self.take(delivery);
        Ok(())
    }
}

/// An event in flight; landed, or given up, when dropped.
struct Flight<'a>(&'a Upstream);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
    }
}

impl AsyncSink<u32> for Upstream {
    fn accept<'a>(&'a self, delivery: &'a Delivery<u32>) -> SinkFuture<'a> {
        Box::pin(self.answer(delivery))
    }

    fn in_flight_max(&self) -> NonZeroUsize {
        self.lock().in_flight_max
    }

    fn batch_max(&self) -> NonZeroUsize {
        self.lock().batch_max
    }

    fn reconnected(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.back.notified())
    }
}

/// What a publisher told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Published,
    PublishError(String),
    Buffered,
    Flushed(usize),
    FlushRefused(String),
    FlushFailed(forebay::ErrorKind),
    Parked(usize),
    Lost(String),
}

#[derive(Debug, Default)]
pub(crate) struct Ear {
    heard: Mutex<Vec<Heard>>,
    news: Notify,
}

impl Ear {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn all(&self) -> Vec<Heard> {
        self.heard.lock().expect("not poisoned").clone()
    }

    /// Waits until it has heard something of which `wanted` is true.
    pub(crate) async fn until(&self, wanted: impl Fn(&Heard) -> bool) {
        loop {
            let notified = self.news.notified();
            if self.all().iter().any(&wanted) {
                return;
            }
            notified.await;
        }
    }

    /// Waits until it hears something more.
    pub(crate) async fn until_more(&self) {
        self.news.notified().await;
    }

    fn hear(&self, what: Heard) {
        self.heard.lock().expect("not poisoned").push(what);
        self.news.notify_waiters();
    }
}

impl PublisherListener for Ear {
    fn published(&self) {
        self.hear(Heard::Published);
    }

    fn publish_error(&self, error: &SinkError) {
        self.hear(Heard::PublishError(error.to_string()));
    }

    fn buffered(&self) {
        self.hear(Heard::Buffered);
    }

    fn flushed(&self, events: usize) {
        self.hear(Heard::Flushed(events));
    }

    fn flush_refused(&self, error: &SinkError) {
        self.hear(Heard::FlushRefused(error.to_string()));
    }

    fn flush_failed(&self, error: &forebay::Error) {
        self.hear(Heard::FlushFailed(error.kind()));
    }

    fn parked(&self, events: usize) {
        self.hear(Heard::Parked(events));
    }

    fn lost(&self, why: &Loss<'_>) {
        self.hear(Heard::Lost(why.to_string()));
    }
}

/// A publisher of numbers with all that belongs to it.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) publisher: Publisher<u32>,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) ear: Arc<Ear>,
    pub(crate) folder: TempDir,
}

pub(crate) const BACKOFF_INITIAL: Duration = Duration::from_secs(1);
pub(crate) const BACKOFF_MAX: Duration = Duration::from_mins(1);
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

impl Scene {
    pub(crate) fn new(mood: Mood) -> Self {
        Self::with(Upstream::new(mood))
    }

    pub(crate) fn with(upstream: Arc<Upstream>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let buffer = buffer_in(&folder, 10_000);
        Self::around(buffer, upstream, folder)
    }

    pub(crate) fn around(
        buffer: EventBuffer<u32>,
        upstream: Arc<Upstream>,
        folder: TempDir,
    ) -> Self {
        Self::tuned(buffer, upstream, folder, PublisherOptions::new())
    }

    /// With `options`, but for pauses, the timeout and the listener.
    pub(crate) fn tuned(
        buffer: EventBuffer<u32>,
        upstream: Arc<Upstream>,
        folder: TempDir,
        options: PublisherOptions,
    ) -> Self {
        let ear = Ear::new();
        let options = options
            .backoff(BACKOFF_INITIAL, BACKOFF_MAX)
            .attempt_timeout(ATTEMPT_TIMEOUT)
            .listener(Arc::<Ear>::clone(&ear));
        let sink = Arc::<Upstream>::clone(&upstream);
        let publisher = Publisher::with_options(Arc::new(buffer), sink, options);
        Self {
            publisher,
            upstream,
            ear,
            folder,
        }
    }

    /// Waits until no flush is under way, whatever the clock says: the thread of the buffer knows no
    /// other clock than the machine's.
    pub(crate) async fn quiet(&self) {
        while let Err(error) = self.publisher.buffer().drain(|_| Err::<(), ()>(())) {
            assert_eq!(error.kind(), forebay::ErrorKind::Busy);
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn buffered(&self) -> usize {
        self.publisher.buffered_len().expect("a length")
    }
}

/// A buffer whose syncs nobody waits for.
pub(crate) fn buffer_in(folder: &TempDir, capacity: usize) -> EventBuffer<u32> {
    let options = QueueOptions::new().sync_policy(SyncPolicy::Manual);
    EventBuffer::with_options(folder.path().join("buffer"), capacity, options).expect("a buffer")
}
