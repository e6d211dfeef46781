//! Power cuts on a real file system: the shutdown ioctl under load.
//!
//! What was acknowledged before the ioctl began has to be there after the next mount. What is
//! acknowledged while it runs is unknown: a sync that overlaps it can return 0 and lose its data.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use forebay::ErrorKind;

use super::failure::{Failure, Must, Outcome};
use super::heart::beat;
use super::ledger::{Ending, Ledger};
use super::load::{Load, Peril, Switch};
use super::random::Random;
use super::shape::Shape;
use super::verify::verify;
use super::volume::{Kind, Shutdown, Volume};

/// Cuts the power `cycles` times on one queue.
pub(crate) fn campaign(
    kind: Kind,
    cycles: u32,
    folder: &Path,
    random: &mut Random,
) -> Outcome<String> {
    let mut volume = Volume::make(kind, &folder.join(kind.name()), kind.bytes() * 4)?;
    volume.mount()?;
    let path = volume.point().join("queue");
    let mut ledger = Ledger::default();
    let mut ending = Ending::Closed;
    let mut cut_short = 0;
    for cycle in 0..cycles {
        beat(&format!("shutdown on {}, cycle {cycle}", kind.name()));
        let mut shape = Shape::choose(random);
        let mut queue = shape.options().open(&path).must("open")?;
        verify(&queue, &mut ledger, ending, random)?;
        if random.once_in(4) {
            queue.close().must("close")?;
            shape = Shape::choose(random);
            queue = shape.options().open(&path).must("open after close")?;
            verify(&queue, &mut ledger, Ending::Closed, random)?;
        }
        let switch = Switch::default();
        let load_for = Duration::from_micros(random.below(150_000));
        let how = random.choose(&[Shutdown::Frozen, Shutdown::LogFlushed, Shutdown::LogLost]);
        let mut shut = Ok(());
        let own = Mutex::new(&mut ledger);
        let load = Load {
            queue: &queue,
            switch: &switch,
            policy: shape.policy,
            peril: Peril::PowerCut,
            cycle: own.lock().expect("no panic").cycle,
            first_producer: 0,
            tell: &|event| own.lock().expect("no panic").apply(event),
        };
        load.run(random, || {
            std::thread::sleep(load_for);
            Switch::set(&switch.cutting);
            shut = volume.shut_down(how);
            Switch::set(&switch.cut);
            // Long enough for an acknowledgement that must not come.
            std::thread::sleep(Duration::from_millis(5));
        });
        shut?;
        ledger.check_broken()?;
        cut_short += u32::from(queue.enqueue([0; 16].as_slice()).is_err());
        refuses(&queue)?;
        drop(queue);
        volume.remount()?;
        ending = Ending::PowerCut;
    }
    let queue = Shape::choose(random).options().open(&path).must("open")?;
    verify(&queue, &mut ledger, ending, random)?;
    let epochs = queue.epoch().counter();
    queue.close().must("close")?;
    volume.unmount()?;
    Ok(format!(
        "{cycles} power cuts on {}: {} acknowledged, 0 lost; {} delivered; {epochs} epochs; \
         {cut_short} handles refused at once",
        kind.name(),
        ledger.promises,
        ledger.deliveries,
    ))
}

/// Nothing is acknowledged as durable any more.
fn refuses(queue: &forebay::Queue) -> Outcome {
    let before = queue.next();
    for _ in 0..3 {
        if queue.enqueue([0; 16].as_slice()).is_ok() && queue.sync().is_ok() {
            return Failure::broken("a record was acknowledged after the power cut");
        }
    }
    match queue.sync() {
        Err(error) if error.kind() == ErrorKind::Poisoned => Ok(()),
        Ok(durable) if durable <= before => Ok(()),
        other => Failure::broken(format!("sync after the power cut: {other:?}")),
    }
}
