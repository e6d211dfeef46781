//! The table of planted bugs.

mod ahead;
mod bytes;
mod delivery;
mod durability;
mod following;
mod forwarding;
mod once;
mod opening;
mod publishing;
mod readers;
mod repairing;
mod sending;
mod snapshots;

use crate::table::Bug;

/// All of them.
pub(crate) fn all() -> Vec<Bug> {
    [
        durability::BUGS,
        ahead::BUGS,
        opening::BUGS,
        bytes::BUGS,
        delivery::BUGS,
        once::BUGS,
        readers::BUGS,
        repairing::BUGS,
        sending::BUGS,
        snapshots::BUGS,
        following::BUGS,
        publishing::BUGS,
        forwarding::BUGS,
    ]
    .concat()
}
