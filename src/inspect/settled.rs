//! Looks until what is seen is no accident of a writer at work.
//!
//! A record on its way into the file looks like a torn tail, or like damage when a later one was
//! read too; a segment that is begun or reclaimed meanwhile looks broken or lost; a cursor that is
//! read after the log it belongs to looks as if it lay beyond the end. What is really so is still
//! so, in the same words, in the next look.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::consumers::view_consumers;
use super::inspection::{ConsumerView, SegmentView, SnapshotView};
use super::look::{Look, look_once, no_queue};
use super::segments::view_segments;
use super::snapshots::view_snapshots;
use crate::error::{Corruption, Result};
use crate::event::TornTail;
use crate::position::SegmentNumber;

use crate::storage::Directory;

/// How often to look until two looks agree. A writer that outruns all of them leaves the last.
const LOOKS_MAX: usize = 8;

/// What one look decides, and what it shows of the segments and the consumers.
#[derive(Debug)]
pub(super) struct Glance {
    pub(super) look: Look,
    pub(super) segments: Vec<SegmentView>,
    pub(super) consumers: Vec<ConsumerView>,
    pub(super) snapshots: Vec<SnapshotView>,
}

/// Everything in one look that may be an accident.
#[derive(Debug, Default, PartialEq, Eq)]
struct Alarms {
    torn: Option<TornTail>,
    corruption: Vec<Corruption>,
    state_rebuilt: bool,
    segments: Vec<(SegmentNumber, String)>,
    consumers: Vec<(String, String)>,
    snapshots: Vec<(String, String)>,
}

/// The first look without an alarm, or the same alarms as the look before it.
pub(super) fn settled_glance(directory: &dyn Directory) -> Result<Glance> {
    let mut before: Option<Alarms> = None;
    let mut last = None;
    let mut vanished = None;
    for _ in 0..LOOKS_MAX {
        let mut glance = match Glance::take(directory) {
            Ok(glance) => glance,
            // A segment was listed and then reclaimed.
            Err(error) if error.is_missing() => {
                vanished = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let alarms = glance.alarms();
        if alarms == Alarms::default() || before.as_ref() == Some(&alarms) {
            return Ok(glance);
        }
        glance.keep_what_was_seen(before.as_ref().unwrap_or(&Alarms::default()));
        before = Some(alarms);
        last = Some(glance);
    }
    last.ok_or_else(|| vanished.unwrap_or_else(|| no_queue(directory)))
}

impl Glance {
    fn take(directory: &dyn Directory) -> Result<Self> {
        let look = look_once(directory)?;
        let segments = view_segments(directory, &look);
        let consumers = view_consumers(&look, &segments);
        let snapshots = view_snapshots(directory, &look);
        Ok(Self {
            look,
            segments,
            consumers,
            snapshots,
        })
    }

    fn alarms(&self) -> Alarms {
        let opening = &self.look.opening;
        let segments = self.segments.iter();
        let consumers = self.consumers.iter();
        let snapshots = self.snapshots.iter();
        Alarms {
            torn: opening.torn.clone(),
            corruption: opening.corruption.clone(),
            state_rebuilt: opening.state_rebuilt,
            segments: segments
                .filter_map(|segment| Some((segment.number, segment.defect.clone()?)))
                .collect(),
            consumers: consumers
                .filter_map(|consumer| Some((consumer.name.clone(), consumer.defect.clone()?)))
                .collect(),
            snapshots: snapshots
                .filter_map(|snapshot| Some((snapshot.name.clone(), snapshot.defect.clone()?)))
                .collect(),
        }
    }

    /// Without agreement in the end, only what two looks in a row saw is told.
    fn keep_what_was_seen(&mut self, before: &Alarms) {
        let opening = &mut self.look.opening;
        opening
            .corruption
            .retain(|damage| before.corruption.contains(damage));
        opening.torn = None;
        opening.state_rebuilt &= before.state_rebuilt;
        for segment in &mut self.segments {
            let number = segment.number;
            let seen = |defect: &String| before.segments.contains(&(number, defect.clone()));
            segment.defect = segment.defect.take().filter(seen);
        }
        for consumer in &mut self.consumers {
            let name = &consumer.name;
            let seen = |defect: &String| before.consumers.contains(&(name.clone(), defect.clone()));
            consumer.defect = consumer.defect.take().filter(seen);
        }
        for snapshot in &mut self.snapshots {
            let name = &snapshot.name;
            let seen = |defect: &String| before.snapshots.contains(&(name.clone(), defect.clone()));
            snapshot.defect = snapshot.defect.take().filter(seen);
        }
    }
}
