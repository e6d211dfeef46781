//! Two small ways to poll: what is ready first, and what may panic.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Which of two futures was ready.
#[derive(Debug)]
pub(super) enum First<A, B> {
    One(A),
    Other(B),
}

/// Polls both until one is ready; `one` wins where both are.
pub(super) async fn first<A: Future, B: Future>(one: A, other: B) -> First<A::Output, B::Output> {
    let mut one = pin!(one);
    let mut other = pin!(other);
    poll_fn(|context| {
        if let Poll::Ready(output) = one.as_mut().poll(context) {
            return Poll::Ready(First::One(output));
        }
        other.as_mut().poll(context).map(First::Other)
    })
    .await
}

/// The output of `future`, or the text of its panic.
pub(super) async fn caught<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    // After a panic the future is not polled again, so nothing sees what the panic left.
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(polled) => polled.map(Ok),
            Err(payload) => Poll::Ready(Err(text_of(&*payload))),
        },
    )
    .await
}

/// The text of a panic, where it has one.
pub(super) fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a text".to_owned())
}
