//! Events to bytes and back, and what happens when they do not come back.

use std::collections::BTreeMap;

use forebay::{Bincode, BufferConfig, Bytes, Codec, CodecError, ErrorKind, EventBuffer, Json};
use serde::{Deserialize, Serialize};

use super::{Plain, drain};
use crate::scene::{at, folder, refused};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct AuditEvent {
    number: u64,
    who: String,
    tags: BTreeMap<String, Vec<i32>>,
    note: Option<String>,
}

/// As the audit entries of the old buffer's users are declared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sparse {
    number: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    team: Option<String>,
}

fn event(number: u64) -> AuditEvent {
    AuditEvent {
        number,
        who: format!("ad\u{e4} {number}"),
        tags: BTreeMap::from([("a".to_owned(), vec![-1, 0, i32::MAX])]),
        note: number.is_multiple_of(2).then(String::new),
    }
}

#[test]
fn bincode_events_come_back_equal() -> forebay::Result<()> {
    let folder = folder();
    let buffer: EventBuffer<AuditEvent, Bincode> = EventBuffer::new(folder.path().join("b"), 50)?;
    let events: Vec<_> = (0..20).map(event).collect();
    events.iter().try_for_each(|event| buffer.enqueue(event))?;
    assert_eq!(drain(&buffer)?, events);
    Ok(())
}

#[test]
fn an_event_of_no_bytes_is_an_event() -> forebay::Result<()> {
    let folder = folder();
    let buffer: EventBuffer<()> = EventBuffer::new(folder.path().join("b"), 50)?;
    (0..3).try_for_each(|_| buffer.enqueue(&()))?;
    assert_eq!(drain(&buffer)?.len(), 3);
    Ok(())
}

#[test]
fn json_events_come_back_equal_also_with_skipped_fields() -> forebay::Result<()> {
    let folder = folder();
    let buffer: EventBuffer<Sparse, Json> = EventBuffer::new(folder.path().join("b"), 50)?;
    let events: Vec<_> = (0..6)
        .map(|number| Sparse {
            number,
            tenant: number.is_multiple_of(2).then(|| "t".to_owned()),
            team: number.is_multiple_of(3).then(|| "\"quoted\"".to_owned()),
        })
        .collect();
    events.iter().try_for_each(|event| buffer.enqueue(event))?;
    assert_eq!(drain(&buffer)?, events);
    Ok(())
}

#[test]
fn json_is_stored_as_its_text() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("b");
    let buffer: EventBuffer<Sparse, Json> = EventBuffer::new(&path, 50)?;
    buffer.enqueue(&Sparse::default())?;
    drop(buffer);
    let plain = Plain::new(&path, 50)?;
    assert_eq!(drain(&plain)?, [br#"{"number":0}"#.to_vec()]);
    Ok(())
}

#[test]
fn an_undecodable_event_is_an_error_that_names_its_sequence() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("b");
    let plain = Plain::new(&path, 50)?;
    for bytes in [&b"1"[..], b"2", b"not json", b"4", b"", b"6"] {
        plain.enqueue(&bytes.to_vec())?;
    }
    drop(plain);
    let buffer: EventBuffer<u32, Json> = EventBuffer::new(&path, 50)?;
    // What can be delivered before it is, and is counted.
    assert_eq!(drain(&buffer)?, [1, 2]);
    for _ in 0..2 {
        let never = |_| -> Result<(), ()> { panic!("nothing can be decoded") };
        let error = refused(buffer.drain(never), ErrorKind::Decode);
        assert!(error.to_string().contains("event 2 "), "{error}");
        assert_eq!(buffer.len()?, 4);
    }
    assert_eq!(buffer.skip()?, Some(at(2)));
    assert_eq!(drain(&buffer)?, [4]);
    let error = refused(drain(&buffer), ErrorKind::Decode);
    assert!(error.to_string().contains("event 4 "), "{error}");
    assert_eq!(buffer.skip()?, Some(at(4)));
    assert_eq!(drain(&buffer)?, [6]);
    assert_eq!(buffer.skip()?, None);
    Ok(())
}

#[test]
fn skipping_gives_up_exactly_the_first_event() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("b");
    let buffer = Plain::new(&path, 50)?;
    buffer.enqueue(&vec![1])?;
    buffer.enqueue(&vec![2])?;
    assert_eq!(buffer.skip()?, Some(at(0)));
    assert_eq!(buffer.len()?, 1);
    drop(buffer);
    assert_eq!(drain(&Plain::new(&path, 50)?)?, [vec![2]]);
    Ok(())
}

#[test]
fn bytes_left_over_are_not_an_event() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("b");
    let plain = Plain::new(&path, 50)?;
    plain.enqueue(&vec![1, 2, 3])?;
    drop(plain);
    let buffer: EventBuffer<u8> = EventBuffer::new(&path, 50)?;
    refused(drain(&buffer), ErrorKind::Decode);
    Ok(())
}

/// A codec that encodes nothing, or too much.
struct Unwilling;

impl Codec<usize> for Unwilling {
    fn encode(&self, event: &usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.resize(*event, 7);
        if *event == 13 {
            Err("unlucky".into())
        } else {
            Ok(())
        }
    }

    fn decode(&self, bytes: &[u8]) -> Result<usize, CodecError> {
        Ok(bytes.len())
    }
}

#[test]
fn an_event_that_cannot_be_encoded_changes_nothing() -> forebay::Result<()> {
    let folder = folder();
    let options = forebay::QueueOptions::new().max_record_bytes(20);
    let path = folder.path().join("b");
    let buffer = EventBuffer::with_codec(&path, 10, options, Unwilling)?;
    let error = refused(buffer.enqueue(&13), ErrorKind::Encode);
    assert!(error.to_string().contains("unlucky"), "{error}");
    refused(buffer.enqueue(&21), ErrorKind::RecordTooLarge);
    assert_eq!(buffer.len()?, 0);
    buffer.enqueue(&20)?;
    assert_eq!(drain(&buffer)?, [20]);
    Ok(())
}

#[test]
fn both_fields_of_the_configuration_are_optional() -> forebay::Result<()> {
    let config: BufferConfig = serde_json::from_str("{}").expect("no field is needed");
    assert_eq!(config, BufferConfig::default());
    assert_eq!(config.capacity, 10_000);
    assert!(config.path.ends_with("events.buffer"), "{:?}", config.path);
    let config: BufferConfig = serde_json::from_str(r#"{"path":"/x"}"#).expect("one field");
    assert_eq!(
        (config.path.to_str(), config.capacity),
        (Some("/x"), 10_000)
    );
    let text = serde_json::to_string(&config).expect("it is plain data");
    assert_eq!(config, serde_json::from_str(&text).expect("what it wrote"));

    let folder = folder();
    let config = BufferConfig {
        path: folder.path().join("missing/parents/b"),
        capacity: 3,
    };
    let buffer: EventBuffer<Vec<u8>, Bytes> = EventBuffer::from_config(&config)?;
    assert_eq!(buffer.capacity(), 3);
    assert!(config.path.join("QUEUE").is_file());
    Ok(())
}
