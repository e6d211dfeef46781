//! Events that are handed over together: each becomes what the sink said of it.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::task::Poll;

use forebay::{
    Accepted, AsyncSink, BatchFuture, DeadLetters, Delivery, SendOptions, SinkError, SinkFuture,
};

use super::executor::{Task, block_on};
use super::parking::events_of;
use super::{filled, folder, left};

/// A sink that takes several at once, and answers at the second poll.
struct Together<F> {
    in_flight: usize,
    batch: usize,
    script: F,
    batches: Mutex<Vec<Vec<u32>>>,
}

impl<F: Fn(&[u32]) -> Accepted> Together<F> {
    fn new(in_flight: usize, batch: usize, script: F) -> Self {
        Self {
            in_flight,
            batch,
            script,
            batches: Mutex::default(),
        }
    }

    fn batches(&self) -> Vec<Vec<u32>> {
        self.batches.lock().expect("no test panics with it").clone()
    }

    async fn take(&self, events: Vec<u32>) -> Accepted {
        let said = (self.script)(&events);
        self.batches.lock().expect("as above").push(events);
        let mut asked = false;
        poll_fn(|context| {
            if std::mem::replace(&mut asked, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        said
    }
}

impl<F: Fn(&[u32]) -> Accepted + Send + Sync> AsyncSink<u32> for Together<F> {
    fn accept<'a>(&'a self, delivery: &'a Delivery<u32>) -> SinkFuture<'a> {
        Box::pin(async {
            let said = self.take(vec![delivery.event]).await;
            said.refused.map_or(Ok(()), Err)
        })
    }

    fn in_flight_max(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.in_flight).expect("at least one")
    }

    fn accept_batch<'a>(&'a self, deliveries: &'a [Delivery<u32>]) -> BatchFuture<'a> {
        let events = deliveries.iter().map(|one| one.event).collect();
        Box::pin(self.take(events))
    }

    fn batch_max(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.batch).expect("at least one")
    }
}

/// Accepts what is before the first event that `why` knows something about.
fn up_to(events: &[u32], why: impl Fn(u32) -> Option<SinkError>) -> Accepted {
    let found = events.iter().enumerate();
    let mut refused = found.filter_map(|(at, event)| Some((at, why(*event)?)));
    match refused.next() {
        Some((at, why)) => Accepted::before(at, why),
        None => Accepted::all(events.len()),
    }
}

#[test]
fn a_backlog_is_handed_over_in_batches_in_order_and_never_more_than_may_be_in_flight()
-> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 20);
    let sink = Together::new(6, 4, |events| Accepted::all(events.len()));
    assert_eq!(block_on(buffer.drain_and_send(&sink))?, 20);
    let batches = sink.batches();
    assert_eq!(batches.concat(), (0..20).collect::<Vec<_>>());
    assert!(batches.iter().all(|batch| (1..=4).contains(&batch.len())));
    assert_eq!(
        (&batches[0][..], &batches[1][..]),
        (&[0, 1, 2, 3][..], &[4, 5][..])
    );
    assert!(left(&buffer).is_empty());
    Ok(())
}

#[test]
fn what_a_batch_accepted_before_a_refusal_is_removed_and_the_rest_comes_again()
-> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 12);
    let sink = Together::new(8, 4, |events| {
        up_to(events, |event| {
            (event == 2).then(|| SinkError::retry("full at 2"))
        })
    });
    let sent = block_on(buffer.send_to(&sink))?;
    let refused = sent.refused.expect("one was refused");
    assert_eq!(
        (sent.accepted, refused.to_string()),
        (2, "full at 2".to_owned())
    );
    // The second batch was in flight and accepted, and comes again all the same.
    assert_eq!(sink.batches(), [[0, 1, 2, 3], [4, 5, 6, 7]]);
    assert_eq!(left(&buffer), (2..12).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn poison_inside_a_batch_is_parked_alone_and_those_behind_it_are_delivered_in_order()
-> forebay::Result<()> {
    let folder = folder();
    let letters = DeadLetters::open(folder.path().join("dead"))?;
    let buffer = filled(&folder, 12);
    let sink = Together::new(4, 4, |events| {
        up_to(events, |event| {
            matches!(event, 2 | 7).then(|| SinkError::reject("poison"))
        })
    });
    let options = SendOptions::new().dead_letters(&letters);
    let sent = block_on(buffer.send_with(&sink, &options))?;
    assert_eq!((sent.accepted, sent.parked), (10, 2));
    assert_eq!(events_of(&letters), [2, 7]);
    assert!(left(&buffer).is_empty());
    Ok(())
}

#[test]
fn a_sink_that_answers_for_fewer_events_than_it_was_given_gets_the_others_again()
-> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 4);
    let sink = Together::new(4, 4, |_| Accepted::all(3));
    let sent = block_on(buffer.send_to(&sink))?;
    assert_eq!((sent.accepted, sent.refused.is_some()), (3, true));
    assert_eq!(left(&buffer), [3]);
    Ok(())
}

#[test]
fn a_drain_dropped_between_batches_loses_nothing_and_keeps_the_order() {
    for polls in 0..12 {
        let folder = folder();
        let buffer = filled(&folder, 12);
        let sink = Together::new(8, 4, |events| Accepted::all(events.len()));
        let mut drain = Task::new(buffer.drain_and_send(&sink));
        for _ in 0..polls {
            if drain.poll().is_ready() {
                break;
            }
        }
        drop(drain);
        let handed: Vec<u32> = sink.batches().concat();
        let rest = left(&buffer);
        let first = rest.first().copied().unwrap_or(12);
        assert_eq!(rest, (first..12).collect::<Vec<_>>(), "after {polls} polls");
        assert!(
            handed.len() >= usize::try_from(first).expect("small"),
            "{polls}"
        );
    }
}

#[test]
fn without_a_way_to_take_several_they_are_taken_one_after_another() -> forebay::Result<()> {
    /// Says that it takes several, and leaves how to the trait.
    struct Plain(Mutex<Vec<u32>>);

    impl AsyncSink<u32> for Plain {
        fn accept<'a>(&'a self, delivery: &'a Delivery<u32>) -> SinkFuture<'a> {
            Box::pin(async {
                if delivery.event == 5 {
                    return Err(SinkError::retry("not this one"));
                }
                self.0
                    .lock()
                    .expect("no test panics with it")
                    .push(delivery.event);
                Ok(())
            })
        }

        fn in_flight_max(&self) -> NonZeroUsize {
            NonZeroUsize::new(4).expect("not zero")
        }

        fn batch_max(&self) -> NonZeroUsize {
            NonZeroUsize::new(4).expect("not zero")
        }
    }

    let folder = folder();
    let buffer = filled(&folder, 8);
    let sink = Plain(Mutex::default());
    assert_eq!(block_on(buffer.drain_and_send(&sink))?, 5);
    assert_eq!(*sink.0.lock().expect("as above"), [0, 1, 2, 3, 4]);
    assert_eq!(left(&buffer), [5, 6, 7]);
    Ok(())
}
