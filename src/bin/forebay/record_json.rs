//! A record as a JSON object: what `dump`, `tail` and `export` write, and `import` reads.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forebay::{Epoch, Record, Sequence};
use serde::{Deserialize, Serialize};

use crate::facts::{bytes_called, epoch_called, unix_ns};
use crate::units;

/// One record. The payload is text where it can be.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordJson<'a> {
    sequence: u64,
    epoch: String,
    kind: u16,
    enqueued_unix_ns: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    base64: Option<Cow<'a, str>>,
}

/// What such an object says, with the payload's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RecordFields<'a> {
    pub(crate) sequence: Sequence,
    pub(crate) epoch: Epoch,
    pub(crate) kind: u16,
    pub(crate) enqueued_unix_ns: u64,
    pub(crate) key: Option<[u8; 16]>,
    pub(crate) payload: Cow<'a, [u8]>,
}

impl<'a> RecordJson<'a> {
    pub(crate) fn of(record: &Record<'a>) -> Self {
        let (text, base64) = match PayloadJson::of(record.payload) {
            PayloadJson::Text(text) => (Some(text), None),
            PayloadJson::Base64(base64) => (None, Some(base64)),
        };
        Self {
            sequence: record.sequence.get(),
            epoch: record.epoch.to_string(),
            kind: record.kind,
            enqueued_unix_ns: unix_ns(record.enqueued_at),
            key: record.key.map(|key| units::hex(&key)),
            text: text.map(Cow::Borrowed),
            base64: base64.map(Cow::Owned),
        }
    }

    /// What the object in `line` says, or what is wrong with it.
    pub(crate) fn read(line: &'a [u8]) -> Result<RecordFields<'a>, String> {
        let object: Self = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let payload = match (object.text, object.base64) {
            (Some(Cow::Borrowed(text)), None) => Cow::Borrowed(text.as_bytes()),
            (Some(Cow::Owned(text)), None) => Cow::Owned(text.into_bytes()),
            (None, Some(base64)) => STANDARD
                .decode(base64.as_bytes())
                .map(Cow::Owned)
                .map_err(|error| format!("base64: {error}"))?,
            _ => return Err("expected either text or base64".to_owned()),
        };
        let key = object.key.map(|key| {
            bytes_called(&key).ok_or_else(|| "key: expected 32 hexadecimal digits".to_owned())
        });
        let epoch = epoch_called(&object.epoch);
        Ok(RecordFields {
            sequence: Sequence::new(object.sequence),
            epoch: epoch.ok_or("epoch: expected 16 hexadecimal digits")?,
            kind: object.kind,
            enqueued_unix_ns: object.enqueued_unix_ns,
            key: key.transpose()?,
            payload,
        })
    }
}

/// A payload as one field.
#[derive(Debug)]
pub(crate) enum PayloadJson<'a> {
    Text(&'a str),
    Base64(String),
}

impl<'a> PayloadJson<'a> {
    pub(crate) fn of(payload: &'a [u8]) -> Self {
        match std::str::from_utf8(payload) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Base64(STANDARD.encode(payload)),
        }
    }

    /// The field's name and what it says.
    pub(crate) fn field(self) -> (&'static str, Cow<'a, str>) {
        match self {
            Self::Text(text) => ("text", text.into()),
            Self::Base64(base64) => ("base64", base64.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::append_line;

    /// A queue of one record with this payload, and the line of it.
    fn line_of(payload: &[u8], key: Option<[u8; 16]>) -> (String, u64) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("queue");
        let queue = forebay::Queue::open(&path).expect("a queue");
        let entry = forebay::Entry::new(payload).kind(9);
        match key {
            Some(key) => queue.enqueue_once(key, entry),
            None => queue.enqueue(entry),
        }
        .expect("a record");
        let mut follower = forebay::Follower::open(&path).expect("a follower");
        let record = follower.next().expect("whole").expect("the record");
        let mut line = Vec::new();
        append_line(&RecordJson::of(&record), &mut line);
        let line = String::from_utf8(line).expect("text");
        (line, unix_ns(record.enqueued_at))
    }

    #[test]
    fn a_record_comes_back_from_its_line_to_the_last_byte_and_nanosecond() {
        let key = Some(std::array::from_fn(|at| {
            u8::try_from(at).map_or(0, |at| at * 17)
        }));
        for payload in [&b"plain"[..], b"", b"\"quotes\"\n\x00\xc3\xa4", b"\xff\xfe"] {
            for key in [None, key] {
                let (line, enqueued_unix_ns) = line_of(payload, key);
                assert!(
                    line.ends_with("}\n") && line.matches('\n').count() == 1,
                    "{line}"
                );
                let fields = RecordJson::read(line.trim_end().as_bytes()).expect("a record");
                assert_eq!(fields.payload, payload);
                assert_eq!((fields.sequence.get(), fields.kind), (0, 9));
                assert_eq!(
                    (fields.enqueued_unix_ns, fields.key),
                    (enqueued_unix_ns, key)
                );
                assert_eq!(fields.epoch.counter(), 1);
            }
        }
    }

    #[test]
    fn the_payload_is_text_where_it_can_be() {
        assert!(
            line_of(b"{\"a\":1}", None)
                .0
                .contains(r#""text":"{\"a\":1}"}"#)
        );
        assert!(line_of(b"\xff\xfe", None).0.contains(r#""base64":"//4="}"#));
    }

    #[test]
    fn what_is_no_record_says_why() {
        let whole =
            r#"{"sequence":1,"epoch":"0000000100000002","kind":0,"enqueued_unix_ns":3,"text":"x"}"#;
        assert!(RecordJson::read(whole.as_bytes()).is_ok());
        for (from, to, word) in [
            ("\"text\":\"x\"", "\"base64\":\"?\"", "base64"),
            (",\"text\":\"x\"", "", "either text or base64"),
            (
                "\"text\"",
                "\"base64\":\"eA==\",\"text\"",
                "either text or base64",
            ),
            ("0000000100000002", "1", "epoch"),
            ("0000000100000002", "+000000100000002", "epoch"),
            ("\"text\"", "\"key\":\"ab\",\"text\"", "key"),
            ("\"text\"", "\"note\":1,\"text\"", "note"),
            ("\"kind\":0", "\"kind\":65536", "65536"),
        ] {
            assert!(whole.contains(from), "{from}");
            let why = RecordJson::read(whole.replace(from, to).as_bytes()).expect_err(to);
            assert!(why.contains(word), "{why}");
        }
    }
}
