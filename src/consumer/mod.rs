//! Who has read what: named consumers, their cursor files, records handed out in order.

mod cursor;
mod front;
mod handle;
mod record;
mod registry;

pub use handle::Consumer;
pub use record::{Batch, Record};
pub(crate) use registry::Registry;
