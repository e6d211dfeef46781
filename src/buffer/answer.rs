//! One value from one thread to one future: what a runtime would call a one-shot channel.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

enum State<R> {
    Awaited(Option<Waker>),
    Given(R),
    /// The promise was dropped, or the value was taken.
    Gone,
}

/// The end that gives. Dropped without a value it tells the other end so.
pub(super) struct Promise<R>(Arc<Mutex<State<R>>>);

/// The end that waits: the value, or `None` where none will ever come.
pub(super) struct Answer<R>(Arc<Mutex<State<R>>>);

/// A promise and its answer.
pub(super) fn answer<R>() -> (Promise<R>, Answer<R>) {
    let state = Arc::new(Mutex::new(State::Awaited(None)));
    (Promise(Arc::clone(&state)), Answer(state))
}

impl<R> Promise<R> {
    pub(super) fn give(self, value: R) {
        self.end(State::Given(value));
    }

    fn end(&self, with: State<R>) {
        let mut state = self.0.lock();
        let State::Awaited(waiting) = &mut *state else {
            return;
        };
        let waiting = waiting.take();
        *state = with;
        // A waker may do anything, also drop the answer.
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl<R> Drop for Promise<R> {
    fn drop(&mut self) {
        self.end(State::Gone);
    }
}

impl<R> Future for Answer<R> {
    type Output = Option<R>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<R>> {
        let mut state = self.0.lock();
        if let State::Awaited(waiting) = &mut *state {
            match waiting {
                Some(waiting) => waiting.clone_from(context.waker()),
                None => *waiting = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        match std::mem::replace(&mut *state, State::Gone) {
            State::Given(value) => Poll::Ready(Some(value)),
            State::Gone | State::Awaited(_) => Poll::Ready(None),
        }
    }
}

impl<R> fmt::Debug for Answer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll<R>(answer: &mut Answer<R>) -> Poll<Option<R>> {
        Pin::new(answer).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_is_given_arrives_once() {
        let (promise, mut answer) = answer();
        assert_eq!(poll(&mut answer), Poll::Pending);
        promise.give(7);
        assert_eq!(poll(&mut answer), Poll::Ready(Some(7)));
        assert_eq!(poll(&mut answer), Poll::Ready(None));
    }

    #[test]
    fn a_promise_that_is_dropped_says_so() {
        let (promise, mut answer) = answer::<u32>();
        assert_eq!(poll(&mut answer), Poll::Pending);
        drop(promise);
        assert_eq!(poll(&mut answer), Poll::Ready(None));
    }
}
