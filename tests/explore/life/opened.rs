//! What was just opened, and what is left of it at any time, held against what was promised.

use std::sync::Arc;

use forebay::Queue;

use super::second::SECOND;
use super::{CONSUMER, Ended, Judged, Life, require};
use crate::ledger::count_of;
use crate::workload::CAPACITY;

impl Life {
    pub(super) fn judge_opened(&mut self, queue: &Queue) -> Judged {
        let report = queue.recovery();
        let known = &self.ledger;
        let (next, epoch) = (queue.next().get(), queue.epoch().get());
        require!(
            report.corruption.is_empty(),
            "reported as corruption: {report:?}"
        );
        let least = known.written;
        require!(
            least <= next && next <= known.next(),
            "the log ends at {next}, not in {least}..={}: {report:?}",
            known.next()
        );
        require!(
            known.may_end_at(next),
            "half a batch: the log ends at {next}"
        );
        let (before, now) = (count_of(known.epoch), count_of(epoch));
        require!(
            now > before || report.clean && now == before,
            "epoch {now} after {before}, clean: {}",
            report.clean
        );
        require!(
            report.clean || self.ended != Ended::Close,
            "a clean close was not clean: {report:?}"
        );
        let names = queue.consumers();
        require!(
            names.iter().any(|name| name == CONSUMER) || !known.acks.exists,
            "the consumer is gone"
        );
        let has_second = names.iter().any(|name| name == SECOND);
        self.judge_presence(has_second)?;
        self.judge_reads()?;
        // What a killed process wrote into a slot may be in the cache only. Then this open has
        // decided nothing, and its epoch is made durable before the first record has it.
        self.is_decided = !report.clean || self.ended != Ended::Kill;
        let ledger = Arc::make_mut(&mut self.ledger);
        ledger.recover(next, epoch);
        if self.is_decided {
            ledger.epoch = epoch;
        }
        ledger.acks.exists = names.iter().any(|name| name == CONSUMER);
        self.recorder.promise(&self.ledger);
        self.judge_first(queue)
    }

    /// Nothing is gone that cannot be.
    pub(super) fn judge_first(&self, queue: &Queue) -> Judged {
        let first = queue.first().get();
        let kept = self.ledger.kept_from(self.setup.keep);
        require!(
            first <= kept,
            "the log begins at {first}, with everything kept from {kept} on"
        );
        Ok(())
    }

    /// From where on everything is kept.
    pub(super) fn kept_from(&mut self) -> Judged<u64> {
        self.queue()?;
        Ok(self.ledger.kept_from(self.setup.keep))
    }

    /// What may be dropped at most.
    pub(super) fn floor(&mut self) -> Judged<u64> {
        let next = self.queue()?.next().get();
        Ok(next.saturating_sub(CAPACITY))
    }

    /// Opening reads a bounded number of bytes: some times what the files hold.
    fn judge_reads(&self) -> Judged {
        let held = self.disk().used_bytes();
        let reads = self.recorder.reads();
        require!(
            reads.bytes <= 8 * held + 65_536 && reads.largest <= held + 8192 && reads.calls <= 400,
            "opening {held} bytes took {reads:?}"
        );
        Ok(())
    }
}
