//! A medium that fails once and never again: a sync reports it, and the page cache lies after.
//!
//! The image lies in a memory file system that has room for a few more pages only. Once they are
//! used up the loop device fails to write, the kernel tells it to one sync and forgets; then the
//! memory file system grows, and every later sync succeeds.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use forebay::{ErrorKind, Queue};

use super::command::run;
use super::failure::{Failure, Must, Outcome};
use super::heart::beat;
use super::ledger::{Ending, Ledger};
use super::load::{Load, Peril, Switch};
use super::random::Random;
use super::shape::Shape;
use super::verify::verify;
use super::volume::{Kind, Shutdown, Volume, text};

const IMAGE_BYTES: u64 = 64 << 20;
const POOL_BYTES: u64 = 2 * IMAGE_BYTES;
const PAGE_BYTES: u64 = 4096;

/// A memory file system of changing size.
struct Pool(PathBuf);

impl Pool {
    fn mount(folder: &Path) -> Outcome<Self> {
        std::fs::create_dir(folder).must("make the pool's folder")?;
        let size = format!("size={POOL_BYTES}");
        run(
            "mount",
            &["-t", "tmpfs", "-o", &size, "forebay-pool", text(folder)],
        )?;
        Ok(Self(folder.to_path_buf()))
    }

    /// Leaves room for so many pages.
    fn starve(&self, pages: u64) -> Outcome {
        let total = fs2::total_space(&self.0).must("look at the pool")?;
        let free = fs2::free_space(&self.0).must("look at the pool")?;
        self.resize(total - free + pages * PAGE_BYTES)
    }

    fn feed(&self) -> Outcome {
        self.resize(POOL_BYTES)
    }

    fn resize(&self, bytes: u64) -> Outcome {
        let size = format!("remount,size={bytes}");
        run("mount", &["-o", &size, text(&self.0)]).map(drop)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Behind the volume in it, which was unmounted before.
        run("umount", &["--lazy", text(&self.0)]).ok();
    }
}

#[derive(Debug, Default)]
struct Counts {
    /// Opened on the mount that had failed, and gone on.
    trusted: u32,
    /// Not opened on it: the file system had given up.
    given_up: u32,
}

/// Lets the medium fail `cycles` times under one queue.
pub(crate) fn campaign(cycles: u32, folder: &Path, random: &mut Random) -> Outcome<String> {
    let pool = Pool::mount(&folder.join("pool"))?;
    let image = pool.0.join("image");
    make_image(&image)?;
    let mut volume = Volume::of(Kind::Ext4, &image)?.with_single_pages();
    volume.mount()?;
    let path = volume.point().join("queue");
    let mut ledger = Ledger::default();
    let mut counts = Counts::default();
    let mut ending = Ending::Closed;
    for cycle in 0..cycles {
        beat(&format!("eio, cycle {cycle}"));
        let shape = Shape::choose(random);
        let queue = shape.options().open(&path).must("open")?;
        verify(&queue, &mut ledger, ending, random)?;
        // Blocks that were used before have their pages: give them back.
        run("fstrim", &[text(volume.point())])?;
        fail_once(&queue, shape, &pool, &mut ledger, random)?;
        drop(queue);
        if random.below(3) > 0 {
            go_on(&path, &volume, &mut ledger, &mut counts, random)?;
        }
        volume.remount()?;
        ending = Ending::PowerCut;
    }
    let queue = Shape::choose(random).options().open(&path).must("open")?;
    verify(&queue, &mut ledger, ending, random)?;
    queue.close().must("close")?;
    volume.unmount()?;
    let Counts { trusted, given_up } = counts;
    Ok(format!(
        "{cycles} failures of the medium: {} acknowledged, 0 lost; {} delivered; opened again on \
         the same mount {trusted} times, {given_up} times the file system had given up",
        ledger.promises, ledger.deliveries,
    ))
}

/// An image whose metadata has its pages already, so that it is data that fails.
fn make_image(image: &Path) -> Outcome {
    let file = std::fs::File::create_new(image).must("make the image")?;
    file.set_len(IMAGE_BYTES).must("make the image")?;
    let extended = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
    let arguments = ["-q", "-b", "4096", "-m", "0", "-E", extended, text(image)];
    let make = ["UNIX_IO_NOZEROOUT=1", "mkfs.ext4"];
    run("env", &[&make[..], &arguments[..]].concat()).map(drop)
}

/// Runs the load until a sync has failed; then the medium is sound again.
fn fail_once(
    queue: &Queue,
    shape: Shape,
    pool: &Pool,
    ledger: &mut Ledger,
    random: &mut Random,
) -> Outcome {
    pool.starve(random.below(300))?;
    let switch = Switch::default();
    let mut driven = Ok(());
    let own = Mutex::new(ledger);
    let load = Load {
        queue,
        switch: &switch,
        policy: shape.policy,
        peril: Peril::BadMedium,
        cycle: own.lock().expect("no panic").cycle,
        first_producer: 0,
        tell: &|event| own.lock().expect("no panic").apply(event),
    };
    if random.once_in(2) {
        // Nothing is given back to the disk.
        Switch::set(&switch.rest);
    }
    load.run(random, || {
        let began = Instant::now();
        while !Switch::is(&switch.cut) {
            if began.elapsed() > Duration::from_mins(1) {
                driven = Failure::setup("no I/O error came");
                break;
            }
            if began.elapsed() > Duration::from_secs(1) {
                Switch::set(&switch.rest);
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        driven = std::mem::replace(&mut driven, Ok(())).and(pool.feed());
        std::thread::sleep(Duration::from_millis(10));
    });
    driven?;
    for _ in 0..3 {
        let handed_in = queue.enqueue([0; 16].as_slice()).map(drop);
        let synced = queue.sync().map(drop);
        for result in [handed_in, synced] {
            if result.as_ref().map_err(forebay::Error::kind) != Err(ErrorKind::Poisoned) {
                return Failure::broken(format!("after a failed sync: {result:?}"));
            }
        }
    }
    Ok(())
}

/// Opens the queue on the mount that had failed, goes on, and cuts the power.
fn go_on(
    path: &Path,
    volume: &Volume,
    ledger: &mut Ledger,
    counts: &mut Counts,
    random: &mut Random,
) -> Outcome {
    let shape = Shape::choose(random);
    let queue = match shape.options().open(path) {
        Ok(queue) => queue,
        // The journal could not be written either: the file system is read-only until mounted again.
        Err(error) if error.kind() == ErrorKind::Io => {
            counts.given_up += 1;
            return Ok(());
        }
        Err(error) => return Err(error).must("open after a failed sync"),
    };
    counts.trusted += 1;
    verify(&queue, ledger, Ending::Poisoned, random)?;
    let switch = Switch::default();
    let load_for = Duration::from_micros(random.below(20_000));
    let how = random.choose(&[Shutdown::LogFlushed, Shutdown::LogLost]);
    let mut shut = Ok(());
    let own = Mutex::new(&mut *ledger);
    let load = Load {
        queue: &queue,
        switch: &switch,
        policy: shape.policy,
        peril: Peril::PowerCut,
        cycle: own.lock().expect("no panic").cycle,
        first_producer: 0,
        tell: &|event| own.lock().expect("no panic").apply(event),
    };
    let idle = random.once_in(2);
    if idle {
        // What opening has found has to stay, also when nothing follows.
        shut = volume.shut_down(how);
    } else {
        load.run(random, || {
            std::thread::sleep(load_for);
            Switch::set(&switch.cutting);
            shut = volume.shut_down(how);
            Switch::set(&switch.cut);
        });
    }
    shut?;
    ledger.check_broken()
}
