//! Opening what was left behind, up to the moment the first record can be read.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::Load;
use crate::class::Class;
use crate::figures::Figures;
use crate::histogram::Histogram;
use crate::payloads::Payloads;
use crate::peer::{Entry, Result};

const OPENINGS: u32 = 5;

pub fn run(entry: &Entry, folder: &Path, load: &Load, payloads: &Payloads) -> Result<Figures> {
    let waiting = usize::try_from(load.waiting)?;
    let filled = folder.join("filled");
    fs::create_dir_all(&filled)?;
    let peer = (entry.open)(&filled, load.class)?;
    peer.fill(&mut payloads.iter().take(waiting))?;
    // The files as they are while the peer has them open: what a killed process leaves.
    let left = folder.join("left");
    if load.class == Class::Killed {
        copy(&filled, &left)?;
    }
    drop(peer);
    let mut latencies = Histogram::default();
    let mut spent = 0.0;
    for opening in 0..OPENINGS {
        let place = place(folder, load.class, opening)?;
        let began = Instant::now();
        let peer = (entry.open)(&place, load.class)?;
        if !peer.see_first()? {
            return Err("the records are gone".into());
        }
        let elapsed = began.elapsed();
        latencies.record(elapsed);
        spent += elapsed.as_secs_f64();
        drop(peer);
        if load.class == Class::Killed {
            fs::remove_dir_all(place)?;
        }
    }
    Ok(Figures::new(&latencies, 1.0, spent))
}

/// What is opened: the same again after a clean end, a copy each time after a kill.
fn place(folder: &Path, class: Class, opening: u32) -> Result<PathBuf> {
    if class == Class::Reopen {
        return Ok(folder.join("filled"));
    }
    let place = folder.join(format!("opening-{opening}"));
    copy(&folder.join("left"), &place)?;
    Ok(place)
}

/// Synced: what the disk has yet to write of the copy is nobody's to wait for.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
            fs::File::open(&target)?.sync_all()?;
        }
    }
    Ok(())
}
