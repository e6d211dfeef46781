//! Sinks that do not answer, buffers that are closed or dropped: nobody waits for ever.

use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use forebay::{ErrorKind, EventBuffer};

use super::executor::{PATIENCE, Task, block_on};
use super::upstream::{Answer, Upstream};
use super::{filled, folder, left};

#[test]
fn a_sink_that_does_not_answer_keeps_nobody_from_enqueueing() -> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder, 1);
    let upstream = Upstream::new(1, |event| match event {
        0 => Answer::Hold,
        _ => Answer::Accept,
    });
    let mut drain = Task::new(buffer.drain_and_send(&upstream));
    assert!(drain.run_until(|| upstream.offered() == [0]).is_none());
    buffer.enqueue(&1)?;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| buffer.enqueue(&2));
        other.join().expect("no panic")
    })?;
    assert_eq!((buffer.len()?, buffer.is_empty()?), (3, false));
    buffer.queue().sync()?;
    upstream.release(0, Ok(()));
    assert_eq!(drain.finish()?, 3);
    assert_eq!(upstream.accepted(), [0, 1, 2]);
    Ok(())
}

/// The buffer can be opened again only once the thread of the one before has let go of it.
#[test]
fn the_thread_ends_with_its_buffer_whatever_became_of_the_drain() {
    let folder = folder();
    let upstream = Upstream::new(1, |_| Answer::Hold);

    let buffer = filled(&folder, 3);
    let mut dropped = Task::new(buffer.drain_and_send(&upstream));
    assert!(dropped.poll().is_pending());
    drop(dropped);
    drop(buffer);

    let buffer = filled(&folder, 0);
    let mut forgotten = ManuallyDrop::new(Box::pin(buffer.drain_and_send(&upstream)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(forgotten.as_mut().as_mut().poll(&mut context).is_pending());
    drop(buffer);

    assert_eq!(left(&filled(&folder, 0)), [0, 1, 2]);
}

type Shared = Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>;

/// A runtime that is being shut down: to wake a future of it drops the future.
struct Dropping {
    future: Shared,
    dropped: Mutex<Sender<()>>,
}

impl Wake for Dropping {
    fn wake(self: Arc<Self>) {
        let future = self.future.lock().expect("no panic").take();
        drop(future);
        let dropped = self.dropped.lock().expect("no panic");
        dropped.send(()).expect("the test waits");
    }
}

#[test]
fn a_buffer_that_is_dropped_on_its_own_thread_does_not_wait_for_itself() {
    let folder = folder();
    let buffer = Arc::new(filled(&folder, 3));
    let own = Arc::clone(&buffer);
    let (dropped, waiting) = channel();
    let runtime = Arc::new(Dropping {
        future: Mutex::new(None),
        dropped: Mutex::new(dropped),
    });
    let mut future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
        let upstream = Upstream::new(1, |_| Answer::Hold);
        own.drain_and_send(&upstream).await.expect("never ready");
    });
    drop(buffer);
    // Held while it is polled, so that whoever wakes it finds it at its place.
    let mut place = runtime.future.lock().expect("no panic");
    let waker = Waker::from(Arc::clone(&runtime));
    assert!(matches!(
        future.as_mut().poll(&mut Context::from_waker(&waker)),
        Poll::Pending
    ));
    *place = Some(future);
    drop(place);
    waiting
        .recv_timeout(PATIENCE)
        .expect("woken by the thread, and dropped there");
    // The thread lets go of it in its own time.
    let started = Instant::now();
    let path = folder.path().join("buffer");
    let again = loop {
        match EventBuffer::<u32>::new(&path, 10_000) {
            Err(error) if matches!(error.kind(), ErrorKind::Locked { .. }) => {
                assert!(started.elapsed() < PATIENCE, "it is never let go of");
                std::thread::yield_now();
            }
            opened => break opened.expect("nobody has it"),
        }
    };
    assert_eq!(left(&again), [0, 1, 2]);
}

#[test]
fn a_queue_that_is_closed_ends_the_drain_with_an_error_and_loses_nothing() {
    let folder = folder();
    let buffer = filled(&folder, 3);
    let upstream = Upstream::new(1, |event| match event {
        1 => Answer::Hold,
        _ => Answer::Accept,
    });
    let mut drain = Task::new(buffer.drain_and_send(&upstream));
    assert!(drain.run_until(|| upstream.offered() == [0, 1]).is_none());
    assert!(
        drain
            .run_until(|| buffer.len().is_ok_and(|left| left == 2))
            .is_none()
    );
    buffer.queue().clone().close().expect("nothing is wrong");
    upstream.release(1, Ok(()));
    let error = drain
        .finish()
        .expect_err("what was accepted cannot be removed");
    assert_eq!(error.kind(), ErrorKind::Closed);
    let error = block_on(buffer.drain_and_send(&upstream)).expect_err("it is closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
    drop(buffer);
    let again = left(&filled(&folder, 0));
    assert_eq!(again, [1, 2]);
}
