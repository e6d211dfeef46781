//! What is known of the connection, for whoever waits for it to go or to come back.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectErrorKind, Event, ServerError};
use tokio::sync::watch;

/// How often a connection that somebody else made is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// How the server begins the text that it sends instead of an answer; it has no code for it.
const FORBIDDEN: &str = "permissions violation for publish";

/// How the connection has fared.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    /// How often it was made.
    pub(super) connects: u64,
    /// How often it was lost.
    pub(super) losses: u64,
    /// What the server has refused for good, until somebody does something.
    pub(super) barred: Option<String>,
}

/// The shared view of one connection.
#[derive(Clone, Debug)]
pub(super) struct Link {
    fate: Arc<watch::Sender<Fate>>,
}

impl Link {
    pub(super) fn new() -> Self {
        Self {
            fate: Arc::new(watch::Sender::new(Fate::default())),
        }
    }

    pub(super) fn now(&self) -> Fate {
        self.fate.borrow().clone()
    }

    pub(super) fn losses(&self) -> u64 {
        self.fate.borrow().losses
    }

    /// Ready once the connection was lost after `losses` times, or the server has barred something.
    pub(super) async fn lost_after(&self, losses: u64) {
        self.until(|fate| fate.losses != losses || fate.barred.is_some())
            .await;
    }

    /// Ready once the connection was made more than `connects` times.
    pub(super) async fn made_after(&self, connects: u64) {
        self.until(|fate| fate.connects > connects).await;
    }

    /// Takes what was barred off the record, so that the next attempt is one.
    pub(super) fn forgive(&self) {
        self.fate.send_modify(|fate| fate.barred = None);
    }

    /// Hears what the client tells of a connection that is ours.
    pub(super) fn hear(&self, event: &Event) {
        self.fate.send_modify(|fate| match event {
            Event::Connected => {
                fate.connects += 1;
                fate.barred = None;
            }
            Event::Disconnected | Event::Closed => fate.losses += 1,
            Event::ServerError(ServerError::AuthorizationViolation) => {
                fate.barred = Some("the server refuses who we are".to_owned());
            }
            Event::ServerError(ServerError::Other(text))
                if text.to_lowercase().contains(FORBIDDEN) =>
            {
                fate.barred = Some(text.clone());
            }
            Event::ClientError(error) if is_denied(&error.to_string()) => {
                fate.barred = Some("the server refuses who we are".to_owned());
            }
            Event::ServerError(_)
            | Event::ClientError(_)
            | Event::SlowConsumer(_)
            | Event::LameDuckMode
            | Event::Draining => {}
        });
    }

    /// Looks at a connection that somebody else made, for as long as the sink is there.
    pub(super) fn watch(&self, client: &Client) {
        tokio::spawn(look(Arc::downgrade(&self.fate), client.clone()));
    }

    async fn until(&self, condition: impl FnMut(&Fate) -> bool) {
        if self.fate.subscribe().wait_for(condition).await.is_err() {
            // The other end is ours; it is not gone while we are here.
            std::future::pending::<()>().await;
        }
    }
}

/// Whether the client's own text is that of a server which refuses who we are: it passes on the
/// text of its kind of error, not the kind.
fn is_denied(text: &str) -> bool {
    [
        ConnectErrorKind::AuthorizationViolation,
        ConnectErrorKind::Authentication,
    ]
    .iter()
    .any(|kind| text.contains(&kind.to_string()))
}

async fn look(fate: Weak<watch::Sender<Fate>>, client: Client) {
    let mut connected = false;
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    loop {
        interval.tick().await;
        let Some(fate) = fate.upgrade() else { return };
        let now = client.connection_state() == State::Connected;
        match (connected, now) {
            (false, true) => fate.send_modify(|fate| fate.connects += 1),
            (true, false) => fate.send_modify(|fate| fate.losses += 1),
            (true, true) | (false, false) => {}
        }
        connected = now;
    }
}
