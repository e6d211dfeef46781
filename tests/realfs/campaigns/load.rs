//! A queue under load: producers of several styles and consumers, each saying what it was told.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use forebay::{Error, ErrorKind, FullReason, Queue, SyncPolicy};

use super::ledger::{CONSUMERS, Event};
use super::produce::{Producer, Style};
use super::random::Random;
use super::record::Name;

/// What threads under load tell each other and the campaign.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    /// The power cut has begun: what is acknowledged from now on may be lost.
    pub(crate) cutting: AtomicBool,
    /// The power is cut, or the queue poisoned: what begins now is never acknowledged.
    pub(crate) cut: AtomicBool,
    pub(crate) stop: AtomicBool,
    /// Consumers rest, so that the disk fills.
    pub(crate) rest: AtomicBool,
    /// Calls that found the disk full.
    pub(crate) refusals: AtomicU64,
    /// Calls that succeeded.
    pub(crate) successes: AtomicU64,
}

impl Switch {
    pub(crate) fn is(flag: &AtomicBool) -> bool {
        flag.load(Ordering::SeqCst)
    }

    pub(crate) fn set(flag: &AtomicBool) {
        flag.store(true, Ordering::SeqCst);
    }

    pub(crate) fn clear(flag: &AtomicBool) {
        flag.store(false, Ordering::SeqCst);
    }
}

/// What the campaign does to the queue, and so what promises and errors count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peril {
    /// A written record survives.
    Kill,
    /// A durable record survives.
    PowerCut,
    /// The same, where calls find the disk full.
    FullDisk,
    /// The same, where the medium fails under running calls.
    BadMedium,
}

pub(crate) struct Load<'a> {
    pub(crate) queue: &'a Queue,
    pub(crate) switch: &'a Switch,
    pub(crate) policy: SyncPolicy,
    pub(crate) peril: Peril,
    pub(crate) cycle: u32,
    /// The number of the first producer: none is used twice in a cycle.
    pub(crate) first_producer: u32,
    /// Hears every event, on the thread that it happened to.
    pub(crate) tell: &'a (dyn Fn(Event) + Sync),
}

/// One producer of each style, and one more that makes small records.
pub(crate) const PRODUCERS: [Style; 4] =
    [Style::Single, Style::Batch, Style::Ticket, Style::Single];

impl Load<'_> {
    /// Runs all threads until `drive`, on this thread, has returned and they have stopped.
    pub(crate) fn run(&self, random: &mut Random, drive: impl FnOnce()) {
        std::thread::scope(|scope| {
            for (producer, style) in PRODUCERS.into_iter().enumerate() {
                let producer = self.first_producer + u32::try_from(producer).expect("a few");
                let random = random.part(u64::from(producer));
                scope.spawn(move || Producer::new(self, producer, style, random).run());
            }
            for consumer in 0..CONSUMERS.len() {
                let random = random.part(100 + consumer as u64);
                scope.spawn(move || self.consume(consumer, random));
            }
            drive();
            Switch::set(&self.switch.stop);
        });
    }

    /// Delivers and acknowledges, some records at a time.
    fn consume(&self, at: usize, mut random: Random) {
        let mut consumer = match self.queue.consumer(CONSUMERS[at]) {
            Ok(consumer) => consumer,
            Err(error) => return self.judge_reading(&error),
        };
        while !Switch::is(&self.switch.stop) {
            if Switch::is(&self.switch.rest) {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            let late = Switch::is(&self.switch.cut);
            let mut left = random.below(60);
            let drained = consumer.drain(|record| {
                if left == 0 {
                    return Err(());
                }
                left -= 1;
                // Before the record is looked at: what was handed out by now is durable.
                let is_certain = !Switch::is(&self.switch.cutting);
                let sequence = record.sequence.get();
                let Some(name) = Name::of(record.payload) else {
                    let what = format!("{sequence} is delivered with other bytes");
                    (self.tell)(Event::Broken(what));
                    return Err(());
                };
                (self.tell)(Event::Delivered {
                    consumer: at,
                    sequence,
                    epoch: record.epoch.get(),
                    name,
                    is_certain,
                });
                Ok(())
            });
            match drained {
                Ok(count) => {
                    if late && count > 0 {
                        self.broken(format!("{count} acknowledged after the end"));
                    }
                    let next = consumer.next_sequence().get();
                    (self.tell)(Event::Acknowledged { consumer: at, next });
                }
                Err(error) => return self.judge_reading(&error),
            }
            let pause = Duration::from_micros(random.below(3000));
            if let Err(error) = consumer.wait(pause) {
                return self.judge_reading(&error);
            }
        }
    }

    /// Reading and acknowledging always works until the medium is gone.
    fn judge_reading(&self, error: &Error) {
        let kind = error.kind();
        if !self.may_fail() || !matches!(kind, ErrorKind::Poisoned | ErrorKind::Io) {
            self.broken(format!("reading: {kind:?}: {error}"));
        }
    }

    /// Whether calls may meet a medium that is gone.
    pub(crate) fn may_fail(&self) -> bool {
        self.peril == Peril::BadMedium || Switch::is(&self.switch.cutting)
    }

    pub(crate) fn broken(&self, what: String) {
        (self.tell)(Event::Broken(what));
    }

    pub(crate) fn is_full(error: &Error) -> bool {
        let reason = FullReason::Disk;
        error.kind() == ErrorKind::Full { reason }
    }
}
