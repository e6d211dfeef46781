//! Submitting: written at once, durable when the ticket says so.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, Queue, QueueOptions, SyncPolicy, Ticket};
use parking_lot::Mutex;

use crate::scene::{PATIENCE, at, drain_exactly, folder, payload, refused, wait_until};

/// A waker that counts.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Bell {
    fn rung(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn open(policy: SyncPolicy) -> forebay::Result<Queue> {
    QueueOptions::new()
        .sync_policy(policy)
        .segment_bytes(8192)
        .open_on(Arc::new(MemoryDirectory::new()))
}

const POLICIES: [SyncPolicy; 3] = [
    SyncPolicy::Always,
    SyncPolicy::Interval(Duration::from_hours(1)),
    SyncPolicy::Manual,
];

#[test]
fn a_ticket_is_durable_once_waited_for_under_every_policy() -> forebay::Result<()> {
    for policy in POLICIES {
        let queue = open(policy)?;
        let ticket = queue.submit(payload(0))?;
        assert_eq!(ticket.sequence(), at(0));
        assert_eq!(ticket.wait()?, at(0));
        assert!(ticket.is_durable());
        assert_eq!(queue.durable(), at(1));
        assert_eq!(ticket.wait()?, at(0), "again");
        assert_eq!(ticket.wait_timeout(Duration::ZERO)?, Some(at(0)));
    }
    Ok(())
}

#[test]
fn tickets_become_durable_though_nobody_waits() -> forebay::Result<()> {
    for policy in POLICIES {
        let queue = open(policy)?;
        let ticket = queue.submit(payload(0))?;
        wait_until("the background commits", || ticket.is_durable());
        drop(queue.submit(payload(1))?);
        wait_until("a dropped ticket cancels nothing", || {
            queue.durable() == at(2)
        });
    }
    Ok(())
}

#[test]
fn wait_timeout_gives_the_sequence_or_nothing() -> forebay::Result<()> {
    let faulty = FaultyDirectory::over_memory(MemoryDirectory::new());
    let options = QueueOptions::new().sync_policy(SyncPolicy::Manual);
    let queue = options.open_on(Arc::new(faulty))?;
    let ticket = queue.submit(payload(0))?;
    assert_eq!(ticket.wait_timeout(PATIENCE)?, Some(at(0)));
    assert_eq!(ticket.wait_timeout(Duration::MAX)?, Some(at(0)));
    Ok(())
}

#[test]
fn a_ticket_is_a_future_for_any_executor() -> forebay::Result<()> {
    for policy in POLICIES {
        let queue = open(policy)?;
        for number in 0..50 {
            let bell = Arc::new(Bell::default());
            let waker = Waker::from(Arc::clone(&bell));
            let mut ticket = pin!(queue.submit(payload(number))?);
            let mut context = Context::from_waker(&waker);
            match ticket.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => assert_eq!(outcome?, at(number)),
                Poll::Pending => {
                    wait_until("the waker is called", || bell.rung() > 0);
                    let Poll::Ready(outcome) = ticket.as_mut().poll(&mut context) else {
                        panic!("woken, but not ready");
                    };
                    assert_eq!(outcome?, at(number));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn the_last_waker_a_ticket_was_polled_with_is_called() -> forebay::Result<()> {
    let queue = open(SyncPolicy::Manual)?;
    for number in 0..50 {
        let mut ticket = pin!(queue.submit(payload(number))?);
        let bells: Vec<_> = (0..3).map(|_| Arc::new(Bell::default())).collect();
        let mut pending = None;
        for bell in &bells {
            let waker = Waker::from(Arc::clone(bell));
            let polled = ticket.as_mut().poll(&mut Context::from_waker(&waker));
            pending = polled.is_pending().then_some(bell);
        }
        if let Some(bell) = pending {
            wait_until("the last waker is called", || bell.rung() > 0);
        }
    }
    Ok(())
}

#[test]
fn many_outstanding_tickets_all_come_true() -> forebay::Result<()> {
    for policy in POLICIES {
        let queue = open(policy)?;
        let tickets: Vec<Ticket> = (0..2000)
            .map(|number| queue.submit(payload(number)))
            .collect::<forebay::Result<_>>()?;
        for (number, ticket) in (0..2000).rev().zip(tickets.iter().rev()) {
            assert_eq!(ticket.wait()?, at(number));
        }
        drop(tickets);
        drain_exactly(&mut queue.consumer("a")?, 0..2000)?;
    }
    Ok(())
}

#[test]
fn tickets_from_many_threads_share_syncs() -> forebay::Result<()> {
    let folder = folder();
    let queue = Queue::open(folder.path().join("q"))?;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let tickets: Vec<_> = (0..100)
                    .map(|_| queue.submit(b"x").expect("open"))
                    .collect();
                for ticket in &tickets {
                    assert!(ticket.wait().is_ok());
                }
            });
        }
    });
    let stats = queue.stats()?;
    assert_eq!(stats.durable, at(400));
    assert!(stats.syncs < 400, "{} syncs for 400 records", stats.syncs);
    Ok(())
}

#[test]
fn a_ticket_outlives_every_handle_and_close_makes_it_true() -> forebay::Result<()> {
    let queue = open(SyncPolicy::Manual)?;
    let ticket = queue.submit(payload(0))?;
    queue.close()?;
    assert_eq!(ticket.wait()?, at(0));
    let queue = open(SyncPolicy::Manual)?;
    let ticket = queue.submit(payload(0))?;
    drop(queue);
    assert_eq!(ticket.wait()?, at(0));
    Ok(())
}

/// A ticket of a queue whose next sync fails.
fn doomed() -> forebay::Result<Ticket> {
    let faulty = FaultyDirectory::over_memory(MemoryDirectory::new());
    let options = QueueOptions::new().sync_policy(SyncPolicy::Manual);
    let queue = options.open_on(Arc::new(faulty.clone()))?;
    queue.submit(payload(0))?.wait()?;
    faulty.plan(Fault::nth_of(1, &[CallKind::SyncFile], Failure::Io).for_ever());
    queue.submit(payload(1))
}

#[test]
fn a_failed_sync_is_told_to_a_ticket_however_it_waits() -> forebay::Result<()> {
    refused(doomed()?.wait(), ErrorKind::Poisoned);
    refused(doomed()?.wait_timeout(PATIENCE), ErrorKind::Poisoned);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut ticket = pin!(doomed()?);
    let mut context = Context::from_waker(&waker);
    let mut outcome = ticket.as_mut().poll(&mut context);
    if outcome.is_pending() {
        wait_until("the waker is called", || bell.rung() > 0);
        outcome = ticket.as_mut().poll(&mut context);
    }
    let Poll::Ready(outcome) = outcome else {
        panic!("a poisoned queue keeps nobody waiting");
    };
    refused(outcome, ErrorKind::Poisoned);
    Ok(())
}

/// A task as a small executor has it: woken for the last time, it lets go of what it held.
struct LastTask(Mutex<Option<(Queue, Ticket)>>);

impl Wake for LastTask {
    fn wake(self: Arc<Self>) {
        let held = self.0.lock().take();
        drop(held);
    }
}

/// An executor may drop a task on the thread that wakes it. The last handle of a queue can then be
/// dropped by the commit thread, which cannot wait for its own end.
#[test]
fn the_last_handle_can_be_dropped_by_a_waker() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    for round in 0..20 {
        let options = QueueOptions::new().sync_policy(SyncPolicy::Manual);
        let queue = options.open(&path)?;
        let mut ticket = queue.submit(payload(round))?;
        let task = Arc::new(LastTask(Mutex::new(None)));
        let waker = Waker::from(Arc::clone(&task));
        let mut held = task.0.lock();
        let polled = std::pin::Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker));
        *held = Some((queue, ticket));
        drop(held);
        if polled.is_ready() {
            Arc::clone(&task).wake();
        }
        wait_until("the task is woken", || task.0.lock().is_none());
        // Closed by whoever dropped it: it opens again, and nothing is missing.
        let mut reopened = None;
        wait_until("the queue is free again", || {
            reopened = QueueOptions::new().open(&path).ok();
            reopened.is_some()
        });
        let queue = reopened.expect("just opened");
        assert_eq!(queue.next(), at(round + 1));
    }
    Ok(())
}
