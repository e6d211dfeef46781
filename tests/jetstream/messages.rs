//! What a stored message looks like, and what the server makes of identities and expectations.

use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::Config;
use forebay::{Bincode, Codec, Entry, EventBuffer, JetStreamOptions, RecordId, Sequence, Subject};

use super::scene::{STREAM, buffer, connected, fill, flush, options, stored, stream_config};
use super::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_says_which_record_it_is_of_which_kind_and_since_when() {
    let server = Server::start();
    let buffer = buffer(&server.folder().join("buffer"));
    let sink = JetStreamOptions::new(STREAM, "events.{kind}.v1")
        .expect("legal")
        .create_stream(stream_config());
    let sink = connected(sink, &server.url()).await;
    let mut payload = Vec::new();
    Bincode
        .encode(&"an event".to_owned(), &mut payload)
        .expect("encodable");
    let before = SystemTime::now();
    let entry = Entry::new(&payload).kind(7);
    buffer.queue().enqueue(entry).expect("there is room");
    flush(&buffer, &sink).await;
    let stored = stored(&server.url()).await;
    let [message] = stored.as_slice() else {
        panic!("{} messages", stored.len());
    };
    let (queue, epoch) = (
        buffer.queue().id(),
        buffer.queue().stats().expect("open").epoch,
    );
    let record = RecordId {
        queue,
        epoch,
        sequence: Sequence::ZERO,
    };
    assert_eq!(message.subject, "events.7.v1");
    assert_eq!(message.payload, payload);
    let header = |name: &str| message.header(name).expect(name);
    assert_eq!(header("Nats-Msg-Id"), record.to_string());
    assert_eq!(header("Forebay-Queue"), queue.to_string());
    assert_eq!(header("Forebay-Epoch"), epoch.to_string());
    assert_eq!(header("Forebay-Sequence"), "0");
    assert_eq!(header("Forebay-Kind"), "7");
    let nanos: u128 = header("Forebay-Enqueued-At").parse().expect("a number");
    let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).expect("later").as_nanos();
    assert!((since(before)..=since(SystemTime::now())).contains(&nanos));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_made_of_an_event_has_no_more_levels_than_it_was_given() {
    let server = Server::start();
    let buffer: EventBuffer<String> = buffer(&server.folder().join("buffer"));
    let sink = options().subject_by(|delivery| Subject::new("events").token(&delivery.event));
    let sink = connected(sink, &server.url()).await;
    for tenant in ["acme corp.eu", "", "*", "plain-1"] {
        buffer.enqueue(&tenant.to_owned()).expect("there is room");
    }
    flush(&buffer, &sink).await;
    let stored = stored(&server.url()).await;
    let subjects: Vec<&str> = stored.iter().map(|message| &*message.subject).collect();
    let wanted = [
        "events.acme_corp_eu",
        "events.default",
        "events._",
        "events.plain-1",
    ];
    assert_eq!(subjects, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_deleted_is_made_again() {
    let server = Server::start();
    let buffer = buffer(&server.folder().join("buffer"));
    let sink = connected(options(), &server.url()).await;
    fill(&buffer, 0..10);
    flush(&buffer, &sink).await;
    let client = async_nats::connect(server.url()).await.expect("up");
    let context = async_nats::jetstream::new(client);
    context.delete_stream(STREAM).await.expect("it is there");
    fill(&buffer, 10..20);
    flush(&buffer, &sink).await;
    super::scene::assert_stored(&server.url(), 10..20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_of_the_programs_own_serves_as_well() {
    let mut server = Server::start();
    let buffer = buffer(&server.folder().join("buffer"));
    let client = async_nats::connect(server.url()).await.expect("up");
    let sink = options()
        .over(async_nats::jetstream::new(client))
        .expect("within a runtime");
    fill(&buffer, 0..10);
    flush(&buffer, &sink).await;
    server.kill();
    server.restart();
    fill(&buffer, 10..20);
    flush(&buffer, &sink).await;
    super::scene::assert_stored(&server.url(), 0..20).await;
}

/// What the order through an outage rests on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_looks_for_duplicates_first_and_then_for_what_is_expected() {
    let server = Server::start();
    let client = async_nats::connect(server.url()).await.expect("up");
    let context = async_nats::jetstream::new(client);
    let config = Config {
        name: STREAM.to_owned(),
        ..stream_config()
    };
    context.create_stream(config).await.expect("a new stream");
    let publish = async |id: &str, previous: Option<&str>| {
        let message = PublishMessage::build().message_id(id);
        let message = match previous {
            Some(previous) => message.expected_last_message_id(previous),
            None => message,
        };
        let sent = context.send_publish("events.0", message).await;
        sent.expect("connected").await.map(|ack| ack.duplicate)
    };
    assert!(matches!(publish("a", None).await, Ok(false)));
    assert!(matches!(publish("b", Some("a")).await, Ok(false)));
    let hole = publish("d", Some("c")).await.expect_err("c is missing");
    assert_eq!(hole.kind(), PublishErrorKind::WrongLastMessageId);
    assert!(matches!(publish("b", Some("a")).await, Ok(true)));
    assert!(matches!(publish("c", Some("b")).await, Ok(false)));
}
