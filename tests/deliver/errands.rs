//! A drain that is dropped while the buffer's thread has not got to its errands yet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use forebay::{DeadLetters, ErrorKind, EventBuffer, Host, QueueOptions, SendOptions, SinkError};

use super::executor::{PATIENCE, Task, block_on};
use super::upstream::{Answer, Upstream};
use super::{NOTHING, filled, folder, left};

/// A waker that holds up the thread that calls it, once.
struct Gate {
    called: Mutex<Sender<()>>,
    opened: Mutex<Receiver<()>>,
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.called.lock().expect("no panic").send(()).ok();
        let opened = self.opened.lock().expect("no panic");
        opened.recv_timeout(PATIENCE).ok();
    }
}

/// Both ends of a gate: hears that somebody is there, and lets through whoever is.
struct Keeper {
    waker: Waker,
    called: Receiver<()>,
    open: Sender<()>,
}

impl Keeper {
    fn new() -> Self {
        let (called, hears) = channel();
        let (open, opened) = channel();
        let gate = Gate {
            called: Mutex::new(called),
            opened: Mutex::new(opened),
        };
        Self {
            waker: Waker::from(Arc::new(gate)),
            called: hears,
            open,
        }
    }

    /// Polls `task`, which sends the thread for records, and has the thread held up when it has
    /// brought them.
    fn hold_up<R>(&self, task: &mut Task<'_, R>) {
        assert!(
            task.poll_with(&mut Context::from_waker(&self.waker))
                .is_pending()
        );
        self.called
            .recv_timeout(PATIENCE)
            .expect("the thread comes");
    }

    /// The same once more, when the thread has found that there are no other records: all that
    /// the drain had to hear of it has been heard then.
    fn hold_up_twice<R>(&self, task: &mut Task<'_, R>) {
        self.hold_up(task);
        self.open.send(()).expect("the thread waits");
        self.hold_up(task);
        assert!(task.poll().is_pending());
    }
}

#[test]
fn what_was_accepted_does_not_come_again_though_the_thread_has_not_acknowledged_it()
-> forebay::Result<()> {
    for awaited in [false, true] {
        let folder = folder();
        let buffer = filled(&folder, 4);
        let upstream = Upstream::new(1, |event| match event {
            0 | 1 => Answer::Accept,
            _ => Answer::Hold,
        });
        let keeper = Keeper::new();
        let mut drain = Task::new(buffer.drain_and_send(&upstream));
        keeper.hold_up(&mut drain);
        assert!(drain.poll().is_pending());
        assert_eq!(upstream.accepted(), [0, 1]);
        drop(drain);
        if awaited {
            keeper.open.send(()).expect("the thread waits");
            let next = Upstream::new(1, |_| Answer::Accept);
            assert_eq!(block_on(buffer.drain_and_send(&next))?, 2);
            assert_eq!(next.offered(), [2, 3]);
        } else {
            assert_eq!(left(&buffer), [2, 3]);
            keeper.open.send(()).expect("the thread waits");
        }
    }
    Ok(())
}

#[test]
fn what_another_drain_delivered_meanwhile_is_not_parked() -> forebay::Result<()> {
    let folder = folder();
    let letters = DeadLetters::open(folder.path().join("dead"))?;
    let options = SendOptions::new().dead_letters(&letters);
    let buffer = filled(&folder, 2);
    let upstream = Upstream::new(1, |_| Answer::Refuse(SinkError::reject("poison")));
    let keeper = Keeper::new();
    let mut drain = Task::new(buffer.send_with(&upstream, &options));
    keeper.hold_up(&mut drain);
    assert!(drain.poll().is_pending());
    assert_eq!(upstream.offered(), [0]);
    drop(drain);
    assert_eq!(left(&buffer), [0, 1]);
    keeper.open.send(()).expect("the thread waits");
    // The thread does what it was asked for before it ends.
    drop(buffer);
    assert!(letters.is_empty()?);
    Ok(())
}

#[test]
fn what_is_read_behind_an_event_that_cannot_be_decoded_does_not_overtake_it() -> forebay::Result<()>
{
    // More than one read brings, and more handed out than half of that.
    let folder = folder();
    let buffer = filled(&folder, 525);
    buffer.queue().enqueue(&[0xFF; 9])?;
    (0..700).try_for_each(|event| buffer.enqueue(&event))?;
    let upstream = Upstream::new(520, |_| Answer::Hold);
    let keeper = Keeper::new();
    let mut drain = Task::new(buffer.drain_and_send(&upstream));
    keeper.hold_up(&mut drain);
    while upstream.offered().len() < 520 {
        assert!(drain.poll().is_pending());
    }
    // The thread has been sent for more by now; what it will bring is behind the bad one.
    (0..7).for_each(|event| upstream.release(event, Ok(())));
    assert!(drain.poll().is_pending());
    assert_eq!(upstream.offered().len(), 525);
    keeper.open.send(()).expect("the thread waits");
    (7..525).for_each(|event| upstream.release(event, Ok(())));
    assert_eq!(drain.finish()?, 525);
    assert_eq!(upstream.offered(), (0..525).collect::<Vec<_>>());
    assert_eq!(buffer.len()?, 701);
    Ok(())
}

#[test]
fn a_drain_that_was_refused_is_over_only_when_what_was_accepted_is_removed() -> forebay::Result<()>
{
    let folder = folder();
    let buffer = filled(&folder, 2);
    let upstream = Upstream::new(2, |_| Answer::Hold);
    let keeper = Keeper::new();
    let mut drain = Task::new(buffer.drain_and_send(&upstream));
    keeper.hold_up_twice(&mut drain);
    upstream.release(0, Ok(()));
    upstream.release(1, Err(SinkError::retry("down")));
    assert!(drain.poll().is_pending(), "the thread has not been there");
    keeper.open.send(()).expect("the thread waits");
    assert_eq!(drain.finish()?, 1);
    assert_eq!(buffer.len()?, 1);
    Ok(())
}

#[test]
fn after_a_refusal_those_in_flight_are_waited_for() -> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 2);
    let upstream = Upstream::new(2, |_| Answer::Hold);
    let keeper = Keeper::new();
    let mut drain = Task::new(buffer.drain_and_send(&upstream));
    keeper.hold_up_twice(&mut drain);
    upstream.release(0, Err(SinkError::retry("down")));
    assert!(drain.poll().is_pending(), "one is in flight");
    keeper.open.send(()).expect("the thread waits");
    upstream.release(1, Ok(()));
    assert_eq!(drain.finish()?, 0);
    assert_eq!(left(&buffer), [0, 1]);
    Ok(())
}

#[test]
fn what_a_dropped_drain_had_read_is_neither_skipped_nor_given_up() -> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 3);
    let upstream = Upstream::new(2, |_| Answer::Hold);
    let mut drain = Task::new(buffer.drain_and_send(&upstream));
    assert!(drain.run_until(|| upstream.offered() == [0, 1]).is_none());
    drop(drain);
    assert_eq!(buffer.skip()?.map(forebay::Sequence::get), Some(0));
    let next = Upstream::new(2, |_| Answer::Accept);
    assert_eq!(block_on(buffer.drain_and_send(&next))?, 2);
    assert_eq!(next.offered(), [1, 2]);
    assert_eq!(left(&buffer), NOTHING);
    Ok(())
}

/// A process that forks.
#[derive(Debug, Default)]
struct Forking(AtomicBool);

impl Host for Forking {
    fn now(&self) -> u64 {
        1
    }

    fn random(&self) -> u64 {
        2
    }

    fn process(&self) -> u32 {
        u32::from(self.0.load(Ordering::Relaxed))
    }
}

#[test]
fn a_forked_child_is_refused_and_does_not_wait_for_a_thread_that_it_has_not() -> forebay::Result<()>
{
    let folder = folder();
    let host = Arc::new(Forking::default());
    let options = QueueOptions::new().host(Arc::<Forking>::clone(&host));
    let buffer: EventBuffer<u32> =
        EventBuffer::with_options(folder.path().join("buffer"), 100, options)?;
    host.0.store(true, Ordering::Relaxed);
    let upstream = Upstream::new(1, |_| Answer::Accept);
    let mut drain = Task::new(buffer.drain_and_send(&upstream));
    // At the first poll: there is nobody to wait for.
    let std::task::Poll::Ready(Err(error)) = drain.poll() else {
        panic!("it is refused at once");
    };
    assert_eq!(error.kind(), ErrorKind::Forked);
    Ok(())
}
