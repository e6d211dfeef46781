//! What the server will not take, and what is asked for then.

use std::num::NonZeroUsize;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy};
use forebay::{EventBuffer, JetStreamOptions, Refusal, Sent, Subject};

use super::scene::{
    Deaf, STREAM, assert_stored, buffer, connected, event, fill, flush, options, stored,
    stream_config,
};
use super::server::Server;

/// What comes of `events` in a fresh buffer.
async fn attempt(
    server: &Server,
    options: JetStreamOptions<String>,
    events: &[&str],
) -> (EventBuffer<String>, Sent) {
    let buffer = buffer(&server.folder().join("buffer"));
    let sink = connected(options, &server.url()).await;
    for event in events {
        buffer.enqueue(&(*event).to_owned()).expect("there is room");
    }
    let sent = buffer.send_to(&sink).await.expect("the buffer is sound");
    (buffer, sent)
}

#[track_caller]
fn assert_refused(sent: &Sent, accepted: usize, refusal: Refusal) {
    assert_eq!(sent.accepted, accepted);
    let refused = sent.refused.as_ref().expect("it is refused");
    assert_eq!(refused.refusal(), refusal, "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_too_large_for_the_server_is_rejected_and_nothing_behind_it_passes() {
    let server = Server::start_configured("max_payload: 2000");
    let buffer = buffer(&server.folder().join("buffer"));
    let sink = connected(options(), &server.url()).await;
    fill(&buffer, 0..5);
    buffer.enqueue(&"x".repeat(5000)).expect("there is room");
    fill(&buffer, 5..10);
    for accepted in [5, 0] {
        let sent = buffer.send_to(&sink).await.expect("the buffer is sound");
        assert_refused(&sent, accepted, Refusal::Reject);
        assert_stored(&server.url(), 0..5).await;
    }
    buffer.skip().expect("open").expect("the large one");
    assert_eq!(flush(&buffer, &sink).await, 5);
    assert_stored(&server.url(), 0..10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_too_large_for_the_stream_is_rejected() {
    let server = Server::start();
    let small = options().create_stream(Config {
        max_message_size: 1000,
        ..stream_config()
    });
    let large = "x".repeat(2000);
    let events = [&*event(0), &*event(1), &*large, &*event(2)];
    let (_buffer, sent) = attempt(&server, small, &events).await;
    assert_refused(&sent, 2, Refusal::Reject);
    assert_stored(&server.url(), 0..2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_stream_is_tried_again() {
    let server = Server::start();
    let full = options().create_stream(Config {
        max_messages: 2,
        discard: DiscardPolicy::New,
        ..stream_config()
    });
    let events = [&*event(0), &*event(1), &*event(2)];
    let (_buffer, sent) = attempt(&server, full, &events).await;
    assert_refused(&sent, 2, Refusal::Retry);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_stream_stops_the_delivery() {
    let server = Server::start();
    let missing = JetStreamOptions::new(STREAM, "events.{kind}").expect("legal");
    let (_buffer, sent) = attempt(&server, missing, &["event"]).await;
    assert_refused(&sent, 0, Refusal::Stop);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_that_the_stream_does_not_take_stops_the_delivery() {
    let server = Server::start();
    let elsewhere = JetStreamOptions::new(STREAM, "elsewhere.{kind}")
        .expect("legal")
        .create_stream(stream_config());
    let (_buffer, sent) = attempt(&server, elsewhere, &["event"]).await;
    assert_refused(&sent, 0, Refusal::Stop);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_of_another_stream_stops_the_delivery_before_anything_is_stored() {
    let server = Server::start();
    let client = async_nats::connect(server.url()).await.expect("up");
    let context = async_nats::jetstream::new(client);
    let other = Config {
        name: "OTHER".to_owned(),
        subjects: vec!["elsewhere.>".to_owned()],
        ..Config::default()
    };
    let other = context.create_stream(other).await.expect("a new stream");
    let elsewhere = JetStreamOptions::new(STREAM, "elsewhere.{kind}")
        .expect("legal")
        .create_stream(stream_config());
    let (_buffer, sent) = attempt(&server, elsewhere, &["event"]).await;
    assert_refused(&sent, 0, Refusal::Stop);
    let state = other.get_info().await.expect("up").state;
    assert_eq!(state.messages, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_that_is_not_taken_ends_a_run_right_before_it_and_nothing_behind_it_passes() {
    let server = Server::start();
    let mixed = options().subject_by(|delivery| {
        let stray = delivery.event.starts_with("stray");
        let place = if stray { "elsewhere" } else { "events" };
        Subject::new(place).token("0")
    });
    let buffer = buffer(&server.folder().join("buffer"));
    let sink = connected(mixed, &server.url()).await;
    fill(&buffer, 0..5);
    buffer.enqueue(&"stray".to_owned()).expect("there is room");
    fill(&buffer, 5..300);
    let sent = buffer.send_to(&sink).await.expect("the buffer is sound");
    assert_refused(&sent, 5, Refusal::Stop);
    assert_stored(&server.url(), 0..5).await;
    buffer.skip().expect("open").expect("the stray one");
    assert_eq!(flush(&buffer, &sink).await, 295);
    assert_stored(&server.url(), 0..300).await;
}

/// Without consumers such a stream keeps nothing, so what it ends with says nothing either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_too_large_is_named_where_the_stream_does_not_say_what_it_has() {
    let server = Server::start_configured("max_payload: 2000");
    let forgetful = options().create_stream(Config {
        retention: RetentionPolicy::Interest,
        ..stream_config()
    });
    let large = "x".repeat(5000);
    let events = [&*event(0), &*event(1), &*event(2), &*large];
    let (_buffer, sent) = attempt(&server, forgetful, &events).await;
    assert_refused(&sent, 3, Refusal::Reject);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_message_behind_what_was_stored_unheard_costs_one_more_try() {
    let server = Server::start();
    let buffer = buffer(&server.folder().join("buffer"));
    fill(&buffer, 0..200);
    let narrow = options().in_flight_max(NonZeroUsize::new(50).expect("not 0"));
    let narrow = connected(narrow, &server.url()).await;
    let deaf = Deaf(&narrow);
    let unheard = buffer.send_to(&deaf).await.expect("the buffer is sound");
    assert_refused(&unheard, 0, Refusal::Retry);
    assert_stored(&server.url(), 0..50).await;
    let client = async_nats::connect(server.url()).await.expect("up");
    let context = async_nats::jetstream::new(client);
    let foreign = context.publish("events.foreign", "foreign".into()).await;
    foreign.expect("connected").await.expect("stored");
    let sink = connected(options(), &server.url()).await;
    let sent = buffer.send_to(&sink).await.expect("the buffer is sound");
    assert_refused(&sent, 50, Refusal::Retry);
    assert_eq!(flush(&buffer, &sink).await, 150);
    assert_eq!(stored(&server.url()).await.len(), 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_that_is_not_permitted_ends_a_run_right_before_it() {
    let server = Server::start_configured(
        r#"authorization { users: [ {
            user: ada, password: secret,
            permissions: { publish: ["$JS.API.>", "events.0"], subscribe: ">" }
        } ] }"#,
    );
    let buffer = buffer(&server.folder().join("buffer"));
    let ada = options().user_and_password("ada", "secret");
    let sink = connected(ada, &server.url()).await;
    fill(&buffer, 0..5);
    buffer.enqueue_kind(&event(5), 1).expect("there is room");
    fill(&buffer, 6..10);
    // The server tells of it beside its answers, so that it may come before the one for the run.
    let mut accepted = 0;
    for _ in 0..3 {
        let sent = buffer.send_to(&sink).await.expect("the buffer is sound");
        accepted += sent.accepted;
        assert_refused(&sent, sent.accepted, Refusal::Stop);
    }
    assert_eq!(accepted, 5);
}
