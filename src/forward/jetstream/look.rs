//! Looking at the stream itself: whether it is there, and what it ends with.

use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishError;

use super::stored::Stored;
use super::subject::matches;
use super::{Route, Writers, refusal};
use crate::buffer::SinkError;

/// What was seen.
pub(super) struct Found {
    /// The last message, where it says which event it is.
    pub(super) last: Option<Stored>,
}

/// Looks at the stream of `route`, and makes it where it is missing and that is wanted.
pub(super) async fn look<T>(context: &Context, route: &Route<T>) -> Result<Found, SinkError> {
    let stream = match context.get_stream(&route.stream).await {
        Ok(stream) => stream,
        Err(why) => match (refusal::of_look(why), &route.create) {
            (Some(refused), _) => return Err(refused),
            (None, Some(config)) => {
                let made = context.create_stream(config.clone()).await;
                made.map_err(refusal::of_create)?;
                return Ok(Found { last: None });
            }
            (None, None) => {
                let what = format!("there is no stream `{}`", route.stream);
                return Err(SinkError::stop(what));
            }
        },
    };
    let state = &stream.cached_info().state;
    // What others wrote last says nothing of ours.
    if route.writers == Writers::Many || state.messages == 0 {
        return Ok(Found { last: None });
    }
    match stream.get_raw_message(state.last_sequence).await {
        Ok(message) => Ok(Found {
            last: Stored::read(&message.headers),
        }),
        Err(why) => match refusal::of_last(why) {
            Some(refused) => Err(refused),
            None => Ok(Found { last: None }),
        },
    }
}

/// What to say when no stream listens on `subject`: the stream may be missing, may not take the
/// subject, or may only just be starting.
pub(super) async fn nobody_listens<T>(
    context: &Context,
    route: &Route<T>,
    subject: &str,
    why: PublishError,
) -> SinkError {
    match context.get_stream(&route.stream).await {
        Ok(stream) => {
            let filters = &stream.cached_info().config.subjects;
            if filters.iter().any(|filter| matches(filter, subject)) {
                return refusal::of_publish(why);
            }
            let what = format!("the stream `{}` does not take `{subject}`", route.stream);
            SinkError::stop(what)
        }
        Err(unseen) => match (refusal::of_look(unseen), &route.create) {
            (Some(refused), _) => refused,
            // It is made before the next event is sent.
            (None, Some(_)) => refusal::of_publish(why),
            (None, None) => SinkError::stop(format!("there is no stream `{}`", route.stream)),
        },
    }
}
