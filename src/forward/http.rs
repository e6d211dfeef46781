//! A web server as the other side: one POST for each event, confirmed by its status.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::buffer::{AsyncSink, Delivery, SinkError, SinkFuture};
use crate::error::{Error, ErrorKind, Result};

/// What a receiver can know a redelivery by.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// How long a whole exchange may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How much of an answer's body is read, so that the connection can be used again; a longer one
/// costs a new connection.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Posts events to a web server, one at a time: the body is the bytes that the event was enqueued
/// as, and `Idempotency-Key` is its [`Delivery::id`], the same whenever it is delivered again.
///
/// Needs a runtime of tokio around it.
///
/// # Durability
///
/// Accepted means that the server answered with a 2xx status: what that is worth is up to it. An
/// event whose answer was lost is posted again.
///
/// # Refusals
///
/// | answer | asked for |
/// | --- | --- |
/// | 2xx | nothing: the event is accepted |
/// | 408, 425, 429, 5xx | retry, after what `Retry-After` says, in seconds or as a date |
/// | none: no connection, cut, no answer in time | retry |
/// | 401, 403, 407: who we are | stop |
/// | 404, 405, 410: the address is wrong, not the event | stop |
/// | 3xx: the receiver has moved; an event goes nowhere unasked | stop |
/// | other 4xx | reject |
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use forebay::Webhook;
///
/// let hook = Webhook::new("https://example.net/events")?
///     .content_type("application/json")?
///     .header("authorization", "Bearer secret")?
///     .timeout(Duration::from_secs(10));
/// # Ok::<(), forebay::Error>(())
/// ```
#[derive(Debug)]
pub struct Webhook {
    client: Client,
    url: Url,
    headers: HeaderMap,
    timeout: Duration,
}

impl Webhook {
    /// A sink that posts to `url`, `http` or `https`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a `url` that is none; [`ErrorKind::Io`] when the
    /// certificates that the system trusts cannot be had.
    pub fn new(url: &str) -> Result<Self> {
        let parsed = parse(url)?;
        let client = Client::builder()
            .redirect(Policy::none())
            .tls_backend_preconfigured(encryption(&parsed)?)
            .build()
            .map_err(|why| unavailable(&why))?;
        Ok(Self::with(client, parsed))
    }

    /// The same through a client of your own: for proxies, certificates, limits. It should follow
    /// no redirection; a POST that follows one may arrive as a GET.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a `url` that is none.
    pub fn over(client: Client, url: &str) -> Result<Self> {
        Ok(Self::with(client, parse(url)?))
    }

    fn with(client: Client, url: Url) -> Self {
        let mut headers = HeaderMap::new();
        let bytes = HeaderValue::from_static("application/octet-stream");
        headers.insert(CONTENT_TYPE, bytes);
        Self {
            client,
            url,
            headers,
            timeout: TIMEOUT,
        }
    }

    /// What the body is. Default: `application/octet-stream`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when a header cannot have that value.
    pub fn content_type(self, content_type: &str) -> Result<Self> {
        self.header(CONTENT_TYPE.as_str(), content_type)
    }

    /// One more header of every request; the same name again replaces it. `Idempotency-Key` is
    /// always the event's.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when there cannot be a header of that name, or with that value.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self> {
        let (Ok(parsed), Ok(mut value)) =
            (HeaderName::try_from(name), HeaderValue::try_from(value))
        else {
            // The value is not shown; it may be secret.
            let what = format!("there can be no header `{name}` with that value");
            return Err(Error::new(ErrorKind::InvalidInput, what));
        };
        value.set_sensitive(true);
        self.headers.insert(parsed, value);
        Ok(self)
    }

    /// How long a whole exchange may take, from the connection to the answer. Default: 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn post<T>(&self, delivery: &Delivery<T>) -> std::result::Result<(), SinkError> {
        let mut headers = self.headers.clone();
        let id = delivery.id();
        if !id.is_empty() {
            let id = HeaderValue::try_from(id).map_err(SinkError::reject)?;
            headers.insert(IDEMPOTENCY_KEY, id);
        }
        let answer = self
            .client
            .post(self.url.clone())
            .headers(headers)
            .timeout(self.timeout)
            .body(delivery.payload.clone())
            .send()
            .await
            .map_err(failed)?;
        let outcome = judge(answer.status(), answer.headers(), SystemTime::now());
        finish(answer).await;
        outcome
    }
}

impl<T: Send + Sync> AsyncSink<T> for Webhook {
    fn accept<'a>(&'a self, delivery: &'a Delivery<T>) -> SinkFuture<'a> {
        Box::pin(self.post(delivery))
    }
}

fn parse(url: &str) -> Result<Url> {
    let illegal = |why: &str| {
        let what = format!("`{url}` is no address to post to: {why}");
        Error::new(ErrorKind::InvalidInput, what)
    };
    let parsed = Url::parse(url).map_err(|why| illegal(&why.to_string()))?;
    match parsed.scheme() {
        "http" | "https" => Ok(parsed),
        _ => Err(illegal("it is neither http nor https")),
    }
}

/// Encryption without a provider that is shared by the whole process, and with the certificates
/// that the system trusts where any are needed.
fn encryption(url: &Url) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| unavailable(&why))?;
    let config = if url.scheme() == "https" {
        config
            .with_platform_verifier()
            .map_err(|why| unavailable(&why))?
    } else {
        config.with_root_certificates(RootCertStore::empty())
    };
    Ok(config.with_no_client_auth())
}

fn unavailable(why: &dyn std::error::Error) -> Error {
    let what = format!("there is no client for the web here: {why}");
    Error::new(ErrorKind::Io, what)
}

/// What an exchange without an answer asks for.
fn failed(why: reqwest::Error) -> SinkError {
    // The address may have a secret in it.
    let why = why.without_url();
    if why.is_builder() {
        SinkError::stop(why)
    } else {
        SinkError::retry(why)
    }
}

/// What an answer asks for.
fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    now: SystemTime,
) -> std::result::Result<(), SinkError> {
    let reason = format!("the receiver answered {status}");
    let refused = match status.as_u16() {
        200..300 => return Ok(()),
        408 | 425 | 429 | 500.. => SinkError::retry(reason),
        ..=399 | 401 | 403 | 404 | 405 | 407 | 410 => SinkError::stop(reason),
        _ => SinkError::reject(reason),
    };
    let delay = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| retry_after(text, now));
    Err(match delay {
        Some(delay) => refused.after(delay),
        None => refused,
    })
}

/// How long from `now` a `Retry-After` asks for: seconds, or until a date.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Reads what else there is of an answer, so that the connection can be used again. What becomes of
/// it changes nothing: the status was the answer.
async fn finish(mut answer: Response) {
    let mut bytes = 0;
    while let Ok(Some(chunk)) = answer.chunk().await {
        bytes += chunk.len();
        if bytes > BODY_BYTES_MAX {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_wait_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let wait = |text| retry_after(text, now);
        assert_eq!(wait("120"), Some(Duration::from_mins(2)));
        assert_eq!(wait(" 0 "), Some(Duration::ZERO));
        let date = "Sun, 06 Nov 1994 08:51:37 GMT";
        assert_eq!(wait(date), Some(Duration::from_mins(2)));
        let past = "Sun, 06 Nov 1994 08:00:00 GMT";
        assert_eq!(wait(past), Some(Duration::ZERO));
        for nonsense in ["", "-1", "soon", "1.5"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn an_address_is_http_or_https() {
        for url in ["http://localhost/a", "https://example.net"] {
            assert!(Webhook::new(url).is_ok(), "{url}");
        }
        for url in ["", "localhost", "ftp://example.net", "file:///etc"] {
            let refused = Webhook::new(url).expect_err(url);
            assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{url}");
        }
    }

    #[test]
    fn a_header_with_a_line_end_is_refused_without_being_shown() {
        let hook = Webhook::new("http://localhost").expect("legal");
        let refused = hook.header("authorization", "a\r\nb").expect_err("illegal");
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        assert!(!refused.to_string().contains("a\r"));
    }
}
