//! The table of planted bugs.

mod ahead;
mod backup;
mod bytes;
mod delivery;
mod durability;
mod following;
mod forwarding;
mod looking;
mod once;
mod opening;
mod publishing;
mod readers;
mod rebuilding;
mod repairing;
mod sending;
mod snapshots;
mod unreadable;
mod vacating;
mod verifying;

use crate::table::Bug;

/// All of them.
pub(crate) fn all() -> Vec<Bug> {
    [
        durability::BUGS,
        ahead::BUGS,
        backup::BUGS,
        opening::BUGS,
        bytes::BUGS,
        delivery::BUGS,
        once::BUGS,
        readers::BUGS,
        rebuilding::BUGS,
        repairing::BUGS,
        sending::BUGS,
        snapshots::BUGS,
        following::BUGS,
        looking::BUGS,
        publishing::BUGS,
        forwarding::BUGS,
        unreadable::BUGS,
        vacating::BUGS,
        verifying::BUGS,
    ]
    .concat()
}
