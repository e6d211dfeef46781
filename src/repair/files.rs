//! Whose the files are: the identity, and which file is which segment.

use std::collections::BTreeMap;

use super::step::{RepairAction, RepairStep, Work};
use super::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{
    BLOCK_BYTES, Defect, IDENTITY, Identity, SEGMENTS, STATE, SegmentFile, SegmentHeader,
    StateSlot, narrow, segment_file,
};
use crate::position::{QueueId, SegmentNumber};
use crate::recovery::read_identity;
use crate::segment::Segment;
use crate::slots::read_slots;
use crate::storage::{Access, Directory, list_if_there, open_if_there, read_range};

/// What a file is called while others get their names back.
const PARKED_SUFFIX: &str = ".parked";

/// The queue as it is once its files have their right names.
pub(super) struct LaidOut<'a> {
    pub(super) identity: Identity,
    pub(super) view: View<'a>,
    pub(super) steps: Vec<RepairStep>,
}

/// A file among the segments.
struct Found {
    /// Its path in the queue.
    name: String,
    /// The segment that it is called; `None` for a parked one.
    called: Option<SegmentNumber>,
    header: std::result::Result<SegmentHeader, Defect>,
}

/// Finds out whose the files are.
pub(super) fn lay_out(directory: &dyn Directory) -> Result<LaidOut<'_>> {
    let files = find_files(directory)?;
    let mut laid_out = identify(directory, &files)?;
    let queue = laid_out.identity.queue;
    let mut headers = files.iter().filter_map(|file| file.header.as_ref().ok());
    let has_headers = headers.clone().next().is_some();
    if has_headers && headers.all(|header| header.queue != queue) {
        let what = "the file QUEUE is of another queue than the segments beside it; restore it, or \
                    salvage the records";
        return Err(Error::at(ErrorKind::Corrupt, what, directory.path()));
    }
    // Which file is which segment: the one that is called so, where two say that they are.
    let mut owners: BTreeMap<SegmentNumber, &Found> = BTreeMap::new();
    for file in &files {
        if let Ok(header) = file.header.as_ref()
            && header.queue == queue
        {
            let owner = owners.entry(header.number).or_insert(file);
            if file.called == Some(header.number) {
                *owner = file;
            }
        }
    }
    for file in &files {
        let problem = match &file.header {
            Ok(header) if header.queue != queue => {
                format!("it is of another queue, {}", header.queue)
            }
            Ok(header) => {
                let owner = owners.get(&header.number);
                if owner.is_some_and(|owner| owner.name == file.name) {
                    continue;
                }
                format!("it is another copy of segment {}", header.number)
            }
            Err(defect) => {
                let owner = file.called.and_then(|number| owners.get(&number));
                if owner.is_none() {
                    continue;
                }
                format!("its header is damaged ({defect}), and its name is another's")
            }
        };
        let step = RepairStep::set_aside(directory, &file.name, problem)?;
        laid_out.steps.push(step);
        laid_out.view.hidden.insert(file.name.clone());
    }
    rename(&mut laid_out, &owners);
    Ok(laid_out)
}

fn find_files(directory: &dyn Directory) -> Result<Vec<Found>> {
    let mut names = list_if_there(directory, SEGMENTS)?;
    names.sort_unstable();
    let mut files = Vec::new();
    for last in names {
        let bare = last.strip_suffix(PARKED_SUFFIX);
        let parsed = SegmentFile::parse(bare.unwrap_or(&last));
        let Some((number, SegmentFile::Log)) = parsed else {
            continue;
        };
        let name = format!("{SEGMENTS}/{last}");
        let Some(file) = open_if_there(directory, &name, Access::Read)? else {
            continue;
        };
        let block = read_range(&*file, 0, narrow(BLOCK_BYTES))?;
        let header = SegmentHeader::decode(&block);
        if let Err(defect) = header {
            defect.refuse_version("a segment", file.path())?;
        }
        files.push(Found {
            called: bare.is_none().then_some(number),
            name,
            header,
        });
    }
    Ok(files)
}

/// The identity, from `QUEUE` or from what all else agrees on.
fn identify<'a>(directory: &'a dyn Directory, files: &[Found]) -> Result<LaidOut<'a>> {
    let mut view = View::new(directory);
    let problem = match read_identity(directory)? {
        Some(Ok(identity)) => {
            let steps = Vec::new();
            return Ok(LaidOut {
                identity,
                view,
                steps,
            });
        }
        Some(Err(defect)) => format!("it is damaged ({defect})"),
        None => "it is missing".to_owned(),
    };
    let problem = format!("{problem}, and all segments agree on what was in it");
    let identity = agreed(directory, files)?;
    let bytes = identity.encode();
    view.identity = Some(bytes.clone());
    let step = RepairStep::replacing(directory, IDENTITY, problem, Work::Write { bytes })?;
    // Nothing of what was there is in it.
    let action = RepairAction::Create;
    Ok(LaidOut {
        identity,
        view,
        steps: vec![RepairStep { action, ..step }],
    })
}

/// What the segments and `STATE` say of the queue, if all say the same. The time of creation is
/// that of the oldest start frame, which is the nearest that is known.
fn agreed(directory: &dyn Directory, files: &[Found]) -> Result<Identity> {
    let headers: Vec<_> = files
        .iter()
        .filter_map(|file| file.header.as_ref().ok())
        .collect();
    let mut queues: Vec<QueueId> = headers.iter().map(|header| header.queue).collect();
    if let Some(pair) = read_slots::<StateSlot>(directory, STATE)? {
        queues.extend(pair.valid().map(|slot| slot.queue));
    }
    let refused = |what: &str| Error::at(ErrorKind::Corrupt, what, directory.path());
    let Some(first) = headers.first() else {
        return Err(refused(
            "the file QUEUE is not there or damaged, and no segment tells what was in it; salvage \
             the records",
        ));
    };
    let agrees = queues.iter().all(|queue| *queue == first.queue)
        && headers
            .iter()
            .all(|header| header.integrity == first.integrity);
    if !agrees {
        return Err(refused(
            "the file QUEUE is not there or damaged, and the segments are of several queues; \
             restore it, or salvage the records",
        ));
    }
    let mut created = None;
    for file in files {
        let Ok(header) = file.header else { continue };
        let opened = directory.open(&file.name, Access::Read)?;
        if let Ok(segment) = Segment::started(opened, header)? {
            let earliest = created.unwrap_or(segment.started_at);
            created = Some(segment.started_at.min(earliest));
        }
    }
    Ok(Identity {
        queue: first.queue,
        integrity: first.integrity,
        created: created.unwrap_or_default(),
    })
}

/// Gives every segment its own name. Where that is taken by another one, that one is parked first.
fn rename(laid_out: &mut LaidOut<'_>, owners: &BTreeMap<SegmentNumber, &Found>) {
    let misnamed: Vec<_> = owners
        .iter()
        .filter(|(number, file)| file.called != Some(**number))
        .collect();
    let mut steps = Vec::new();
    let mut names = BTreeMap::new();
    for (number, file) in &misnamed {
        let is_wanted = |(other, _): &&(&SegmentNumber, &&Found)| file.called == Some(**other);
        let mut name = file.name.clone();
        if misnamed.iter().any(|other| is_wanted(&other)) {
            let parked = format!(
                "{}{PARKED_SUFFIX}",
                segment_file(**number, SegmentFile::Log)
            );
            steps.push(renaming(&name, &parked, **number));
            name = parked;
        }
        names.insert(**number, name);
    }
    for (number, file) in &misnamed {
        let to = segment_file(**number, SegmentFile::Log);
        let name = names.get(number).unwrap_or(&file.name);
        steps.push(renaming(name, &to, **number));
        laid_out.view.renamed.insert(to, file.name.clone());
    }
    laid_out.steps.extend(steps);
}

fn renaming(from: &str, to: &str, number: SegmentNumber) -> RepairStep {
    let problem = format!("it is segment {number}");
    let work = Work::Rename { to: to.to_owned() };
    RepairStep::new(from, problem, RepairAction::Rename, work)
}
