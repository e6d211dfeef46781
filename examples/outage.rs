//! An upstream that goes away and comes back, and what a publisher makes of it.
//!
//! ```sh
//! cargo run --release --features tokio --example outage
//! ```
//!
//! 1000 events are published while the upstream is up, 100 while it is away. Nothing is done when
//! it comes back: the flush loop hears of it and delivers the hundred. The upstream keeps what it
//! was given; in the end it has 1100 events, in order, none twice. The exit code says whether it
//! has.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program tells its user what it found"
)]

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use forebay::{
    AsyncSink, Delivery, EventBuffer, Published, Publisher, PublisherStats, SinkError, SinkFuture,
};
use tokio::sync::Notify;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// How many events are published while the upstream is up, and how many while it is away.
const EVENTS_UP: u32 = 1000;
const EVENTS_AWAY: u32 = 100;

/// A server in this process: a network could not be switched off more thoroughly.
#[derive(Debug, Default)]
struct Upstream {
    state: Mutex<State>,
    back: Notify,
}

#[derive(Debug, Default)]
struct State {
    is_away: bool,
    known: HashSet<String>,
    kept: Vec<u32>,
    refused: usize,
}

impl Upstream {
    fn with<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn go_away(&self) {
        self.with(|state| state.is_away = true);
    }

    fn come_back(&self) {
        self.with(|state| state.is_away = false);
        self.back.notify_waiters();
    }
}

impl AsyncSink<u32> for Upstream {
    fn accept<'a>(&'a self, delivery: &'a Delivery<u32>) -> SinkFuture<'a> {
        Box::pin(async move {
            self.with(|state| {
                if state.is_away {
                    state.refused += 1;
                    return Err(SinkError::retry("connection refused"));
                }
                // A redelivery has the id of the first delivery, and is kept once.
                if state.known.insert(delivery.id()) {
                    state.kept.push(delivery.event);
                }
                Ok(())
            })
        })
    }

    fn reconnected(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.back.notified())
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(play()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("outage: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn play() -> Outcome {
    let folder = tempfile::tempdir()?;
    let buffer: EventBuffer<u32> = EventBuffer::new(folder.path().join("events.buffer"), 10_000)?;
    let upstream = Arc::new(Upstream::default());
    let sink = Arc::<Upstream>::clone(&upstream);
    let publisher = Publisher::new(Arc::new(buffer), sink);
    let flushes = publisher.start();
    head();

    publish(&publisher, 0..EVENTS_UP, Published::Delivered).await?;
    row("upstream up", &publisher, &upstream)?;

    upstream.go_away();
    let away = EVENTS_UP..EVENTS_UP + EVENTS_AWAY;
    publish(&publisher, away, Published::Buffered).await?;
    row("upstream away", &publisher, &upstream)?;
    expect("buffered", publisher.buffered_len()?, EVENTS_AWAY)?;

    upstream.come_back();
    while publisher.buffered_len()? > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    row("upstream back", &publisher, &upstream)?;

    let left = flushes.shutdown(Duration::from_secs(5)).await?;
    row("shut down", &publisher, &upstream)?;
    expect("left", left.buffered, 0)?;
    check(publisher.stats(), &upstream)
}

async fn publish(
    publisher: &Publisher<u32>,
    events: std::ops::Range<u32>,
    wanted: Published,
) -> Outcome {
    for event in events {
        let fate = publisher.publish(event).await;
        if fate != wanted {
            return Err(format!("event {event} is {fate:?}, not {wanted:?}").into());
        }
    }
    Ok(())
}

fn check(stats: PublisherStats, upstream: &Upstream) -> Outcome {
    expect("published", stats.published, EVENTS_UP)?;
    expect("flushed", stats.flushed, EVENTS_AWAY)?;
    expect("lost", stats.lost, 0)?;
    let wanted: Vec<u32> = (0..EVENTS_UP + EVENTS_AWAY).collect();
    if upstream.with(|state| state.kept != wanted) {
        return Err(
            "the upstream has other events than were published, or in another order".into(),
        );
    }
    println!();
    println!("{} events arrived, in order, none twice.", wanted.len());
    Ok(())
}

fn expect<N: TryInto<u64>>(what: &str, found: N, wanted: u32) -> Outcome {
    let found = found.try_into().map_err(|_sign| "a negative count")?;
    if found == u64::from(wanted) {
        return Ok(());
    }
    Err(format!("{what}: {found}, not {wanted}").into())
}

fn head() {
    println!(
        "{:<14}  delivered  buffered  flushed  lost  at the upstream",
        ""
    );
}

fn row(when: &str, publisher: &Publisher<u32>, upstream: &Upstream) -> Outcome {
    let stats = publisher.stats();
    let waiting = publisher.buffered_len()?;
    let (kept, refused) = upstream.with(|state| (state.kept.len(), state.refused));
    println!(
        "{when:<14}  {:>9}  {waiting:>8}  {:>7}  {:>4}  {kept} kept, {refused} refused",
        stats.published, stats.flushed, stats.lost
    );
    Ok(())
}
