//! A value of the chain that was witnessed elsewhere, and what the queue says to it.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::found::{Finding, Severity};
use crate::error::{Error, ErrorKind};
use crate::format::{Chain, Integrity};
use crate::position::Sequence;

/// The chain at some sequence, written `SEQUENCE:HASH` with the hash in 64 hexadecimal digits.
///
/// # Examples
///
/// ```
/// use forebay::Sequence;
/// use forebay::inspect::Anchor;
///
/// let text = format!("17:{}", "ab".repeat(32));
/// let anchor: Anchor = text.parse()?;
/// assert_eq!(anchor.sequence, Sequence::new(17));
/// assert_eq!(anchor.to_string(), text);
/// assert!("17:ab".parse::<Anchor>().is_err());
/// # Ok::<(), forebay::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The hash covers every record below.
    pub sequence: Sequence,
    /// The chain's value there.
    pub hash: [u8; 32],
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.sequence)?;
        self.hash
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Anchor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| {
            let what = format!("expected SEQUENCE:HASH with 64 hexadecimal digits, found {text:?}");
            Error::new(ErrorKind::InvalidInput, what)
        })
    }
}

fn parse(text: &str) -> Option<Anchor> {
    let (sequence, digits) = text.trim().split_once(':')?;
    let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if digits.len() != 64 || !is_hexadecimal {
        return None;
    }
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        let start = at.saturating_mul(2);
        *byte = u8::from_str_radix(digits.get(start..start.saturating_add(2))?, 16).ok()?;
    }
    Some(Anchor {
        sequence: Sequence::new(sequence.parse().ok()?),
        hash,
    })
}

/// What became of an [`Anchor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnchorOutcome {
    /// The retained records below the anchor are those that it was taken over.
    Proven,
    /// The chain has another value there: the history is not the one that was witnessed.
    Differs {
        /// The value there.
        found: [u8; 32],
    },
    /// The chain has the value, but it does not lead there without a break: only the records from
    /// this one on are proven.
    ProvenFrom(Sequence),
    /// All records below the anchor are reclaimed, and so is the hash: nothing can be said.
    Reclaimed,
    /// The log does not go that far, or not durably.
    Beyond,
    /// The record in front of the anchor cannot be read.
    Unreadable,
    /// The queue has no chain.
    NoChain,
}

/// What is known of the chain when everything was walked.
pub(super) struct Witness<'a> {
    pub(super) integrity: Integrity,
    pub(super) first: Sequence,
    pub(super) durable: Sequence,
    /// The chain at the anchor, where it was met.
    pub(super) chain: Option<Chain>,
    pub(super) findings: &'a [Finding],
    /// Records that were given up: behind them the chain is taken as given.
    pub(super) gaps: &'a [Range<Sequence>],
}

impl Witness<'_> {
    pub(super) fn judge(&self, anchor: Anchor) -> AnchorOutcome {
        if self.integrity != Integrity::Chained {
            return AnchorOutcome::NoChain;
        }
        if anchor.sequence > self.durable {
            return AnchorOutcome::Beyond;
        }
        if anchor.sequence < self.first {
            return AnchorOutcome::Reclaimed;
        }
        let Some(chain) = self.chain else {
            return AnchorOutcome::Unreadable;
        };
        let found = chain.bytes();
        if found != anchor.hash {
            return AnchorOutcome::Differs { found };
        }
        self.proven_from(anchor.sequence)
            .map_or(AnchorOutcome::Proven, AnchorOutcome::ProvenFrom)
    }

    /// The record behind the last break below `limit`.
    fn proven_from(&self, limit: Sequence) -> Option<Sequence> {
        let breaks = self.findings.iter().filter(|finding| {
            let matters = matches!(finding.severity, Severity::Loss | Severity::Tampering);
            matters && finding.range.start < limit
        });
        let gaps = self.gaps.iter().filter(|gap| gap.start < limit);
        let gaps = gaps.map(|gap| gap.end);
        breaks.map(|finding| finding.range.end).chain(gaps).max()
    }
}
