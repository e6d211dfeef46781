//! The server goes away and comes back; nothing is lost, doubled or overtaken.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use forebay::{Published, Publisher, Refusal, Writers};

use super::proxy::Proxy;
use super::scene::{
    Deaf, assert_stored, buffer, connected, event, fill, flush, options, sink, stream_config,
};
use super::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_and_a_hundred_through_an_outage_are_eleven_hundred_in_order() {
    let mut server = Server::start();
    let buffer = buffer(&server.folder().join("buffer"));
    let sink = sink(&server).await;
    fill(&buffer, 0..1000);
    assert_eq!(flush(&buffer, &sink).await, 1000);
    server.kill();
    fill(&buffer, 1000..1100);
    let sent = buffer.send_to(&sink).await.expect("the buffer is sound");
    assert_eq!(sent.accepted, 0);
    let refused = sent.refused.expect("nobody is there");
    assert_eq!(refused.refusal(), Refusal::Retry);
    assert_eq!(buffer.len().expect("open"), 100);
    server.restart();
    assert_eq!(flush(&buffer, &sink).await, 100);
    assert_stored(&server.url(), 0..1100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_through_an_outage_arrives_once_in_order() {
    let mut server = Server::start();
    let buffer = Arc::new(buffer(&server.folder().join("buffer")));
    let sink = Arc::new(sink(&server).await);
    let publisher = Publisher::new(buffer, sink);
    for number in 0..1000 {
        let outcome = publisher.publish(event(number)).await;
        assert!(matches!(outcome, Published::Delivered), "{outcome:?}");
    }
    assert_eq!(publisher.buffered_len().expect("open"), 0);
    server.kill();
    for number in 1000..1100 {
        let outcome = publisher.publish(event(number)).await;
        assert!(matches!(outcome, Published::Buffered), "{outcome:?}");
    }
    assert_eq!(publisher.buffered_len().expect("open"), 100);
    server.restart();
    let flushes = publisher.start();
    let emptied = async {
        while publisher.buffered_len().expect("open") > 0 {
            tokio::task::yield_now().await;
        }
    };
    let emptied = tokio::time::timeout(Duration::from_mins(1), emptied).await;
    emptied.expect("the loop hears that the server is back");
    let left = flushes.shutdown(Duration::from_mins(1)).await;
    assert_eq!(left.expect("the buffer is sound").buffered, 0);
    assert_stored(&server.url(), 0..1100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_is_there_before_its_server_and_the_backlog_waits() {
    let mut server = Server::down();
    let buffer = buffer(&server.folder().join("buffer"));
    let sink = options().connect(&server.url()).await.expect("legal");
    fill(&buffer, 0..10);
    let sent = buffer.send_to(&sink).await.expect("the buffer is sound");
    assert_eq!(sent.refused.expect("not up").refusal(), Refusal::Retry);
    server.restart();
    assert_eq!(flush(&buffer, &sink).await, 10);
    assert_stored(&server.url(), 0..10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_over_and_over_in_the_middle_of_a_flush_gets_all_in_order_once() {
    const ROUNDS: u64 = 8;
    const EVENTS: u64 = 20_000;
    let mut server = Server::start();
    let url = server.url();
    let buffer = buffer(&server.folder().join("buffer"));
    let sink = sink(&server).await;
    let mut cut_short = 0;
    for round in 0..ROUNDS {
        fill(&buffer, round * EVENTS..(round + 1) * EVENTS);
        let flushing = flush(&buffer, &sink);
        let killing = async {
            // A moment that differs from round to round, in events rather than in time.
            let left = usize::try_from(EVENTS - 1 - round * 2311).expect("small");
            while buffer.len().expect("open") > left {
                tokio::task::yield_now().await;
            }
            server.kill();
            cut_short += u32::from(buffer.len().expect("open") > 0);
            server.restart();
        };
        tokio::join!(flushing, killing);
    }
    assert!(cut_short > 0, "no flush was cut short");
    assert_stored(&url, 0..ROUNDS * EVENTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_client_sends_again_is_not_stored_before_what_the_socket_lost() {
    const EVENTS: u64 = 300;
    let server = Server::start();
    let proxy = Proxy::start(server.port());
    let buffer = buffer(&server.folder().join("buffer"));
    // So large that the socket cannot take them all: some stay in the client when it is cut.
    let options = options().payload_by(|delivery| {
        let mut payload = delivery.event.clone().into_bytes();
        payload.resize(100_000, b' ');
        payload
    });
    let sink = connected(options, &proxy.url()).await;
    fill(&buffer, 0..1);
    assert_eq!(flush(&buffer, &sink).await, 1);
    fill(&buffer, 1..EVENTS);
    proxy.swallow();
    let flushing = flush(&buffer, &sink);
    let cutting = async {
        // Until the flight has left the buffer and has nowhere to go.
        proxy.swallowed(2_000_000).await;
        proxy.cut();
    };
    tokio::join!(flushing, cutting);
    let stored = super::scene::stored(&server.url()).await;
    let text = |payload: &[u8]| String::from_utf8_lossy(payload).trim_end().to_owned();
    let found: Vec<String> = stored
        .iter()
        .map(|message| text(&message.payload))
        .collect();
    let wanted: Vec<String> = (0..EVENTS).map(event).collect();
    let first_wrong = found.iter().zip(&wanted).position(|(a, b)| a != b);
    assert_eq!(first_wrong, None, "{:?}", first_wrong.map(|at| &found[at]));
    assert_eq!(found.len(), wanted.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_stored_without_our_hearing_of_it_is_known_after_the_window_for_duplicates() {
    let window = Duration::from_millis(200);
    let server = Server::start();
    let buffer = buffer(&server.folder().join("buffer"));
    let config = async_nats::jetstream::stream::Config {
        duplicate_window: window,
        ..stream_config()
    };
    let sink = connected(options().create_stream(config), &server.url()).await;
    fill(&buffer, 0..100);
    let sent = buffer.send_to(&Deaf(&sink)).await.expect("sound");
    assert_eq!(sent.accepted, 0);
    // It is time itself that has to pass: the server forgets the identities.
    tokio::time::sleep(window * 5).await;
    fill(&buffer, 100..150);
    assert_eq!(flush(&buffer, &sink).await, 150);
    assert_stored(&server.url(), 0..150).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_stored_without_our_hearing_of_it_is_stored_once_beside_other_writers() {
    let server = Server::start();
    let buffer = buffer(&server.folder().join("buffer"));
    let sink = connected(options().writers(Writers::Many), &server.url()).await;
    fill(&buffer, 0..100);
    let sent = buffer.send_to(&Deaf(&sink)).await.expect("sound");
    assert_eq!(sent.accepted, 0);
    assert_eq!(flush(&buffer, &sink).await, 100);
    assert_stored(&server.url(), 0..100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_queues_into_one_stream_keep_their_orders() {
    const EVENTS: u64 = 500;
    for writers in [Writers::Many, Writers::One] {
        let server = Server::start();
        let (left, right) = (
            buffer(&server.folder().join("left")),
            buffer(&server.folder().join("right")),
        );
        let few = NonZeroUsize::new(8).expect("not zero");
        let url = server.url();
        let sink = || connected(options().writers(writers).in_flight_max(few), &url);
        let (to_left, to_right) = (sink().await, sink().await);
        fill(&left, 0..EVENTS);
        fill(&right, EVENTS..2 * EVENTS);
        tokio::join!(flush(&left, &to_left), flush(&right, &to_right));
        let stored = super::scene::stored(&server.url()).await;
        assert_eq!(stored.len() as u64, 2 * EVENTS, "{writers:?}");
        for numbers in [0..EVENTS, EVENTS..2 * EVENTS] {
            let texts: Vec<String> = numbers.map(event).collect();
            let found: Vec<String> = stored
                .iter()
                .map(|message| String::from_utf8_lossy(&message.payload).into_owned())
                .filter(|text| texts.contains(text))
                .collect();
            assert_eq!(found, texts, "{writers:?}");
        }
    }
}
