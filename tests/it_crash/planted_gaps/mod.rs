//! What planted bugs have shown to be unguarded: each of these tests was written because a bug of
//! `tests/planted` had survived all others.

pub(crate) mod crafted;
mod held;
mod kept;
mod limit;
mod opened;
mod told;
