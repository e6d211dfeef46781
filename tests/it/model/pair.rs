//! The model, the queue, and the claims that hold between them.

use forebay::storage::memory::{Fate, MemoryDirectory};
use forebay::{Consumer, ErrorKind, Overflow, Queue, Sequence};

use super::steps::{Loss, Shape, Step};
use crate::scene::at;

struct Model {
    /// Every payload since the queue was made, by sequence.
    log: Vec<Vec<u8>>,
    /// Everything below is delivered or dropped; it does not go back with a seek.
    floor: u64,
    /// Nothing at or above this was ever acknowledged or dropped.
    given_up: u64,
    /// Where the consumer reads next.
    cursor: u64,
    /// Where its cursor was since it was last surely durable.
    cursors: Vec<u64>,
    /// Makes payloads differ.
    made: usize,
    /// Records passed over since the consumer was last asked for its gaps.
    gone: u64,
}

impl Model {
    fn next(&self) -> u64 {
        u64::try_from(self.log.len()).expect("small")
    }

    fn payload(&mut self, size: usize) -> Vec<u8> {
        self.made += 1;
        let mut bytes = format!("{}", self.made).into_bytes();
        bytes.resize(size, b'.');
        bytes
    }

    fn pass_over(&mut self, to: u64) {
        if to > self.cursor {
            self.gone += to - self.cursor;
            self.move_to(to);
        }
    }

    fn move_to(&mut self, cursor: u64) {
        self.cursor = cursor;
        self.cursors.push(cursor);
        self.floor = self.floor.max(cursor);
        self.given_up = self.given_up.max(self.floor);
    }
}

/// A queue, its consumer and its model, going the same way.
pub(super) struct Pair {
    memory: MemoryDirectory,
    shape: Shape,
    /// Dropped before the queue is looked at again: one live handle a consumer.
    consumer: Option<Consumer>,
    queue: Queue,
    model: Model,
}

impl Pair {
    pub(super) fn new(shape: Shape) -> Self {
        let memory = MemoryDirectory::new();
        let queue = shape.open(&memory);
        let consumer = queue.consumer("c").expect("a new one");
        let model = Model {
            log: Vec::new(),
            floor: 0,
            given_up: 0,
            cursor: 0,
            cursors: vec![0],
            made: 0,
            gone: 0,
        };
        Self {
            memory,
            shape,
            consumer: Some(consumer),
            queue,
            model,
        }
    }

    fn consumer(&mut self) -> &mut Consumer {
        self.consumer.as_mut().expect("open between the steps")
    }

    pub(super) fn run(&mut self, step: Step) {
        match step {
            Step::Enqueue(size) => {
                let payload = self.model.payload(size);
                let added = self
                    .queue
                    .enqueue(&payload)
                    .map(|first| first..first.plus(1));
                self.check_added(added, vec![payload]);
            }
            Step::Batch(sizes) => {
                let payloads: Vec<_> = sizes
                    .into_iter()
                    .map(|size| self.model.payload(size))
                    .collect();
                let added = self.queue.enqueue_batch(&payloads);
                self.check_added(added, payloads);
            }
            Step::Submit { size, wait } => {
                let payload = self.model.payload(size);
                let ticket = self.queue.submit(&payload);
                let added = ticket
                    .as_ref()
                    .map(|ticket| ticket.sequence()..ticket.sequence().plus(1));
                self.check_added(added.map_err(Clone::clone), vec![payload]);
                if let Ok(ticket) = ticket
                    && wait
                {
                    let sequence = ticket.wait().expect("nothing fails");
                    assert!(self.queue.durable() > sequence);
                }
            }
            Step::Sync => {
                assert_eq!(self.queue.sync().expect("nothing fails"), self.queue.next());
            }
            Step::Ack(count) => self.ack(count),
            Step::AckBatch { max, keep } => self.ack_batch(max, keep),
            Step::Drain(count) => self.drain(count),
            Step::SeekBack(by) => self.seek_back(by),
            Step::Reclaim => drop(self.queue.reclaim().expect("nothing fails")),
            Step::Reopen(shape) => self.reopen(shape),
            Step::Kill(shape) => self.kill(shape),
            Step::PowerCut(shape, loss) => self.cut_power(shape, loss),
        }
        self.check_gaps();
        self.check();
    }

    fn check_added(
        &mut self,
        added: forebay::Result<std::ops::Range<Sequence>>,
        payloads: Vec<Vec<u8>>,
    ) {
        let first = self.model.next();
        let count = u64::try_from(payloads.len()).expect("small");
        let (shape, model) = (self.shape, &mut self.model);
        let excess = (first + count - model.floor).saturating_sub(shape.max_records);
        if excess > 0 && shape.overflow == Overflow::Reject && count > 0 {
            let error = added.expect_err("it is full");
            assert!(matches!(error.kind(), ErrorKind::Full { .. }), "{error}");
            return;
        }
        assert_eq!(added.expect("there is room"), at(first)..at(first + count));
        if count > 0 && shape.overflow == Overflow::DropOldest {
            model.floor += excess;
            model.given_up = model.given_up.max(model.floor);
        }
        model.log.extend(payloads);
    }

    /// Claims that this record may come next. Only what is at or below the floor may be passed
    /// over: it was dropped, or it was acknowledged and deleted after the consumer went back.
    fn check_next(&mut self, sequence: Sequence, payload: &[u8]) {
        let found = sequence.get();
        let model = &mut self.model;
        assert!(found >= model.cursor, "{found} again, at {}", model.cursor);
        let latest = model.cursor.max(model.floor);
        assert!(found <= latest, "{found} comes before {latest}");
        let index = usize::try_from(found).expect("small");
        assert_eq!(Some(payload), model.log.get(index).map(Vec::as_slice));
        model.pass_over(found);
    }

    /// Nothing was delivered: only what is gone may have been left.
    fn check_nothing_is_left(&mut self) {
        let model = &self.model;
        assert!(
            model.cursor.max(model.floor) >= model.next(),
            "not all came"
        );
        let end = self.consumer().next_sequence().get();
        self.model.pass_over(end);
    }

    /// Every record passed over was told once.
    fn check_gaps(&mut self) {
        let gaps = self.consumer().take_gaps();
        let told: u64 = gaps
            .iter()
            .map(|gap| gap.range.end.since(gap.range.start))
            .sum();
        assert_eq!(told, std::mem::take(&mut self.model.gone), "{gaps:?}");
    }

    fn ack(&mut self, count: usize) {
        for _ in 0..count {
            let peeked = self.consumer().peek().expect("nothing is damaged");
            let found = peeked.map(|record| (record.sequence, record.payload.to_vec()));
            let Some((sequence, payload)) = found else {
                return self.check_nothing_is_left();
            };
            self.check_next(sequence, &payload);
            self.consumer()
                .ack_through(sequence)
                .expect("it was delivered");
            self.model.move_to(sequence.get() + 1);
        }
    }

    fn ack_batch(&mut self, max: usize, keep: usize) {
        let batch = self.consumer().peek_batch(max).expect("nothing is damaged");
        let found: Vec<_> = batch
            .iter()
            .map(|record| (record.sequence, record.payload.to_vec()))
            .collect();
        assert!(found.len() <= max);
        let Some((first, _)) = found.first() else {
            return self.check_nothing_is_left();
        };
        let first = *first;
        self.check_next(first, &found[0].1);
        for (sequence, (found, payload)) in (first.get()..).zip(&found) {
            assert_eq!(*found, at(sequence));
            let index = usize::try_from(sequence).expect("small");
            assert_eq!(&self.model.log[index], payload);
        }
        if let Some(last) = found.len().checked_sub(1 + keep) {
            let through = found[last].0;
            self.consumer()
                .ack_through(through)
                .expect("it was delivered");
            self.model.move_to(through.get() + 1);
        }
    }

    fn drain(&mut self, count: usize) {
        let mut taken = Vec::new();
        let mut refused = None;
        let accepted = self.consumer().drain(|record| {
            let found = (record.sequence, record.payload.to_vec());
            if taken.len() == count {
                refused = Some(found);
                return Err(());
            }
            taken.push(found);
            Ok(())
        });
        assert_eq!(accepted.expect("nothing is damaged"), taken.len());
        let ended = refused.is_none();
        for (index, (sequence, payload)) in taken.iter().chain(&refused).enumerate() {
            self.check_next(*sequence, payload);
            if index < taken.len() {
                self.model.move_to(sequence.get() + 1);
            }
        }
        if ended {
            self.check_nothing_is_left();
        }
    }

    fn seek_back(&mut self, by: u64) {
        let to = at(self.model.cursor.saturating_sub(by));
        match self.consumer().seek(to) {
            Ok(()) => {
                self.model.cursor = to.get();
                self.model.cursors.push(to.get());
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::OutOfRange, "{error}");
                assert!(to < self.queue.first());
                assert!(to.get() < self.model.floor, "{to} is still needed");
            }
        }
    }

    fn reopen(&mut self, shape: Shape) {
        let head = {
            self.consumer = None;
            self.queue.clone().close().expect("nothing fails");
            self.queue.chain_head()
        };
        let floor = self.model.floor;
        self.open(self.memory.copy(), shape);
        assert!(self.queue.recovery().clean);
        assert_eq!(self.queue.next().get(), self.model.next());
        assert_eq!(self.queue.chain_head(), head);
        let cursor = self.consumer().next_sequence().get();
        assert_eq!(cursor, self.model.cursor);
        // What was acknowledged and then gone back behind is waiting again, what was dropped not.
        let now = self.queue.stats().expect("readable").floor.get();
        assert!(
            now <= floor && now >= cursor,
            "the floor was {floor} and is {now}"
        );
        self.model.floor = now;
        self.model.cursors = vec![cursor];
    }

    fn kill(&mut self, shape: Shape) {
        let image = self.memory.process_kill();
        self.open(image, shape);
        assert_eq!(
            self.queue.next().get(),
            self.model.next(),
            "a kill loses nothing"
        );
        assert_eq!(self.consumer().next_sequence().get(), self.model.cursor);
        // Its acknowledgements are read from the cache: they are no more durable than before.
        self.take_over();
    }

    fn cut_power(&mut self, shape: Shape, loss: Loss) {
        let durable = self.queue.durable();
        let mut random = match loss {
            Loss::Some(seed) => seed | 1,
            Loss::All | Loss::None => 1,
        };
        let image = self.memory.crash(&mut |_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            match loss {
                Loss::All => Fate::Lost,
                Loss::Some(_) if random & 1 == 0 => Fate::Lost,
                Loss::None | Loss::Some(_) => Fate::Kept,
            }
        });
        self.open(image, shape);
        let next = self.queue.next();
        assert!(next >= durable, "{durable} was durable, {next} is left");
        assert!(next.get() <= self.model.next());
        self.model
            .log
            .truncate(usize::try_from(next.get()).expect("small"));
        let cursor = self.consumer().next_sequence().get();
        let known = self.model.cursors.contains(&cursor) || cursor == next.get();
        assert!(
            known,
            "the cursor is at {cursor}, it was at {:?}",
            self.model.cursors
        );
        self.model.cursor = cursor;
        self.model.cursors = vec![cursor];
        self.take_over();
    }

    fn open(&mut self, memory: MemoryDirectory, shape: Shape) {
        self.consumer = None;
        self.model.gone = 0;
        self.queue = shape.open(&memory);
        self.consumer = Some(self.queue.consumer("c").expect("its cursor is whole"));
        self.memory = memory;
        self.shape = shape;
        let report = self.queue.recovery();
        assert!(
            report.corruption.is_empty() && !report.state_rebuilt,
            "{report:?}"
        );
    }

    /// After a crash: the floor may be lower, and nothing is gone that was not given up.
    fn take_over(&mut self) {
        let stats = self.queue.stats().expect("readable");
        let model = &mut self.model;
        assert!(
            stats.first.get() <= model.given_up,
            "{} is gone",
            stats.first
        );
        assert!(stats.floor.get() <= model.given_up.max(model.cursor));
        assert_eq!(stats.durable, stats.next, "opening makes it all durable");
        model.floor = stats.floor.get();
    }

    /// What holds after every step.
    fn check(&mut self) {
        let (queue, model) = (&self.queue, &self.model);
        assert_eq!(queue.next().get(), model.next());
        assert_eq!(queue.len(), model.next() - model.floor);
        assert!(queue.durable() <= queue.next());
        let stats = queue.stats().expect("readable");
        assert_eq!(stats.floor.get(), model.floor);
        assert!(stats.first <= stats.floor, "what is gone waits: {stats:?}");
    }

    /// In the end everything that is there comes out.
    pub(super) fn finish(mut self) {
        self.drain(usize::MAX);
        self.check();
        assert!(self.queue.is_empty());
        let (memory, shape, next) = (self.memory.clone(), self.shape, self.model.next());
        drop(self);
        assert_eq!(shape.open(&memory).next().get(), next);
    }
}
