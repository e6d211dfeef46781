//! The end of a log whose last durable records are gone with their segment.

use super::members::{Content, Member, read};
use super::segments::Planner;
use crate::error::Result;
use crate::format::Defect;
use crate::position::Sequence;

impl Planner<'_> {
    /// Puts a segment behind the last one in place of the records up to the durable end.
    pub(super) fn close_end(&mut self) -> Result<()> {
        let end = self.bounds.end.next;
        // What is below the first one is reclaimed: of an emptied log nothing is missing.
        let first_base = self.bounds.state.map(|state| state.first_base);
        let reached = self.before.map(|before| before.next).or(first_base);
        if reached.unwrap_or(Sequence::ZERO) >= end {
            return Ok(());
        }
        let last = self.before.map(|before| before.number).unwrap_or_default();
        let stated = self.bounds.state.map(|state| state.end.position);
        let numbers = self.bounds.survey.numbers.iter().copied();
        let candidates = stated
            .map(|stated| stated.segment)
            .into_iter()
            .chain(numbers);
        let mut chosen = (
            self.bounds.survey.highest.following(),
            Content::Lost(Defect::Missing),
        );
        for number in candidates.filter(|number| *number > last) {
            let content = read(self.laid_out, number)?;
            if !matches!(content, Content::Started(_)) {
                chosen = (number, content);
                break;
            }
        }
        let (number, content) = chosen;
        // Where frames can be read, the log may have gone on behind what `STATE` states.
        let is_lost = matches!(content, Content::Lost(_));
        let stop = stated.filter(|stated| is_lost && stated.segment == number);
        let member = Member {
            number,
            content,
            stop: stop.map(|stop| stop.offset),
            next: Some(end),
        };
        self.take(&member, None)
    }
}
