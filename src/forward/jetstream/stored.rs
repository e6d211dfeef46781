//! The headers of a message: what says which event it is, written and read back.

use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use async_nats::header::{
    HeaderName, NATS_EXPECTED_LAST_MESSAGE_ID, NATS_EXPECTED_STREAM, NATS_MESSAGE_ID,
};

use crate::buffer::Delivery;

const QUEUE: HeaderName = HeaderName::from_static("Forebay-Queue");
const EPOCH: HeaderName = HeaderName::from_static("Forebay-Epoch");
const SEQUENCE: HeaderName = HeaderName::from_static("Forebay-Sequence");
const KIND: HeaderName = HeaderName::from_static("Forebay-Kind");
const ENQUEUED_AT: HeaderName = HeaderName::from_static("Forebay-Enqueued-At");

/// The headers that `delivery` is published with, to be stored in `stream` only, and only after
/// `previous` where there is one.
pub(super) fn headers<T>(
    delivery: &Delivery<T>,
    id: &str,
    stream: &str,
    previous: Option<&str>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_EXPECTED_STREAM, stream);
    if !id.is_empty() {
        headers.insert(NATS_MESSAGE_ID, id);
    }
    if let Some(previous) = previous {
        headers.insert(NATS_EXPECTED_LAST_MESSAGE_ID, previous);
    }
    if let Some(record) = delivery.record {
        headers.insert(QUEUE, record.queue.to_string());
        headers.insert(EPOCH, record.epoch.to_string());
        headers.insert(SEQUENCE, record.sequence.to_string());
    }
    headers.insert(KIND, delivery.kind.to_string());
    headers.insert(ENQUEUED_AT, nanoseconds(delivery.enqueued_at).to_string());
    headers
}

fn nanoseconds(time: SystemTime) -> u128 {
    let since = time.duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_nanos()
}

/// Which event the last message of a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    id: String,
    record: Option<StoredRecord>,
}

/// The record that it was, as texts: they are only ever compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StoredRecord {
    queue: String,
    epoch: String,
    sequence: u64,
    /// Nanoseconds since 1970.
    enqueued_at: u128,
}

impl Stored {
    /// `None` when the message has no identity.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let text = |name: HeaderName| headers.get(name).map(ToString::to_string);
        Some(Self {
            id: headers.get(NATS_MESSAGE_ID)?.to_string(),
            record: text(QUEUE).and_then(|queue| {
                Some(StoredRecord {
                    queue,
                    epoch: text(EPOCH)?,
                    sequence: text(SEQUENCE)?.parse().ok()?,
                    enqueued_at: text(ENQUEUED_AT)?.parse().ok()?,
                })
            }),
        })
    }

    /// How many of the first events of `run` a stream of one writer that ends with this holds.
    pub(super) fn count_held<T>(&self, run: &[Delivery<T>]) -> usize {
        let held = run.iter().take_while(|one| self.covers(&one.id(), one));
        held.count()
    }

    /// Whether a stream of one writer that ends with this holds the event `id`: it is this one, or was
    /// before it in the same run of the same log.
    ///
    /// Two copies of a directory that both go on may call different events the same. What cannot
    /// have been before, by its id or by its time, is sent; the server knows it if it is there.
    fn covers<T>(&self, id: &str, delivery: &Delivery<T>) -> bool {
        if self.id == id {
            return true;
        }
        let (Some(stored), Some(record)) = (&self.record, delivery.record) else {
            return false;
        };
        stored.sequence > record.sequence.get()
            && stored.enqueued_at >= nanoseconds(delivery.enqueued_at)
            && stored.epoch == record.epoch.to_string()
            && stored.queue == record.queue.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::position::{Epoch, QueueId, RecordId, Sequence};

    fn delivery(sequence: u64) -> Delivery<()> {
        Delivery {
            event: (),
            payload: Vec::new(),
            kind: 3,
            enqueued_at: UNIX_EPOCH + Duration::from_nanos(17),
            record: Some(RecordId {
                queue: QueueId::new([1; 16]),
                epoch: Epoch::new(7),
                sequence: Sequence::new(sequence),
            }),
            key: None,
        }
    }

    fn covers(last: &Stored, delivery: &Delivery<()>) -> bool {
        last.covers(&delivery.id(), delivery)
    }

    fn stored(delivery: &Delivery<()>) -> Stored {
        let headers = headers(delivery, &delivery.id(), "STREAM", None);
        Stored::read(&headers).expect("an identity")
    }

    #[test]
    fn headers_name_the_record_its_kind_and_its_time() {
        let headers = headers(&delivery(5), "id", "STREAM", Some("before"));
        let text = |name: &str| headers.get(name).expect(name).to_string();
        assert_eq!(text("Nats-Msg-Id"), "id");
        assert_eq!(text("Nats-Expected-Stream"), "STREAM");
        assert_eq!(text("Nats-Expected-Last-Msg-Id"), "before");
        assert_eq!(text("Forebay-Queue"), "01".repeat(16));
        assert_eq!(text("Forebay-Epoch"), "0000000000000007");
        assert_eq!(text("Forebay-Sequence"), "5");
        assert_eq!(text("Forebay-Kind"), "3");
        assert_eq!(text("Forebay-Enqueued-At"), "17");
    }

    #[test]
    fn an_event_without_identity_or_predecessor_has_no_such_headers() {
        let without = Delivery {
            record: None,
            ..delivery(5)
        };
        let headers = headers(&without, &without.id(), "STREAM", None);
        for name in [
            "Nats-Msg-Id",
            "Nats-Expected-Last-Msg-Id",
            "Forebay-Sequence",
        ] {
            assert_eq!(headers.get(name), None, "{name}");
        }
        assert_eq!(Stored::read(&headers), None);
    }

    #[test]
    fn the_last_message_covers_earlier_records_of_its_run_of_its_queue() {
        let last = stored(&delivery(5));
        let record = delivery(5).record.expect("there");
        let holds = |record: RecordId| {
            let delivery = Delivery {
                record: Some(record),
                ..delivery(5)
            };
            covers(&last, &delivery)
        };
        let at = |sequence| RecordId {
            sequence: Sequence::new(sequence),
            ..record
        };
        assert!(holds(at(0)) && holds(at(5)));
        assert!(!holds(at(6)));
        assert!(!holds(RecordId {
            epoch: Epoch::new(8),
            ..at(4)
        }));
        assert!(!holds(RecordId {
            queue: QueueId::new([2; 16]),
            ..at(4)
        }));
    }

    #[test]
    fn what_another_copy_of_the_queue_calls_the_same_is_not_covered() {
        let last = stored(&Delivery {
            key: Some([1; 16]),
            ..delivery(5)
        });
        assert!(!covers(&last, &delivery(5)));
        assert!(covers(&last, &delivery(4)));
        let later = UNIX_EPOCH + Duration::from_nanos(18);
        let younger = Delivery {
            enqueued_at: later,
            ..delivery(4)
        };
        assert!(!covers(&last, &younger));
    }

    #[test]
    fn an_event_with_a_key_is_covered_by_itself_alone() {
        let with_key = |byte| Delivery {
            key: Some([byte; 16]),
            record: None,
            ..delivery(5)
        };
        let last = stored(&with_key(1));
        assert!(covers(&last, &with_key(1)));
        assert!(!covers(&last, &with_key(2)));
    }
}
