//! Where each segment stands in the picture: bars in rows, as wide as their files are long.

use forebay::Sequence;
use forebay::inspect::{Inspection, SegmentRole, SegmentView};

use super::text::{real, share};

/// The width of the picture.
pub(super) const WIDTH: f64 = 1000.0;
/// Between two bars.
const GAP: f64 = 2.0;
/// The narrowest bar.
const BAR_MIN: f64 = 4.0;
/// Bars in one row, at most.
const ROW_BARS: usize = 48;
/// Bars in the picture, at most: with more segments than these, several share one.
const BARS_MAX: usize = 480;
/// What stands in a segment before its first record: header block and start frame.
const BEGIN_BYTES: u64 = 4096 + 136;

/// One segment, or several in a row.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) numbers: (u64, u64),
    pub(super) role: SegmentRole,
    pub(super) base: Option<Sequence>,
    pub(super) next: Option<Sequence>,
    pub(super) file_bytes: u64,
    /// `None` where nobody knows.
    pub(super) frame_bytes: Option<u64>,
    pub(super) is_damaged: bool,
    /// How many bytes it is drawn as.
    weight: u64,
    pub(super) x: f64,
    pub(super) width: f64,
}

impl Bar {
    fn of(segments: &[SegmentView], usual: u64) -> Option<Self> {
        let (first, last) = (segments.first()?, segments.last()?);
        // Whatever is not sealed is rarer, and worth seeing.
        let special = segments.iter().map(|segment| segment.role);
        let special = special.rev().find(|role| *role != SegmentRole::Sealed);
        // How long a file was that is not there, nobody knows.
        let weight = |segment: &SegmentView| {
            if segment.role == SegmentRole::Missing {
                usual
            } else {
                segment.file_bytes
            }
        };
        Some(Self {
            numbers: (first.number.get(), last.number.get()),
            role: special.unwrap_or(first.role),
            base: segments.iter().find_map(|segment| segment.base),
            next: segments.iter().rev().find_map(|segment| segment.next),
            file_bytes: segments.iter().map(|segment| segment.file_bytes).sum(),
            frame_bytes: segments.iter().map(|segment| segment.frame_bytes).sum(),
            is_damaged: segments.iter().any(|segment| segment.defect.is_some()),
            weight: segments.iter().map(weight).sum(),
            x: 0.0,
            width: 0.0,
        })
    }

    /// How much of the bar is records; all of it where nobody knows.
    pub(super) fn filled(&self) -> f64 {
        match (self.role, self.frame_bytes) {
            (SegmentRole::Sealed | SegmentRole::Missing, _) | (_, None) => self.width,
            (_, Some(0)) => 0.0,
            (_, Some(bytes)) => {
                self.width * share(bytes.saturating_add(BEGIN_BYTES), self.file_bytes)
            }
        }
    }

    /// Where `sequence` is, which may be before or after what the bar holds.
    pub(super) fn x_of(&self, sequence: Sequence) -> f64 {
        let Some((base, next)) = self.base.zip(self.next) else {
            return self.x;
        };
        self.x + self.filled() * share(sequence.since(base), next.since(base))
    }
}

/// The bars of all segments, placed, row by row.
pub(super) fn rows(found: &Inspection) -> Vec<Vec<Bar>> {
    let segments = &found.segments;
    let together = segments.len().div_ceil(BARS_MAX).max(1);
    let known = segments.iter().map(|segment| segment.file_bytes);
    let usual = known.max().unwrap_or_default();
    let chunks = segments.chunks(together);
    let bars: Vec<Bar> = chunks.filter_map(|chunk| Bar::of(chunk, usual)).collect();
    let row_count = bars.len().div_ceil(ROW_BARS).max(1);
    let in_row = bars.len().div_ceil(row_count).max(1);
    let mut rows: Vec<Vec<Bar>> = bars.chunks(in_row).map(<[Bar]>::to_vec).collect();
    place(&mut rows);
    rows
}

/// One scale for all rows, such that the longest fits.
fn place(rows: &mut [Vec<Bar>]) {
    let mut scale = f64::INFINITY;
    for row in rows.iter() {
        let bytes: u64 = row.iter().map(|bar| bar.weight).sum();
        let count = u32::try_from(row.len()).map_or(0.0, f64::from);
        let room = WIDTH - (GAP + BAR_MIN) * count;
        scale = scale.min(room / real(bytes).max(1.0));
    }
    for row in rows {
        let mut x = 0.0;
        for bar in row {
            bar.x = x;
            bar.width = BAR_MIN + real(bar.weight) * scale;
            x += bar.width + GAP;
        }
    }
}
