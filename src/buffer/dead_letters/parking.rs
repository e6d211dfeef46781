//! What becomes a dead letter, and how it gets there.

use super::letter::DeadLetter;
use super::{DeadLetters, key_of, make_durable};
use crate::buffer::sink::{Delivery, Refusal, SinkError};
use crate::error::Result;
use crate::position::RecordId;
use crate::queue::Entry;

/// What a drain does besides handing events to its sink.
///
/// # Examples
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// let letters = forebay::DeadLetters::open(folder.path().join("dead"))?;
/// let options = forebay::SendOptions::new().dead_letters(&letters).retries_max(5);
/// # Ok::<(), forebay::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until events are sent with them"]
pub struct SendOptions {
    letters: Option<DeadLetters>,
    retries_max: Option<u32>,
}

impl SendOptions {
    /// An event that is refused stays first, whatever the reason.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where events go that are refused with [`Refusal::Reject`]: the drain goes on behind them.
    /// Default: nowhere.
    pub fn dead_letters(mut self, letters: &DeadLetters) -> Self {
        self.letters = Some(letters.clone());
        self
    }

    /// How often an event that is refused with [`Refusal::Retry`] is tried again by this process,
    /// before it becomes a dead letter too. Default: for ever.
    pub fn retries_max(mut self, retries: u32) -> Self {
        self.retries_max = Some(retries);
        self
    }

    /// The letter that `delivery` is to become, and where it goes; `None` when it stays.
    pub(in crate::buffer) fn letter<T>(
        &self,
        delivery: Delivery<T>,
        refused: &SinkError,
    ) -> Option<(DeadLetters, DeadLetter)> {
        let letters = self.letters.as_ref()?;
        let attempts = letters.count_refusal(delivery.record?);
        let is_given_up = match refused.refusal() {
            Refusal::Reject => true,
            Refusal::Retry => self.retries_max.is_some_and(|most| attempts > most),
            Refusal::Stop => false,
        };
        let letter = DeadLetter::of(delivery, refused, attempts)?;
        is_given_up.then(|| (letters.clone(), letter))
    }
}

impl DeadLetters {
    /// How often `record` was refused, this time included. A drain ends at a refusal, so that it
    /// is enough to know the last one.
    fn count_refusal(&self, record: RecordId) -> u32 {
        let mut refused = self.shared.refused.lock();
        let before = refused.filter(|(last, _)| *last == record);
        let attempts = before.map_or(0, |(_, attempts)| attempts).saturating_add(1);
        *refused = Some((record, attempts));
        attempts
    }

    /// Keeps `letter`, durably. Done again, for an event that came again because a crash followed,
    /// it finds the letter that is there.
    pub(in crate::buffer) fn park(&self, letter: &DeadLetter) -> Result<()> {
        let queue = &self.shared.queue;
        let key = key_of("forebay 2026 dead letter parked", letter.record);
        let entry = Entry::from(letter.to_bytes()).kind(letter.kind);
        let sequence = queue.enqueue_once(key, entry)?;
        make_durable(queue, sequence)
    }
}
