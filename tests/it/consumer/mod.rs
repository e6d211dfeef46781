//! Consumers: delivery, places, gaps, damage, names.

mod cursors;
pub(crate) mod damage;
mod delivery;
mod gaps;
mod names;
mod places;
