//! Events to bytes and back. The one file that knows `bincode`.

use crate::error::{Error, ErrorKind};
use crate::position::Sequence;

/// Why a codec could not do it.
pub type CodecError = Box<dyn std::error::Error + Send + Sync>;

/// Turns events into bytes and back.
///
/// # Examples
///
/// ```
/// use forebay::{Codec, CodecError};
///
/// struct Utf8;
///
/// impl Codec<String> for Utf8 {
///     fn encode(&self, event: &String, out: &mut Vec<u8>) -> Result<(), CodecError> {
///         out.extend_from_slice(event.as_bytes());
///         Ok(())
///     }
///
///     fn decode(&self, bytes: &[u8]) -> Result<String, CodecError> {
///         Ok(std::str::from_utf8(bytes)?.to_owned())
///     }
/// }
/// ```
pub trait Codec<T> {
    /// Appends the bytes of `event` to `out`.
    ///
    /// # Errors
    ///
    /// Whatever keeps the event from being encoded; nothing is enqueued then.
    fn encode(&self, event: &T, out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// The event in `bytes`.
    ///
    /// # Errors
    ///
    /// Whatever keeps the bytes from being an event.
    fn decode(&self, bytes: &[u8]) -> Result<T, CodecError>;
}

/// The error of an event that its codec does not know.
pub(super) fn undecodable(sequence: Sequence, why: &CodecError) -> Error {
    let what = format!("the event {sequence} cannot be decoded: {why}");
    Error::new(ErrorKind::Decode, what)
}

/// The default codec: compact, for types whose serde form has every field always.
///
/// `bincode` writes no field names: with `#[serde(skip_serializing_if)]`, `#[serde(flatten)]` or a
/// changed type, what was written cannot be read. Use `Json` for those.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bincode;

impl<T: serde::Serialize + serde::de::DeserializeOwned> Codec<T> for Bincode {
    fn encode(&self, event: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let bytes = bincode::serde::encode_to_vec(event, bincode::config::standard())?;
        out.extend_from_slice(&bytes);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, CodecError> {
        // Without a limit a damaged length could ask for any amount of memory.
        let config = bincode::config::standard().with_limit::<{ 1 << 32 }>();
        let (event, used) = bincode::serde::decode_from_slice(bytes, config)?;
        if used == bytes.len() {
            Ok(event)
        } else {
            Err("bytes are left over".into())
        }
    }
}

/// A codec of field names and text: readable, and indifferent to the order of fields.
#[cfg(feature = "json")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

#[cfg(feature = "json")]
impl<T: serde::Serialize + serde::de::DeserializeOwned> Codec<T> for Json {
    fn encode(&self, event: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        Ok(serde_json::to_writer(out, event)?)
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, CodecError> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// No encoding at all: events are bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bytes;

impl Codec<Vec<u8>> for Bytes {
    fn encode(&self, event: &Vec<u8>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(event);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
        Ok(bytes.to_vec())
    }
}
