//! Every interleaving and every reordering that the memory model allows, over the watermark and
//! the group as they ship.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --lib orderings`

use std::sync::Arc;
use std::task::{Wake, Waker};

use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::thread;

use super::group::{Group, Woken};
use super::watermark::Watermark;
use crate::error::{Error, ErrorKind};
use crate::format::Chain;
use crate::position::Sequence;

const ONE: Sequence = Sequence::new(1);

fn watermark() -> Arc<Watermark> {
    Arc::new(Watermark::new(Sequence::ZERO, Chain::default()))
}

fn poisoned() -> Error {
    Error::new(ErrorKind::Poisoned, "a sync failed")
}

/// Stands for the bytes of a record: written without any ordering of its own.
#[derive(Debug, Default)]
struct Bytes(AtomicU64);

impl Bytes {
    fn write(&self) {
        self.0.store(1, Ordering::Relaxed);
    }

    fn are_there(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 1
    }
}

#[test]
fn whoever_sees_the_watermark_sees_the_bytes_below_it() {
    loom::model(|| {
        let (watermark, bytes) = (watermark(), Arc::new(Bytes::default()));
        let (raising, written) = (Arc::clone(&watermark), Arc::clone(&bytes));
        let leader = thread::spawn(move || {
            written.write();
            drop(raising.raise(ONE, Chain::default()));
        });
        if watermark.durable() == ONE {
            assert!(bytes.are_there());
        }
        leader.join().expect("no panic");
    });
}

#[test]
fn whoever_sees_a_record_written_sees_its_bytes() {
    loom::model(|| {
        let (watermark, bytes) = (watermark(), Arc::new(Bytes::default()));
        let (noting, written) = (Arc::clone(&watermark), Arc::clone(&bytes));
        let writer = thread::spawn(move || {
            written.write();
            noting.note_written(ONE);
        });
        if watermark.written() == ONE {
            assert!(bytes.are_there());
        }
        writer.join().expect("no panic");
    });
}

#[test]
fn a_waiter_never_misses_a_raise() {
    loom::model(|| {
        let watermark = watermark();
        let raising = Arc::clone(&watermark);
        let leader = thread::spawn(move || drop(raising.raise(ONE, Chain::default())));
        assert!(watermark.wait(ONE, None).expect("it serves"));
        leader.join().expect("no panic");
    });
}

#[test]
fn a_waiter_for_a_record_never_misses_its_write() {
    loom::model(|| {
        let watermark = watermark();
        let noting = Arc::clone(&watermark);
        let writer = thread::spawn(move || noting.note_written(ONE));
        let waited = watermark.wait_written(Sequence::ZERO, None, || false);
        assert!(waited.expect("it serves"));
        writer.join().expect("no panic");
    });
}

#[test]
fn two_waiters_for_a_record_both_hear_of_its_write() {
    loom::model(|| {
        let watermark = watermark();
        let (noting, waiting) = (Arc::clone(&watermark), Arc::clone(&watermark));
        let writer = thread::spawn(move || noting.note_written(ONE));
        let other = thread::spawn(move || waiting.wait_written(Sequence::ZERO, None, || false));
        let waited = watermark.wait_written(Sequence::ZERO, None, || false);
        assert!(waited.expect("it serves"));
        assert!(other.join().expect("no panic").expect("it serves"));
        writer.join().expect("no panic");
    });
}

#[test]
fn a_failure_reaches_every_waiter() {
    loom::model(|| {
        let watermark = watermark();
        let (failing, reading) = (Arc::clone(&watermark), Arc::clone(&watermark));
        let leader = thread::spawn(move || drop(failing.fail(&poisoned())));
        let reader = thread::spawn(move || reading.wait_written(Sequence::ZERO, None, || false));
        assert!(watermark.wait(ONE, None).is_err());
        assert!(reader.join().expect("no panic").is_err());
        leader.join().expect("no panic");
        assert!(watermark.check().is_err());
    });
}

/// Whether a task was woken.
#[derive(Debug, Default)]
struct Alarm(AtomicBool);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_registered_task_is_woken_or_told_at_once() {
    loom::model(|| {
        let (watermark, alarm) = (watermark(), Arc::new(Alarm::default()));
        let raising = Arc::clone(&watermark);
        let leader = thread::spawn(move || {
            let reached = raising.raise(ONE, Chain::default());
            reached.into_iter().for_each(Waker::wake);
        });
        let waker = Waker::from(Arc::clone(&alarm));
        let at_once = watermark.register(ONE, &waker).expect("it serves");
        leader.join().expect("no panic");
        assert!(at_once || alarm.0.load(Ordering::SeqCst));
    });
}

#[test]
fn a_registered_task_is_woken_by_a_failure_or_told_at_once() {
    loom::model(|| {
        let (watermark, alarm) = (watermark(), Arc::new(Alarm::default()));
        let failing = Arc::clone(&watermark);
        let leader = thread::spawn(move || {
            let all = failing.fail(&poisoned());
            all.into_iter().for_each(Waker::wake);
        });
        let waker = Waker::from(Arc::clone(&alarm));
        let told = watermark.register(ONE, &waker).is_err();
        leader.join().expect("no panic");
        assert!(told || alarm.0.load(Ordering::SeqCst));
    });
}

#[test]
fn a_group_hears_how_its_commit_ended() {
    loom::model(|| {
        let (group, bytes) = (Arc::new(Group::default()), Arc::new(Bytes::default()));
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let (group, bytes) = (Arc::clone(&group), Arc::clone(&bytes));
                thread::spawn(move || match group.wait() {
                    Woken::Done(outcome) => assert!(outcome.is_ok() && bytes.are_there()),
                    Woken::Lead => panic!("nobody was called to lead"),
                })
            })
            .collect();
        bytes.write();
        group.finish(Ok(()));
        for waiter in waiters {
            waiter.join().expect("no panic");
        }
    });
}

#[test]
fn one_of_a_group_is_called_to_lead_and_the_other_hears_of_it() {
    loom::model(|| {
        let group = Arc::new(Group::default());
        let wait = |group: &Arc<Group>| {
            let group = Arc::clone(group);
            thread::spawn(move || match group.wait() {
                Woken::Done(_) => 0,
                Woken::Lead => {
                    group.finish(Ok(()));
                    1
                }
            })
        };
        let waiters = [wait(&group), wait(&group)];
        group.call_leader();
        let leaders: u32 = waiters
            .map(|waiter| waiter.join().expect("no panic"))
            .iter()
            .sum();
        assert_eq!(leaders, 1);
    });
}
