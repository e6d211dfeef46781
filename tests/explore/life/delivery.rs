//! What the consumer gets, held against what it was promised.

use std::sync::Arc;

use forebay::{Consumer, GapReason};

use super::{CONSUMER, Judged, Life, require};

impl Life {
    pub(super) fn consumer(&mut self) -> Judged<Consumer> {
        if let Some(consumer) = self.consumer.take() {
            return Ok(consumer);
        }
        self.expect_floor()?;
        let queue = self.queue()?;
        let consumer = queue.consumer(CONSUMER);
        let consumer = consumer.map_err(|error| format!("the consumer is not there: {error}"))?;
        let ledger = Arc::make_mut(&mut self.ledger);
        let start = consumer.next_sequence().get();
        let least = ledger.acks.written;
        let most = ledger.acks.tried;
        require!(
            least <= start && start <= most,
            "the cursor is at {start}, not in {least}..={most}"
        );
        // From here on it is where it is.
        ledger.acks.exists = true;
        ledger.acks.written = start;
        ledger.acks.tried = ledger.acks.tried.max(start);
        self.recorder.promise(&self.ledger);
        Ok(consumer)
    }

    /// A consumer is about to be told of what was dropped: told, it never goes back.
    fn expect_floor(&mut self) -> Judged<u64> {
        let floor = self.floor()?;
        let ledger = Arc::make_mut(&mut self.ledger);
        ledger.acks.tried = ledger.acks.tried.max(floor);
        self.recorder.expect(&self.ledger);
        Ok(floor)
    }

    /// Hands out and acknowledges up to `max` records; how many there were.
    pub(super) fn deliver(&mut self, max: usize) -> Judged<usize> {
        let mut consumer = self.consumer()?;
        let before = consumer.next_sequence().get();
        let floor = self.expect_floor()?;
        let batch = consumer
            .peek_batch(max)
            .map_err(|error| format!("reading: {error}"))?;
        let count = batch.len();
        let mut expected = batch.get(0).map_or(before, |first| first.sequence.get());
        require!(
            expected == before || expected <= floor && expected > before,
            "delivers {expected} after {before}, with the floor at {floor}"
        );
        let ledger = Arc::make_mut(&mut self.ledger);
        for record in batch.iter() {
            let sequence = record.sequence.get();
            require!(
                sequence == expected,
                "delivers {sequence}, {expected} was due"
            );
            require!(
                sequence < ledger.next(),
                "delivers {sequence}, which is beyond the log"
            );
            let entry = ledger.at(sequence);
            require!(
                record.epoch.get() == entry.epoch
                    && record.kind == entry.kind()
                    && entry.payload() == record.payload,
                "delivers another record as {sequence}: {:?}",
                String::from_utf8_lossy(&record.payload[..record.payload.len().min(20)])
            );
            ledger.name(sequence)?;
            expected += 1;
        }
        let first = expected - count as u64;
        // Delivered is durable, and must stay.
        ledger.note_durable(expected);
        ledger.acks.tried = ledger.acks.tried.max(expected);
        self.recorder.promise(&self.ledger);
        if count > 0 {
            let last = forebay::Sequence::new(expected - 1);
            consumer
                .ack_through(last)
                .map_err(|error| format!("ack: {error}"))?;
            self.moved.first = true;
        }
        let mut told = before;
        for gap in consumer.take_gaps() {
            told = told.max(gap.range.end.get());
            require!(
                gap.reason == GapReason::Dropped,
                "a gap of another reason: {gap:?}"
            );
        }
        require!(
            told >= first,
            "nothing is told of what is missing from {told} to {first}"
        );
        let ledger = Arc::make_mut(&mut self.ledger);
        ledger.acks.written = expected.max(consumer.next_sequence().get());
        self.recorder.promise(&self.ledger);
        self.consumer = Some(consumer);
        Ok(count)
    }

    pub(super) fn seek(&mut self) -> Judged {
        let mut consumer = self.consumer()?;
        let next = self.queue()?.next();
        let ledger = Arc::make_mut(&mut self.ledger);
        ledger.acks.tried = ledger.acks.tried.max(next.get());
        self.recorder.expect(&self.ledger);
        let sought = consumer.seek(next);
        sought.map_err(|error| format!("seek: {error}"))?;
        Arc::make_mut(&mut self.ledger).acks.written = next.get();
        self.recorder.promise(&self.ledger);
        self.moved.first = true;
        self.consumer = Some(consumer);
        Ok(())
    }

    /// Hands out everything, which must be everything.
    pub(crate) fn drain(&mut self) -> Judged {
        while self.deliver(64)? > 0 {}
        let at = self.ledger.acks.written;
        let next = self.ledger.next();
        require!(
            at == next,
            "nothing is delivered from {at} on, the log ends at {next}"
        );
        self.note_durable()
    }
}
