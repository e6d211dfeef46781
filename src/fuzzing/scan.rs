//! The walk over a segment of good frames, wrong frames, garbage and holes.

use std::ops::Range;

use super::input::Input;
use super::segment_file::SegmentBytes;
use crate::format::{ALIGNMENT, Control, Defect, narrow, wide};
use crate::position::{Offset, Sequence};
use crate::segment::{Ending, Run, Segment, SegmentScan, resync, scan, scan_unstarted};

/// Segments are made of this many pieces at most.
const PIECES_MAX: usize = 64;

/// A segment and how far it is good: (end of a frame, the sequence due there) for every frame up
/// to the first piece that is wrong.
struct Built {
    segment: SegmentBytes,
    good: Vec<(Offset, u64)>,
    is_broken: bool,
    /// The bytes of the first piece that is wrong.
    wrong: Range<usize>,
}

impl Built {
    /// Adds what the input says.
    fn add(&mut self, input: &mut Input<'_>) {
        let segment = &mut self.segment;
        let (due, offset) = (segment.due, segment.offset());
        let choice = input.byte();
        let count = usize::from(input.byte());
        let continues = choice & 0x80 != 0;
        match choice % 13 {
            0..=3 => segment.record(input.take(count), continues),
            4 => segment.control(
                u64::from(Control::Padding.kind()),
                (due, 0),
                &vec![0; count],
            ),
            5 => segment.footer(),
            6 => segment.gap(u64::from(choice >> 4) + 1, count),
            _ => {
                let wrong = Self::wrong(segment, choice % 13, count, input);
                let begin = segment.bytes.len();
                segment.bytes.extend_from_slice(&wrong);
                let aligned = segment.bytes.len().next_multiple_of(narrow(ALIGNMENT));
                segment.bytes.resize(aligned, 0);
                if !self.is_broken {
                    self.wrong = begin..aligned;
                }
                self.is_broken = true;
                return;
            }
        }
        if !self.is_broken {
            self.good.push((segment.offset(), segment.due));
            self.is_broken = choice % 13 == 5;
        }
        debug_assert!(segment.offset() > offset, "every piece has bytes");
    }

    /// Bytes that are not the frame due.
    fn wrong(segment: &SegmentBytes, choice: u8, count: usize, input: &mut Input<'_>) -> Vec<u8> {
        let (due, offset) = (segment.due, segment.offset());
        let lead = segment.framing.header_bytes();
        match choice {
            7 => vec![0; count + 1],
            // A record from further on, with or without the room for those before it.
            8 => {
                let mut bytes = vec![0xaa; count % 4 * narrow(lead)];
                let there = offset.plus(wide(bytes.len()));
                let sequence = due + 1 + u64::from(input.byte() % 4);
                bytes.extend_from_slice(&segment.frame(sequence, &[1; 9], false, there));
                bytes
            }
            // The frame due, but for another place.
            9 => segment.frame(due, input.take(count), false, offset.plus(ALIGNMENT)),
            // A record that holds the frame that would be due inside of it, and lost its header.
            10 => {
                let inner = segment.frame(due, &[2; 5], false, offset.plus(lead));
                let mut frame = segment.frame(due, &inner, false, offset);
                frame[4] ^= 1;
                frame
            }
            11 => {
                let mut frame = segment.frame(due, input.take(count), false, offset);
                let bit = narrow(u64::from(input.short())) % (narrow(lead) * 8);
                frame[bit / 8] ^= 1 << (bit % 8);
                frame
            }
            _ => {
                let mut bytes = input.take(count).to_vec();
                bytes.insert(0, 0xa5);
                bytes
            }
        }
    }
}

/// A whole segment.
pub fn segment_scan(data: &[u8]) {
    let mut input = Input::new(data);
    let mut built = Built {
        segment: SegmentBytes::started(input.integrity(), u64::from(input.byte())),
        good: Vec::new(),
        is_broken: false,
        wrong: 0..0,
    };
    let (cut, edits) = (input.short(), input.byte() % 4);
    let places: Vec<(u16, u8)> = (0..edits).map(|_| (input.short(), input.byte())).collect();
    for _ in 0..PIECES_MAX {
        if input.is_empty() {
            break;
        }
        built.add(&mut input);
    }
    let Built {
        mut segment,
        good,
        wrong,
        ..
    } = built;
    let most = good.last().map_or(segment.base, |(_, due)| *due);
    let mut touched = segment.bytes.len();
    let mut is_healed = false;
    for (at, change) in places {
        // The header block stays: without it there is no segment to scan.
        let at = 4096 + usize::from(at) % (segment.bytes.len() - 4096);
        segment.bytes[at] ^= change;
        touched = touched.min(at);
        // A change to a frame with one wrong bit may set that bit right.
        is_healed |= wrong.contains(&at);
    }
    if cut != 0 {
        let length = 4096 + usize::from(cut) % (segment.bytes.len() - 4096);
        segment.bytes.truncate(length);
        touched = touched.min(length);
    }
    let Some(opened) = segment.open() else {
        let unknown = segment.unstarted();
        let scan = scan_unstarted(&unknown).expect("memory does not fail");
        return assert_scan(&segment, &unknown, &scan);
    };
    let scan = scan(&opened).expect("memory does not fail");
    assert_scan(&segment, &opened, &scan);
    let untouched = good.iter().rfind(|(end, _)| end.get() <= wide(touched));
    let least = untouched.map_or(segment.base, |(_, due)| *due);
    let seen = scan.runs[0].seen.get();
    assert!(least <= seen, "{least} records are whole, {seen} were seen");
    assert!(
        seen <= most || is_healed,
        "{most} records were written, {seen} were seen"
    );
    assert_index(&opened, &scan);
    segment.bytes.resize(segment.bytes.len() + 100, 0);
    let longer = segment.scan().runs[0].seen.get();
    assert!(longer >= seen, "blank space hides records");
}

/// What holds for the scan of any bytes.
fn assert_scan(built: &SegmentBytes, segment: &Segment, found: &SegmentScan) {
    let limit = built.offset();
    assert_eq!(found.bytes, limit.get());
    assert!(found.used <= limit.plus(1) || found.used <= segment.data_start());
    assert!(!found.runs.is_empty());
    for run in &found.runs {
        assert!(run.from.offset <= run.to.offset);
        assert!(run.from.next <= run.to.next && run.to.next <= run.seen);
    }
    for neighbours in found.runs.windows(2) {
        let [before, after] = neighbours else {
            continue;
        };
        let Ending::Defect { offset, .. } = before.ending else {
            panic!("a run goes on behind the end: {neighbours:?}");
        };
        assert!(
            after.from.offset > offset,
            "the walk goes back: {neighbours:?}"
        );
        assert!(
            after.from.next >= before.to.next,
            "the walk goes back: {neighbours:?}"
        );
        let mark = resync(segment, offset, before.seen).expect("memory does not fail");
        if let Some(mark) = mark {
            assert!(mark.offset > offset && mark.offset.get() % ALIGNMENT == 0);
        }
    }
    let stated = found
        .runs
        .iter()
        .filter_map(|run| walked(segment, run, limit));
    let largest = stated.max().unwrap_or_default().max(segment.watermark);
    assert!(found.watermark >= largest, "a statement was overlooked");
    let last = found.runs.last().expect("not empty");
    if last.ending == Ending::Quiet {
        let rest = built
            .bytes
            .get(narrow(last.to.offset.get())..)
            .unwrap_or_default();
        let quiet = last.to.next < last.seen || last.from == last.to;
        assert!(
            quiet || rest.iter().all(|byte| *byte == 0),
            "not quiet: {last:?}"
        );
    }
}

/// Reads the frames of `run` again, one by one; the largest watermark among them.
fn walked(segment: &Segment, run: &Run, limit: Offset) -> Option<Sequence> {
    let mut stream = segment.stream();
    let (mut offset, mut due) = (run.from.offset, run.from.next);
    let mut largest = None;
    while offset < run.to.offset {
        let read = stream
            .frame_at(offset, limit)
            .expect("memory does not fail");
        let span = read.unwrap_or_else(|defect: Defect| panic!("{offset} in {run:?}: {defect}"));
        assert_eq!(span.header.sequence, due, "{run:?}");
        assert!(span.end > offset && span.end <= limit);
        largest = largest.max(Some(span.header.watermark));
        due = span.next;
        offset = span.end;
    }
    assert_eq!((offset, due), (run.to.offset, run.to.next), "{run:?}");
    largest
}

/// Claims that the index of a scan points to the frames that it says.
fn assert_index(segment: &Segment, found: &SegmentScan) {
    let run = &found.runs[0];
    let mut stream = segment.stream();
    let limit = Offset::new(found.bytes);
    let mut before = segment.data_start();
    let first = first_record(segment, run, limit);
    for sequence in first.get()..run.seen.get() {
        let entry = found.index.at_or_before(Sequence::new(sequence));
        let entry = entry.expect("the first record has an entry");
        assert!(entry.sequence.get() <= sequence && entry.offset >= before);
        before = entry.offset;
        let read = stream
            .frame_at(entry.offset, limit)
            .expect("memory does not fail");
        assert_eq!(read.expect("it is a frame").header.sequence, entry.sequence);
    }
}

/// The first record of `run`; what is gone before it has no entry in an index.
fn first_record(segment: &Segment, run: &Run, limit: Offset) -> Sequence {
    let mut stream = segment.stream();
    let mut offset = run.from.offset;
    loop {
        let read = stream
            .frame_at(offset, limit)
            .expect("memory does not fail");
        match read {
            Ok(span) if !span.header.flags.is_control() => return span.header.sequence,
            Ok(span) if span.next < run.seen => offset = span.end,
            Ok(_) | Err(_) => return run.seen,
        }
    }
}
