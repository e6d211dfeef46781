//! How far a consumer is behind.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::log::{Log, Place};

/// What a consumer has not acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lag {
    /// Records: an upper bound, because some may turn out dropped, or of a kind that the consumer
    /// is not given.
    pub records: u64,
    /// Frame bytes of those records; `None` where damage hides the consumer's place.
    pub bytes: Option<u64>,
    /// How long ago the oldest of them was enqueued, by the clock of the machine; `None` when there
    /// is none, or it cannot be read.
    pub age: Option<Duration>,
}

/// How far the consumer `name` is behind.
pub(crate) fn lag_of(log: &Log, name: &str) -> Result<Lag> {
    log.check()?;
    let Some(place) = log.floor().consumer(name) else {
        let what = format!("there is no consumer {name:?} with a cursor that can be read");
        return Err(Error::new(ErrorKind::NotFound, what));
    };
    lag_at(log, place)
}

/// How far a consumer at `place` is behind.
pub(super) fn lag_at(log: &Log, place: Place) -> Result<Lag> {
    let dropped = log.floor().dropped_to();
    let place = if dropped.sequence > place.sequence {
        dropped
    } else {
        place
    };
    let place = log.placed(place)?;
    let bytes = place.log_bytes;
    Ok(Lag {
        records: log.next().since(place.sequence),
        bytes: bytes.map(|below| log.log_bytes().saturating_sub(below)),
        age: log.age_of(place.sequence)?,
    })
}
