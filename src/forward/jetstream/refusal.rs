//! What a server's refusal asks for.
//!
//! Told by kinds and codes. What is not known of a code follows its class: 5xx may pass, 4xx does
//! not without somebody's help.

use async_nats::jetstream::context::{
    CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind, PublishError,
    PublishErrorKind,
};
use async_nats::jetstream::stream::{LastRawMessageError, LastRawMessageErrorKind};
use async_nats::jetstream::{self, ErrorCode};

use crate::buffer::{Refusal, SinkError};

/// This message can never be stored.
const HOPELESS: &[ErrorCode] = &[
    ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM,
    ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM,
];
/// These pass by themselves, whatever their class.
const PASSING: &[ErrorCode] = &[
    ErrorCode::STREAM_WRONG_LAST_MESSAGE_ID,
    ErrorCode::STREAM_WRONG_LAST_SEQUENCE,
    ErrorCode::STREAM_DUPLICATE_MESSAGE_CONFLICT,
    ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
    ErrorCode::STREAM_STORE_FAILED,
    ErrorCode::CLUSTER_NOT_LEADER,
    ErrorCode::CLUSTER_NOT_ACTIVE,
    ErrorCode::CLUSTER_NO_PEERS,
    // Somebody else has just made it.
    ErrorCode::STREAM_NAME_EXIST,
];
/// These do not, whatever their class.
const LASTING: &[ErrorCode] = &[
    ErrorCode::JETSTREAM_NOT_ENABLED,
    ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT,
    ErrorCode::NO_ACCOUNT,
    ErrorCode::STREAM_SEALED,
    ErrorCode::STREAM_NOT_FOUND,
    ErrorCode::STREAM_NOT_MATCH,
];

/// An error of that sort, because of `reason`.
pub(super) fn refuse(
    refusal: Refusal,
    reason: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SinkError {
    match refusal {
        Refusal::Retry => SinkError::retry(reason),
        Refusal::Reject => SinkError::reject(reason),
        Refusal::Stop => SinkError::stop(reason),
    }
}

fn by_code(error: &jetstream::Error) -> Refusal {
    let code = error.error_code();
    if HOPELESS.contains(&code) {
        Refusal::Reject
    } else if LASTING.contains(&code) {
        Refusal::Stop
    } else if PASSING.contains(&code) || error.code() >= 500 {
        Refusal::Retry
    } else {
        Refusal::Stop
    }
}

/// Of a message that was published, or was to be.
pub(super) fn of_publish(error: PublishError) -> SinkError {
    let refusal = match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => Refusal::Reject,
        // Nobody listens: also for a moment after a server has started.
        PublishErrorKind::StreamNotFound
        | PublishErrorKind::WrongLastMessageId
        | PublishErrorKind::WrongLastSequence
        | PublishErrorKind::TimedOut
        | PublishErrorKind::BrokenPipe
        | PublishErrorKind::MaxAckPending => Refusal::Retry,
        // Without a code: the client is closed, or what answers is no stream.
        PublishErrorKind::Other => std::error::Error::source(&error)
            .and_then(|source| source.downcast_ref::<jetstream::Error>())
            .map_or(Refusal::Stop, by_code),
    };
    refuse(refusal, error)
}

/// Of a look at the stream; `None` when there is no such stream.
pub(super) fn of_look(error: GetStreamError) -> Option<SinkError> {
    let refusal = match error.kind() {
        GetStreamErrorKind::JetStream(why) if why.error_code() == ErrorCode::STREAM_NOT_FOUND => {
            return None;
        }
        GetStreamErrorKind::JetStream(why) => by_code(&why),
        GetStreamErrorKind::Request => Refusal::Retry,
        GetStreamErrorKind::EmptyName | GetStreamErrorKind::InvalidStreamName => Refusal::Stop,
    };
    Some(refuse(refusal, error))
}

/// Of the wish for a new stream.
pub(super) fn of_create(error: CreateStreamError) -> SinkError {
    let refusal = match error.kind() {
        CreateStreamErrorKind::JetStream(why) => by_code(&why),
        CreateStreamErrorKind::JetStreamUnavailable
        | CreateStreamErrorKind::TimedOut
        | CreateStreamErrorKind::Response
        | CreateStreamErrorKind::NotFound
        | CreateStreamErrorKind::ResponseParse => Refusal::Retry,
        CreateStreamErrorKind::EmptyStreamName
        | CreateStreamErrorKind::InvalidStreamName
        | CreateStreamErrorKind::DomainAndExternalSet => Refusal::Stop,
    };
    refuse(refusal, error)
}

/// Of a look at the stream's last message; `None` when it is gone.
pub(super) fn of_last(error: LastRawMessageError) -> Option<SinkError> {
    let refusal = match error.kind() {
        LastRawMessageErrorKind::NoMessageFound => return None,
        LastRawMessageErrorKind::JetStream(why) => by_code(&why),
        LastRawMessageErrorKind::InvalidSubject => Refusal::Stop,
        LastRawMessageErrorKind::Other => Refusal::Retry,
    };
    Some(refuse(refusal, error))
}
