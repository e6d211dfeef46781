//! What stands beside the queue: it reads its files, and changes none of them.

use std::sync::Arc;

use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, Follower, GapReason, Sequence, Start};

use super::{Judged, Life, require};
use crate::ledger::Ledger;
use crate::recorder::Recorder;

/// Follows `disk` from `start` on.
fn open(recorder: &Recorder, start: u64) -> forebay::Result<Follower> {
    let start = Start::At(Sequence::new(start));
    Follower::open_on(Arc::new(recorder.clone()), start)
}

/// Reads on to the end of what is durable. Nothing is missing that cannot be gone, which is what
/// comes before `kept`.
fn read_on(follower: &mut Follower, ledger: &mut Ledger, kept: u64) -> Judged {
    let mut at = follower.next_sequence().get();
    let mut skipped = 0;
    loop {
        let batch = follower.next_batch(16);
        let batch = batch.map_err(|error| format!("following: {error}"))?;
        let Some(first) = batch.get(0) else {
            break;
        };
        let mut due = first.sequence.get();
        require!(
            due == at || at < due && due <= kept,
            "a follower is given {due} after {at}, with everything kept from {kept} on"
        );
        skipped += due - at;
        for record in batch.iter() {
            let sequence = record.sequence.get();
            require!(
                sequence == due && sequence < ledger.next(),
                "a follower is given {sequence}, {due} was due, of {}",
                ledger.next()
            );
            let entry = ledger.at(sequence);
            require!(
                record.epoch.get() == entry.epoch
                    && record.kind == entry.kind()
                    && entry.payload() == record.payload,
                "a follower is given another record as {sequence}"
            );
            ledger.name(sequence)?;
            due += 1;
        }
        at = due;
    }
    skipped += follower.next_sequence().get() - at;
    for gap in follower.take_gaps() {
        skipped = skipped.saturating_sub(gap.range.end.since(gap.range.start));
        require!(
            gap.reason == GapReason::Reclaimed && gap.range.end.get() <= kept,
            "a gap for a follower, with everything kept from {kept} on: {gap:?}"
        );
    }
    require!(skipped == 0, "a follower skips {skipped} records silently");
    let at = follower.next_sequence().get();
    // What it was given is durable, and must stay.
    ledger.note_durable(at);
    ledger.written = ledger.written.max(at);
    ledger.followed = at;
    Ok(())
}

/// Follows what a crash has left, before anybody opens it.
pub(crate) fn follow_image(
    disk: &MemoryDirectory,
    ledger: &mut Arc<Ledger>,
    kept: u64,
    (is_killed, from_start): (bool, bool),
) -> Judged {
    let recorder = Recorder::new(disk.clone(), Arc::default());
    let before = disk.fingerprint(|_| false);
    let start = if from_start { 0 } else { ledger.followed };
    let mut follower = match open(&recorder, start) {
        Ok(follower) => follower,
        Err(error) if error.kind() == ErrorKind::NotFound && ledger.run == 0 => return Ok(()),
        Err(error) => return Err(format!("it cannot be followed: {error}")),
    };
    let least = ledger.stated;
    let own = Arc::make_mut(ledger);
    read_on(&mut follower, own, kept)?;
    require!(
        !is_killed || own.followed >= least,
        "a follower ends at {}, and {least} was stated",
        own.followed
    );
    require!(
        recorder.changes() == 0 && disk.fingerprint(|_| false) == before,
        "a follower has changed a file"
    );
    Ok(())
}

impl Life {
    /// Reads on beside the queue, with whatever happened since.
    pub(super) fn follow(&mut self) -> Judged {
        self.queue()?;
        let kept = self.kept_from()?;
        let (reader, mut follower) = if let Some(pair) = self.follower.take() {
            pair
        } else {
            let reader = Recorder::new(self.disk().clone(), Arc::default());
            let opened = open(&reader, self.ledger.followed);
            let follower = opened.map_err(|error| format!("it cannot be followed: {error}"))?;
            (reader, follower)
        };
        let least = self.ledger.stated;
        read_on(&mut follower, Arc::make_mut(&mut self.ledger), kept)?;
        self.recorder.promise(&self.ledger);
        let at = self.ledger.followed;
        require!(
            at >= least && reader.changes() == 0,
            "a follower ends at {at}, and {least} was stated; it made {} changes",
            reader.changes()
        );
        self.follower = Some((reader, follower));
        self.note_durable()
    }
}
