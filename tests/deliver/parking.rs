//! Events that are given up: durable among the dead letters before they leave the buffer.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use forebay::{
    DeadLetter, DeadLetters, ErrorKind, EventBuffer, Listener, QueueOptions, Refusal, SendOptions,
    SinkError, SyncPolicy,
};

use super::executor::{Task, block_on};
use super::upstream::{Answer, Upstream};
use super::{copy_tree, drained, filled, folder, left};

/// All letters.
pub(crate) fn letters_of(letters: &DeadLetters) -> Vec<DeadLetter> {
    let mut all = Vec::new();
    let visited = letters.visit(|letter| {
        all.push(letter);
        ControlFlow::Continue(())
    });
    visited.expect("nobody else looks at them");
    all
}

/// The events in them.
pub(crate) fn events_of(letters: &DeadLetters) -> Vec<u32> {
    let decode = |letter: &DeadLetter| {
        let codec = forebay::Bincode;
        forebay::Codec::<u32>::decode(&codec, &letter.payload).expect("an event")
    };
    letters_of(letters).iter().map(decode).collect()
}

fn poison(event: u32) -> Result<(), SinkError> {
    match event {
        2 | 3 => Err(SinkError::reject(format!("{event} is poison"))),
        _ => Ok(()),
    }
}

#[test]
fn what_is_rejected_is_parked_with_all_that_is_known_of_it() -> forebay::Result<()> {
    let folder = folder();
    let letters = DeadLetters::open(folder.path().join("dead"))?;
    let buffer = filled(&folder, 1);
    buffer.enqueue_kind(&2, 9)?;
    buffer.enqueue_once([7; 16], &3)?;
    buffer.enqueue(&4)?;
    let options = SendOptions::new().dead_letters(&letters);
    let (offered, sent) = drained(&buffer, &options, poison);
    let sent = sent?;
    assert_eq!(
        (sent.accepted, sent.parked, sent.refused.is_none()),
        (2, 2, true)
    );
    assert_eq!((offered, buffer.len()?), (vec![0, 2, 3, 4], 0));
    let [two, three] = &letters_of(&letters)[..] else {
        panic!("two letters");
    };
    assert_eq!((two.kind, two.key, two.attempts), (9, None, 1));
    assert_eq!(
        (two.refusal, two.reason.as_str()),
        (Refusal::Reject, "2 is poison")
    );
    assert_eq!(
        (two.record.queue, two.record.sequence.get()),
        (buffer.queue().id(), 1)
    );
    assert_eq!((three.key, three.sequence.get()), (Some([7; 16]), 1));
    assert!(two.enqueued_at <= two.parked_at);
    assert_eq!(events_of(&letters), [2, 3]);
    Ok(())
}

#[test]
fn an_awaited_drain_parks_what_a_blocking_one_would() -> forebay::Result<()> {
    for in_flight in [1, 2, 8] {
        let folder = folder();
        let letters = DeadLetters::open(folder.path().join("dead"))?;
        let buffer = filled(&folder, 10);
        let upstream = Upstream::new(in_flight, |event| match poison(event) {
            Ok(()) => Answer::Late(event % 3),
            Err(why) => Answer::Refuse(why),
        });
        let options = SendOptions::new().dead_letters(&letters);
        let sent = block_on(buffer.send_with(&upstream, &options))?;
        assert_eq!((sent.accepted, sent.parked, buffer.len()?), (8, 2, 0));
        // What was accepted behind them does not come again.
        assert_eq!(upstream.offered(), (0..10).collect::<Vec<_>>());
        assert_eq!(events_of(&letters), [2, 3]);
    }
    Ok(())
}

#[test]
fn without_dead_letters_what_is_rejected_stays_first() -> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 5);
    let options = SendOptions::new().retries_max(0);
    for accepted in [2, 0] {
        let (_, sent) = drained(&buffer, &options, poison);
        let sent = sent?;
        assert_eq!((sent.accepted, sent.parked), (accepted, 0));
        assert_eq!(sent.refused.expect("refused").refusal(), Refusal::Reject);
    }
    assert_eq!(left(&buffer), [2, 3, 4]);
    Ok(())
}

#[test]
fn retries_are_counted_for_one_event_and_end_in_a_dead_letter_where_a_limit_is_set()
-> forebay::Result<()> {
    let folder = folder();
    let letters = DeadLetters::open(folder.path().join("dead"))?;
    let buffer = filled(&folder, 2);
    let down = |_| Err(SinkError::retry("down"));
    let patient = SendOptions::new().dead_letters(&letters);
    let strict = patient.clone().retries_max(2);
    for _ in 0..10 {
        let (offered, sent) = drained(&buffer, &patient, down);
        assert_eq!((offered, sent?.parked), (vec![0], 0));
    }
    // Ten refusals are more than two retries; the next event has had none.
    let (offered, sent) = drained(&buffer, &strict, down);
    let sent = sent?;
    assert_eq!((offered, sent.parked), (vec![0, 1], 1));
    assert!(sent.refused.is_some());
    assert_eq!(letters_of(&letters)[0].attempts, 11);
    let upstream = Upstream::new(4, |_| Answer::Refuse(SinkError::retry("down")));
    let sent = block_on(buffer.send_with(&upstream, &strict))?;
    assert_eq!((sent.parked, sent.refused.is_some()), (0, true));
    let sent = block_on(buffer.send_with(&upstream, &strict))?;
    assert_eq!((sent.parked, sent.refused.is_none()), (1, true));
    assert_eq!(letters_of(&letters)[1].attempts, 3);
    assert_eq!(letters_of(&letters)[1].refusal, Refusal::Retry);
    Ok(())
}

#[test]
fn who_says_stop_is_never_parked_for_it() -> forebay::Result<()> {
    let folder = folder();
    let letters = DeadLetters::open(folder.path().join("dead"))?;
    let buffer = filled(&folder, 1);
    let options = SendOptions::new().dead_letters(&letters).retries_max(0);
    for _ in 0..3 {
        let (_, sent) = drained(&buffer, &options, |_| Err(SinkError::stop("no stream")));
        assert_eq!(sent?.refused.expect("refused").refusal(), Refusal::Stop);
    }
    assert!(letters.is_empty()?);
    assert_eq!(left(&buffer), [0]);
    Ok(())
}

#[test]
fn where_a_dead_letter_has_no_room_its_event_stays_and_the_drain_fails() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("dead");
    let letters = DeadLetters::with_options(path, QueueOptions::new().max_records(1))?;
    let options = SendOptions::new().dead_letters(&letters);
    let full = |error: forebay::Error| assert!(matches!(error.kind(), ErrorKind::Full { .. }));
    let buffer = filled(&folder, 5);
    let (_, sent) = drained(&buffer, &options, poison);
    full(sent.expect_err("the second letter has no room"));
    assert_eq!((events_of(&letters), buffer.len()?), (vec![2], 2));
    let upstream = Upstream::new(8, |event| {
        Answer::Refuse(poison(event).expect_err("poison"))
    });
    full(block_on(buffer.send_with(&upstream, &options)).expect_err("no room still"));
    assert_eq!(left(&buffer), [3, 4]);
    Ok(())
}

/// Copies both folders whenever a letter was made durable, or an event was removed.
struct Camera {
    folder: PathBuf,
    images: parking_lot::Mutex<Vec<PathBuf>>,
}

impl Camera {
    fn take(&self) {
        let mut images = self.images.lock();
        let image = self.folder.join(format!("image {}", images.len()));
        for part in ["buffer", "dead"] {
            copy_tree(&self.folder.join(part), &image.join(part));
        }
        images.push(image);
    }
}

impl Listener for Camera {
    fn enqueued(&self, _records: u64, _bytes: u64) {
        self.take();
    }

    fn synced(&self, _duration: std::time::Duration, _records: u64) {
        self.take();
    }

    fn delivered(&self, _consumer: &str, _records: u64) {
        self.take();
    }
}

/// What a process that finds `image` sends, and what is parked in the end.
fn resumed(image: &Path) -> (Vec<u32>, Vec<u32>) {
    let letters = DeadLetters::open(image.join("dead")).expect("letters");
    let buffer = EventBuffer::new(image.join("buffer"), 10_000).expect("a buffer");
    let options = SendOptions::new().dead_letters(&letters);
    let (offered, sent) = drained(&buffer, &options, poison);
    sent.expect("all is sent or parked");
    (offered, events_of(&letters))
}

#[test]
fn killed_at_any_moment_of_parking_each_is_parked_once_and_none_is_lost() -> forebay::Result<()> {
    for policy in [SyncPolicy::Always, SyncPolicy::Manual] {
        let folder = folder();
        drop(filled(&folder, 5));
        let camera = Arc::new(Camera {
            folder: folder.path().to_owned(),
            images: parking_lot::Mutex::default(),
        });
        let options = || {
            QueueOptions::new()
                .sync_policy(policy)
                .listener(Arc::<Camera>::clone(&camera))
        };
        // The folder of the other must be there for the first picture.
        drop(DeadLetters::open(folder.path().join("dead"))?);
        let letters = DeadLetters::with_options(folder.path().join("dead"), options())?;
        let path = folder.path().join("buffer");
        let buffer: EventBuffer<u32> = EventBuffer::with_options(path, 10_000, options())?;
        let (_, sent) = drained(&buffer, &SendOptions::new().dead_letters(&letters), poison);
        assert_eq!(sent?.parked, 2);
        let images = camera.images.lock().clone();
        let mut between = 0;
        for image in &images {
            let parked = {
                let letters = DeadLetters::open(image.join("dead"))?;
                events_of(&letters)
            };
            let (offered, at_last) = resumed(image);
            assert_eq!(at_last, [2, 3], "{policy:?}, {}", image.display());
            assert!(offered.ends_with(&[4]) || offered.is_empty());
            between += usize::from(parked.iter().any(|event| offered.contains(event)));
        }
        assert!(
            between >= 2,
            "pictures between parking and removing: {between}"
        );
    }
    Ok(())
}

#[test]
fn a_dead_letter_is_durable_before_its_event_is_removed() -> forebay::Result<()> {
    let folder = folder();
    let lazy = QueueOptions::new().sync_policy(SyncPolicy::Manual);
    let letters = DeadLetters::with_options(folder.path().join("dead"), lazy)?;
    let buffer = filled(&folder, 5);
    let options = SendOptions::new().dead_letters(&letters);
    let (_, sent) = drained(&buffer, &options, |event| {
        assert_eq!(letters.queue().durable(), letters.queue().next());
        poison(event)
    });
    assert_eq!(sent?.parked, 2);
    assert_eq!(letters.queue().durable().get(), 2);
    Ok(())
}

#[test]
fn dropped_while_it_parks_an_awaited_drain_has_parked_and_removed_or_neither() -> forebay::Result<()>
{
    for polls in 0.. {
        let folder = folder();
        let letters = DeadLetters::open(folder.path().join("dead"))?;
        let options = SendOptions::new().dead_letters(&letters);
        let buffer = filled(&folder, 5);
        let upstream = Upstream::new(1, |event| match poison(event) {
            Ok(()) => Answer::Accept,
            Err(why) => Answer::Refuse(why),
        });
        let mut drain = Task::new(buffer.send_with(&upstream, &options));
        let mut polled = 0;
        let ended = drain.run_until(|| {
            polled += 1;
            polled > polls
        });
        drop(drain);
        let rest = left(&buffer);
        let parked = events_of(&letters);
        let twice = parked.iter().any(|event| rest.contains(event));
        assert!(!twice, "{polls} polls: {parked:?} parked, {rest:?} left");
        let lost = [2, 3]
            .iter()
            .any(|event| !parked.contains(event) && !rest.contains(event));
        assert!(!lost, "{polls} polls: {parked:?} parked, {rest:?} left");
        if ended.is_some() {
            assert!(polls > 3, "there were places to drop it at");
            break;
        }
    }
    Ok(())
}
