//! What was handed out and is not acknowledged, in whatever order that happens.
//!
//! The cursor stands at the *frontier*: the lowest record that is out and not acknowledged. A
//! record acknowledged above it is not handed out again by this handle, but by the next one: only
//! the frontier is stored.

use std::collections::VecDeque;

use crate::position::{Position, Sequence};

/// Where a record stands: its position, and the frame bytes of the log before it.
pub(super) type Standing = Option<(Position, u64)>;

/// Records that are out.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// In order. Records come at the end and go from the front, which moves none of the others.
    out: VecDeque<(Sequence, Out)>,
}

#[derive(Clone, Copy, Debug)]
struct Out {
    standing: Standing,
    /// When it was enqueued.
    time: u64,
    acknowledged: bool,
}

/// The acknowledged records at the front of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) records: u64,
    /// The first record behind them.
    pub(super) frontier: Option<(Sequence, Standing)>,
}

impl Window {
    pub(super) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    pub(super) fn contains(&self, sequence: Sequence) -> bool {
        self.place(sequence).is_ok()
    }

    pub(super) fn is_acknowledged(&self, sequence: Sequence) -> bool {
        let at = self.place(sequence).ok();
        at.and_then(|at| self.out.get(at))
            .is_some_and(|(_, out)| out.acknowledged)
    }

    /// The record `sequence` is out now, if it was not before.
    pub(super) fn hand_out(&mut self, sequence: Sequence, time: u64, standing: Standing) {
        if let Err(at) = self.place(sequence) {
            let out = Out {
                standing,
                time,
                acknowledged: false,
            };
            self.out.insert(at, (sequence, out));
        }
    }

    pub(super) fn acknowledge(&mut self, sequence: Sequence) {
        if let Ok(at) = self.place(sequence)
            && let Some((_, out)) = self.out.get_mut(at)
        {
            out.acknowledged = true;
        }
    }

    /// Acknowledges everything that is out up to and including `sequence`.
    pub(super) fn acknowledge_through(&mut self, sequence: Sequence) {
        for (at, out) in &mut self.out {
            if *at > sequence {
                break;
            }
            out.acknowledged = true;
        }
    }

    /// Nothing before `sequence` counts as acknowledged.
    pub(super) fn refuse_below(&mut self, sequence: Sequence) {
        let below = self.out.partition_point(|(at, _)| *at < sequence);
        for (_, out) in self.out.range_mut(..below) {
            out.acknowledged = false;
        }
    }

    /// What follows the last record that is out.
    pub(super) fn end(&self) -> Sequence {
        let last = self.out.back();
        last.map_or(Sequence::ZERO, |(last, _)| last.plus(1))
    }

    /// What is acknowledged at the front.
    pub(super) fn run(&self) -> Run {
        let mut records = 0;
        for (sequence, out) in &self.out {
            if !out.acknowledged {
                let frontier = Some((*sequence, out.standing));
                return Run { records, frontier };
            }
            records += 1;
        }
        Run {
            records,
            frontier: None,
        }
    }

    /// Forgets everything before `sequence`.
    pub(super) fn forget_below(&mut self, sequence: Sequence) {
        let below = self.out.partition_point(|(at, _)| *at < sequence);
        drop(self.out.drain(..below));
    }

    /// When the youngest of what is out before `sequence` was enqueued.
    pub(super) fn youngest_below(&self, sequence: Sequence) -> u64 {
        let below = self.out.iter().take_while(|(at, _)| *at < sequence);
        below.map(|(_, out)| out.time).max().unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        self.out.clear();
    }

    /// Where `sequence` is among what is out, or belongs.
    fn place(&self, sequence: Sequence) -> Result<usize, usize> {
        match self.out.back() {
            Some((last, _)) if *last >= sequence => {
                self.out.binary_search_by_key(&sequence, |(at, _)| *at)
            }
            Some(_) | None => Err(self.out.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(sequences: std::ops::Range<u64>) -> Window {
        let mut window = Window::default();
        for sequence in sequences {
            window.hand_out(Sequence::new(sequence), 0, None);
        }
        window
    }

    fn frontier(window: &Window) -> Option<u64> {
        window.run().frontier.map(|(sequence, _)| sequence.get())
    }

    #[test]
    fn the_frontier_is_the_lowest_record_that_is_not_acknowledged() {
        let mut window = window(3..7);
        window.acknowledge(Sequence::new(5));
        assert_eq!(frontier(&window), Some(3));
        window.acknowledge(Sequence::new(3));
        assert_eq!(frontier(&window), Some(4));
        window.acknowledge(Sequence::new(4));
        assert_eq!((window.run().records, frontier(&window)), (3, Some(6)));
        window.acknowledge(Sequence::new(6));
        assert_eq!((window.run().records, frontier(&window)), (4, None));
    }

    #[test]
    fn records_that_come_late_stand_where_they_belong() {
        let mut window = window(4..6);
        for late in [1, 3, 2] {
            window.hand_out(Sequence::new(late), 0, None);
        }
        window.acknowledge_through(Sequence::new(2));
        assert_eq!((window.run().records, frontier(&window)), (2, Some(3)));
        window.forget_below(Sequence::new(4));
        assert_eq!((window.len(), window.end()), (2, Sequence::new(6)));
        assert!(!window.contains(Sequence::new(3)) && window.contains(Sequence::new(4)));
    }

    #[test]
    fn what_is_handed_out_again_stays_acknowledged() {
        let mut window = window(0..2);
        window.acknowledge(Sequence::new(1));
        window.hand_out(Sequence::new(1), 0, None);
        assert!(window.is_acknowledged(Sequence::new(1)));
        window.forget_below(Sequence::new(1));
        assert_eq!(window.len(), 1);
    }
}
