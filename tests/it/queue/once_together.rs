//! Callers with the same key at the same time.

use std::sync::Arc;
use std::time::Duration;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, FullReason, Overflow, Queue, QueueOptions, Result};

use crate::gate::{Gated, Held};
use crate::scene::{PATIENCE, at, drain, enqueue, payload, quick, refused, wait_until};

const KEY: [u8; 16] = *b"the same for all";

/// Long enough for a thread that does not wait to be through.
fn let_others_run() {
    std::thread::sleep(Duration::from_millis(50));
}

/// A queue over a disk that fails when it is told to, with a gate before some of its calls.
fn gated(held: Held) -> Result<(FaultyDirectory, Gated, Queue)> {
    let faulty = FaultyDirectory::over_memory(MemoryDirectory::new());
    let gated = Gated::new(Arc::new(faulty.clone()), held);
    let queue = QueueOptions::new().open_on(Arc::new(gated.clone()))?;
    enqueue(&queue, 0..1)?;
    queue.enqueue_once([0; 16], "another key")?;
    Ok((faulty, gated, queue))
}

#[test]
fn who_finds_its_key_waits_until_the_first_record_is_durable() -> Result<()> {
    let (_, gated, queue) = gated(Held::Syncs)?;
    gated.gate.shut();
    std::thread::scope(|scope| -> Result<()> {
        let first = scope.spawn(|| queue.enqueue_once(KEY, payload(2)));
        wait_until("the first one syncs", || gated.gate.waiting() == 1);
        let second = scope.spawn(|| {
            let sequence = queue.enqueue_once(KEY, payload(2));
            (sequence, queue.durable())
        });
        let_others_run();
        assert_eq!(queue.durable(), at(2));
        gated.gate.open();
        assert_eq!(first.join().expect("no panic")?, at(2));
        let (sequence, durable) = second.join().expect("no panic");
        assert_eq!((sequence?, durable), (at(2), at(3)));
        Ok(())
    })
}

#[test]
fn who_finds_its_key_is_told_when_nobody_knows_whether_the_first_record_is_durable() -> Result<()> {
    let (faulty, gated, queue) = gated(Held::Syncs)?;
    gated.gate.shut();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| queue.enqueue_once(KEY, payload(2)));
        wait_until("the first one syncs", || gated.gate.waiting() == 1);
        let second = scope.spawn(|| queue.enqueue_once(KEY, payload(2)));
        let_others_run();
        faulty.plan(Fault::nth_of(1, &[CallKind::SyncFile], Failure::Io).for_ever());
        gated.gate.open();
        refused(first.join().expect("no panic"), ErrorKind::Poisoned);
        refused(second.join().expect("no panic"), ErrorKind::Poisoned);
    });
    Ok(())
}

#[test]
fn who_waits_for_a_record_that_a_full_disk_takes_back_enqueues_its_own() -> Result<()> {
    let (faulty, gated, queue) = gated(Held::Writes)?;
    gated.gate.shut();
    std::thread::scope(|scope| -> Result<()> {
        let first = scope.spawn(|| queue.enqueue_once(KEY, payload(2)));
        wait_until("the first one writes", || gated.gate.waiting() == 1);
        let second = scope.spawn(|| queue.enqueue_once(KEY, payload(2)));
        let_others_run();
        faulty.plan(Fault::nth_of(1, &[CallKind::Write], Failure::Full));
        gated.gate.open();
        // The first one tries again itself once it has made room, so that either may come first.
        let sequences = [first, second].map(|caller| caller.join().expect("no panic"));
        for sequence in sequences {
            match sequence {
                Ok(sequence) => assert_eq!(sequence, at(2)),
                Err(error) => {
                    let reason = FullReason::Disk;
                    assert_eq!(error.kind(), ErrorKind::Full { reason });
                }
            }
        }
        assert_eq!(queue.enqueue_once(KEY, payload(2))?, at(2));
        assert_eq!(queue.next(), at(3));
        Ok(())
    })
}

#[test]
fn of_callers_that_wait_for_room_with_one_key_one_enqueues() -> Result<()> {
    let queue = quick()
        .max_records(1)
        .overflow(Overflow::Block(PATIENCE))
        .open_on(Arc::new(MemoryDirectory::new()))?;
    let mut consumer = queue.consumer("c")?;
    queue.enqueue_once([0; 16], "full")?;
    std::thread::scope(|scope| -> Result<()> {
        let callers: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| queue.enqueue_once(KEY, payload(1))))
            .collect();
        let_others_run();
        while !callers
            .iter()
            .all(std::thread::ScopedJoinHandle::is_finished)
        {
            drain(&mut consumer)?;
            std::thread::yield_now();
        }
        for caller in callers {
            assert_eq!(caller.join().expect("no panic")?, at(1));
        }
        Ok(())
    })?;
    assert_eq!(queue.next(), at(2));
    Ok(())
}

#[test]
fn who_waited_for_room_in_vain_finds_the_record_that_took_it() -> Result<()> {
    let queue = quick()
        .max_records(1)
        .overflow(Overflow::Block(Duration::from_millis(200)))
        .open_on(Arc::new(MemoryDirectory::new()))?;
    let mut consumer = queue.consumer("c")?;
    queue.enqueue_once([0; 16], "full")?;
    std::thread::scope(|scope| -> Result<()> {
        let callers: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| queue.enqueue_once(KEY, payload(1))))
            .collect();
        let_others_run();
        drain(&mut consumer)?;
        for caller in callers {
            match caller.join().expect("no panic") {
                Ok(sequence) => assert_eq!(sequence, at(1)),
                // On a machine so slow that the room came too late.
                Err(error) => {
                    let reason = FullReason::Records;
                    assert_eq!(error.kind(), ErrorKind::Full { reason });
                    assert_eq!(queue.next(), at(1));
                }
            }
        }
        Ok(())
    })
}
