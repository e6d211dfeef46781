//! What is enqueued: bytes, and a kind if the user has kinds.

use std::borrow::Cow;

/// A record before it is in the queue.
///
/// # Examples
///
/// ```
/// use forebay::Entry;
///
/// let plain = Entry::from("payload");
/// let marked = Entry::new(b"payload").kind(7);
/// assert_ne!(plain, marked);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an entry is not in the queue until it is enqueued"]
pub struct Entry<'a> {
    pub(super) payload: Cow<'a, [u8]>,
    pub(super) kind: u16,
}

impl<'a> Entry<'a> {
    /// An entry of kind 0.
    pub fn new(payload: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            payload: Cow::Borrowed(payload.as_ref()),
            kind: 0,
        }
    }

    /// Gives the entry a kind, by which consumers can tell records apart. Default: 0.
    pub fn kind(mut self, kind: u16) -> Self {
        self.kind = kind;
        self
    }
}

impl<'a> From<&'a [u8]> for Entry<'a> {
    fn from(payload: &'a [u8]) -> Self {
        Self {
            payload: Cow::Borrowed(payload),
            kind: 0,
        }
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Entry<'a> {
    fn from(payload: &'a [u8; N]) -> Self {
        Self {
            payload: Cow::Borrowed(payload),
            kind: 0,
        }
    }
}

impl<'a> From<&'a Vec<u8>> for Entry<'a> {
    fn from(payload: &'a Vec<u8>) -> Self {
        Self {
            payload: Cow::Borrowed(payload),
            kind: 0,
        }
    }
}

impl From<Vec<u8>> for Entry<'_> {
    fn from(payload: Vec<u8>) -> Self {
        Self {
            payload: Cow::Owned(payload),
            kind: 0,
        }
    }
}

impl<'a> From<&'a str> for Entry<'a> {
    fn from(payload: &'a str) -> Self {
        Self {
            payload: Cow::Borrowed(payload.as_bytes()),
            kind: 0,
        }
    }
}

impl<'a> From<&'a String> for Entry<'a> {
    fn from(payload: &'a String) -> Self {
        Self {
            payload: Cow::Borrowed(payload.as_bytes()),
            kind: 0,
        }
    }
}

impl From<String> for Entry<'_> {
    fn from(payload: String) -> Self {
        Self {
            payload: Cow::Owned(payload.into_bytes()),
            kind: 0,
        }
    }
}

impl<'a> From<&Entry<'a>> for Entry<'a> {
    fn from(entry: &Entry<'a>) -> Self {
        entry.clone()
    }
}
