//! The callers that wait for one commit, and how they learn its outcome.
//!
//! Every group has its own lock and its own word to sleep on, so that the end of a commit wakes
//! those whose commit it was and nobody else, and so that the woken need not take the log's lock.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::sync::{Condvar, Mutex};

/// One group of waiting callers.
#[derive(Debug, Default)]
pub(super) struct Group {
    state: Mutex<GroupState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GroupState {
    outcome: Option<Result<(), Error>>,
    /// The commit before this group's has ended: one of the waiting is to lead the next.
    lead: bool,
}

/// The callers that wait for records of one place in the log: not yet written, or not yet synced.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    group: Arc<Group>,
    callers: u64,
}

impl Waiting {
    /// One more waits; it sleeps in the returned group.
    pub(super) fn join(&mut self) -> Arc<Group> {
        self.callers += 1;
        Arc::clone(&self.group)
    }

    pub(super) fn callers(&self) -> u64 {
        self.callers
    }

    /// Calls one of them to lead.
    pub(super) fn call_leader(&self) {
        self.group.call_leader();
    }

    /// Tells all of them how their commit ended.
    pub(super) fn finish(&self, outcome: Result<()>) {
        self.group.finish(outcome);
    }
}

/// Why a waiting caller was woken.
#[derive(Debug)]
pub(super) enum Woken {
    /// The group's commit has ended so.
    Done(Result<()>),
    /// Nobody is committing: try to lead.
    Lead,
}

impl Group {
    /// Waits for the group's outcome, or for the call to lead.
    pub(super) fn wait(&self) -> Woken {
        let mut state = self.state.lock();
        loop {
            if let Some(outcome) = &state.outcome {
                return Woken::Done(outcome.clone());
            }
            if std::mem::take(&mut state.lead) {
                return Woken::Lead;
            }
            state = self.changed.wait(state);
        }
    }

    /// Calls one of the waiting to lead.
    pub(super) fn call_leader(&self) {
        self.state.lock().lead = true;
        self.changed.notify_one();
    }

    /// Tells everyone in the group how its commit ended.
    pub(super) fn finish(&self, outcome: Result<()>) {
        let mut state = self.state.lock();
        if state.outcome.is_none() {
            state.outcome = Some(outcome);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// How the group's commit ended, if it has.
    pub(super) fn outcome(&self) -> Option<Result<()>> {
        self.state.lock().outcome.clone()
    }
}
