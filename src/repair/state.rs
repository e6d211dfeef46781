//! A `STATE` for a queue that has lost its own.

use super::segments::Planner;
use super::step::{RepairStep, Work};
use crate::error::Result;
use crate::format::{Pair, STATE, Slot, StateSlot, narrow};
use crate::position::{SegmentNumber, Sequence};
use crate::slots::read_slots;

impl Planner<'_> {
    /// The step that writes a lost `STATE` anew, once all members are taken.
    pub(super) fn rebuild_state(&self) -> Result<Option<RepairStep>> {
        if self.bounds.state.is_some() {
            return Ok(None);
        }
        let view = &self.laid_out.view;
        let problem = if read_slots::<StateSlot>(view, STATE)?.is_some() {
            "neither of its slots can be read"
        } else {
            "it is missing"
        };
        let lowest = self.bounds.survey.numbers.first().copied();
        let (first_segment, first_base) = self
            .first
            .unwrap_or((lowest.unwrap_or(SegmentNumber::NONE), Sequence::ZERO));
        // It states no end, so that the next open walks the log from its first segment.
        let slot = StateSlot {
            generation: 1,
            queue: self.laid_out.identity.queue,
            epoch: self.bounds.epoch,
            first_segment,
            first_base,
            watermark: self.bounds.survey.watermark,
            floor: first_base,
            ..StateSlot::default()
        };
        let mut bytes = slot.encode();
        bytes.resize(narrow(Pair::<StateSlot>::FILE_BYTES), 0);
        let work = Work::Write { bytes };
        RepairStep::replacing(view, STATE, problem, work).map(Some)
    }
}
