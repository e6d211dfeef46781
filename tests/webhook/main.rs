//! The sink `Webhook` against a web server of a few lines, which says what the test tells it to.

mod receiver;

use std::time::{Duration, SystemTime};

use forebay::{Bytes, EventBuffer, QueueOptions, RecordId, Refusal, Sent, Sequence, Webhook};
use receiver::{Answer, Receiver};

type Buffer = EventBuffer<Vec<u8>, Bytes>;

fn buffer(folder: &tempfile::TempDir) -> Buffer {
    let options = QueueOptions::new();
    let buffer = EventBuffer::with_options(folder.path().join("buffer"), 100, options);
    buffer.expect("a new folder")
}

fn status(line: &str) -> Answer {
    Answer::Text(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n"))
}

/// What comes of two events when the receiver answers like this.
async fn attempt(answer: Answer) -> (Buffer, Sent, tempfile::TempDir) {
    let receiver = Receiver::start(vec![answer, status("200 OK")]);
    let folder = tempfile::tempdir().expect("a scratch folder");
    let buffer = buffer(&folder);
    for event in [b"first", b"again"] {
        buffer.enqueue(&event.to_vec()).expect("there is room");
    }
    let hook = Webhook::new(&receiver.url()).expect("legal");
    let sent = buffer.send_to(&hook).await.expect("the buffer is sound");
    (buffer, sent, folder)
}

#[tokio::test]
async fn every_2xx_confirms() {
    for line in ["200 OK", "201 Created", "202 Accepted", "204 No Content"] {
        let answer = match line {
            // Has no body, and says no length of it.
            "204 No Content" => Answer::Text("HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
            line => status(line),
        };
        let (buffer, sent, _folder) = attempt(answer).await;
        assert_eq!(sent.accepted, 2, "{line}: {:?}", sent.refused);
        assert!(buffer.is_empty().expect("open"), "{line}");
    }
}

#[tokio::test]
async fn every_refusal_asks_for_what_may_help() {
    use Refusal::{Reject, Retry, Stop};
    for (line, wanted) in [
        ("301 Moved Permanently\r\nlocation: /there", Stop),
        ("302 Found\r\nlocation: /there", Stop),
        ("304 Not Modified", Stop),
        ("400 Bad Request", Reject),
        ("401 Unauthorized", Stop),
        ("403 Forbidden", Stop),
        ("404 Not Found", Stop),
        ("405 Method Not Allowed", Stop),
        ("407 Proxy Authentication Required", Stop),
        ("408 Request Timeout", Retry),
        ("409 Conflict", Reject),
        ("410 Gone", Stop),
        ("413 Content Too Large", Reject),
        ("415 Unsupported Media Type", Reject),
        ("422 Unprocessable Content", Reject),
        ("425 Too Early", Retry),
        ("429 Too Many Requests", Retry),
        ("500 Internal Server Error", Retry),
        ("502 Bad Gateway", Retry),
        ("503 Service Unavailable", Retry),
        ("504 Gateway Timeout", Retry),
    ] {
        let (buffer, sent, _folder) = attempt(status(line)).await;
        let refused = sent.refused.expect(line);
        assert_eq!(refused.refusal(), wanted, "{line}");
        assert_eq!(sent.accepted, 0, "{line}");
        assert_eq!(buffer.len().expect("open"), 2, "{line}");
        assert_eq!(refused.retry_after(), None, "{line}");
    }
}

#[tokio::test]
async fn a_receiver_may_say_how_long_to_leave_it_alone() {
    let answer = status("503 Service Unavailable\r\nretry-after: 17");
    let (_buffer, sent, _folder) = attempt(answer).await;
    let refused = sent.refused.expect("busy");
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(17)));

    let until = SystemTime::now() + Duration::from_hours(1);
    let date = httpdate::fmt_http_date(until);
    let answer = status(&format!("429 Too Many Requests\r\nretry-after: {date}"));
    let (_buffer, sent, _folder) = attempt(answer).await;
    let delay = sent.refused.expect("busy").retry_after().expect("a date");
    // A date has whole seconds, and the hour has begun.
    assert!(delay <= Duration::from_hours(1) && delay > Duration::from_mins(30));
}

#[tokio::test]
async fn a_connection_cut_before_the_answer_is_tried_again_with_the_same_key() {
    let receiver = Receiver::start(vec![Answer::Cut, status("200 OK")]);
    let folder = tempfile::tempdir().expect("a scratch folder");
    let buffer = buffer(&folder);
    buffer.enqueue(&b"event".to_vec()).expect("there is room");
    let hook = Webhook::new(&receiver.url()).expect("legal");
    let sent = buffer.send_to(&hook).await.expect("the buffer is sound");
    assert_eq!(sent.refused.expect("cut").refusal(), Refusal::Retry);
    assert_eq!(buffer.drain_and_send(&hook).await.expect("sound"), 1);
    let requests = receiver.requests();
    let keys: Vec<_> = requests
        .iter()
        .map(|request| request.header("idempotency-key").expect("a key"))
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_tried_again_after_the_timeout() {
    let receiver = Receiver::start(vec![Answer::Silence]);
    let folder = tempfile::tempdir().expect("a scratch folder");
    let buffer = buffer(&folder);
    buffer.enqueue(&b"event".to_vec()).expect("there is room");
    let hook = Webhook::new(&receiver.url()).expect("legal");
    let hook = hook.timeout(Duration::from_millis(100));
    let sent = buffer.send_to(&hook).await.expect("the buffer is sound");
    assert_eq!(sent.refused.expect("no answer").refusal(), Refusal::Retry);
}

#[tokio::test]
async fn nobody_at_the_address_is_tried_again() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let buffer = buffer(&folder);
    buffer.enqueue(&b"event".to_vec()).expect("there is room");
    // The port of a listener that is gone.
    let url = Receiver::nobody();
    let hook = Webhook::new(&url).expect("legal");
    let sent = buffer.send_to(&hook).await.expect("the buffer is sound");
    assert_eq!(sent.refused.expect("nobody").refusal(), Refusal::Retry);
}

#[tokio::test]
async fn the_body_and_the_headers_arrive_as_they_are() {
    let receiver = Receiver::start(vec![status("200 OK"), status("200 OK")]);
    let folder = tempfile::tempdir().expect("a scratch folder");
    let buffer = buffer(&folder);
    let binary: Vec<u8> = (0..=255).collect();
    buffer.enqueue(&binary).expect("there is room");
    buffer.enqueue(&Vec::new()).expect("there is room");
    let hook = Webhook::new(&format!("{}/hook?a=b", receiver.url()))
        .and_then(|hook| hook.content_type("application/cbor"))
        .and_then(|hook| hook.header("X-Tenant", "acme"))
        .and_then(|hook| hook.header("idempotency-key", "mine"))
        .expect("legal");
    assert_eq!(buffer.drain_and_send(&hook).await.expect("sound"), 2);
    let requests = receiver.requests();
    let bodies: Vec<&[u8]> = requests.iter().map(|request| &*request.body).collect();
    assert_eq!(bodies, [&*binary, &[]]);
    for (sequence, request) in (0..).zip(&requests) {
        assert_eq!(request.line, "POST /hook?a=b HTTP/1.1");
        let record = RecordId {
            queue: buffer.queue().id(),
            epoch: buffer.queue().stats().expect("open").epoch,
            sequence: Sequence::new(sequence),
        };
        let header = |name| request.header(name);
        assert_eq!(header("idempotency-key"), Some(&*record.to_string()));
        assert_eq!(header("content-type"), Some("application/cbor"));
        assert_eq!(header("x-tenant"), Some("acme"));
    }
}

#[tokio::test]
async fn events_of_one_backlog_share_a_connection() {
    let receiver = Receiver::start(vec![
        Answer::Text("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nthank".to_owned()),
        status("200 OK"),
    ]);
    let folder = tempfile::tempdir().expect("a scratch folder");
    let buffer = buffer(&folder);
    for event in [b"first", b"again"] {
        buffer.enqueue(&event.to_vec()).expect("there is room");
    }
    let hook = Webhook::new(&receiver.url()).expect("legal");
    assert_eq!(buffer.drain_and_send(&hook).await.expect("sound"), 2);
    assert_eq!(receiver.connections(), 1);
}
