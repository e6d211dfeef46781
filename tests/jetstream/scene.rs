//! What most tests need: a buffer with events in it, a sink, and what the stream holds.

use std::num::NonZeroUsize;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::Config;
use forebay::{
    Accepted, AsyncSink, BatchFuture, Delivery, EventBuffer, JetStream, JetStreamOptions,
    QueueOptions, SinkError, SinkFuture, SyncPolicy,
};
use futures_util::StreamExt;

use super::server::Server;

pub(crate) const STREAM: &str = "EVENTS";
/// Only ends a hang.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn stream_config() -> Config {
    Config {
        subjects: vec!["events.>".to_owned()],
        ..Config::default()
    }
}

/// A sink into the stream, which is made at the first event.
pub(crate) fn options() -> JetStreamOptions<String> {
    JetStreamOptions::<String>::new(STREAM, "events.{kind}")
        .expect("legal names")
        .payload_by(|delivery| delivery.event.clone().into_bytes())
        .create_stream(stream_config())
}

pub(crate) async fn sink(server: &Server) -> JetStream<String> {
    connected(options(), &server.url()).await
}

/// With the server up: a sink that has found it.
pub(crate) async fn connected(options: JetStreamOptions<String>, url: &str) -> JetStream<String> {
    let sink = options.connect(url).await.expect("a legal address");
    let reconnected = tokio::time::timeout(PATIENCE, sink.reconnected());
    reconnected.await.expect("the server is up");
    while !sink.is_connected() {
        tokio::task::yield_now().await;
    }
    sink
}

/// A buffer that does not wait for the disk.
pub(crate) fn buffer(folder: &Path) -> EventBuffer<String> {
    let options = QueueOptions::new().sync_policy(SyncPolicy::Manual);
    EventBuffer::with_options(folder, usize::MAX, options).expect("a new folder")
}

/// Events by their numbers.
pub(crate) fn fill(buffer: &EventBuffer<String>, numbers: std::ops::Range<u64>) {
    for number in numbers {
        buffer.enqueue(&event(number)).expect("there is room");
    }
}

pub(crate) fn event(number: u64) -> String {
    format!("event {number}")
}

/// Until nothing is left; whoever waits is woken when the server is back. Returns how many were
/// accepted.
pub(crate) async fn flush(buffer: &EventBuffer<String>, sink: &dyn AsyncSink<String>) -> usize {
    let all = async {
        let mut accepted = 0;
        loop {
            let sent = buffer.send_to(sink).await.expect("the buffer is sound");
            accepted += sent.accepted;
            if buffer.is_empty().expect("open") {
                return accepted;
            }
            // Whichever comes first: what is refused while the connection is there comes again.
            let pause = Duration::from_millis(20);
            drop(tokio::time::timeout(pause, sink.reconnected()).await);
        }
    };
    tokio::time::timeout(PATIENCE, all)
        .await
        .expect("the server is up")
}

/// One message of the stream.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) subject: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) headers: HeaderMap,
}

impl Stored {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(ToString::to_string)
    }
}

/// Everything that the stream holds, in its order.
pub(crate) async fn stored(url: &str) -> Vec<Stored> {
    let client = async_nats::connect(url).await.expect("the server is up");
    let context = async_nats::jetstream::new(client);
    let stream = context
        .get_stream(STREAM)
        .await
        .expect("the stream is there");
    let count = stream.cached_info().state.messages;
    let count = usize::try_from(count).expect("not that many");
    let consumer = stream
        .create_consumer(pull::Config {
            ack_policy: AckPolicy::None,
            ..pull::Config::default()
        })
        .await
        .expect("a consumer");
    let mut messages = consumer.messages().await.expect("its messages");
    let mut stored = Vec::with_capacity(count);
    while stored.len() < count {
        let next = tokio::time::timeout(PATIENCE, messages.next()).await;
        let message = next.expect("a message").expect("no end").expect("sound");
        stored.push(Stored {
            subject: message.subject.to_string(),
            payload: message.payload.to_vec(),
            headers: message.headers.clone().unwrap_or_default(),
        });
    }
    stored
}

/// The stream holds these events, in order, each once.
pub(crate) async fn assert_stored(url: &str, numbers: std::ops::Range<u64>) {
    let stored = stored(url).await;
    for (at, (message, number)) in stored.iter().zip(numbers.clone()).enumerate() {
        let text = String::from_utf8_lossy(&message.payload);
        assert_eq!(text, event(number), "message {at} of {}", stored.len());
    }
    let wanted = usize::try_from(numbers.end - numbers.start).expect("not that many");
    assert_eq!(stored.len(), wanted, "messages in the stream");
}

/// A sink that hears nothing: whatever the other side accepts, it asks for again.
pub(crate) struct Deaf<'a>(pub(crate) &'a JetStream<String>);

impl AsyncSink<String> for Deaf<'_> {
    fn accept<'a>(&'a self, delivery: &'a Delivery<String>) -> SinkFuture<'a> {
        let accepted = self.0.accept(delivery);
        Box::pin(async move {
            accepted.await?;
            Err(SinkError::retry("the answer was lost"))
        })
    }

    fn accept_batch<'a>(&'a self, deliveries: &'a [Delivery<String>]) -> BatchFuture<'a> {
        let accepted = self.0.accept_batch(deliveries);
        Box::pin(async move {
            let accepted = accepted.await;
            let lost = SinkError::retry("the answer was lost");
            Accepted::before(0, accepted.refused.unwrap_or(lost))
        })
    }

    fn batch_max(&self) -> NonZeroUsize {
        self.0.batch_max()
    }

    fn in_flight_max(&self) -> NonZeroUsize {
        self.0.in_flight_max()
    }

    fn reconnected(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.reconnected()
    }
}
