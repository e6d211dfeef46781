//! Looks at a queue that was opened again, and holds it against the ledger.

use std::collections::HashMap;

use forebay::{Consumer, Queue, Record};

use super::failure::{Failure, Must, Outcome};
use super::ledger::{AUDITOR, CONSUMERS, Ending, Event, Ledger, SHIPPER};
use super::random::Random;
use super::record::Name;

/// Checks all that was promised before the life that ended by `ending`, and begins the next one.
pub(crate) fn verify(
    queue: &Queue,
    ledger: &mut Ledger,
    ending: Ending,
    random: &mut Random,
) -> Outcome {
    let cycle = ledger.cycle;
    compare(queue, ledger, ending, random).map_err(|failure| match failure {
        Failure::Broken(what) => {
            let report = queue.recovery();
            Failure::Broken(format!(
                "{what}; after {ending:?} of life {cycle}, {report:?}"
            ))
        }
        Failure::Setup(what) => Failure::Setup(what),
    })
}

fn compare(queue: &Queue, ledger: &mut Ledger, ending: Ending, random: &mut Random) -> Outcome {
    ledger.check_broken()?;
    let report = queue.recovery();
    if !report.corruption.is_empty() || report.state_rebuilt {
        return Failure::broken(format!("reported after {ending:?}: {report:?}"));
    }
    ledger.check_end(queue.next().get())?;
    let mut shipper = take(queue, ledger, SHIPPER, ending)?;
    let mut auditor = take(queue, ledger, AUDITOR, ending)?;
    // What the shipper has not got yet is kept for it, so it can be looked at again.
    if shipper.next_sequence() < auditor.next_sequence() {
        auditor.seek(shipper.next_sequence()).must("go back")?;
        ledger.went_back(AUDITOR, shipper.next_sequence().get());
    }
    audit(&mut auditor, ledger, queue.next().get())?;
    ship(&mut shipper, ledger, random)?;
    ledger.check_broken()?;
    ledger.begin();
    Ok(())
}

/// The consumer, if it is where it may be.
fn take(queue: &Queue, ledger: &mut Ledger, at: usize, ending: Ending) -> Outcome<Consumer> {
    let who = CONSUMERS[at];
    let consumer = queue.consumer(who).must(who)?;
    if let Some(range) = consumer.taken_back() {
        return Failure::broken(format!(
            "the records {range:?} were acknowledged and are gone"
        ));
    }
    let next = consumer.next_sequence();
    ledger.check_place(at, next.get(), ending)?;
    if next < queue.first() {
        let first = queue.first();
        return Failure::broken(format!(
            "LOST: {who} is at {next}, the log begins at {first}"
        ));
    }
    Ok(consumer)
}

/// Reads everything from the auditor's place to the log's end, which is `end`.
fn audit(auditor: &mut Consumer, ledger: &mut Ledger, end: u64) -> Outcome {
    let mut due = auditor.next_sequence().get();
    let mut newest = HashMap::new();
    let mut found = Ok(());
    let drained = auditor.drain(|record| {
        found = look(record, due, ledger, &mut newest);
        due += 1;
        if found.is_ok() { Ok(()) } else { Err(()) }
    });
    found?;
    drained.must("the auditor reads")?;
    if due != end {
        return Failure::broken(format!("LOST: read up to {due}, the log goes to {end}"));
    }
    no_gaps(auditor)?;
    acknowledged(ledger, AUDITOR, due);
    Ok(())
}

/// Lets the shipper have some of what waits for it.
fn ship(shipper: &mut Consumer, ledger: &mut Ledger, random: &mut Random) -> Outcome {
    let mut left = random.below(300);
    let mut due = shipper.next_sequence().get();
    let mut newest = HashMap::new();
    let mut found = Ok(());
    let drained = shipper.drain(|record| {
        if left == 0 {
            return Err(());
        }
        found = look(record, due, ledger, &mut newest);
        due += 1;
        left -= 1;
        if found.is_ok() { Ok(()) } else { Err(()) }
    });
    found?;
    drained.must("the shipper reads")?;
    no_gaps(shipper)?;
    acknowledged(ledger, SHIPPER, due);
    Ok(())
}

fn acknowledged(ledger: &mut Ledger, consumer: usize, next: u64) {
    ledger.went_to(consumer, next);
    ledger.apply(Event::Acknowledged { consumer, next });
}

fn no_gaps(consumer: &mut Consumer) -> Outcome {
    let gaps = consumer.take_gaps();
    if gaps.is_empty() {
        return Ok(());
    }
    Failure::broken(format!("LOST: {} has gaps: {gaps:?}", consumer.name()))
}

/// Checks one record: its place, every byte, the order of its producer.
fn look(
    record: &Record<'_>,
    due: u64,
    ledger: &mut Ledger,
    newest: &mut HashMap<u32, Name>,
) -> Outcome {
    let sequence = record.sequence.get();
    if sequence != due {
        return Failure::broken(format!("LOST: {sequence} comes where {due} is due"));
    }
    let Some(name) = Name::of(record.payload) else {
        let bytes = record.payload.len();
        return Failure::broken(format!(
            "the {bytes} bytes of {sequence} are not what was enqueued"
        ));
    };
    if let Some(before) = newest.insert(name.producer, name)
        && before.age() >= name.age()
    {
        return Failure::broken(format!("{name:?} at {sequence} comes after {before:?}"));
    }
    ledger.check_found(sequence, record.epoch.get(), name)
}
