//! Agents publish into a forebay, the forebay into a stream of NATS `JetStream`, a consumer reads it.
//!
//! ```sh
//! nats-server -js &
//! cargo run --release --features nats --example jetstream
//! ```
//!
//! Stop the server while it runs and start it again: the agents notice nothing, and in the end every
//! event was consumed once, in the order of its agent. The exit code says whether it was. Another
//! server's address can be given as an argument.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program tells its user what it found"
)]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::Config;
use forebay::{EventBuffer, JetStreamOptions, Published, Publisher, Subject};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const STREAM: &str = "FOREBAY_EXAMPLE";
const AGENTS: u32 = 3;
const EVENTS: u32 = 200;
/// Between two events of one agent: long enough to stop and start a server meanwhile.
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Serialize, Deserialize)]
struct Event {
    agent: u32,
    number: u32,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let url = std::env::args().nth(1);
    match run(&url.unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(url: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let buffer: EventBuffer<Event> = EventBuffer::new(folder.path().join("events"), 100_000)?;
    // Each run has a subject of its own; the queue's identity will do.
    let subject = Subject::new("forebay-example").token(buffer.queue().id().to_string());
    let prefix = subject.clone();
    let sink = JetStreamOptions::<Event>::new(STREAM, "unused")?
        .subject_by(move |delivery| prefix.clone().token(delivery.event.agent.to_string()))
        .payload_by(|delivery| format!("{} {}", delivery.event.agent, delivery.event.number).into())
        .create_stream(Config {
            subjects: vec!["forebay-example.>".to_owned()],
            max_age: Duration::from_hours(1),
            ..Config::default()
        })
        .connect(url)
        .await?;
    let publisher = Arc::new(Publisher::new(Arc::new(buffer), Arc::new(sink)));
    let flushes = publisher.start();

    let agents: Vec<_> = (0..AGENTS)
        .map(|agent| tokio::spawn(act(Arc::clone(&publisher), agent)))
        .collect();
    let (mut delivered, mut buffered) = (0, 0);
    for agent in agents {
        let (at_once, later) = agent.await?;
        delivered += at_once;
        buffered += later;
    }
    println!("{delivered} events were confirmed at once, {buffered} went through the buffer");

    // The loop flushes by itself; this only gives a server that is away some time to come back.
    for _ in 0..30 {
        match publisher.buffered_len()? {
            0 => break,
            waiting => println!("{waiting} events wait for the server"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let left = flushes.shutdown(Duration::from_secs(5)).await?;
    if left.buffered > 0 {
        return Err(format!("{} events wait for a server at {url}", left.buffered).into());
    }
    consume(url, &subject).await
}

/// One agent's work; how many of its events were confirmed at once, and how many later.
async fn act(publisher: Arc<Publisher<Event>>, agent: u32) -> (u32, u32) {
    let (mut delivered, mut buffered) = (0, 0);
    for number in 0..EVENTS {
        match publisher.publish(Event { agent, number }).await {
            Published::Delivered => delivered += 1,
            Published::Buffered => buffered += 1,
            Published::Lost | _ => eprintln!("event {number} of agent {agent} is lost"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    (delivered, buffered)
}

/// Reads what this run has put into the stream, and checks it.
async fn consume(url: &str, subject: &Subject) -> Outcome {
    let context = async_nats::jetstream::new(async_nats::connect(url).await?);
    let stream = context.get_stream(STREAM).await?;
    let consumer = stream
        .create_consumer(pull::Config {
            filter_subject: format!("{subject}.>"),
            ack_policy: AckPolicy::None,
            ..pull::Config::default()
        })
        .await?;
    let mut messages = consumer.messages().await?;
    let mut next: BTreeMap<u32, u32> = BTreeMap::new();
    for _ in 0..AGENTS * EVENTS {
        let message = tokio::time::timeout(Duration::from_secs(10), messages.next()).await?;
        let message = message.ok_or("the stream has ended")??;
        let text = std::str::from_utf8(&message.payload)?;
        let (agent, number) = text.split_once(' ').ok_or("not one of ours")?;
        let expected = next.entry(agent.parse()?).or_default();
        if number.parse::<u32>()? != *expected {
            return Err(format!("agent {agent}: event {number} instead of {expected}").into());
        }
        *expected += 1;
    }
    println!(
        "{} events consumed, each once, in the order of its agent",
        AGENTS * EVENTS
    );
    Ok(())
}
