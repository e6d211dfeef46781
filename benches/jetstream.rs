//! A backlog into a NATS server on this machine, each event confirmed: by how many are in flight.
//!
//! A plain program, because a server has to be started and a backlog made anew for every figure:
//! `cargo bench --features nats --bench jetstream`.

#![expect(
    clippy::print_stdout,
    reason = "a program tells its user what it measured"
)]

use std::num::NonZeroUsize;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::Config;
use forebay::{
    AsyncSink, Bytes, EventBuffer, JetStream, JetStreamOptions, QueueOptions, SyncPolicy,
};

const PORT: u16 = 14_222;
const PAYLOAD_BYTES: usize = 256;
const ROUNDS: usize = 3;

/// How many are in flight, and how many events that is worth measuring with.
const FLIGHTS: &[(usize, usize)] = &[
    (1, 20_000),
    (16, 100_000),
    (64, 100_000),
    (256, 100_000),
    (512, 100_000),
    (1024, 100_000),
];

/// How many events are sent where no answer is asked for.
const UNANSWERED: u32 = 100_000;

/// The headers that a sink's messages have.
const HEADERS: &[&str] = &[
    "Nats-Expected-Stream",
    "Nats-Msg-Id",
    "Nats-Expected-Last-Msg-Id",
    "Forebay-Queue",
    "Forebay-Epoch",
    "Forebay-Sequence",
    "Forebay-Kind",
    "Forebay-Enqueued-At",
];

struct Server(Child);

impl Server {
    fn start(store: &std::path::Path) -> Self {
        let child = Command::new("nats-server")
            .args(["-js", "-a", "127.0.0.1", "-p", &PORT.to_string(), "-sd"])
            .arg(store)
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("needs a NATS server: apt-get install nats-server"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().expect("it is ours");
        self.0.wait().expect("it was killed");
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    println!("{PAYLOAD_BYTES} bytes an event; events per second, the best of {ROUNDS}");
    for &(in_flight, events) in FLIGHTS {
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            best = best.min(measure(in_flight, events).await);
        }
        let rate = f64::from(u32::try_from(events).expect("small")) / best.as_secs_f64();
        println!("{in_flight:>5} in flight: {rate:>9.0}");
    }
    for (headers, name) in [
        (&[] as &[&str], "bare"),
        (&["Nats-Msg-Id"], "with an id"),
        (HEADERS, "as a sink's"),
    ] {
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            best = best.min(measure_unanswered(headers).await);
        }
        let rate = f64::from(UNANSWERED) / best.as_secs_f64();
        println!("no answers, {name:>11}: {rate:>9.0}");
    }
}

/// The most that client and server can do here: nobody asks for an answer, and nothing is read
/// from a queue. With an id the server looks for duplicates, as it does for a sink's events.
async fn measure_unanswered(names: &[&str]) -> Duration {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let _server = Server::start(folder.path());
    let address = format!("nats://127.0.0.1:{PORT}");
    let config = Config {
        name: "EVENTS".to_owned(),
        subjects: vec!["events".to_owned()],
        ..Config::default()
    };
    // The server takes a moment to begin.
    let (client, mut stream) = loop {
        if let Ok(client) = async_nats::connect(&address).await {
            let context = async_nats::jetstream::new(client.clone());
            if let Ok(stream) = context.create_stream(config.clone()).await {
                break (client, stream);
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let event = vec![b'x'; PAYLOAD_BYTES];
    let since = Instant::now();
    for number in 0..UNANSWERED {
        let event = event.clone().into();
        let published = if names.is_empty() {
            client.publish("events", event).await
        } else {
            let mut headers = async_nats::HeaderMap::new();
            let id =
                |number: u32| format!("0123456789abcdef0123456789abcdef-0000000112345678-{number}");
            for name in names {
                match *name {
                    "Nats-Msg-Id" => headers.insert(*name, id(number)),
                    "Nats-Expected-Last-Msg-Id" if number == 0 => {}
                    "Nats-Expected-Last-Msg-Id" => headers.insert(*name, id(number - 1)),
                    "Nats-Expected-Stream" => headers.insert(*name, "EVENTS"),
                    name => headers.insert(name, "1700000000000000000"),
                }
            }
            client.publish_with_headers("events", headers, event).await
        };
        published.expect("a connection");
    }
    client.flush().await.expect("a connection");
    while stream.info().await.expect("a stream").state.messages < u64::from(UNANSWERED) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    since.elapsed()
}

async fn measure(in_flight: usize, events: usize) -> Duration {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let _server = Server::start(folder.path());
    let options = QueueOptions::new().sync_policy(SyncPolicy::Manual);
    let buffer: EventBuffer<Vec<u8>, Bytes> =
        EventBuffer::with_options(folder.path().join("buffer"), usize::MAX, options)
            .expect("a new folder");
    // The first one finds the server and makes the stream.
    let event = vec![b'x'; PAYLOAD_BYTES];
    buffer.enqueue(&event).expect("there is room");
    let sink: JetStream<Vec<u8>> = JetStreamOptions::new("EVENTS", "events")
        .expect("legal names")
        .create_stream(Config {
            subjects: vec!["events".to_owned()],
            ..Config::default()
        })
        .in_flight_max(NonZeroUsize::new(in_flight).expect("not zero"))
        .connect(&format!("nats://127.0.0.1:{PORT}"))
        .await
        .expect("a legal address");
    sink.reconnected().await;
    while buffer.drain_and_send(&sink).await.expect("sound") == 0 {}
    for _ in 0..events {
        buffer.enqueue(&event).expect("there is room");
    }
    let since = Instant::now();
    let sent = buffer.drain_and_send(&sink).await.expect("sound");
    let took = since.elapsed();
    assert_eq!(sent, events);
    took
}
