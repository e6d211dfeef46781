//! The same primitives where a model checker schedules every step.
//!
//! There is no clock here. Either time stands still, and a wait with a deadline is a wait without
//! one: then whoever was not woken hangs, and the checker reports it. Or time passes, and then it
//! does so in jumps: any wait with a deadline may end at once, at its deadline, or any time in
//! between, as the checker decides. So no outcome depends on the clock of the machine.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

#[cfg(loom)]
use ::loom::sync;
#[cfg(shuttle)]
use ::shuttle::sync;

#[cfg(loom)]
pub(crate) use ::loom::{sync::atomic, thread};
#[cfg(shuttle)]
pub(crate) use ::shuttle::{sync::atomic, thread};

/// What clocks do in a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// No deadline ever comes.
    StandsStill,
    /// Any deadline may come whenever somebody waits for it.
    #[cfg_attr(
        loom,
        expect(dead_code, reason = "exhaustive checking has no use for it")
    )]
    Passes,
}

#[derive(Clone, Copy, Debug)]
struct Clock {
    origin: Instant,
    passed: Duration,
    time: Time,
}

thread_local! {
    // All threads of a model run on one thread of the machine.
    static CLOCK: Cell<Clock> = Cell::new(Clock {
        origin: Instant::now(),
        passed: Duration::ZERO,
        time: Time::StandsStill,
    });
}

/// Begins one execution of a model.
#[cfg_attr(
    loom,
    expect(dead_code, reason = "exhaustive checking has no use for it")
)]
pub(crate) fn begin(time: Time) {
    CLOCK.with(|clock| {
        clock.set(Clock {
            passed: Duration::ZERO,
            time,
            ..clock.get()
        });
    });
}

/// What the clock says.
pub(crate) fn now() -> Instant {
    CLOCK.with(|clock| clock.get().origin + clock.get().passed)
}

/// Lets time pass, or not, for somebody who waits until `deadline`.
fn let_pass(deadline: Instant) {
    thread::yield_now();
    #[cfg(shuttle)]
    if ::shuttle::rand::Rng::gen_range(&mut ::shuttle::rand::thread_rng(), 0..4_u8) == 0 {
        CLOCK.with(|clock| {
            let mut known = clock.get();
            let passed = deadline.saturating_duration_since(known.origin);
            known.passed = known.passed.max(passed);
            clock.set(known);
        });
    }
    #[cfg(loom)]
    assert!(deadline > now(), "time stands still");
}

fn stands_still() -> bool {
    CLOCK.with(|clock| clock.get().time == Time::StandsStill)
}

/// A mutual exclusion.
#[derive(Debug)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

/// Knows its mutex, so that a wait can let go of it and take it again.
#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    held: Option<sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    fn guard<'a>(&'a self, held: sync::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        MutexGuard {
            mutex: self,
            held: Some(held),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.guard(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The value, if nobody holds the lock.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok().map(|held| self.guard(held))
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.held.as_ref().expect("held while it lives")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_mut().expect("held while it lives")
    }
}

/// A place to wait for a change of what a [`Mutex`] guards.
#[derive(Debug)]
pub(crate) struct Condvar(sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(sync::Condvar::new())
    }

    pub(crate) fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let held = guard.held.take().expect("held while it lives");
        let held = self.0.wait(held).unwrap_or_else(PoisonError::into_inner);
        guard.mutex.guard(held)
    }

    /// Waits until woken or until `deadline`, for ever without one.
    pub(crate) fn wait_until<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, T> {
        let Some(deadline) = deadline.filter(|_| !stands_still()) else {
            return self.wait(guard);
        };
        let mutex = guard.mutex;
        drop(guard);
        let_pass(deadline);
        mutex.lock()
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

/// Many readers or one writer.
#[derive(Debug)]
pub(crate) struct RwLock<T>(sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> sync::RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> sync::RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bell: rung by many, heard by one, who may come later. Rung twice it is heard once.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn ring(&self) {
        *self.rung.lock() = true;
        self.changed.notify_one();
    }

    /// Sleeps until it rings, or until `deadline`, for ever without one.
    pub(crate) fn wait_until(&self, deadline: Option<Instant>) {
        let mut rung = self.rung.lock();
        while !*rung && !super::is_past(deadline) {
            rung = self.changed.wait_until(rung, deadline);
        }
        *rung = false;
    }
}
