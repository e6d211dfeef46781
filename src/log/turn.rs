//! Syncs of the log's files, and of the names of its segments: one at a time of each, and none after
//! one that failed.
//!
//! (Only what nobody else can sync needs no turn: the segment that the first append seals, and the
//! next segment until it is taken.)
//!
//! The system tells of a page that it could not write once, to whoever syncs next; after that a
//! sync of the same file or folder succeeds and proves nothing. So two that sync the same must not
//! run side by side, and a failure has to poison the log before the next one begins: otherwise a
//! commit would believe a folder whose sync has just failed for reclaim.

use super::Log;
use super::notices::Notices;
use crate::error::Result;
use crate::format::SEGMENTS;

impl Log {
    /// Runs `sync` when nobody else syncs, unless the log is poisoned; its failure poisons the log
    /// before anybody else has a turn. `appends` may be held, and is not taken.
    pub(crate) fn sync_in_turn(
        &self,
        notices: &mut Notices,
        sync: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let _turn = self.syncing.lock();
        self.ahead.rest();
        self.check()?;
        sync().map_err(|error| self.poison_quietly(&error, notices))
    }

    /// Makes the names of the segments survive power loss. Names have turns of their own, so that
    /// reclaim and the next segment hold up no commit. Locks as for `sync_in_turn`, whose turn may
    /// be held.
    pub(super) fn sync_names(&self, notices: &mut Notices) -> Result<()> {
        let _turn = self.naming.lock();
        self.check()?;
        let synced = self.directory.sync(SEGMENTS);
        synced.map_err(|error| self.poison_quietly(&error, notices))
    }
}
