//! Options that change the files, and options that make no sense.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forebay::storage::Filesystem;
use forebay::storage::memory::MemoryDirectory;
use forebay::{
    CommitPadding, ErrorKind, Integrity, Overflow, Preallocate, Queue, QueueOptions, SyncPolicy,
};

use crate::scene::{drain, drain_exactly, enqueue, folder, payload, quick, refused};

#[test]
fn an_option_out_of_range_is_named_with_its_value_and_its_range() {
    let folder = folder();
    let path = folder.path().join("q");
    let new = QueueOptions::new;
    let cases = [
        (new().segment_bytes(0), "segment_bytes is 0,"),
        (new().segment_bytes(8191), "segment_bytes is 8191,"),
        (
            new().segment_bytes(u64::MAX),
            "segment_bytes is 18446744073709551615,",
        ),
        (
            new().max_record_bytes(u32::MAX),
            "max_record_bytes is 4294967295,",
        ),
        (new().max_age(Duration::ZERO), "max_age is 0,"),
        (
            new().sync_policy(SyncPolicy::Interval(Duration::ZERO)),
            "interval is 0,",
        ),
    ];
    for (options, named) in cases {
        let error = refused(options.open(&path), ErrorKind::InvalidInput).to_string();
        assert!(
            error.contains(named) && error.contains("range is"),
            "{error}"
        );
    }
    assert!(!path.exists(), "judged before anything is made");
}

#[test]
fn options_at_the_ends_of_their_ranges_work() -> forebay::Result<()> {
    let folder = folder();
    let open = |name: &str, options: QueueOptions| options.open(folder.path().join(name));
    let new = || QueueOptions::new().preallocate(Preallocate::None);
    let cases = [
        ("a", new().segment_bytes(8192)),
        ("b", new().segment_bytes(34_359_738_360)),
        ("c", new().max_record_bytes(u32::MAX - 65_536)),
        ("d", new().max_records(u64::MAX).max_bytes(u64::MAX)),
        ("e", new().max_age(Duration::from_nanos(u64::MAX))),
        ("f", new().max_age(Duration::MAX)),
        ("g", new().overflow(Overflow::Block(Duration::MAX))),
        ("h", new().overflow(Overflow::Block(Duration::ZERO))),
        (
            "i",
            new().sync_policy(SyncPolicy::Interval(Duration::from_nanos(1))),
        ),
    ];
    for (name, options) in cases {
        let queue = open(name, options)?;
        enqueue(&queue, 0..3)?;
        drain_exactly(&mut queue.consumer("a")?, 0..3)?;
    }
    Ok(())
}

fn log_bytes(path: &Path) -> Vec<u64> {
    let mut lengths: Vec<u64> = std::fs::read_dir(path.join("segments"))
        .expect("a folder of segments")
        .map(|entry| entry.expect("listed"))
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "log"))
        .map(|entry| entry.metadata().expect("there").len())
        .collect();
    lengths.sort_unstable();
    lengths
}

#[test]
fn without_preallocation_a_segment_is_as_long_as_its_records() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let options = || QueueOptions::new().segment_bytes(1 << 20);
    let queue = options().preallocate(Preallocate::None).open(&path)?;
    enqueue(&queue, 0..10)?;
    assert!(log_bytes(&path)[0] < 10_000, "{:?}", log_bytes(&path));
    drop(queue);
    let queue = options().preallocate(Preallocate::None).open(&path)?;
    enqueue(&queue, 10..20)?;
    drain_exactly(&mut queue.consumer("a")?, 0..20)
}

#[test]
fn a_queue_goes_on_with_other_options_than_it_was_made_with() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let mut next = 0;
    let mut go_on = |options: QueueOptions| -> forebay::Result<()> {
        let queue = options.open(&path)?;
        enqueue(&queue, next..next + 60)?;
        next += 60;
        drop(queue);
        Ok(())
    };
    go_on(QueueOptions::new().segment_bytes(1 << 20))?;
    go_on(QueueOptions::new().segment_bytes(8192))?;
    go_on(QueueOptions::new().commit_padding(CommitPadding::Page))?;
    go_on(QueueOptions::new().preallocate(Preallocate::None))?;
    go_on(QueueOptions::new().integrity(Integrity::Crc32c))?;
    go_on(quick().commit_padding(CommitPadding::Sector))?;
    go_on(QueueOptions::new().sync_policy(SyncPolicy::Interval(Duration::from_millis(1))))?;
    let queue = Queue::open(&path)?;
    assert_ne!(
        queue.chain_head().2,
        [0; 32],
        "integrity is fixed at creation"
    );
    drain_exactly(&mut queue.consumer("a")?, 0..next)
}

#[test]
fn either_integrity_survives_a_kill_and_is_kept() -> forebay::Result<()> {
    for (made, asked) in [
        (Integrity::Chained, Integrity::Crc32c),
        (Integrity::Crc32c, Integrity::Chained),
    ] {
        let folder = folder();
        let (path, image) = (folder.path().join("q"), folder.path().join("image"));
        let queue = quick().integrity(made).open(&path)?;
        enqueue(&queue, 0..200)?;
        crate::tree::copy_tree(&path, &image);
        let killed = quick().integrity(asked).open(&image)?;
        enqueue(&killed, 200..400)?;
        killed.sync()?;
        let has_chain = killed.chain_head().2 != [0; 32];
        assert_eq!(has_chain, made == Integrity::Chained);
        drop(killed);
        drain_exactly(&mut quick().open(&image)?.consumer("a")?, 0..400)?;
    }
    Ok(())
}

#[test]
fn padded_commits_of_every_length_read_back() -> forebay::Result<()> {
    for (padding, unit) in [(CommitPadding::Sector, 512), (CommitPadding::Page, 4096)] {
        for integrity in [Integrity::Chained, Integrity::Crc32c] {
            let folder = folder();
            let (path, image) = (folder.path().join("q"), folder.path().join("image"));
            let options = || {
                let options = quick().segment_bytes(32 << 10).integrity(integrity);
                options.commit_padding(padding)
            };
            let queue = options().open(&path)?;
            let lengths: Vec<usize> = (0..70).map(|step| step * unit / 60 + step % 7).collect();
            for length in &lengths {
                queue.enqueue(vec![7; *length])?;
                queue.sync()?;
            }
            crate::tree::copy_tree(&path, &image);
            drop(queue);
            for place in [&path, &image] {
                let queue = options().open(place)?;
                queue.enqueue(payload(70))?;
                queue.sync()?;
                let found = drain(&mut queue.consumer("a")?)?;
                let found: Vec<_> = found.iter().map(|(_, bytes)| bytes.len()).collect();
                assert_eq!(found[..70], lengths);
                assert_eq!(found.len(), 71);
                assert!(queue.recovery().torn.is_none(), "{:?}", queue.recovery());
            }
        }
    }
    Ok(())
}

#[test]
fn a_network_file_system_has_to_be_allowed() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    memory.set_filesystem(Filesystem::Network);
    let directory = Arc::new(memory.clone());
    let error = refused(quick().open_on(directory.clone()), ErrorKind::InvalidInput);
    assert!(
        error.to_string().contains("allow_network_filesystem"),
        "{error}"
    );
    assert!(memory.names().is_empty(), "{:?}", memory.names());
    enqueue(
        &quick().allow_network_filesystem().open_on(directory)?,
        0..3,
    )
}

#[test]
fn open_existing_opens_what_is_there() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    refused(
        QueueOptions::new().open_existing().open(&path),
        ErrorKind::NotFound,
    );
    Queue::open(&path)?.enqueue(b"a")?;
    assert_eq!(QueueOptions::new().open_existing().open(&path)?.len(), 1);
    assert_eq!(
        QueueOptions::new()
            .open_existing()
            .create()
            .open(&path)?
            .len(),
        1
    );
    Ok(())
}
