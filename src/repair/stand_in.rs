//! Segments that stand for what is lost.

use super::members::{Content, Member};
use super::segments::Planner;
use super::step::RepairStep;
use super::whole::{Beginning, whole_gap};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Defect, SegmentFile, SegmentHeader, segment_file};
use crate::storage::Directory;

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
        let base = self.least_base_of(member.number);
        let (Some(base), Some(next)) = (base, member.next) else {
            if defect != Defect::Missing {
                let problem = format!("{problem}; nothing tells which records it held");
                let step = RepairStep::set_aside(&self.laid_out.view, &name, problem)?;
                self.steps.push(step);
            }
            return Ok(());
        };
        if self.before.is_some() && base > next {
            let what = format!(
                "segment {} should go up to the record {next}, and the one before it to {base}; \
                 salvage the records",
                member.number
            );
            let path = self.laid_out.view.path().join(name);
            return Err(Error::at(ErrorKind::Corrupt, what, &path));
        }
        let is_named = following.is_none_or(|following| {
            let content = &following.content;
            matches!(content, Content::Started(_))
        });
        if base > next || (base == next && !is_named) {
            return Ok(());
        }
        let identity = self.laid_out.identity;
        let header = SegmentHeader {
            queue: identity.queue,
            number: member.number,
            epoch: self.epoch_of(following),
            salt: self.salt_of(member.number, base, next),
            integrity: identity.integrity,
        };
        let (start, chain) = self.start_of(&header, base, following);
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
        self.push(draft, problem, lost)?;
        self.go_on((&header, &start, base), &mended);
        Ok(())
    }
}
