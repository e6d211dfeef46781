//! What stands beside the log: cursors, snapshots, keys. What cannot be used of it is set aside.

use super::aside::for_each_chunk;
use super::members::Bounds;
use super::step::RepairStep;
use crate::error::{ErrorKind, Result};
use crate::format::{
    CursorSlot, Defect, Identity, KEYS, KeyFile, SNAPSHOTS, SnapshotHeader, StateSum, consumer_id,
    cursor_file, narrow, snapshot_file, snapshot_of, wide,
};
use crate::storage::{
    Access, Directory, File, list_if_there, open_if_there, read_range, read_whole,
};

/// The steps for what stands beside the log.
pub(super) fn plan_beside(
    directory: &dyn Directory,
    identity: &Identity,
    bounds: &Bounds,
) -> Result<Vec<RepairStep>> {
    let mut steps = Vec::new();
    for fact in &bounds.survey.cursors {
        let problem = match &fact.slot {
            Ok(slot) => cursor_problem(&fact.consumer, slot, identity, bounds),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                Some("neither of its slots can be read".to_owned())
            }
            Err(error) => return Err(error.clone()),
        };
        if let Some(problem) = problem {
            let name = &fact.consumer;
            let problem = format!(
                "{problem}: the consumer {name:?} begins anew, at the oldest record that is kept"
            );
            steps.push(RepairStep::set_aside(
                directory,
                &cursor_file(name),
                problem,
            )?);
        }
    }
    let mut names = list_if_there(directory, SNAPSHOTS)?;
    names.sort_unstable();
    for snapshot in names.iter().filter_map(|name| snapshot_of(name)) {
        let name = snapshot_file(snapshot);
        let file = directory.open(&name, Access::Read)?;
        let problem = match read_snapshot(&*file)? {
            Ok(header) => snapshot_problem(snapshot, &header, identity, bounds),
            Err(defect) => {
                let defect = defect.refuse_version("a file", file.path())?;
                Some(format!("the snapshot is damaged ({defect})"))
            }
        };
        if let Some(problem) = problem {
            steps.push(RepairStep::set_aside(directory, &name, problem)?);
        }
    }
    if let Some(file) = open_if_there(directory, KEYS, Access::Read)?
        && let Err(defect) = read_keys(&*file, identity, bounds)?
    {
        let defect = defect.refuse_version("a file", file.path())?;
        let problem =
            format!("it is damaged ({defect}): keys of records that are deleted count no more");
        steps.push(RepairStep::set_aside(directory, KEYS, problem)?);
    }
    Ok(steps)
}

/// Why a cursor is refused although a slot of it can be read.
fn cursor_problem(
    consumer: &str,
    slot: &CursorSlot,
    identity: &Identity,
    bounds: &Bounds,
) -> Option<String> {
    let end = bounds.end.next;
    if slot.queue != identity.queue {
        return Some(format!("it is of another queue, {}", slot.queue));
    }
    if slot.consumer != consumer_id(consumer) {
        return Some("it is another consumer's".to_owned());
    }
    let watermark = slot.watermark;
    (watermark > end).then(|| format!("it knows of {watermark} records, and the log ends at {end}"))
}

/// Why a snapshot is refused although it can be read.
fn snapshot_problem(
    snapshot: &str,
    header: &SnapshotHeader,
    identity: &Identity,
    bounds: &Bounds,
) -> Option<String> {
    let (epoch, end) = (bounds.epoch, bounds.end.next);
    if header.queue != identity.queue {
        return Some(format!("it is of another queue, {}", header.queue));
    }
    if header.name != consumer_id(snapshot) {
        return Some("it is a snapshot of another name".to_owned());
    }
    if header.epoch > epoch {
        let later = header.epoch;
        return Some(format!(
            "it is of the epoch {later}, and the log's is {epoch}"
        ));
    }
    let watermark = header.watermark;
    (watermark > end).then(|| format!("it knows of {watermark} records, and the log ends at {end}"))
}

fn read_snapshot(file: &dyn File) -> Result<std::result::Result<SnapshotHeader, Defect>> {
    let (length, begin) = (file.length()?, SnapshotHeader::STATE_OFFSET);
    let header = match SnapshotHeader::decode(&read_range(file, 0, begin)?, length) {
        Ok(header) => header,
        Err(defect) => return Ok(Err(defect)),
    };
    let mut sum = StateSum::default();
    for_each_chunk(file, wide(begin)..length, |_, bytes| {
        sum.add(bytes);
        Ok(())
    })?;
    Ok(header.check(sum).map(|()| header))
}

fn read_keys(
    file: &dyn File,
    identity: &Identity,
    bounds: &Bounds,
) -> Result<std::result::Result<(), Defect>> {
    let length = file.length()?.min(KeyFile::BYTES_MAX);
    let keys = KeyFile::decode(&read_whole(file, narrow(length))?);
    Ok(keys.and_then(|keys| {
        let too_much = |name, found| Err(Defect::Field { name, found });
        if keys.queue != identity.queue {
            Err(Defect::Owner { name: "queue" })
        } else if keys.epoch > bounds.epoch {
            too_much("keys epoch", keys.epoch.get())
        } else if keys.covered > bounds.end.next {
            too_much("keys covered, beyond the log", keys.covered.get())
        } else {
            Ok(())
        }
    }))
}
