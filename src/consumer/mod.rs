//! Who has read what: named consumers, their cursor files, records handed out in order.

mod acks;
mod cursor;
mod follow;
mod front;
mod handle;
mod lag;
mod options;
mod record;
mod registry;
mod window;
mod worker;

pub use follow::Follower;
pub use handle::Consumer;
pub use lag::Lag;
pub(crate) use lag::lag_of;
pub use options::{ConsumerOptions, Start};
pub use record::{Batch, Record};
pub(crate) use registry::Registry;
pub use worker::{Exit, ExitReason, Flow, HandlerError, RestartPolicy, Worker, WorkerOptions};
