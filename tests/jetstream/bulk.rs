//! A backlog as it is after a long outage. How fast it goes is measured by `benches/jetstream.rs`.

use super::scene::{assert_stored, buffer, fill, sink};
use super::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_a_hundred_thousand_arrives_in_order_once() {
    let server = Server::start();
    let buffer = buffer(&server.folder().join("buffer"));
    fill(&buffer, 0..100_000);
    let sink = sink(&server).await;
    let sent = buffer.send_to(&sink).await.expect("the buffer is sound");
    assert_eq!(sent.accepted, 100_000, "{:?}", sent.refused);
    assert_stored(&server.url(), 0..100_000).await;
}
