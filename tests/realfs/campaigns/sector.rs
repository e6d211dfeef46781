//! Indexes on sectors that the device does not give back: a cache that cannot be read costs
//! nothing. Met in a mapping, such a sector would end the process (SIGBUS).
//!
//! The index files are moved behind everything else in the image, which is cut there once it is
//! mounted: the loop device answers what it finds no bytes for with an I/O error.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use forebay::{Consumer, Queue, QueueOptions, Retention, Sequence, SyncPolicy};

use super::command::run;
use super::failure::{Failure, Must, Outcome};
use super::heart::beat;
use super::random::Random;
use super::volume::{Kind, Volume, text};

const IMAGE_BYTES: u64 = 64 << 20;
const BLOCK_BYTES: u64 = 4096;
/// Behind whatever the file system puts down by itself.
const FIRST_BLOCK: u64 = 14_000;

/// Takes the indexes of `cycles` queues away.
pub(crate) fn campaign(cycles: u32, folder: &Path, random: &mut Random) -> Outcome<String> {
    let (mut records, mut indexes) = (0, 0);
    for cycle in 0..cycles {
        beat(&format!("sector, cycle {cycle}"));
        let image = folder.join(format!("sector-{cycle}"));
        make_image(&image)?;
        let mut volume = Volume::of(Kind::Ext4, &image)?;
        volume.mount()?;
        let path = volume.point().join("queue");
        let count = 200 + random.below(2000);
        fill(&path, count)?;
        let moved = read_indexes(&path)?;
        volume.unmount()?;
        move_behind(&image, &moved)?;
        volume.mount()?;
        let file = File::options().write(true).open(&image);
        let file = file.must("open the image")?;
        file.set_len(FIRST_BLOCK * BLOCK_BYTES)
            .must("cut the image")?;
        for (name, _) in &moved {
            if std::fs::read(path.join("segments").join(name)).is_ok() {
                return Failure::setup(format!("{name} can be read all the same"));
            }
        }
        use_it(&path, count, random)?;
        volume.unmount()?;
        records += count;
        indexes += moved.len();
    }
    Ok(format!(
        "{cycles} queues on failing sectors: {indexes} indexes unreadable; {records} acknowledged, \
         0 lost"
    ))
}

/// An image in which a file's blocks stand in its inode, to be pointed elsewhere.
fn make_image(image: &Path) -> Outcome {
    let file = File::create_new(image).must("make the image")?;
    file.set_len(IMAGE_BYTES).must("make the image")?;
    let features = "^extent,^metadata_csum,^64bit,^has_journal";
    let arguments = ["-q", "-b", "4096", "-m", "0", "-O", features, text(image)];
    run("mkfs.ext4", &arguments).map(drop)
}

fn options() -> QueueOptions {
    QueueOptions::new()
        .segment_bytes(16 * 1024)
        .sync_policy(SyncPolicy::Manual)
        .retention(Retention::KeepForever)
}

fn fill(path: &Path, count: u64) -> Outcome {
    let queue = options().open(path).must("open a new queue")?;
    for number in 0..count {
        let payload = format!("record {number} {:100}", "");
        queue.enqueue(payload).must("enqueue")?;
    }
    queue.close().must("close")
}

/// The index files with their bytes.
fn read_indexes(path: &Path) -> Outcome<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path.join("segments")).must("list the segments")? {
        let name = entry.must("list the segments")?.file_name();
        let name = name.into_string().expect("a queue's names are text");
        if Path::new(&name).extension().is_some_and(|end| end == "idx") {
            let bytes = std::fs::read(path.join("segments").join(&name));
            found.push((name, bytes.must("read an index")?));
        }
    }
    Ok(found)
}

/// Puts each of `files` into a block of its own at the end of `image`.
fn move_behind(image: &Path, files: &[(String, Vec<u8>)]) -> Outcome {
    let file = File::options().write(true).open(image);
    let file = file.must("open the image")?;
    for ((name, bytes), block) in files.iter().zip(FIRST_BLOCK..) {
        if bytes.len() as u64 > BLOCK_BYTES || (block + 1) * BLOCK_BYTES > IMAGE_BYTES {
            return Failure::setup(format!("{name} has no place"));
        }
        file.write_all_at(bytes, block * BLOCK_BYTES)
            .must("write into the image")?;
        let request = format!("sif queue/segments/{name} block[0] {block}");
        run("debugfs", &["-w", "-R", &request, text(image)])?;
    }
    // Which blocks are in use is another one's to count; 1 says that it was wrong and is right now.
    let count = "e2fsck -fy \"$0\" >&2 || test $? -eq 1";
    run("sh", &["-c", count, text(image)]).map(drop)
}

/// Opens the queue and gets every record, looked up and one after the other.
fn use_it(path: &Path, count: u64, random: &mut Random) -> Outcome {
    let queue = options().open(path).must("open on failing sectors")?;
    let mut consumer = queue.consumer("c").must("make a consumer")?;
    for _ in 0..20 {
        let sequence = Sequence::new(random.below(count));
        consumer.seek(sequence).must("seek")?;
        let record = consumer.peek().must("read")?;
        if record.is_none_or(|record| record.sequence != sequence) {
            return Failure::broken(format!("{sequence} is not found"));
        }
    }
    consumer.seek(Sequence::ZERO).must("seek")?;
    let got = drain(&queue, &mut consumer)?;
    if got != count {
        return Failure::broken(format!("{got} records of {count}"));
    }
    queue.enqueue("and on it goes").must("enqueue")?;
    drop(consumer);
    queue.close().must("close on failing sectors")
}

/// Takes all records, each in its place; how many there were.
fn drain(queue: &Queue, consumer: &mut Consumer) -> Outcome<u64> {
    let mut next = 0;
    while let Some(record) = consumer.peek().must("read")? {
        let (sequence, lead) = (record.sequence, format!("record {next} "));
        if sequence.get() != next || !record.payload.starts_with(lead.as_bytes()) {
            return Failure::broken(format!("{sequence} instead of {next}"));
        }
        consumer.ack_through(sequence).must("acknowledge")?;
        next += 1;
    }
    if !queue.recovery().corruption.is_empty() {
        return Failure::broken("the loss of an index is told as corruption");
    }
    Ok(next)
}
