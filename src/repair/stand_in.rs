//! Segments that stand for what is lost.

use super::files::set_aside;
use super::members::{Content, Member};
use super::segments::{Planner, first_readable};
use super::whole::{Beginning, whole_gap};
use crate::error::Result;
use crate::format::{Defect, SegmentFile, SegmentHeader, segment_file};
use crate::position::{SegmentNumber, Sequence};
use crate::segment::NewSegment;
use crate::storage::{Access, Directory};

impl Planner<'_> {
    /// A segment of which nothing can be read: a new one stands for all of it.
    pub(super) fn lost(
        &mut self,
        member: &Member,
        defect: Defect,
        following: Option<&Member>,
    ) -> Result<()> {
        let name = segment_file(member.number, SegmentFile::Log);
        let problem = if defect == Defect::Missing {
            "it is missing".to_owned()
        } else {
            format!("its header is damaged ({defect}); salvage may know what was in it")
        };
        let after = match following {
            Some(following) => first_readable(&following.content)?,
            None => None,
        };
        let base = self
            .base_of(member.number)
            .or(self.lost_base_of(member.number));
        let (Some(base), Some(next)) = (base, member.next.or(after)) else {
            if defect != Defect::Missing {
                let problem = format!("{problem}; nothing tells which records it held");
                let step = set_aside(&self.laid_out.view, &name, problem)?;
                self.steps.push(step);
            }
            return Ok(());
        };
        let identity = self.laid_out.identity;
        let header = SegmentHeader {
            queue: identity.queue,
            number: member.number,
            epoch: self.epoch_of(following),
            salt: self.salt_of(member.number, base, next),
            integrity: identity.integrity,
        };
        let (start, chain) = self.start_of(&header, base);
        let time = match following.map(|following| &following.content) {
            Some(Content::Started(segment)) => segment.started_at,
            Some(_) | None => 0,
        };
        let (draft, mended) = whole_gap(
            &Beginning {
                header,
                start,
                chain,
                time,
                watermark: self.bounds.survey.watermark,
            },
            base..next,
            member,
            following.is_none(),
        );
        let lost = mended.lost.clone();
        let file = self.empty(&header)?;
        self.push(draft, problem, lost)?;
        let segment = file.begin(start, base, chain);
        self.go_on(&segment, &mended);
        Ok(())
    }

    /// Any file will do: nothing is read of it.
    fn empty(&self, header: &SegmentHeader) -> Result<NewSegment> {
        let file = self
            .laid_out
            .view
            .open(crate::format::IDENTITY, Access::Read)?;
        Ok(NewSegment {
            file,
            header: *header,
        })
    }

    /// The first sequence of segment `number`, which is lost: with those between it and the log's
    /// first one, of which nothing can be read either.
    fn lost_base_of(&self, number: SegmentNumber) -> Option<Sequence> {
        let state = self.bounds.state;
        let stated = state.filter(|state| state.first_segment <= number);
        let is_from_the_first = self.bounds.first == SegmentNumber::new(1);
        stated
            .map(|state| state.first_base)
            .or(is_from_the_first.then_some(Sequence::ZERO))
    }
}
