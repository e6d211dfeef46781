//! A disk filled to the last byte: `Full` and nothing else, reading goes on, and so does
//! everything once there is space.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use forebay::Queue;

use super::failure::{Failure, Must, Outcome};
use super::heart::beat;
use super::ledger::{Ending, Ledger};
use super::load::{Load, Peril, Switch};
use super::random::Random;
use super::shape::Shape;
use super::verify::verify;
use super::volume::{Kind, Shutdown, Volume};

/// How a life on a full disk goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Space comes back, the same handle goes on, and is closed.
    FreedAndClosed,
    /// The same, and the power is cut.
    FreedAndCut,
    /// The queue is closed and opened on the full disk.
    ClosedFull,
    /// The power is cut on the full disk, and the queue opened on it.
    CutFull,
}

const ENDS: [End; 4] = [
    End::FreedAndClosed,
    End::FreedAndCut,
    End::ClosedFull,
    End::CutFull,
];

/// Fills the disk `cycles` times under one queue.
pub(crate) fn campaign(
    kind: Kind,
    cycles: u32,
    folder: &Path,
    random: &mut Random,
) -> Outcome<String> {
    let image = folder.join(format!("full-{}", kind.name()));
    let mut volume = Volume::make(kind, &image, kind.bytes())?;
    volume.mount()?;
    let path = volume.point().join("queue");
    let foreign = volume.point().join("foreign");
    let mut ledger = Ledger::default();
    let mut ending = Ending::Closed;
    for cycle in 0..cycles {
        beat(&format!("full on {}, cycle {cycle}", kind.name()));
        let shape = Shape::choose(random);
        let queue = shape.options().open(&path).must("open on a full disk")?;
        verify(&queue, &mut ledger, ending, random)?;
        fill(&foreign, random)?;
        let end = ENDS[usize::try_from(cycle % 4).expect("an index")];
        ending = live(&queue, (shape, end), &mut ledger, &volume, random)?;
        ledger.check_broken()?;
        if ending == Ending::Closed {
            queue.close().must("close on a full disk")?;
        } else {
            drop(queue);
        }
        volume.remount()?;
    }
    let queue = Shape::choose(random).options().open(&path).must("open")?;
    verify(&queue, &mut ledger, ending, random)?;
    queue.close().must("close")?;
    volume.unmount()?;
    Ok(format!(
        "{cycles} full disks on {}: {} acknowledged, 0 lost; {} refused, 0 of them found; \
         {} delivered",
        kind.name(),
        ledger.promises,
        ledger.refusals,
        ledger.deliveries,
    ))
}

/// Leaves a little space, often none, beside a file that is not the queue's.
fn fill(foreign: &PathBuf, random: &mut Random) -> Outcome {
    let mut file = File::create(foreign).must("make the foreign file")?;
    let parent = foreign.parent().expect("in a folder");
    let free = fs2::available_space(parent).must("look at the space")?;
    // Quickly, where that works; the loop below does the rest.
    fs2::FileExt::allocate(&file, free.saturating_sub(1 << 20)).ok();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).must("go to the end")?;
    let mut chunk = 1 << 16;
    while chunk > 0 {
        match file.write_all(&vec![b'f'; chunk]) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => chunk /= 4,
            Err(error) => return Failure::setup(format!("fill the disk: {error}")),
        }
    }
    let spare = if random.once_in(3) {
        0
    } else {
        random.below(900_000)
    };
    let length = file.metadata().must("look at the foreign file")?.len();
    file.set_len(length.saturating_sub(spare))
        .must("leave some space")?;
    file.sync_all().must("sync the foreign file")
}

/// One life of the queue on the filling disk.
fn live(
    queue: &Queue,
    (shape, end): (Shape, End),
    ledger: &mut Ledger,
    volume: &Volume,
    random: &mut Random,
) -> Outcome<Ending> {
    let foreign = volume.point().join("foreign");
    let switch = Switch::default();
    let cycle = ledger.cycle;
    let own = Mutex::new(ledger);
    let load = Load {
        queue,
        switch: &switch,
        policy: shape.policy,
        peril: Peril::FullDisk,
        cycle,
        first_producer: 0,
        tell: &|event| own.lock().expect("no panic").apply(event),
    };
    let how = random.choose(&[Shutdown::LogFlushed, Shutdown::LogLost]);
    let mut driven = Ok(Ending::Closed);
    load.run(random, || {
        let is_broken = || own.lock().expect("no panic").check_broken();
        let can_go_on = || reclaimable(volume.point()) > 4 * shape.segment_bytes + (200 << 10);
        let watch = Watch {
            switch: &switch,
            is_broken: &is_broken,
            can_go_on: &can_go_on,
            queue,
        };
        driven = drive(&watch, end, &foreign).and_then(|()| {
            if !matches!(end, End::FreedAndCut | End::CutFull) {
                return Ok(Ending::Closed);
            }
            Switch::set(&switch.cutting);
            volume.shut_down(how)?;
            Switch::set(&switch.cut);
            Ok(Ending::PowerCut)
        });
    });
    driven
}

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is to be seen of the load from outside.
struct Watch<'a> {
    switch: &'a Switch,
    is_broken: &'a dyn Fn() -> Outcome,
    /// Whether reading everything frees segments enough.
    can_go_on: &'a dyn Fn() -> bool,
    queue: &'a Queue,
}

impl Watch<'_> {
    /// Waits until `counter` has grown by `more`.
    fn until(&self, what: &str, counter: &AtomicU64, more: u64) -> Outcome {
        let target = counter.load(Ordering::SeqCst) + more;
        let began = Instant::now();
        while counter.load(Ordering::SeqCst) < target {
            (self.is_broken)()?;
            if began.elapsed() > PATIENCE {
                let (stats, reclaimed) = (self.queue.stats(), self.queue.reclaim());
                return Failure::broken(format!(
                    "{what}, for a minute: {stats:?}, reclaim: {reclaimed:?}"
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

fn drive(watch: &Watch<'_>, end: End, foreign: &Path) -> Outcome {
    let Switch {
        rest,
        refusals,
        successes,
        ..
    } = watch.switch;
    // Nobody reads, so that nothing is reclaimed: producers try ever smaller records.
    Switch::set(rest);
    watch.until("the disk does not get full", refusals, 60)?;
    // Reading and acknowledging on the full disk gives space back.
    let goes_on = (watch.can_go_on)();
    Switch::clear(rest);
    if goes_on {
        watch.until("nothing goes on although all is read", successes, 20)?;
    } else {
        std::thread::sleep(Duration::from_millis(30));
    }
    Switch::set(rest);
    watch.until("the disk does not get full again", refusals, 40)?;
    if matches!(end, End::FreedAndClosed | End::FreedAndCut) {
        std::fs::remove_file(foreign).must("remove the foreign file")?;
        watch.until("nothing goes on although there is space", successes, 100)?;
        Switch::clear(rest);
        watch.until("nothing goes on", successes, 50)?;
    }
    (watch.is_broken)()
}

/// Bytes of all segments but the last two, which stay in any case.
fn reclaimable(point: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(point.join("queue/segments")) else {
        return 0;
    };
    let mut files: Vec<_> = entries.filter_map(Result::ok).collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    files.retain(|file| file.path().extension().is_some_and(|kind| kind == "log"));
    let kept = files.len().saturating_sub(2);
    files[..kept]
        .iter()
        .filter_map(|file| file.metadata().ok())
        .map(|metadata| std::os::unix::fs::MetadataExt::blocks(&metadata) * 512)
        .sum()
}
