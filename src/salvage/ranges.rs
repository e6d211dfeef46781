//! Ranges of sequences, in order and apart from each other.

use super::Sequences;

/// What of `ranges` is in none of `others`.
pub(super) fn without(ranges: &[Sequences], others: &[Sequences]) -> Vec<Sequences> {
    let mut left = Vec::new();
    for range in ranges {
        let mut from = range.start;
        for other in others {
            let is_apart = other.end <= from || other.start >= range.end;
            if is_apart {
                continue;
            }
            if other.start > from {
                left.push(from..other.start);
            }
            from = from.max(other.end);
        }
        if from < range.end {
            left.push(from..range.end);
        }
    }
    left
}

/// What of `ranges` is in one of `others` too.
pub(super) fn both(ranges: &[Sequences], others: &[Sequences]) -> Vec<Sequences> {
    let shared = ranges.iter().flat_map(|range| {
        others
            .iter()
            .map(|other| range.start.max(other.start)..range.end.min(other.end))
    });
    shared.filter(|shared| !shared.is_empty()).collect()
}

/// `ranges` in order, those that touch or overlap as one.
pub(super) fn joined(mut ranges: Vec<Sequences>) -> Vec<Sequences> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Sequences> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            Some(_) | None => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Sequence;

    fn ranges(pairs: &[(u64, u64)]) -> Vec<Sequences> {
        let range = |(from, to): &(u64, u64)| Sequence::new(*from)..Sequence::new(*to);
        pairs.iter().map(range).collect()
    }

    #[test]
    fn what_is_taken_out_of_a_range_leaves_what_is_beside_it() {
        let all = ranges(&[(0, 10), (20, 30)]);
        let others = ranges(&[(2, 4), (6, 25), (29, 40)]);
        assert_eq!(without(&all, &others), ranges(&[(0, 2), (4, 6), (25, 29)]));
        assert_eq!(
            both(&all, &others),
            ranges(&[(2, 4), (6, 10), (20, 25), (29, 30)])
        );
        assert_eq!(without(&all, &[]), all);
        assert!(without(&all, &ranges(&[(0, 30)])).is_empty());
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let apart = ranges(&[(5, 7), (0, 2), (2, 3), (6, 9)]);
        assert_eq!(joined(apart), ranges(&[(0, 3), (5, 9)]));
    }
}
