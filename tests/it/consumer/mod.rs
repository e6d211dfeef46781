//! Consumers: delivery, places, gaps, damage, names.

mod cursors;
pub(crate) mod damage;
mod delivery;
mod gaps;
mod kinds;
mod making;
mod names;
mod places;
mod upsets;
mod windows;
mod workers;
