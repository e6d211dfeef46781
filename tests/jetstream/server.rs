//! A NATS server of a test's own.

use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Only ends a hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server with a store that outlives it. Dropped, it is killed.
pub(crate) struct Server {
    port: u16,
    store: tempfile::TempDir,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// One with `JetStream` and nothing else.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// One with these arguments too.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let mut server = Self::down();
        server.arguments = arguments.iter().map(|&text| text.to_owned()).collect();
        server.restart();
        server
    }

    /// One with this configuration, which is written beside its store.
    pub(crate) fn start_configured(configuration: &str) -> Self {
        let server = Self::down();
        let file = server.store.path().join("server.conf");
        std::fs::write(&file, configuration).expect("a scratch file");
        let mut server = server;
        server.arguments = vec!["-c".to_owned(), file.display().to_string()];
        server.restart();
        server
    }

    /// One that is not up yet.
    pub(crate) fn down() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self {
            port: listener.local_addr().expect("bound").port(),
            store: tempfile::tempdir().expect("a scratch folder"),
            arguments: Vec::new(),
            child: None,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// A folder of the test's own.
    pub(crate) fn folder(&self) -> &Path {
        self.store.path()
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it is up");
        child.kill().expect("it is ours");
        child.wait().expect("it was killed");
    }

    /// Starts it on its port, with what it had stored.
    pub(crate) fn restart(&mut self) {
        assert!(self.child.is_none(), "it is up already");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.store.path().join("server.log"))
            .expect("a scratch file");
        let started = Command::new("nats-server")
            .args(["-js", "-a", "127.0.0.1", "-p", &self.port.to_string()])
            .arg("-sd")
            .arg(self.store.path())
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(match started {
            Ok(child) => child,
            Err(why) if why.kind() == ErrorKind::NotFound => {
                panic!("these tests need a NATS server: apt-get install nats-server")
            }
            Err(why) => panic!("nats-server: {why}"),
        });
        self.wait();
    }

    /// Until it greets.
    fn wait(&mut self) {
        let since = Instant::now();
        let mut first = [0; 1];
        loop {
            let greeted = TcpStream::connect(("127.0.0.1", self.port))
                .and_then(|mut socket| socket.read_exact(&mut first));
            if greeted.is_ok() {
                return;
            }
            let ended = self.child.as_mut().expect("started").try_wait();
            let log = self.store.path().join("server.log");
            assert!(
                matches!(ended, Ok(None)) && since.elapsed() < PATIENCE,
                "the server does not come up: {}",
                std::fs::read_to_string(log).unwrap_or_default()
            );
            // Nothing else tells when a process begins to listen.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}
