//! Several threads on one queue, its commit thread among them, and the power cut anywhere.
//!
//! Who comes first is the machine's to decide, so the promises are what each thread was told: read
//! before the disk is looked at, they are true of it; and what was handed in is read after it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay::Queue;
use forebay::storage::memory::MemoryDirectory;
use parking_lot::Mutex;

use crate::cut::Choices;
use crate::dice::{Dice, mix};
use crate::explore::{Step, Violation};
use crate::life::{Judged, require};
use crate::recorder::Recorder;
use crate::tally::Tally;
use crate::workload::Workload;

const THREADS: u32 = 3;
const RECORDS: u32 = 8;

/// What all threads were told.
#[derive(Clone, Debug, Default)]
struct Told {
    /// Sequences that are durable, each with its thread and number.
    durable: BTreeMap<u64, (u32, u32)>,
    /// How many records each thread has begun to hand in.
    begun: [u32; THREADS as usize],
}

/// The disk at one moment, with what had been told before.
struct Look {
    disk: MemoryDirectory,
    told: Told,
    begun: [u32; THREADS as usize],
}

/// Runs the threads, looks at the disk while they run, and judges what power cuts then leave.
pub(crate) fn explore(
    workload: &Workload,
    budget: usize,
    tally: &mut Tally,
) -> Result<(), Violation> {
    let looks = run(workload);
    let mut dice = Dice::new(workload.seed);
    let share = budget.div_ceil(looks.len().max(1));
    for (at, look) in looks.iter().enumerate() {
        let units = look.disk.unsynced();
        let all = Choices::new(&units, workload.setup.padding, &mut dice);
        let all = all.draw(share, &mut dice);
        for (personality, cut) in all {
            tally.count(workload.kind, personality);
            tally.images += 1;
            tally.depths[1] += 1;
            let image = cut.of(&look.disk);
            judge(&image, look, workload).map_err(|what| Violation {
                workload: workload.clone(),
                trail: vec![Step {
                    moment: Some(at),
                    after: Default::default(),
                    cut: cut.clone(),
                }],
                what: format!(
                    "{what}; {} records were told durable",
                    look.told.durable.len()
                ),
            })?;
        }
    }
    Ok(())
}

fn payload(thread: u32, number: u32) -> Vec<u8> {
    let mut bytes = format!("{thread}/{number}:").into_bytes();
    let mut dice = Dice::new(mix(thread.into(), number.into()));
    bytes.resize(dice.pick(&[40, 300, 900, 5000]), b'.');
    bytes
}

fn run(workload: &Workload) -> Vec<Look> {
    let recorder = Recorder::new(MemoryDirectory::new(), Arc::default());
    let options = workload.setup.options().max_records(u64::MAX);
    let queue = options
        .open_on(Arc::new(recorder.clone()))
        .expect("a new queue opens");
    let told = Mutex::new(Told::default());
    let running = AtomicU64::new(u64::from(THREADS));
    let mut looks = Vec::new();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (queue, told, running) = (&queue, &told, &running);
            scope.spawn(move || {
                hand_in(thread, queue, told, mix(workload.seed, thread.into()));
                running.fetch_sub(1, Ordering::AcqRel);
            });
        }
        while running.load(Ordering::Acquire) > 0 {
            looks.push(look(&recorder, &told));
            std::thread::yield_now();
        }
    });
    looks.push(look(&recorder, &told));
    // An even choice of a few, the last among them.
    let stride = looks.len().div_ceil(24);
    looks.reverse();
    looks.into_iter().step_by(stride).collect()
}

fn look(recorder: &Recorder, told: &Mutex<Told>) -> Look {
    let before = told.lock().clone();
    let disk = recorder.disk().copy();
    let begun = told.lock().begun;
    Look {
        disk,
        told: before,
        begun,
    }
}

fn hand_in(thread: u32, queue: &Queue, told: &Mutex<Told>, seed: u64) {
    let mut dice = Dice::new(seed);
    let mut waiting = Vec::new();
    for number in 0..RECORDS {
        told.lock().begun[thread as usize] = number + 1;
        let bytes = payload(thread, number);
        if dice.once_in(3) {
            let ticket = queue.submit(&bytes).expect("nothing fails");
            let sequence = ticket.wait().expect("nothing fails");
            told.lock().durable.insert(sequence.get(), (thread, number));
        } else {
            let sequence = queue.enqueue(&bytes).expect("nothing fails");
            waiting.push((sequence, number));
        }
        if dice.once_in(4) {
            queue.sync().expect("nothing fails");
        }
        let durable = queue.durable();
        let mut told = told.lock();
        waiting.retain(|(sequence, number)| {
            let is_durable = *sequence < durable;
            if is_durable {
                told.durable.insert(sequence.get(), (thread, *number));
            }
            !is_durable
        });
    }
}

fn judge(image: &MemoryDirectory, look: &Look, workload: &Workload) -> Judged {
    let setup = workload.setup;
    let machine = Arc::new(crate::machine::Machine::new(workload.seed));
    let options = setup.options().max_records(u64::MAX).host(machine);
    let queue = options
        .open_on(Arc::new(image.clone()))
        .map_err(|error| format!("it does not open: {error}"))?;
    let report = queue.recovery();
    require!(
        report.corruption.is_empty(),
        "reported as corruption: {report:?}"
    );
    let mut consumer = queue
        .consumer("audit")
        .map_err(|error| format!("a consumer: {error}"))?;
    let mut next = 0;
    let mut numbers = [0; THREADS as usize];
    let mut known = look.told.durable.clone();
    loop {
        let batch = consumer
            .peek_batch(64)
            .map_err(|error| format!("reading: {error}"))?;
        let Some(last) = batch.last().map(|record| record.sequence) else {
            break;
        };
        for record in batch.iter() {
            require!(
                record.sequence.get() == next,
                "{} is not {next}",
                record.sequence
            );
            let own = whose(record.payload, &numbers, &look.begun);
            let own = own.ok_or_else(|| format!("{next} was not handed in next by anyone"))?;
            let promised = known.remove(&next);
            require!(
                promised.is_none_or(|told| told == own),
                "{next} is {own:?}, told {promised:?}"
            );
            numbers[own.0 as usize] = own.1 + 1;
            next += 1;
        }
        consumer
            .ack_through(last)
            .map_err(|error| format!("ack: {error}"))?;
    }
    require!(
        queue.next().get() == next,
        "{next} of {} are there",
        queue.next()
    );
    require!(known.is_empty(), "durable, and lost: {known:?}");
    Ok(())
}

/// The thread whose next record this is, and the record's number.
fn whose(bytes: &[u8], numbers: &[u32], begun: &[u32]) -> Option<(u32, u32)> {
    (0..THREADS).find_map(|thread| {
        let number = numbers[thread as usize];
        let is_it = number < begun[thread as usize] && payload(thread, number) == bytes;
        is_it.then_some((thread, number))
    })
}
