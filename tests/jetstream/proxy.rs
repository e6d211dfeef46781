//! A wire between client and server that can be made to swallow what is sent, and be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// How much is taken from the socket before it is left alone; the rest piles up in it.
const SWALLOW_BYTES: u64 = 2_000_000;

#[derive(Default)]
struct Wire {
    swallows: AtomicBool,
    swallowed_bytes: AtomicU64,
    sockets: Mutex<Vec<TcpStream>>,
}

pub(crate) struct Proxy {
    port: u16,
    wire: Arc<Wire>,
}

impl Proxy {
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let wire = Arc::new(Wire::default());
        let shared = Arc::clone(&wire);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("a connection");
                let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                connect(&shared, client, upstream);
            }
        });
        Self { port, wire }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// From now on nothing of what the client sends arrives.
    pub(crate) fn swallow(&self) {
        self.wire.swallows.store(true, Ordering::SeqCst);
    }

    /// Ready when that many bytes were swallowed.
    pub(crate) async fn swallowed(&self, bytes: u64) {
        while self.wire.swallowed_bytes.load(Ordering::SeqCst) < bytes {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Ends the connections; new ones are whole.
    pub(crate) fn cut(&self) {
        self.wire.swallows.store(false, Ordering::SeqCst);
        for socket in self.wire.sockets.lock().drain(..) {
            // It may be gone already.
            drop(socket.shutdown(Shutdown::Both));
        }
    }
}

fn connect(wire: &Arc<Wire>, client: TcpStream, upstream: TcpStream) {
    let twin = |socket: &TcpStream| socket.try_clone().expect("another handle");
    wire.sockets.lock().extend([twin(&client), twin(&upstream)]);
    let (from, to) = (twin(&client), twin(&upstream));
    let shared = Arc::clone(wire);
    std::thread::spawn(move || forward(from, to, Some(&shared)));
    std::thread::spawn(move || forward(upstream, client, None));
}

/// Copies until either side ends.
fn forward(mut from: TcpStream, mut to: TcpStream, swallowing: Option<&Wire>) {
    let mut bytes = vec![0; 64 << 10];
    let mut swallowed = false;
    while let Ok(count @ 1..) = some(&mut from, &mut bytes) {
        if let Some(wire) = swallowing.filter(|wire| wire.swallows.load(Ordering::SeqCst)) {
            let sum = wire
                .swallowed_bytes
                .fetch_add(count as u64, Ordering::SeqCst);
            while sum >= SWALLOW_BYTES && wire.swallows.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            swallowed = true;
        }
        // What follows a hole is no message any more.
        if swallowed && swallowing.is_none_or(|wire| !wire.swallows.load(Ordering::SeqCst)) {
            break;
        }
        if !swallowed && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    // It may be gone already.
    drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
}

/// Whatever has come.
fn some(socket: &mut TcpStream, bytes: &mut [u8]) -> std::io::Result<usize> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a wire passes on short counts too"
    )]
    socket.read(bytes)
}
