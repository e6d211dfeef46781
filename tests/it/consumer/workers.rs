//! Workers: what is handled, how often, and how they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use forebay::{
    Batch, ConsumerOptions, ErrorKind, ExitReason, Flow, HandlerError, Queue, RestartPolicy,
    SyncPolicy, WorkerOptions,
};
use parking_lot::Mutex;

use crate::scene::{
    PATIENCE, at, drain_exactly, enqueue, folder, payload, quick, refused, wait_until,
};

type Answer = Result<Flow, HandlerError>;

/// One record at a time, and again at once.
fn single() -> WorkerOptions {
    WorkerOptions::new().batch_records(1).pause(Duration::ZERO)
}

/// Every record handled, in order, one entry each time.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<u64>>>);

impl Seen {
    fn note(&self, batch: &Batch<'_>) -> u64 {
        for record in batch.iter() {
            assert_eq!(record.payload, payload(record.sequence.get()));
            self.0.lock().push(record.sequence.get());
        }
        self.0.lock().last().copied().expect("a batch is not empty")
    }

    fn all(&self) -> Vec<u64> {
        self.0.lock().clone()
    }
}

#[test]
fn a_worker_goes_on_where_the_last_one_stopped_and_handles_each_record_once() -> forebay::Result<()>
{
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..100)?;
    let seen = Seen::default();
    let own = seen.clone();
    let worker = queue.worker("w", single(), move |batch| {
        Ok(if own.note(batch) == 49 {
            Flow::Stop
        } else {
            Flow::Continue
        })
    })?;
    let exit = worker.join()?;
    assert_eq!((exit.reason, exit.handled), (ExitReason::Finished, 50));
    queue.close()?;

    let queue = quick().open(&path)?;
    enqueue(&queue, 100..150)?;
    let own = seen.clone();
    let worker = queue.worker("w", WorkerOptions::new(), move |batch| {
        Ok(if own.note(batch) == 149 {
            Flow::Stop
        } else {
            Flow::Continue
        })
    })?;
    assert_eq!(worker.join()?.handled, 100);
    assert_eq!(seen.all(), (0..150).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn only_what_was_answered_for_is_committed() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    enqueue(&queue, 0..5)?;
    let seen = Seen::default();

    let (own, (tell, hear)) = (seen.clone(), mpsc::channel());
    let worker = queue.worker("w", single().pause(PATIENCE), move |batch| {
        if own.note(batch) == 0 {
            return Ok(Flow::Continue);
        }
        tell.send(()).expect("somebody listens");
        Ok(Flow::Rollback)
    })?;
    hear.recv_timeout(PATIENCE)
        .expect("the second record comes");
    let exit = worker.stop_and_join()?;
    assert_eq!((exit.reason, exit.handled), (ExitReason::Stopped, 1));
    assert_eq!(queue.consumer("w")?.next_sequence(), at(1));

    let (own, calls) = (seen.clone(), AtomicU64::new(0));
    let worker = queue.worker("w", single(), move |batch| match own.note(batch) {
        3 if calls.fetch_add(1, Ordering::Relaxed) == 0 => panic!("at the fourth"),
        4 => Ok(Flow::Stop),
        _ => Ok(Flow::Continue),
    })?;
    let exit = worker.join()?;
    assert_eq!((exit.reason, exit.handled), (ExitReason::Finished, 4));
    assert_eq!(exit.restarts, 1);
    assert_eq!(exit.last_failure.as_deref(), Some("at the fourth"));
    assert_eq!(seen.all(), [0, 1, 1, 2, 3, 3, 4]);
    assert!(queue.consumer("w")?.is_empty()?);
    Ok(())
}

#[test]
fn a_rolled_back_batch_comes_again_whole_and_costs_no_restart() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    enqueue(&queue, 0..3)?;
    let seen = Seen::default();
    let (own, calls) = (seen.clone(), AtomicU64::new(0));
    let options = WorkerOptions::new()
        .pause(Duration::ZERO)
        .restart(RestartPolicy::Never);
    let worker = queue.worker("w", options, move |batch| {
        own.note(batch);
        Ok(if calls.fetch_add(1, Ordering::Relaxed) < 3 {
            Flow::Rollback
        } else {
            Flow::Stop
        })
    })?;
    let exit = worker.join()?;
    assert_eq!(
        (exit.reason, exit.handled, exit.restarts),
        (ExitReason::Finished, 3, 0)
    );
    assert_eq!(seen.all(), [0, 1, 2].repeat(4));
    Ok(())
}

#[test]
fn a_commit_that_cannot_be_written_stops_the_worker_and_comes_back_from_join() -> forebay::Result<()>
{
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..5)?;
    let cursor = path.join("cursors").join("w.cursor");
    let (calls, place) = (Arc::new(AtomicU64::new(0)), cursor.clone());
    let own = Arc::clone(&calls);
    let worker = queue.worker("w", single(), move |_| {
        own.fetch_add(1, Ordering::Relaxed);
        std::fs::remove_file(&place).expect("it is a file");
        std::fs::create_dir(&place).expect("a folder can be made");
        Ok(Flow::Continue)
    })?;
    wait_until("the worker ends", || worker.exit_reason().is_some());
    assert_eq!(worker.exit_reason(), Some(ExitReason::Failed));
    let error = worker.join().expect_err("the progress is not written");
    assert!(error.to_string().contains("w.cursor"), "{error}");
    assert_eq!(
        calls.load(Ordering::Relaxed),
        1,
        "the handler is not called again"
    );
    Ok(())
}

#[test]
fn a_worker_that_cannot_begin_says_so_at_once() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    let never = |_: &Batch<'_>| -> Answer { panic!("nothing may be handled") };
    refused(
        queue.worker("../x", single(), never),
        ErrorKind::InvalidInput,
    );
    let held = queue.consumer("w")?;
    refused(queue.worker("w", single(), never), ErrorKind::Busy);
    drop(held);
    queue.close()?;
    std::fs::write(path.join("cursors/w.cursor"), b"not a cursor").expect("can be written");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..1)?;
    refused(queue.worker("w", single(), never), ErrorKind::Corrupt);
    Ok(())
}

#[test]
fn a_failing_handler_is_called_again_as_often_as_its_policy_allows() -> forebay::Result<()> {
    let within = Duration::from_hours(1);
    for (policy, calls) in [
        (RestartPolicy::Never, 1),
        (RestartPolicy::Once, 2),
        (
            RestartPolicy::Bounded {
                max_restarts: 4,
                within,
            },
            5,
        ),
        (
            RestartPolicy::Bounded {
                max_restarts: 0,
                within,
            },
            1,
        ),
    ] {
        for panics in [false, true] {
            let folder = folder();
            let queue = quick().open(folder.path().join("q"))?;
            enqueue(&queue, 0..2)?;
            let seen = Seen::default();
            let own = seen.clone();
            let worker = queue.worker("w", single().restart(policy), move |batch| {
                own.note(batch);
                assert!(!panics, "as it was asked to");
                Err("as it was asked to".into())
            })?;
            let exit = worker.join()?;
            assert_eq!((exit.reason, exit.handled), (ExitReason::GaveUp, 0));
            assert_eq!(exit.last_failure.as_deref(), Some("as it was asked to"));
            assert_eq!(u64::from(exit.restarts) + 1, calls);
            assert_eq!(seen.all(), vec![0; calls.try_into().expect("few")]);
            // The queue is as usable as before.
            drain_exactly(&mut queue.consumer("w")?, 0..2)?;
        }
    }
    Ok(())
}

#[test]
fn restarts_count_anew_after_their_stretch_of_time() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    enqueue(&queue, 0..1)?;
    let within = Duration::from_millis(20);
    let options = single()
        .pause(Duration::from_millis(60))
        .restart(RestartPolicy::Bounded {
            max_restarts: 1,
            within,
        });
    let calls = Arc::new(AtomicU64::new(0));
    let own = Arc::clone(&calls);
    let worker = queue.worker("w", options, move |_| {
        if own.fetch_add(1, Ordering::Relaxed) < 4 {
            return Err("not yet".into());
        }
        Ok(Flow::Stop)
    })?;
    assert_eq!(worker.join()?.restarts, 4);
    Ok(())
}

#[test]
fn a_worker_without_records_waits_wakes_and_stops() -> forebay::Result<()> {
    for policy in [SyncPolicy::Always, SyncPolicy::Manual] {
        let folder = folder();
        let queue = quick().sync_policy(policy).open(folder.path().join("q"))?;
        let (tell, hear) = mpsc::channel();
        let worker = queue.worker("w", single(), move |batch| {
            tell.send(batch.len()).expect("somebody listens");
            Ok(Flow::Continue)
        })?;
        enqueue(&queue, 0..1)?;
        assert_eq!(hear.recv_timeout(PATIENCE), Ok(1));
        assert_eq!(worker.exit_reason(), None);
        assert_eq!(worker.stop_and_join()?.reason, ExitReason::Stopped);
        queue.close()?;
    }
    Ok(())
}

#[test]
fn a_worker_that_is_dropped_has_let_go_of_the_queue() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..1)?;
    let handled = Arc::new(AtomicBool::new(false));
    let own = Arc::clone(&handled);
    let worker = queue.worker("w", single(), move |_| {
        own.store(true, Ordering::Release);
        Ok(Flow::Continue)
    })?;
    drop(queue);
    // The worker alone keeps the queue open.
    refused(
        quick().open(&path),
        ErrorKind::Locked {
            pid: Some(std::process::id()),
        },
    );
    wait_until("the record is handled", || handled.load(Ordering::Acquire));
    drop(worker);
    quick().open(&path)?.close()
}

#[test]
fn closing_the_queue_ends_its_workers() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    let worker = queue.worker("w", single(), |_| Ok(Flow::Continue))?;
    queue.close()?;
    refused(worker.join(), ErrorKind::Closed);
    Ok(())
}

#[test]
fn what_four_threads_enqueue_meanwhile_is_handled_in_order() -> forebay::Result<()> {
    const EACH: u64 = 250;
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    let all = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&all);
    let worker = queue.worker("w", WorkerOptions::new(), move |batch| {
        let mut all = own.lock();
        all.extend(
            batch
                .iter()
                .map(|record| (record.sequence.get(), record.payload.to_vec())),
        );
        Ok(if all.len() as u64 == 4 * EACH {
            Flow::Stop
        } else {
            Flow::Continue
        })
    })?;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let queue: &Queue = &queue;
            scope.spawn(move || {
                for number in 0..EACH {
                    let text = format!("{thread} {number}");
                    queue.enqueue(&text).expect("there is room");
                }
            });
        }
    });
    assert_eq!(worker.join()?.handled, 4 * EACH);
    let all = all.lock();
    let sequences: Vec<u64> = all.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(sequences, (0..4 * EACH).collect::<Vec<_>>());
    for thread in 0..4 {
        let own = format!("{thread} ");
        let numbers = all.iter().filter_map(|(_, bytes)| {
            let text = String::from_utf8(bytes.clone()).expect("text");
            text.strip_prefix(&own)
                .map(|number| number.parse::<u64>().expect("a number"))
        });
        assert!(numbers.eq(0..EACH), "the order of one thread is kept");
    }
    Ok(())
}

#[test]
fn a_worker_of_some_kinds_is_given_those_and_is_woken_past_the_others() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    let seen = Seen::default();
    let own = seen.clone();
    let consumer = ConsumerOptions::new().kinds([1]);
    let worker = queue.worker("w", WorkerOptions::new().consumer(consumer), move |batch| {
        Ok(if own.note(batch) == 9 {
            Flow::Stop
        } else {
            Flow::Continue
        })
    })?;
    for number in 0..10 {
        let entry =
            forebay::Entry::from(payload(number)).kind((number % 2).try_into().expect("small"));
        queue.enqueue(entry)?;
    }
    let exit = worker.join()?;
    assert_eq!(exit.handled, 5);
    assert_eq!(seen.all(), [1, 3, 5, 7, 9]);
    assert_eq!(queue.stats()?.delivered, 5);
    Ok(())
}
