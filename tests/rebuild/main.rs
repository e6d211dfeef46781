//! Queues made out of the records of others: what goes in comes out, an interrupted one is none,
//! and whatever is left of a queue is enough for every record that is left.

mod faults;
mod making;
mod salvaging;
mod scene;
