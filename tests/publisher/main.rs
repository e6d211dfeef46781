//! Publishing to a sink that comes and goes: what is delivered, what is buffered, in which order, and
//! what is told.

mod cancelling;
mod flushing;
mod looping;
mod metrics;
mod ordering;
mod outage;
mod publishing;
mod rejecting;
mod shutdown;
mod stage;
mod tracing;
