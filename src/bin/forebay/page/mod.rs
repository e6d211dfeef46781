//! The page of a queue: one file, readable anywhere, without a script or a resource from outside.

use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;

use forebay::Sequence;
use forebay::inspect::{Inspection, Moment, timeline};

use crate::failure::Failure;

/// Records whose times are looked up for the picture of the rate.
const MOMENTS_MAX: usize = 400;

/// Something that should not be so, as a row of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Where: a file, an offset, a consumer.
    pub(crate) place: String,
    /// The records concerned, half open; empty where it is about none. They are red in the picture.
    pub(crate) records: Range<Sequence>,
    /// What is wrong there.
    pub(crate) what: String,
}

/// What is wrong as far as `found` tells.
pub(crate) fn findings_of(found: &Inspection) -> Vec<Finding> {
    let none = Sequence::ZERO..Sequence::ZERO;
    let corruption = found.opening.corruption.iter().map(|damage| Finding {
        place: format!("{} at offset {}", damage.file.display(), damage.offset),
        records: damage.range.clone(),
        what: format!("expected {}, found {}", damage.expected, damage.found),
    });
    let segments = found.segments.iter().filter_map(|segment| {
        let (base, next) = segment.base.zip(segment.next).unwrap_or_default();
        Some(Finding {
            place: format!("segment {}", segment.number),
            records: base..next,
            what: segment.defect.clone()?,
        })
    });
    let named = |kind: &'static str, name: &str, defect: &Option<String>| {
        Some(Finding {
            place: format!("{kind} {name}"),
            records: none.clone(),
            what: defect.clone()?,
        })
    };
    let consumers = found.consumers.iter();
    let snapshots = found.snapshots.iter();
    let rebuilt = found.opening.state_rebuilt.then(|| Finding {
        place: "STATE".to_owned(),
        records: none.clone(),
        what: found.opening.event.to_owned(),
    });
    corruption
        .chain(rebuilt)
        .chain(segments)
        .chain(consumers.filter_map(|found| named("consumer", &found.name, &found.defect)))
        .chain(snapshots.filter_map(|found| named("snapshot", &found.name, &found.defect)))
        .collect()
}

/// Writes the page of the queue that was `found`, with `findings`, into the new file `path`.
pub(crate) fn write(path: &Path, found: &Inspection, findings: &[Finding]) -> Result<(), Failure> {
    let moments = timeline(&found.path, MOMENTS_MAX)?;
    let page = render(found, &moments, findings, SystemTime::now());
    let mut file = match File::create_new(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Failure::Input {
                what: format!("{} is there already", path.display()),
                remedy: "nothing was changed: give another name, or delete it first",
            });
        }
        Err(error) => {
            return Err(Failure::io(format!("cannot create {}", path.display()))(
                error,
            ));
        }
    };
    file.write_all(page.as_bytes())
        .map_err(Failure::io(format!("cannot write {}", path.display())))
}

/// The page as text.
pub(crate) fn render(
    _found: &Inspection,
    _moments: &[Moment],
    _findings: &[Finding],
    _now: SystemTime,
) -> String {
    String::new()
}
