//! Records handed out ahead and acknowledged in any order.

use std::collections::BTreeSet;
use std::sync::Arc;

use forebay::storage::memory::MemoryDirectory;
use forebay::{Consumer, ConsumerOptions, ErrorKind, Queue};
use proptest::prelude::*;

use crate::scene::{at, drain_exactly, enqueue, folder, quick, refused};

fn take(consumer: &mut Consumer, max: usize) -> forebay::Result<Vec<u64>> {
    let batch = consumer.next_batch(max)?;
    Ok(batch.iter().map(|record| record.sequence.get()).collect())
}

#[test]
fn each_batch_follows_the_one_before_without_an_acknowledgement() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    assert!(take(&mut consumer, 3)?.is_empty());
    enqueue(&queue, 0..5)?;
    assert_eq!(take(&mut consumer, 3)?, [0, 1, 2]);
    assert_eq!(take(&mut consumer, 3)?, [3, 4]);
    assert!(take(&mut consumer, 3)?.is_empty());
    // The end is not for ever.
    enqueue(&queue, 5..7)?;
    assert_eq!(take(&mut consumer, 30)?, [5, 6]);
    assert_eq!(consumer.lag()?.records, 7);
    Ok(())
}

#[test]
fn the_cursor_waits_for_the_lowest_record_that_is_out() -> forebay::Result<()> {
    let memory = Arc::new(MemoryDirectory::new());
    let queue = quick().open_on(Arc::<MemoryDirectory>::clone(&memory))?;
    enqueue(&queue, 0..6)?;
    let mut consumer = queue.consumer("a")?;
    assert_eq!(take(&mut consumer, 6)?, [0, 1, 2, 3, 4, 5]);
    let resumes_at = |expected: u64| -> forebay::Result<()> {
        let killed = quick().open_on(Arc::new(memory.process_kill()))?;
        assert_eq!(killed.consumer("a")?.next_sequence(), at(expected));
        Ok(())
    };
    for (acked, frontier) in [(2, 0), (1, 0), (0, 3), (5, 3), (3, 4), (4, 6)] {
        consumer.ack(at(acked))?;
        resumes_at(frontier)?;
    }
    assert_eq!(queue.stats()?.delivered, 6);
    consumer.ack(at(1))?;
    assert_eq!(queue.stats()?.delivered, 6, "once is enough");
    Ok(())
}

#[test]
fn what_was_not_handed_out_cannot_be_acknowledged_alone() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    enqueue(&queue, 0..6)?;
    let mut consumer = queue.consumer("a")?;
    refused(consumer.ack(at(0)), ErrorKind::OutOfRange);
    assert_eq!(take(&mut consumer, 2)?, [0, 1]);
    refused(consumer.ack(at(2)), ErrorKind::OutOfRange);
    consumer.ack_through(at(3))?;
    assert_eq!(consumer.lag()?.records, 2);
    assert_eq!(take(&mut consumer, 9)?, [4, 5]);
    Ok(())
}

#[test]
fn no_more_is_out_than_the_window_allows() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    enqueue(&queue, 0..20)?;
    let options = ConsumerOptions::new().window_records(4);
    let mut consumer = queue.consumer_with("a", &options)?;
    assert_eq!(take(&mut consumer, 100)?, [0, 1, 2, 3]);
    assert!(take(&mut consumer, 100)?.is_empty());
    consumer.ack(at(2))?;
    assert!(
        take(&mut consumer, 100)?.is_empty(),
        "the first two hold the window"
    );
    consumer.ack_through(at(1))?;
    assert_eq!(take(&mut consumer, 100)?, [4, 5, 6]);
    drop(consumer);
    let none = ConsumerOptions::new().window_records(0);
    refused(queue.consumer_with("a", &none), ErrorKind::InvalidInput);
    Ok(())
}

#[test]
fn what_is_not_acknowledged_comes_again_after_a_rewind_and_to_the_next_handle()
-> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    enqueue(&queue, 0..6)?;
    let mut consumer = queue.consumer("a")?;
    assert_eq!(take(&mut consumer, 5)?, [0, 1, 2, 3, 4]);
    consumer.ack(at(0))?;
    consumer.ack(at(3))?;
    consumer.rewind();
    assert_eq!(take(&mut consumer, 9)?, [1, 2, 4, 5]);
    consumer.rewind();
    // A record acknowledged behind the reader counts, too.
    consumer.ack(at(1))?;
    consumer.ack(at(2))?;
    assert_eq!(take(&mut consumer, 1)?, [4]);
    drop(consumer);
    drain_exactly(&mut queue.consumer("a")?, 4..6)
}

#[derive(Clone, Debug)]
enum Step {
    Enqueue(u64),
    Take(usize),
    Ack(prop::sample::Index),
    AckThrough(prop::sample::Index),
    Rewind,
    Drain(usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_u64..30).prop_map(Step::Enqueue),
        (1_usize..20).prop_map(Step::Take),
        any::<prop::sample::Index>().prop_map(Step::Ack),
        any::<prop::sample::Index>().prop_map(Step::Ack),
        any::<prop::sample::Index>().prop_map(Step::AckThrough),
        Just(Step::Rewind),
        (0_usize..6).prop_map(Step::Drain),
        Just(Step::Reopen),
    ]
}

/// What a window is, without files.
#[derive(Default)]
struct Model {
    next: u64,
    frontier: u64,
    /// Where reading goes on.
    at: u64,
    out: BTreeSet<u64>,
    acked: BTreeSet<u64>,
}

impl Model {
    fn settle(&mut self) {
        while self.acked.remove(&self.frontier) {
            self.frontier += 1;
        }
        self.out = self.out.split_off(&self.frontier);
        self.at = self.at.max(self.frontier);
    }

    fn due(&self) -> Vec<u64> {
        (self.at..self.next)
            .filter(|number| !self.acked.contains(number))
            .collect()
    }
}

/// The window, and the model that it is held against.
struct Pair {
    memory: Arc<MemoryDirectory>,
    live: Option<(Queue, Consumer)>,
    model: Model,
}

impl Pair {
    fn new() -> forebay::Result<Self> {
        let memory = Arc::new(MemoryDirectory::new());
        let queue = quick().open_on(Arc::<MemoryDirectory>::clone(&memory))?;
        let consumer = queue.consumer("a")?;
        Ok(Self {
            memory,
            live: Some((queue, consumer)),
            model: Model::default(),
        })
    }

    fn consumer(&mut self) -> &mut Consumer {
        &mut self.live.as_mut().expect("it is open between two steps").1
    }

    fn queue(&self) -> &Queue {
        &self.live.as_ref().expect("it is open between two steps").0
    }

    fn run(&mut self, step: &Step) -> forebay::Result<()> {
        match *step {
            Step::Enqueue(count) => {
                enqueue(self.queue(), self.model.next..self.model.next + count)?;
                self.model.next += count;
            }
            Step::Take(max) => self.take(max)?,
            Step::Ack(ref index) => {
                let out: Vec<u64> = self.model.out.iter().copied().collect();
                if !out.is_empty() {
                    let acked = *index.get(&out);
                    self.consumer().ack(at(acked))?;
                    self.model.acked.insert(acked);
                    self.model.settle();
                }
            }
            Step::AckThrough(ref index) => {
                self.queue().sync()?;
                let all: Vec<u64> = (self.model.frontier..self.model.next).collect();
                if !all.is_empty() {
                    let through = *index.get(&all);
                    self.consumer().ack_through(at(through))?;
                    self.model.acked.extend(self.model.frontier..=through);
                    self.model.settle();
                }
            }
            Step::Rewind => {
                self.consumer().rewind();
                self.model.at = self.model.frontier;
            }
            Step::Drain(count) => self.drain(count)?,
            Step::Reopen => self.reopen()?,
        }
        let records = self.model.next - self.model.frontier;
        assert_eq!(self.consumer().lag()?.records, records);
        Ok(())
    }

    fn take(&mut self, max: usize) -> forebay::Result<()> {
        let got = take(self.consumer(), max)?;
        let due = self.model.due();
        assert!(
            got.len() <= max && due.starts_with(&got),
            "{got:?} of {due:?}"
        );
        assert_eq!(got.is_empty(), due.is_empty());
        if let Some(last) = got.last() {
            self.model.at = last + 1;
        }
        self.model.out.extend(got);
        Ok(())
    }

    fn drain(&mut self, count: usize) -> forebay::Result<()> {
        self.model.at = self.model.frontier;
        let due: Vec<u64> = self.model.due().into_iter().take(count).collect();
        let mut got = Vec::new();
        self.consumer().drain(|record| {
            if got.len() == count {
                return Err(());
            }
            got.push(record.sequence.get());
            Ok(())
        })?;
        assert_eq!(got, due);
        let past = got.last().map_or(0, |last| last + 1);
        self.model.acked.extend(due);
        self.model.settle();
        self.model.at = self.model.frontier.max(past);
        Ok(())
    }

    fn reopen(&mut self) -> forebay::Result<()> {
        // The consumer goes first, then the last handle, which closes the queue.
        drop(self.live.take().map(|(queue, consumer)| (consumer, queue)));
        let memory = Arc::<MemoryDirectory>::clone(&self.memory);
        let queue = quick().open_on(memory)?;
        let consumer = queue.consumer("a")?;
        assert_eq!(consumer.next_sequence(), at(self.model.frontier));
        self.live = Some((queue, consumer));
        self.model.at = self.model.frontier;
        self.model.out.clear();
        self.model.acked.clear();
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_window_behaves_as_the_model_says(steps in prop::collection::vec(step(), 1..40)) {
        let mut pair = Pair::new()?;
        for step in steps {
            pair.run(&step)?;
        }
    }
}
