//! Damage to durable records: an error until it is skipped, and the rest is delivered.

use std::ops::Range;
use std::path::{Path, PathBuf};

use forebay::{
    CorruptionPolicy, ErrorKind, GapReason, Integrity, Overflow, Queue, QueueOptions, Retention,
    Sequence,
};

use crate::scene::{at, drain, drain_exactly, enqueue, folder, payload, quick, refused};
use crate::tree::copy_tree;

fn ends(name: &str, extension: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|end| end == extension)
}

/// The segment file that holds the record `number`, and where its payload begins in it. Nothing of
/// the queue may have been deleted: the first match of "record 3" is not "record 30".
fn place_of(path: &Path, number: u64) -> (PathBuf, usize) {
    let mut wanted = payload(number);
    wanted.resize(wanted.len().next_multiple_of(8), 0);
    for (name, bytes) in crate::scene::snapshot(&path.join("segments")) {
        let found = (0..bytes.len())
            .step_by(8)
            .find(|at| bytes[*at..].starts_with(&wanted));
        if let Some(offset) = found.filter(|_| ends(&name, "log")) {
            return (path.join("segments").join(name), offset);
        }
    }
    panic!("the record {number} is in no segment");
}

/// Flips one bit of the payload of the record `number`.
pub(crate) fn flip_payload(path: &Path, number: u64) {
    flip(path, number, 0);
}

/// Flips one bit `back` bytes before the payload of the record `number`.
fn flip(path: &Path, number: u64, back: usize) {
    let (file, offset) = place_of(path, number);
    let mut bytes = std::fs::read(&file).expect("there");
    bytes[offset - back] ^= 0x10;
    std::fs::write(&file, bytes).expect("can be written");
}

/// A closed queue with the records 0 to 199 in several segments.
fn make(path: &Path, integrity: Integrity) -> forebay::Result<()> {
    let queue = quick().integrity(integrity).open(path)?;
    enqueue(&queue, 0..200)?;
    assert!(queue.stats()?.segments > 2);
    queue.close()
}

/// Drains, skipping damage; returns what was delivered and what was skipped.
fn drain_and_skip(queue: &Queue) -> forebay::Result<(Vec<u64>, Vec<Range<Sequence>>)> {
    let mut consumer = queue.consumer("check")?;
    let (mut delivered, mut skipped) = (Vec::new(), Vec::new());
    loop {
        let ended = consumer.drain(|record| {
            assert_eq!(record.payload, payload(record.sequence.get()));
            delivered.push(record.sequence.get());
            Ok::<(), ()>(())
        });
        let Err(error) = ended else {
            return Ok((delivered, skipped));
        };
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        let gap = consumer.skip_corrupt()?.expect("damage was reported");
        assert_eq!(
            error.corruption().map(|found| &found.range),
            Some(&gap.range)
        );
        assert_eq!(gap.reason, GapReason::Damaged);
        skipped.push(gap.range);
    }
}

#[test]
fn damage_is_an_error_each_time_until_it_is_skipped() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    make(&path, Integrity::Chained)?;
    let (file, offset) = place_of(&path, 50);
    flip_payload(&path, 50);
    let queue = quick().open(&path)?;
    let mut consumer = queue.consumer("a")?;
    refused(drain(&mut consumer), ErrorKind::Corrupt);
    assert_eq!(consumer.next_sequence(), at(50));
    for _ in 0..3 {
        let error = refused(
            consumer.peek().map(|record| record.is_some()),
            ErrorKind::Corrupt,
        );
        let corruption = error.corruption().expect("says where").clone();
        assert_eq!(
            corruption.file.canonicalize().ok(),
            file.canonicalize().ok()
        );
        assert_eq!(corruption.range, at(50)..at(51));
        assert_eq!(
            corruption.offset.get() + 72,
            u64::try_from(offset).expect("small")
        );
        assert!(!corruption.expected.is_empty() && !corruption.found.is_empty());
        assert_eq!(error.path(), Some(&*corruption.file));
        refused(
            consumer.peek_batch(5).map(|batch| batch.len()),
            ErrorKind::Corrupt,
        );
    }
    let gap = consumer.skip_corrupt()?.expect("there is damage");
    assert_eq!(gap.range, at(50)..at(51));
    assert_eq!(consumer.skip_corrupt()?, None);
    drain_exactly(&mut consumer, 51..200)?;
    assert_eq!(consumer.take_gaps(), [gap]);
    assert_eq!(consumer.skip_corrupt()?, None);
    Ok(())
}

#[test]
fn a_skip_survives_reopening_and_the_segment_is_not_edited() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    make(&path, Integrity::Chained)?;
    flip_payload(&path, 50);
    let (file, _) = place_of(&path, 49);
    let before = std::fs::read(&file).expect("there");
    let queue = quick().open(&path)?;
    drop(queue.consumer("b")?);
    let mut consumer = queue.consumer("a")?;
    refused(drain(&mut consumer), ErrorKind::Corrupt);
    assert!(consumer.skip_corrupt()?.is_some());
    drop(consumer);
    assert_eq!(std::fs::read(&file).expect("there"), before);
    queue.close()?;
    let queue = quick().open(&path)?;
    drain_exactly(&mut queue.consumer("a")?, 51..200)?;
    // Another consumer meets it for itself.
    refused(drain(&mut queue.consumer("b")?), ErrorKind::Corrupt);
    Ok(())
}

#[test]
fn the_policy_quarantine_passes_by_itself_and_keeps_the_bytes() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    make(&path, Integrity::Chained)?;
    let (file, offset) = place_of(&path, 50);
    flip_payload(&path, 50);
    let damaged = std::fs::read(&file).expect("there")[offset..offset + 9].to_vec();
    let options = quick().corruption_policy(CorruptionPolicy::Quarantine);
    let queue = options.open(&path)?;
    let mut consumer = queue.consumer("a")?;
    let delivered: Vec<u64> = drain(&mut consumer)?
        .iter()
        .map(|(number, _)| *number)
        .collect();
    assert_eq!(delivered, (0..50).chain(51..200).collect::<Vec<_>>());
    let gaps = consumer.take_gaps();
    assert_eq!((gaps.len(), &gaps[0].range), (1, &(at(50)..at(51))));
    let kept: Vec<_> = std::fs::read_dir(path.join("quarantine"))
        .expect("a folder")
        .map(|entry| std::fs::read(entry.expect("listed").path()).expect("there"))
        .collect();
    let holds = |bytes: &Vec<u8>| bytes.windows(damaged.len()).any(|window| window == damaged);
    assert!(kept.iter().any(holds), "{} files", kept.len());
    Ok(())
}

#[test]
fn the_policy_refuse_open_refuses_known_damage_and_changes_nothing() -> forebay::Result<()> {
    let folder = folder();
    let (path, image) = (folder.path().join("q"), folder.path().join("image"));
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..40)?;
    queue.sync()?;
    enqueue(&queue, 40..42)?;
    queue.sync()?;
    copy_tree(&path, &image);
    flip_payload(&image, 20);
    let before = crate::scene::snapshot(&image);
    let options = || quick().corruption_policy(CorruptionPolicy::RefuseOpen);
    let error = refused(options().open(&image), ErrorKind::Corrupt);
    assert_eq!(
        error.corruption().map(|found| found.range.start),
        Some(at(20))
    );
    assert_eq!(crate::scene::snapshot(&image), before);
    // Opened otherwise, it goes on, and delivers the rest.
    let queue = quick().open(&image)?;
    assert_eq!(queue.recovery().corruption.len(), 1);
    let next = queue.next().get();
    enqueue(&queue, next..next + 2)?;
    let (delivered, skipped) = drain_and_skip(&queue)?;
    assert_eq!(delivered, (0..20).chain(21..next + 2).collect::<Vec<_>>());
    assert_eq!(skipped, [at(20)..at(21)]);
    Ok(())
}

#[test]
fn one_flipped_bit_of_any_record_costs_that_record_only() -> forebay::Result<()> {
    for integrity in [Integrity::Chained, Integrity::Crc32c] {
        let folder = folder();
        let path = folder.path().join("q");
        make(&path, integrity)?;
        let header = if integrity == Integrity::Chained {
            72
        } else {
            40
        };
        for number in (0..200).step_by(3).chain([1, 199, 197]) {
            // In the payload, in its length, in its checksum, in its sequence.
            let back =
                [0, header - 8, header, header - 16][usize::try_from(number % 4).expect("4")];
            let image = folder.path().join(format!("{number}"));
            copy_tree(&path, &image);
            flip(&image, number, back);
            let queue = quick().open(&image)?;
            let (delivered, skipped) = drain_and_skip(&queue)?;
            let rest: Vec<u64> = (0..200).filter(|other| *other != number).collect();
            assert_eq!(delivered, rest, "{integrity:?}, {back} before {number}");
            assert_eq!(skipped, [at(number)..at(number + 1)]);
        }
    }
    Ok(())
}

#[test]
fn a_missing_segment_is_damage_wherever_it_was() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    make(&path, Integrity::Chained)?;
    let files: Vec<_> = crate::scene::snapshot(&path.join("segments"))
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| ends(name, "log"))
        .collect();
    assert!(files.len() > 2);
    for (index, name) in files.iter().enumerate() {
        for keep_index in [true, false] {
            let image = folder.path().join(format!("{index} {keep_index}"));
            copy_tree(&path, &image);
            let file = image.join("segments").join(name);
            std::fs::remove_file(&file).expect("can be removed");
            if !keep_index {
                std::fs::remove_file(file.with_extension("idx")).ok();
            }
            let queue = quick().open(&image)?;
            let (delivered, skipped) = drain_and_skip(&queue)?;
            assert_eq!(skipped.len(), 1, "{name}: {delivered:?}");
            let lost = skipped[0].start.get()..skipped[0].end.get();
            let rest: Vec<u64> = (0..200).filter(|number| !lost.contains(number)).collect();
            assert_eq!(delivered, rest, "{name}");
            assert!(lost.end - lost.start > 20, "{name}: {lost:?}");
            assert_eq!(queue.next(), at(200), "{name}: no sequence is used again");
        }
    }
    Ok(())
}

/// A damaged header says neither how long its record is nor how old: eviction stopped there, and
/// the backlog grew without a bound.
#[test]
fn damage_stops_neither_the_producer_nor_eviction() -> forebay::Result<()> {
    let clock = crate::scene::Clock::new();
    let options = || {
        let options = QueueOptions::new().segment_bytes(8192).host(clock.clone());
        let options = options.corruption_policy(CorruptionPolicy::Quarantine);
        options.overflow(Overflow::DropOldest)
    };
    let age = std::time::Duration::from_mins(1);
    for (name, options) in [
        ("records", options().max_records(20)),
        ("bytes", options().max_bytes(2000)),
        ("age", options().max_age(age)),
    ] {
        for back in [0, 72] {
            let folder = folder();
            let path = folder.path().join("q");
            let queue = quick().host(clock.clone()).open(&path)?;
            enqueue(&queue, 0..200)?;
            queue.close()?;
            flip(&path, 3, back);
            flip(&path, 150, back);
            clock.advance(age * 2);
            let queue = options.clone().open(&path)?;
            enqueue(&queue, 200..230)?;
            assert!(queue.len() <= 30, "{name}, {back}: {:?}", queue.stats()?);
            let delivered = drain(&mut queue.consumer("a")?)?;
            assert!(
                delivered.iter().all(|(number, _)| *number >= 200),
                "{name}: {delivered:?}"
            );
            assert!(delivered.len() >= 20, "{name}: {delivered:?}");
        }
    }
    Ok(())
}

#[test]
fn an_index_is_a_cache_whatever_is_in_it() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    make(&path, Integrity::Chained)?;
    let indexes: Vec<_> = crate::scene::snapshot(&path.join("segments"))
        .into_iter()
        .filter(|(name, _)| ends(name, "idx"))
        .collect();
    assert!(!indexes.is_empty());
    for (change, bytes) in [
        ("missing", None),
        ("empty", Some(Vec::new())),
        ("zeros", Some(vec![0; 4096])),
        (
            "longer",
            Some([indexes[0].1.clone(), vec![7; 100]].concat()),
        ),
        (
            "of another segment",
            Some(indexes[indexes.len() - 1].1.clone()),
        ),
        (
            "short",
            Some(indexes[0].1[..indexes[0].1.len() / 2].to_vec()),
        ),
        ("of more bytes than can be read", Some(Vec::new())),
    ] {
        let image = folder.path().join(change);
        copy_tree(&path, &image);
        let file = image.join("segments").join(&indexes[0].0);
        match bytes {
            Some(bytes) => std::fs::write(&file, bytes).expect("can be written"),
            None => std::fs::remove_file(&file).expect("can be removed"),
        }
        if change == "of more bytes than can be read" {
            let file = std::fs::File::options().write(true).open(&file);
            let file = file.expect("can be opened");
            file.set_len(1 << 43).expect("a file with a hole");
        }
        let queue = quick().retention(Retention::KeepForever).open(&image)?;
        let mut consumer = queue.consumer("a")?;
        for to in [0, 30, 60, 100, 199] {
            consumer.seek(at(to))?;
            let found = consumer.peek()?.map(|record| record.payload.to_vec());
            assert_eq!(found, Some(payload(to)), "{change}");
        }
        consumer.seek(at(0))?;
        drain_exactly(&mut consumer, 0..200)?;
    }
    Ok(())
}
