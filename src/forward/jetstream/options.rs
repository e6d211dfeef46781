//! How a `JetStream` sink is set up.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::{Context, stream};
use tokio::runtime::Handle;

use super::link::Link;
use super::subject::{Subject, Template};
use super::{JetStream, Route};
use crate::buffer::Delivery;
use crate::error::{Error, ErrorKind, Result};

/// How long an answer may take.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// Where more in flight no longer makes it faster; see docs/PERFORMANCE.md.
const IN_FLIGHT_MAX: NonZeroUsize = NonZeroUsize::new(512).expect("not zero");

/// Who else publishes into the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Writers {
    /// Nobody: this queue is the stream's only writer. Many events are in flight at once, and each
    /// says which one it must come after, so that the server itself refuses what follows a hole. At
    /// the start, and after anything went wrong, the stream's last message says what it has.
    #[default]
    One,
    /// Others do too. One event is in flight at a time: the order of each queue holds, and what
    /// comes between is not known. What was stored already is known for as long as the stream's
    /// window for duplicates reaches.
    Many,
}

/// How a [`JetStream`] sink is set up and connected.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> forebay::Result<()> {
/// use forebay::{JetStreamOptions, Subject};
///
/// struct AuditEvent {
///     tenant: String,
/// }
///
/// let sink = JetStreamOptions::<AuditEvent>::new("AUDIT", "audit.{kind}")?
///     .subject_by(|delivery| Subject::new("audit").token(&delivery.event.tenant))
///     .user_and_password("agent", "secret")
///     .certificate_authority("/etc/agent/ca.pem")
///     .connect("tls://nats.example.net:4222")
///     .await?;
/// # Ok(())
/// # }
/// ```
pub struct JetStreamOptions<T> {
    route: Route<T>,
    connection: ConnectOptions,
    credentials: Option<PathBuf>,
}

impl<T> fmt::Debug for JetStreamOptions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is known of the connection may be secret.
        f.debug_struct("JetStreamOptions")
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

impl<T: Send + Sync> JetStreamOptions<T> {
    /// Into the stream of this name, under a subject in which `{kind}` becomes the event's kind:
    /// `audit.{kind}`, or `audit` for all.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when the name or the subject has other characters than letters,
    /// digits, `_` and `-`, or, in the subject, dots between tokens.
    pub fn new(stream: impl Into<String>, subject: &str) -> Result<Self> {
        let stream = stream.into();
        if stream.contains('.') || Subject::new(&stream).to_string() != stream {
            let what = format!("`{stream}` is not a stream's name: letters, digits, `_` and `-`");
            return Err(Error::new(ErrorKind::InvalidInput, what));
        }
        let template = Template::parse(subject)?;
        Ok(Self {
            route: Route {
                stream,
                subject: Box::new(move |delivery| template.fill(delivery)),
                payload: None,
                writers: Writers::One,
                in_flight_max: IN_FLIGHT_MAX,
                ack_timeout: ACK_TIMEOUT,
                create: None,
            },
            connection: ConnectOptions::new(),
            credentials: None,
        })
    }

    /// Under the subject that `subject` makes of the event, instead of the template.
    #[must_use]
    pub fn subject_by(
        mut self,
        subject: impl Fn(&Delivery<T>) -> Subject + Send + Sync + 'static,
    ) -> Self {
        self.route.subject = Box::new(subject);
        self
    }

    /// With the bytes that `payload` makes of the event, instead of those that it was enqueued as.
    #[must_use]
    pub fn payload_by(
        mut self,
        payload: impl Fn(&Delivery<T>) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        self.route.payload = Some(Box::new(payload));
        self
    }

    /// Who else publishes into the stream. Default: [`Writers::One`]. With `One` where there are
    /// others, every event that comes in between costs the rest of a flight and a second try; no
    /// order is lost.
    #[must_use]
    pub fn writers(mut self, writers: Writers) -> Self {
        self.route.writers = writers;
        self
    }

    /// How many events may be in flight at once. Default: 512; 1 with [`Writers::Many`], always.
    #[must_use]
    pub fn in_flight_max(mut self, count: NonZeroUsize) -> Self {
        self.route.in_flight_max = count;
        self
    }

    /// How long an answer may take before the event is tried again. Default: 5 s. Too short, and
    /// a slow server gets everything twice; it keeps it once.
    #[must_use]
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.route.ack_timeout = timeout;
        self
    }

    /// Makes the stream where it is missing, at the first event and whenever it is gone again. The
    /// name in `config` does not count. Give it a `duplicate_window` that is longer than an answer
    /// may be late, the server's own default being two minutes; see [`JetStream`].
    ///
    /// Default: a missing stream stops the delivery.
    #[must_use]
    pub fn create_stream(mut self, config: stream::Config) -> Self {
        self.route.create = Some(stream::Config {
            name: self.route.stream.clone(),
            ..config
        });
        self
    }

    /// Says who we are by a token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.connection = self.connection.token(token.into());
        self
    }

    /// Says who we are by a name and a password.
    #[must_use]
    pub fn user_and_password(
        mut self,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        let (user, password) = (user.into(), password.into());
        self.connection = self.connection.user_and_password(user, password);
        self
    }

    /// Says who we are by a file of credentials, as `nsc` makes them. It is read by
    /// [`connect`](Self::connect).
    #[must_use]
    pub fn credentials_file(mut self, path: impl AsRef<Path>) -> Self {
        self.credentials = Some(path.as_ref().to_owned());
        self
    }

    /// Trusts servers whose certificate is signed by one in this file (PEM), and encrypts always.
    #[must_use]
    pub fn certificate_authority(mut self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        self.connection = self
            .connection
            .add_root_certificates(path)
            .require_tls(true);
        self
    }

    /// Shows the server this certificate with this key (both PEM), and encrypts always.
    #[must_use]
    pub fn certificate(mut self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        let (certificate, key) = (certificate.as_ref().to_owned(), key.as_ref().to_owned());
        self.connection = self
            .connection
            .add_client_certificate(certificate, key)
            .require_tls(true);
        self
    }

    /// Starts from options of the client for all that has no option here. Replaces what was said
    /// of the connection before; their callback for events is replaced by the sink's own.
    #[must_use]
    pub fn connect_options(mut self, options: ConnectOptions) -> Self {
        self.connection = options;
        self
    }

    /// The sink. It connects by itself, now and whenever the connection is lost: whether the server
    /// is up makes no difference here. `url` is one address or several with commas between.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a `url` that is none; [`ErrorKind::Io`] when the file of
    /// credentials cannot be read.
    pub async fn connect(self, url: &str) -> Result<JetStream<T>> {
        let link = Link::new();
        let ears = link.clone();
        let mut connection = self.connection;
        if let Some(path) = &self.credentials {
            connection = connection
                .credentials_file(path)
                .await
                .map_err(|why| Error::io("read", path, why))?;
        }
        let servers: Vec<&str> = url.split(',').collect();
        let client = connection
            .retry_on_initial_connect()
            .event_callback(move |event| {
                ears.hear(&event);
                std::future::ready(())
            })
            .connect(servers)
            .await
            .map_err(|why| {
                let what = format!("`{url}` cannot be connected to: {why}");
                Error::new(ErrorKind::InvalidInput, what)
            })?;
        let context = async_nats::jetstream::new(client);
        Ok(JetStream::new(context, link, self.route))
    }

    /// The sink over a connection that is there already, with what was said of the connection left
    /// aside.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] outside a runtime of tokio.
    pub fn over(self, context: Context) -> Result<JetStream<T>> {
        if Handle::try_current().is_err() {
            let what = "a sink over a connection is made within a runtime of tokio";
            return Err(Error::new(ErrorKind::InvalidInput, what));
        }
        let link = Link::new();
        link.watch(&context.client());
        Ok(JetStream::new(context, link, self.route))
    }
}
