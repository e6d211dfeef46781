//! What came of handing events to a sink.

use super::sink::SinkError;

/// What came of one drain, and why it ended.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Sent {
    /// How many events the sink accepted: they are removed.
    pub accepted: usize,
    /// How many events became dead letters: they are removed, too.
    pub parked: usize,
    /// Why the sink did not accept the event after all those, which is the first one waiting now.
    /// `None` where none was left, or the next one cannot be decoded.
    pub refused: Option<SinkError>,
}
