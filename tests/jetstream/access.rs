//! Who may publish: tokens, passwords, permissions, certificates.

use std::path::Path;
use std::process::Command;

use forebay::{AsyncSink, ErrorKind, JetStream, JetStreamOptions, Refusal};

use super::scene::{buffer, connected, fill, flush, options};
use super::server::Server;

/// Ten events get through.
async fn assert_admitted(server: &Server, options: JetStreamOptions<String>, url: &str) {
    let buffer = buffer(&server.folder().join("buffer"));
    let sink = connected(options, url).await;
    fill(&buffer, 0..10);
    assert_eq!(flush(&buffer, &sink).await, 10);
}

/// What the sink says of an event, once it says anything but to try again.
async fn verdict(server: &Server, sink: &JetStream<String>) -> Refusal {
    let buffer = buffer(&server.folder().join("refused"));
    fill(&buffer, 0..1);
    loop {
        let sent = buffer.send_to(sink).await.expect("the buffer is sound");
        let refused = sent.refused.expect("we are not let in").refusal();
        if refused != Refusal::Retry {
            return refused;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_lets_in_and_a_wrong_one_stops_the_delivery() {
    let server = Server::start_with(&["--auth", "secret"]);
    assert_admitted(&server, options().token("secret"), &server.url()).await;
    let sink = options().token("guess").connect(&server.url()).await;
    assert_eq!(verdict(&server, &sink.expect("legal")).await, Refusal::Stop);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_lets_in_and_a_wrong_one_stops_the_delivery() {
    let server = Server::start_with(&["--user", "ada", "--pass", "secret"]);
    let right = options().user_and_password("ada", "secret");
    assert_admitted(&server, right, &server.url()).await;
    let wrong = options().user_and_password("ada", "guess");
    let sink = wrong.connect(&server.url()).await.expect("legal");
    assert_eq!(verdict(&server, &sink).await, Refusal::Stop);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_that_is_not_permitted_stops_the_delivery() {
    let server = Server::start_configured(
        r#"authorization { users: [ {
            user: ada, password: secret,
            permissions: { publish: ["$JS.API.>", "events.1"], subscribe: ">" }
        } ] }"#,
    );
    let sink = connected(options().user_and_password("ada", "secret"), &server.url()).await;
    assert_eq!(verdict(&server, &sink).await, Refusal::Stop);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_cannot_be_read_are_an_error_of_connecting() {
    let sink = options().credentials_file("/nonexistent/credentials");
    let refused = sink.connect("nats://127.0.0.1:4222").await;
    assert_eq!(refused.expect_err("no such file").kind(), ErrorKind::Io);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_both_sides_let_in_and_strangers_stay_out() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    make_certificates(folder.path());
    let server = Server::start_with(&[
        "--tlsverify",
        "--tlscert",
        &file("server.pem"),
        "--tlskey",
        &file("server.key"),
        "--tlscacert",
        &file("authority.pem"),
    ]);
    let ours = options()
        .certificate_authority(file("authority.pem"))
        .certificate(file("client.pem"), file("client.key"));
    assert_admitted(&server, ours, &server.url()).await;
    // One who does not show who it is.
    let stranger = options().certificate_authority(file("authority.pem"));
    let stranger = stranger.connect(&server.url()).await.expect("legal");
    let backlog = buffer(&server.folder().join("refused"));
    fill(&backlog, 0..1);
    let sent = backlog.send_to(&stranger).await.expect("sound");
    assert_eq!(sent.accepted, 0);
    assert_eq!(stranger.in_flight_max().get(), 512);
}

/// An authority, and a certificate by it for each side.
fn make_certificates(folder: &Path) {
    let authority = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                     -subj /CN=authority -keyout authority.key -out authority.pem";
    openssl(folder, authority);
    let names = folder.join("names");
    std::fs::write(names, "subjectAltName=IP:127.0.0.1").expect("a scratch file");
    for side in ["server", "client"] {
        openssl(
            folder,
            &format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={side} \
                 -keyout {side}.key -out {side}.csr"
            ),
        );
        openssl(
            folder,
            &format!(
                "x509 -req -in {side}.csr -CA authority.pem -CAkey authority.key \
                 -CAcreateserial -days 2 -extfile names -out {side}.pem"
            ),
        );
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let made = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .expect("this test needs openssl: apt-get install openssl");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "openssl {arguments}: {said}");
}
