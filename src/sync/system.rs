//! What the library synchronises with when it is not being modelled.
//!
//! A thin layer over `std`: its mutex lets a running thread keep the lock, which is twice as fast
//! as a fair one when a short write happens under it, and its condition variable wakes all waiters
//! with one system call. Poisoning is ignored on purpose: every critical section leaves its data
//! whole before anything in it can panic.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{self, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

pub(crate) use parking_lot::RwLock;
pub(crate) use std::sync::atomic;
pub(crate) use std::thread;

/// A mutual exclusion.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

pub(crate) type MutexGuard<'a, T> = sync::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value, if nobody holds the lock.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(sync::TryLockError::WouldBlock) => None,
        }
    }
}

/// A place to wait for a change of what a [`Mutex`] guards.
///
/// It counts who waits, under the mutex, so that to notify nobody costs no system call. Whoever
/// notifies has held the mutex after the change, as always: who waits by then is seen.
#[derive(Debug, Default)]
pub(crate) struct Condvar {
    changed: sync::Condvar,
    waiting: atomic::AtomicUsize,
}

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self {
            changed: sync::Condvar::new(),
            waiting: atomic::AtomicUsize::new(0),
        }
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.waiting.fetch_add(1, Relaxed);
        let waited = self.changed.wait(guard);
        self.waiting.fetch_sub(1, Relaxed);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until woken or until `deadline`, for ever without one. Whoever calls looks at the
    /// state again, and at the clock.
    pub(crate) fn wait_until<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, T> {
        let Some(deadline) = deadline else {
            return self.wait(guard);
        };
        let left = deadline.saturating_duration_since(now());
        self.waiting.fetch_add(1, Relaxed);
        let waited = self.changed.wait_timeout(guard, left);
        self.waiting.fetch_sub(1, Relaxed);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn notify_one(&self) {
        if self.waiting.load(Relaxed) > 0 {
            self.changed.notify_one();
        }
    }

    pub(crate) fn notify_all(&self) {
        if self.waiting.load(Relaxed) > 0 {
            self.changed.notify_all();
        }
    }
}

/// A bell: rung by many, heard by one, who may come later. Rung twice it is heard once.
#[derive(Debug)]
pub(crate) struct Signal {
    ring: Sender<()>,
    heard: Receiver<()>,
}

impl Signal {
    pub(crate) fn new() -> Self {
        let (ring, heard) = bounded(1);
        Self { ring, heard }
    }

    pub(crate) fn ring(&self) {
        match self.ring.try_send(()) {
            Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
        }
    }

    /// Sleeps until it rings, or until `deadline`, for ever without one.
    pub(crate) fn wait_until(&self, deadline: Option<Instant>) {
        // Both ends live here: nobody can hang up.
        match deadline {
            Some(deadline) => self.heard.recv_deadline(deadline).ok(),
            None => self.heard.recv().ok(),
        };
    }
}

/// What the clock says.
pub(crate) fn now() -> Instant {
    Instant::now()
}
