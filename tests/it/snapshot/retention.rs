//! `Retention::UntilSnapshot`: acknowledged records stay until a snapshot covers them.

use std::path::Path;

use forebay::{ErrorKind, Queue, Result, Retention};

use super::{edit, lines, options, recover, save};
use crate::scene::{at, enqueue, folder, refused, wait_until};

fn open(path: &Path) -> Queue {
    let keep = Retention::UntilSnapshot("view".to_owned());
    options()
        .retention(keep)
        .open(path)
        .expect("the queue opens")
}

/// A queue of which everything is acknowledged.
fn acknowledged(path: &Path) -> Result<Queue> {
    let queue = open(path);
    let mut consumer = queue.consumer("ship")?;
    enqueue(&queue, 0..300)?;
    consumer.drain(|_| Ok::<(), ()>(()))?;
    assert!(queue.stats()?.segments > 3);
    Ok(queue)
}

#[test]
fn everything_stays_until_a_snapshot_is_published_and_then_what_it_does_not_cover() -> Result<()> {
    let folder = folder();
    let queue = acknowledged(&folder.path().join("queue"))?;
    assert_eq!(queue.reclaim()?, 0);
    save(&queue.snapshots("another")?, 300)?;
    assert_eq!(queue.reclaim()?, 0, "another name's is not asked for");
    let store = queue.snapshots("view")?;
    let mut seen = at(0);
    for covers in [0, 1, 100, 150, 299, 300] {
        save(&store, covers)?;
        queue.reclaim()?;
        assert!(queue.first() <= at(covers), "{} at {covers}", queue.first());
        seen = seen.max(queue.first());
        let recovered = recover(&store)?;
        assert!(recovered.state == lines(300), "at {covers}");
    }
    assert!(seen > at(200), "what is covered goes: {seen}");
    Ok(())
}

#[test]
fn publishing_lets_the_background_delete_without_another_acknowledgement() -> Result<()> {
    let folder = folder();
    let queue = acknowledged(&folder.path().join("queue"))?;
    save(&queue.snapshots("view")?, 300)?;
    wait_until("it is deleted", || queue.first() > at(200));
    Ok(())
}

#[test]
fn a_snapshot_never_takes_what_a_consumer_has_not_acknowledged() -> Result<()> {
    let folder = folder();
    let queue = open(&folder.path().join("queue"));
    let consumer = queue.consumer("slow")?;
    enqueue(&queue, 0..300)?;
    save(&queue.snapshots("view")?, 300)?;
    assert_eq!((queue.reclaim()?, queue.first()), (0, at(0)));
    drop(consumer);
    Ok(())
}

#[test]
fn what_the_published_snapshot_covers_is_known_after_a_restart() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    // Nothing is deleted in this life: every cursor is at the beginning.
    let queue = open(&path);
    drop(queue.consumer("ship")?);
    enqueue(&queue, 0..300)?;
    save(&queue.snapshots("view")?, 200)?;
    queue.close()?;
    let queue = open(&path);
    queue.consumer("ship")?.drain(|_| Ok::<(), ()>(()))?;
    queue.reclaim()?;
    assert!(queue.first() > at(0) && queue.first() <= at(200));
    assert!(recover(&queue.snapshots("view")?)?.state == lines(300));
    Ok(())
}

#[test]
fn a_snapshot_that_cannot_be_used_lets_nothing_be_deleted() -> Result<()> {
    let changes: [fn(&mut Vec<u8>); 4] = [
        Vec::clear,
        |bytes| bytes[60] ^= 1,
        |bytes| bytes[200] ^= 1,
        |bytes| {
            bytes[16] ^= 1;
            super::mend(bytes);
        },
    ];
    for change in changes {
        let folder = folder();
        let path = folder.path().join("queue");
        let queue = open(&path);
        drop(queue.consumer("ship")?);
        enqueue(&queue, 0..300)?;
        save(&queue.snapshots("view")?, 300)?;
        queue.close()?;
        edit(&path, "view", change);
        let queue = open(&path);
        queue.consumer("ship")?.drain(|_| Ok::<(), ()>(()))?;
        assert_eq!((queue.reclaim()?, queue.first()), (0, at(0)));
    }
    Ok(())
}

/// The disk stays bounded where the queue is, though nobody ever saves a state.
#[test]
fn records_given_up_at_capacity_are_not_kept_for_a_snapshot() -> Result<()> {
    let folder = folder();
    let keep = Retention::UntilSnapshot("view".to_owned());
    let queue = options()
        .retention(keep)
        .max_records(50)
        .overflow(forebay::Overflow::DropOldest)
        .open(folder.path().join("queue"))?;
    drop(queue.consumer("slow")?);
    enqueue(&queue, 0..2000)?;
    queue.sync()?;
    queue.reclaim()?;
    assert!(queue.stats()?.segments <= 3, "{:?}", queue.stats()?);
    let error = refused(recover(&queue.snapshots("view")?), ErrorKind::OutOfRange);
    assert!(error.to_string().contains("0..1950"), "{error}");
    Ok(())
}

#[test]
fn a_name_that_no_snapshot_can_have_is_refused_as_an_option() {
    let folder = folder();
    let keep = Retention::UntilSnapshot("a/b".to_owned());
    let opened = options().retention(keep).open(folder.path().join("queue"));
    refused(opened, ErrorKind::InvalidInput);
    assert!(!folder.path().join("queue").exists());
}

/// A writer, a worker that saves its state from time to time, and reclaim, side by side.
#[test]
fn a_state_that_is_saved_while_the_log_is_written_and_deleted_is_the_state_of_all() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let mut first = at(0);
    for life in 0..3 {
        let queue = open(&path);
        let store = queue.snapshots("view")?;
        let recovered = recover(&store)?;
        let mut state = recovered.state;
        assert!(state == lines(life * 500), "life {life}");
        let mut consumer = queue.consumer("view")?;
        consumer.seek(recovered.next)?;
        std::thread::scope(|scope| {
            let (writer, last) = (&queue, (life + 1) * 500);
            scope.spawn(move || enqueue(writer, life * 500..last));
            while consumer.next_sequence() < at(last) {
                if !consumer.wait(crate::scene::PATIENCE)? {
                    break;
                }
                let Some(record) = consumer.peek()? else {
                    continue;
                };
                super::add(&mut state, &record);
                let done = record.sequence;
                consumer.ack_through(done)?;
                if done.get() % 60 == 59 {
                    super::save_bytes(&store, &state, done.get() + 1)?;
                }
            }
            Ok::<(), forebay::Error>(())
        })?;
        assert!(state == lines((life + 1) * 500), "life {life}");
        wait_until("the covered segments go", || queue.first() > first);
        first = queue.first();
        drop((consumer, store));
        // The last lines are only in the log, as after a kill.
        drop(queue);
    }
    Ok(())
}
