//! The publishing process, killed by a real signal in the middle of its flush.

use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::num::NonZeroUsize;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use forebay::{AsyncSink, BatchFuture, Delivery, JetStream, SinkFuture};

use super::scene::{assert_stored, buffer, fill, flush, options, sink};
use super::server::Server;

/// What the child is told: the server's address and the buffer's folder.
const ORDERS: &str = "FOREBAY_TEST_JETSTREAM";
const ROUNDS: u64 = 20;
const EVENTS: u64 = 4000;
/// After how many events the child says something.
const STRIDE: u64 = 20;

/// Says how far it has come.
struct Talking {
    sink: JetStream<String>,
    accepted: AtomicU64,
}

impl Talking {
    fn say(&self, accepted: u64) {
        let before = self.accepted.fetch_add(accepted, Ordering::SeqCst);
        for _ in before.div_ceil(STRIDE)..(before + accepted).div_ceil(STRIDE) {
            let mut out = std::io::stdout().lock();
            let said = writeln!(out, "accepted").and_then(|()| out.flush());
            said.expect("the parent reads");
        }
    }
}

impl AsyncSink<String> for Talking {
    fn accept<'a>(&'a self, delivery: &'a Delivery<String>) -> SinkFuture<'a> {
        let accepted = self.sink.accept(delivery);
        Box::pin(async move {
            accepted.await?;
            self.say(1);
            Ok(())
        })
    }

    fn accept_batch<'a>(&'a self, deliveries: &'a [Delivery<String>]) -> BatchFuture<'a> {
        let accepted = self.sink.accept_batch(deliveries);
        Box::pin(async move {
            let accepted = accepted.await;
            self.say(u64::try_from(accepted.events).expect("small"));
            accepted
        })
    }

    fn batch_max(&self) -> NonZeroUsize {
        self.sink.batch_max()
    }

    fn in_flight_max(&self) -> NonZeroUsize {
        self.sink.in_flight_max()
    }
}

/// Not a test by itself: the child. It stops only when it is killed.
#[tokio::test]
async fn flush_until_killed_when_told_to() {
    let Ok(orders) = std::env::var(ORDERS) else {
        return;
    };
    let (url, folder) = orders.split_once(' ').expect("two words");
    let sink = options().connect(url).await.expect("legal");
    let talking = Talking {
        sink,
        accepted: AtomicU64::new(0),
    };
    flush(&buffer(folder.as_ref()), &talking).await;
    std::future::pending::<()>().await;
}

fn child(orders: &str) -> Child {
    let program = std::env::current_exe().expect("this one");
    Command::new(program)
        .args([
            "--exact",
            "killed::flush_until_killed_when_told_to",
            "--nocapture",
        ])
        .env(ORDERS, orders)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test itself")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_killed_over_and_over_in_the_middle_of_a_flush_stores_all_in_order_once() {
    let server = Server::start();
    let folder = server.folder().join("buffer");
    let orders = format!("{} {}", server.url(), folder.display());
    let mut cut_short = 0;
    let mut end = 0;
    for _ in 0..ROUNDS {
        let waiting = {
            let buffer = buffer(&folder);
            fill(&buffer, end..end + EVENTS);
            buffer.len().expect("open")
        };
        end += EVENTS;
        let mut child = child(&orders);
        let strides = RandomState::new().hash_one(end) % (EVENTS / STRIDE * 2 / 3);
        let told = BufReader::new(child.stdout.take().expect("piped"))
            .lines()
            .map(|line| line.expect("text"))
            .filter(|line| line.ends_with("accepted"))
            .nth(usize::try_from(strides).expect("small"));
        assert!(told.is_some(), "the child ended by itself");
        child.kill().expect("it is ours");
        child.wait().expect("it was killed");
        let left = buffer(&folder).len().expect("open");
        cut_short += u32::from(0 < left && left < waiting);
    }
    // Else the moments were not in the middle.
    assert!(
        cut_short > 10,
        "{cut_short} of {ROUNDS} flushes were cut short"
    );
    let sink = sink(&server).await;
    flush(&buffer(&folder), &sink).await;
    assert_stored(&server.url(), 0..end).await;
}
