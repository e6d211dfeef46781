//! Opening: lock, survey, plan, apply, and the log that comes of it.

use std::sync::Arc;
use std::time::Instant;

use super::agenda::Bell;
use super::ahead::Ahead;
use super::appends::Appends;
use super::begin::Resume;
use super::floor::{Floor, Place};
use super::gather::Gather;
use super::state::State;
use super::table::SegmentTable;
use super::trash::Trash;
use super::watermark::Watermark;
use super::{Host, Log, Preallocate, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Listener;
use crate::format::{
    CURSORS, Framing, IDENTITY, Identity, LOCK, SEGMENTS, STATE, SegmentFile, StateSlot,
    segment_file, temporary,
};
use crate::position::{Epoch, QueueId, SegmentNumber};
use crate::recovery::{
    CursorFact, Plan, RecoveryReport, Refusal, Survey, apply_recovery, create_queue, make_plan,
    refuse_backup, survey,
};
use crate::slots::SlotFile;
use crate::storage::{Directory, Filesystem, Lock};
use crate::sync::atomic::{AtomicBool, AtomicU64};
use crate::sync::{Condvar, Mutex};

/// An open log, and what opening found.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) log: Arc<Log>,
    pub(crate) report: RecoveryReport,
    pub(crate) cursors: Vec<CursorFact>,
}

/// What the log is given to work with.
#[derive(Debug)]
pub(crate) struct Means {
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) listener: Option<Arc<dyn Listener>>,
}

/// What the decision leaves to begin with.
struct Begun {
    identity: Identity,
    slots: SlotFile<StateSlot>,
    resume: Resume,
    report: RecoveryReport,
}

/// Opens the log in `means.directory`.
pub(crate) fn open(means: Means, settings: Settings) -> Result<Opened> {
    let started = Instant::now();
    let directory = &*means.directory;
    if !settings.may_create && !is_anything_here(directory)? {
        return Err(refuse(Refusal::NotThere, None, directory));
    }
    refuse_backup(directory)?;
    let process = means.host.process();
    let lock = directory.lock(LOCK, &format!("{process}\n"))?;
    let found = survey(directory)?;
    let opener = means.host.random();
    let mut begun = match make_plan(&found, settings.corruption_policy, settings.may_create) {
        Plan::Create => create(&means, &settings, opener)?,
        Plan::Continue { identity, state } => go_on(directory, &found, identity, state)?,
        Plan::Recover(recovery) => {
            let epoch = found.epoch.following(means.host.random());
            let slots = apply_recovery(directory, &found, &recovery, (epoch, opener))?;
            let report = RecoveryReport::of_recovery(directory, &found, &recovery, epoch);
            let resume = Resume {
                continues: false,
                damaged: recovery.walked.damaged_end,
                dropped: strangers(&found, slots.newest()),
            };
            Begun {
                identity: recovery.identity,
                slots,
                resume,
                report,
            }
        }
        Plan::Refuse(refusal, walked) => {
            let damage = walked
                .damages
                .first()
                .map(|damage| damage.to_corruption(directory));
            return Err(refuse(refusal, damage, directory));
        }
    };
    sweep(directory, &found, begun.slots.newest().first_segment)?;
    begun.report.elapsed = started.elapsed();
    let report = begun.report.clone();
    let log = assemble(means, settings, begun, (&found, opener, lock));
    if let Some(torn) = &report.torn {
        log.tell(|listener| listener.torn_tail_removed(torn));
    }
    for corruption in &report.corruption {
        log.tell(|listener| listener.corruption(corruption));
    }
    Ok(Opened {
        log: Arc::new(log),
        report,
        cursors: found.cursors,
    })
}

/// Whether a queue, or what is left of one, is in the directory. Nothing is touched, nor locked.
fn is_anything_here(directory: &dyn Directory) -> Result<bool> {
    let names = directory.list("")?;
    Ok(names
        .iter()
        .any(|name| [IDENTITY, SEGMENTS].contains(&name.as_str())))
}

fn create(means: &Means, settings: &Settings, opener: u64) -> Result<Begun> {
    let mut id = [0; 16];
    for half in id.chunks_mut(8) {
        half.copy_from_slice(&means.host.random().to_le_bytes());
    }
    let identity = Identity {
        queue: QueueId::new(id),
        integrity: settings.integrity,
        created: means.host.now(),
    };
    let epoch = Epoch::default().following(means.host.random());
    let state = StateSlot {
        queue: identity.queue,
        opener,
        clean: true,
        epoch,
        first_segment: SegmentNumber::new(1),
        ..StateSlot::default()
    };
    let slots = create_queue(&*means.directory, &identity, state)?;
    let resume = Resume {
        continues: false,
        damaged: false,
        dropped: Vec::new(),
    };
    Ok(Begun {
        identity,
        slots,
        resume,
        report: RecoveryReport::of_creation(epoch),
    })
}

fn go_on(
    directory: &dyn Directory,
    found: &Survey,
    identity: Identity,
    state: StateSlot,
) -> Result<Begun> {
    // The last owner may have been killed between a rename and the sync of its folder.
    directory.sync("")?;
    directory.sync(CURSORS)?;
    let slots = SlotFile::<StateSlot>::open(directory, STATE, identity.queue)?;
    let slots = slots.map_err(|defect| {
        defect.into_error(
            ErrorKind::Corrupt,
            "STATE changed",
            &directory.path().join(STATE),
        )
    })?;
    let resume = Resume {
        continues: state.continues,
        damaged: state.damaged,
        dropped: strangers(found, &state),
    };
    let report = RecoveryReport::of_clean_end(state.end.next, state.epoch);
    Ok(Begun {
        identity,
        slots,
        resume,
        report,
    })
}

/// Segment files that the log does not reach: behind the end.
fn strangers(found: &Survey, state: &StateSlot) -> Vec<SegmentNumber> {
    let end = state.end.position.segment;
    found
        .numbers
        .iter()
        .copied()
        .filter(|number| *number > end)
        .collect()
}

fn refuse(
    refusal: Refusal,
    damage: Option<crate::error::Corruption>,
    directory: &dyn Directory,
) -> Error {
    let path = directory.path();
    match (refusal, damage) {
        (Refusal::NotThere, _) => Error::at(ErrorKind::NotFound, "no queue is here", path),
        (Refusal::IdentityLost, _) => Error::at(
            ErrorKind::Corrupt,
            "segments are here but the file QUEUE is missing; restore it, or salvage the segments",
            path,
        ),
        (Refusal::Damage, Some(corruption)) => Error::corrupt(corruption),
        (Refusal::StateGone, _) => Error::at(
            ErrorKind::Corrupt,
            "the file STATE is lost, and no segment is left that tells where the log was; restore \
             a backup, or begin a new queue in another directory",
            path,
        ),
        (Refusal::IdentityDamaged | Refusal::Damage, _) => Error::at(
            ErrorKind::Corrupt,
            "the file QUEUE is damaged; restore it, or salvage the segments",
            path,
        ),
    }
}

/// Deletes what an interrupted reclaim has left, and what an interrupted write of an index has.
fn sweep(directory: &dyn Directory, found: &Survey, first: SegmentNumber) -> Result<()> {
    let mut swept = false;
    for number in &found.trash {
        directory.remove(&segment_file(*number, SegmentFile::Trash))?;
        swept = true;
    }
    for number in found.numbers.iter().filter(|number| **number < first) {
        directory.remove(&segment_file(*number, SegmentFile::Log))?;
        directory.remove(&segment_file(*number, SegmentFile::Index))?;
        swept = true;
    }
    for number in &found.orphans {
        directory.remove(&segment_file(*number, SegmentFile::Index))?;
        swept = true;
    }
    for number in &found.unfinished_indexes {
        directory.remove(&temporary(&segment_file(*number, SegmentFile::Index)))?;
        swept = true;
    }
    if swept {
        directory.sync(SEGMENTS)
    } else {
        Ok(())
    }
}

fn assemble(
    means: Means,
    mut settings: Settings,
    begun: Begun,
    (found, opener, lock): (&Survey, u64, Box<dyn Lock>),
) -> Log {
    let state = *begun.slots.newest();
    let end = state.end;
    if means.directory.filesystem() != Filesystem::Local {
        // Where writing copies, what was reserved stays unused.
        settings.preallocate = Preallocate::None;
    }
    let of_the_log =
        |number: &SegmentNumber| (state.first_segment..=end.position.segment).contains(number);
    let members = found.numbers.iter().copied().filter(of_the_log);
    let queue = begun.identity.queue;
    let table = SegmentTable::new(Arc::clone(&means.directory), queue, members);
    // The floor in STATE may be above a log that lost its end; it never is above `next`.
    let floor = Place::new(state.floor.min(end.next), None);
    Log {
        process: means.host.process(),
        appends: Mutex::new(Appends::new(end, begun.resume, found.highest)),
        turn: Condvar::new(),
        gather: Gather::default(),
        watermark: Watermark::new(end.next, end.chain),
        epoch: state.epoch,
        state: Mutex::new(State::new(begun.slots, opener)),
        table,
        floor: Floor::new(floor),
        bell: Bell::new(),
        cursors: Mutex::new(None),
        ahead: Ahead::default(),
        trash: Trash::default(),
        syncing: Mutex::new(()),
        naming: Mutex::new(()),
        reclaiming: Mutex::new(()),
        reclaim_at: AtomicU64::new(0),
        first_base: AtomicU64::new(state.first_base.get()),
        committed_floor: AtomicU64::new(floor.sequence.get()),
        snapshot_covers: AtomicU64::new(0),
        keys_reserved: AtomicBool::new(false),
        closing: AtomicBool::new(false),
        enqueued: AtomicU64::new(0),
        syncs: AtomicU64::new(0),
        directory: means.directory,
        framing: Framing::new(queue, 0, begun.identity.integrity),
        identity: begun.identity,
        settings,
        host: means.host,
        listener: means.listener,
        _lock: lock,
    }
}
