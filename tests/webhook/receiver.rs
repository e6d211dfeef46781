//! A web server of a few lines: it keeps what it is sent, and answers as it was told.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use parking_lot::Mutex;

/// What comes back for one request.
pub(crate) enum Answer {
    /// These bytes.
    Text(String),
    /// The end of the connection, once the request was read.
    Cut,
    /// Nothing, on a connection that stays.
    Silence,
}

/// One request, as it came.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The only value of the header of this name, which is in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        let (_, value) = found.next()?;
        assert!(found.next().is_none(), "{name} came twice");
        Some(value)
    }
}

#[derive(Default)]
struct Ledger {
    answers: VecDeque<Answer>,
    requests: Vec<Request>,
    connections: usize,
    /// Connections on which nothing is said.
    silent: Vec<TcpStream>,
}

pub(crate) struct Receiver {
    port: u16,
    ledger: Arc<Mutex<Ledger>>,
}

impl Receiver {
    /// One that gives these answers, one for each request.
    pub(crate) fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let ledger = Arc::new(Mutex::new(Ledger {
            answers: answers.into(),
            ..Ledger::default()
        }));
        let shared = Arc::clone(&ledger);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let socket = socket.expect("a connection");
                shared.lock().connections += 1;
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(&socket, &shared));
            }
        });
        Self { port, ledger }
    }

    /// The address of nobody.
    pub(crate) fn nobody() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("http://{}", listener.local_addr().expect("bound"))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.ledger.lock().requests.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.ledger.lock().connections
    }
}

fn serve(mut socket: &TcpStream, ledger: &Mutex<Ledger>) {
    let mut reader = BufReader::new(socket);
    while let Some(request) = read(&mut reader) {
        let mut ledger = ledger.lock();
        ledger.requests.push(request);
        match ledger
            .answers
            .pop_front()
            .expect("no more requests than answers")
        {
            Answer::Text(text) => {
                drop(ledger);
                socket.write_all(text.as_bytes()).expect("the sink reads");
            }
            Answer::Cut => return,
            Answer::Silence => {
                let twin = socket.try_clone().expect("another handle");
                ledger.silent.push(twin);
                return;
            }
        }
    }
}

/// One request; `None` at the end of the connection.
fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader
            .read_line(&mut line)
            .ok()
            .filter(|&count| count > 0)?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let line = lines.remove(0);
    let headers: Vec<(String, String)> = lines
        .iter()
        .map(|line| line.split_once(": ").expect("a header"))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().expect("a number"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        line,
        headers,
        body,
    })
}
