//! Spans around what the publisher does; nothing without the feature `tracing`.

use std::future::Future;

#[cfg(feature = "tracing")]
pub(super) async fn publishing<F: Future>(future: F) -> F::Output {
    use ::tracing::Instrument as _;
    future.instrument(::tracing::debug_span!("publish")).await
}

#[cfg(feature = "tracing")]
pub(super) async fn flushing<F: Future>(future: F) -> F::Output {
    use ::tracing::Instrument as _;
    future.instrument(::tracing::debug_span!("flush")).await
}

#[cfg(not(feature = "tracing"))]
pub(super) async fn publishing<F: Future>(future: F) -> F::Output {
    future.await
}

#[cfg(not(feature = "tracing"))]
pub(super) async fn flushing<F: Future>(future: F) -> F::Output {
    future.await
}
