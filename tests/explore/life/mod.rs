//! One queue in use by one process after the other, and what each was promised.

mod beside;
mod delivery;
mod opened;
mod saved;
mod second;

pub(crate) use beside::follow_image;

use std::sync::Arc;

use forebay::storage::memory::MemoryDirectory;
use forebay::{Consumer, Entry, Follower, Queue};

use crate::dice::{Dice, mix};
use crate::ledger::Ledger;
use crate::machine::Machine;
use crate::operation::Operation;
use crate::promises::Presence;
use crate::recorder::{Moment, Recorder};
use crate::workload::{Keep, Setup};
use second::Handle;

/// How the process before ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Close,
    Kill,
    PowerCut,
}

/// What is wrong, in words.
pub(crate) type Judged<T = ()> = Result<T, String>;

/// The consumer of all workloads.
const CONSUMER: &str = "c";

/// Which cursors this process wrote, and so syncs when idle.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    first: bool,
    second: bool,
}

pub(crate) struct Life {
    setup: Setup,
    /// Of the machine, another one for each process.
    seed: u64,
    /// What the operations leave open.
    dice: Dice,
    recorder: Recorder,
    /// Before the queue, so that they go first.
    consumer: Option<Consumer>,
    second: Option<Handle>,
    /// With what counts its calls.
    follower: Option<(Recorder, Follower)>,
    queue: Option<Queue>,
    ledger: Arc<Ledger>,
    ended: Ended,
    /// Whether what the last open decided was durable when it returned.
    is_decided: bool,
    moved: Moved,
    is_recording: bool,
    /// Of processes that have ended.
    moments: Vec<Moment>,
}

macro_rules! require {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}
pub(crate) use require;

impl Life {
    /// A life that begins when it is first asked for something.
    pub(crate) fn new(
        disk: MemoryDirectory,
        ledger: Arc<Ledger>,
        ended: Ended,
        setup: Setup,
        seed: u64,
    ) -> Self {
        Self {
            setup,
            seed,
            dice: Dice::new(mix(seed, 2)),
            recorder: Recorder::new(disk, Arc::clone(&ledger)),
            consumer: None,
            second: None,
            follower: None,
            queue: None,
            ledger,
            ended,
            is_decided: false,
            moved: Moved::default(),
            is_recording: false,
            moments: Vec::new(),
        }
    }

    pub(crate) fn record(&mut self) {
        self.is_recording = true;
        self.recorder.record();
    }

    /// Ends it like a kill; all moments since `record`, and the last one in any case.
    pub(crate) fn end(mut self) -> Vec<Moment> {
        let last = self.recorder.moment("end", &Arc::default());
        self.recorder.end();
        self.moments.extend(self.recorder.take_moments());
        self.moments.push(last);
        self.moments
    }

    pub(crate) fn is_decided(&self) -> bool {
        self.is_decided
    }

    pub(crate) fn disk(&self) -> &MemoryDirectory {
        self.recorder.disk()
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// The open queue, which is opened and judged if it is not.
    pub(crate) fn queue(&mut self) -> Judged<&Queue> {
        if self.queue.is_none() {
            let machine = Arc::new(Machine::new(self.seed));
            self.seed = self.seed.wrapping_add(1);
            if self.ended != Ended::Close {
                // Recovery writes again, in place, from the last proven record on.
                Arc::make_mut(&mut self.ledger).is_recovered = true;
                self.recorder.promise(&self.ledger);
            }
            let options = self.setup.options().host(machine);
            let opened = options.open_on(Arc::new(self.recorder.clone()));
            let queue = opened.map_err(|error| format!("it does not open: {error}"))?;
            self.judge_opened(&queue)?;
            self.queue = Some(queue);
        }
        self.queue.as_ref().ok_or_else(String::new)
    }

    pub(crate) fn run(&mut self, operation: Operation) -> Judged {
        match operation {
            Operation::Small => self.enqueue(&[120])?,
            Operation::Spanning => self.enqueue(&[5000])?,
            Operation::Batch => self.enqueue(&[400; 3])?,
            Operation::Rotate => {
                for _ in 0..3 {
                    self.enqueue(&[1500])?;
                }
            }
            Operation::DropOldest => self.enqueue(&[20; 10])?,
            Operation::Empty => self.enqueue(&[0])?,
            Operation::Seek => self.seek()?,
            Operation::Take => drop(self.take(3, false)?),
            Operation::Rewind => drop(self.take(2, true)?),
            Operation::Remove => self.remove_second()?,
            Operation::MakeAtEnd => self.make_second(true)?,
            Operation::MakeAtRecord => self.make_second(false)?,
            Operation::Publish => self.publish()?,
            Operation::Replay => self.replay()?,
            Operation::Follow => self.follow()?,
            Operation::Ack => drop(self.deliver(2)?),
            Operation::AckAll => self.drain()?,
            Operation::AckDurable => {
                self.deliver(2)?;
                // Long enough for what takes several turns: the next segment is made and then
                // zeroed, a deleted one renamed and then shrunk step by step.
                for _ in 0..4 {
                    self.idle()?;
                }
            }
            Operation::Idle => self.idle()?,
            Operation::Reclaim => self.reclaim()?,
            Operation::Sync => {
                self.queue()?
                    .sync()
                    .map_err(|error| format!("sync: {error}"))?;
            }
            Operation::Close => return self.close(),
            Operation::Reopen => self.reopen()?,
        }
        self.note_durable()
    }

    fn reclaim(&mut self) -> Judged {
        let reclaimed = self.queue()?.reclaim();
        reclaimed.map_err(|error| format!("reclaim: {error}"))?;
        let segments = self.queue()?.stats();
        let segments = segments
            .map_err(|error| format!("stats: {error}"))?
            .segments;
        let ledger = &self.ledger;
        let next = ledger.next();
        let has_second = ledger.second.presence == Presence::There;
        let is_done = ledger.acks.written == next
            && ledger.durable == next
            && (!has_second || ledger.second.written == next);
        require!(
            !is_done || self.setup.keep != Keep::Nothing || segments <= 1,
            "nobody needs anything, and {segments} segments are there"
        );
        Ok(())
    }

    fn idle(&mut self) -> Judged {
        self.queue()?.run_background();
        let ledger = Arc::make_mut(&mut self.ledger);
        if self.moved.first {
            ledger.acks.durable = ledger.acks.written;
        }
        if self.moved.second {
            ledger.second.durable = ledger.second.written;
        }
        self.recorder.promise(&self.ledger);
        Ok(())
    }

    fn enqueue(&mut self, lengths: &[usize]) -> Judged {
        self.queue()?;
        let ledger = Arc::make_mut(&mut self.ledger);
        let first = ledger.next();
        let payloads = ledger.submit(lengths);
        self.recorder.expect(&self.ledger);
        let Some(queue) = &self.queue else {
            return Ok(());
        };
        let known = self.ledger.log.iter().rev().take(lengths.len()).rev();
        let entries = payloads.iter().zip(known);
        let mut entries = entries.map(|(payload, known)| Entry::new(payload).kind(known.kind()));
        let given = match (entries.next(), entries.len()) {
            (Some(one), 0) => queue.enqueue(one),
            (one, _) => queue
                .enqueue_batch(one.into_iter().chain(entries))
                .map(|range| range.start),
        };
        let given = given.map_err(|error| format!("enqueue: {error}"))?;
        require!(given.get() == first, "{given} was given, {first} was due");
        Arc::make_mut(&mut self.ledger).accept(first)?;
        self.note_durable()
    }

    /// Takes over what the queue says is durable, which is all of it under `Always`.
    fn note_durable(&mut self) -> Judged {
        let always = self.setup.always;
        let queue = self.queue()?;
        let durable = queue.durable().get();
        let ledger = Arc::make_mut(&mut self.ledger);
        require!(
            ledger.durable <= durable && durable <= ledger.next(),
            "the watermark went from {} to {durable} of {}",
            ledger.durable,
            ledger.next()
        );
        require!(
            !always || durable == ledger.next(),
            "an enqueue returned before its record was durable"
        );
        ledger.note_durable(durable);
        ledger.stated = durable;
        self.recorder.promise(&self.ledger);
        match &self.queue {
            Some(queue) => self.judge_first(queue),
            None => Ok(()),
        }
    }

    fn close(&mut self) -> Judged {
        self.queue()?;
        self.consumer = None;
        self.second = None;
        if let Some(queue) = self.queue.take() {
            queue.close().map_err(|error| format!("close: {error}"))?;
        }
        let ledger = Arc::make_mut(&mut self.ledger);
        ledger.written = ledger.next();
        ledger.durable = ledger.next();
        ledger.acks.durable = ledger.acks.written;
        ledger.second.durable = ledger.second.written;
        self.recorder.promise(&self.ledger);
        self.ended = Ended::Close;
        self.moved = Moved::default();
        Ok(())
    }

    fn reopen(&mut self) -> Judged {
        self.queue()?;
        let disk = self.disk().process_kill();
        self.recorder.end();
        self.moments.extend(self.recorder.take_moments());
        self.consumer = None;
        self.second = None;
        self.follower = None;
        self.queue = None;
        self.recorder = Recorder::new(disk, Arc::clone(&self.ledger));
        self.ended = Ended::Kill;
        self.moved = Moved::default();
        if self.is_recording {
            self.recorder.record();
        }
        self.queue().map(drop)
    }
}
