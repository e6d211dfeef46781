//! What was acknowledged and what arrived, and whether the two agree.

use std::collections::BTreeMap;

/// The books of the whole demo.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Acknowledged to the child: which line got which sequence.
    acknowledged: BTreeMap<u64, u64>,
    /// Accepted by the upstream: which line came with which sequence.
    arrived: BTreeMap<u64, Option<u64>>,
    /// The sequence accepted last.
    last: Option<u64>,
    pub(super) refused: u64,
    doubled: u64,
    disordered: u64,
    /// Reports that give a sequence a second line: the queue handed one number out twice.
    contradicted: u64,
}

/// Everything that must be zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Faults {
    pub(super) missing: u64,
    pub(super) doubled: u64,
    pub(super) disordered: u64,
    pub(super) altered: u64,
}

impl Ledger {
    /// The child says that `enqueue` returned `sequence` for the line `index`.
    pub(super) fn acknowledge(&mut self, sequence: u64, index: u64) {
        if self.acknowledged.insert(sequence, index).is_some() {
            self.contradicted += 1;
        }
    }

    /// The upstream accepted the record `sequence`; `index` is its line, if it is one.
    pub(super) fn arrive(&mut self, sequence: u64, index: Option<u64>) {
        if self.arrived.insert(sequence, index).is_some() {
            self.doubled += 1;
        } else if self.last.map_or(0, |last| last + 1) != sequence {
            self.disordered += 1;
        }
        self.last = Some(sequence);
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    pub(super) fn arrived(&self) -> usize {
        self.arrived.len()
    }

    pub(super) fn acknowledged_lines(&self) -> impl Iterator<Item = u64> {
        self.acknowledged.values().copied()
    }

    /// Records that arrived although the child was killed before it could report them.
    pub(super) fn unreported(&self) -> usize {
        let arrived = self.arrived.keys();
        arrived
            .filter(|sequence| !self.acknowledged.contains_key(sequence))
            .count()
    }

    pub(super) fn verdict(&self) -> Faults {
        let mut faults = Faults {
            doubled: self.doubled,
            disordered: self.disordered,
            altered: self.contradicted,
            ..Faults::default()
        };
        for (sequence, index) in &self.acknowledged {
            match self.arrived.get(sequence) {
                None => faults.missing += 1,
                Some(found) if *found != Some(*index) => faults.altered += 1,
                Some(_) => {}
            }
        }
        let altered = self.arrived.iter().filter(|(sequence, index)| {
            index.is_none() && !self.acknowledged.contains_key(sequence)
        });
        faults.altered += u64::try_from(altered.count()).unwrap_or(u64::MAX);
        faults
    }

    pub(super) fn faults(&self) -> u64 {
        let faults = self.verdict();
        faults.missing + faults.doubled + faults.disordered + faults.altered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger_of(acknowledged: &[(u64, u64)], arrived: &[(u64, u64)]) -> Ledger {
        let mut ledger = Ledger::default();
        for (sequence, index) in acknowledged {
            ledger.acknowledge(*sequence, *index);
        }
        for (sequence, index) in arrived {
            ledger.arrive(*sequence, Some(*index));
        }
        ledger
    }

    #[test]
    fn what_arrives_once_and_in_order_is_faultless() {
        let ledger = ledger_of(&[(1, 11), (0, 10)], &[(0, 10), (1, 11), (2, 12)]);
        assert_eq!(ledger.faults(), 0);
        assert_eq!(ledger.unreported(), 1);
    }

    #[test]
    fn each_fault_is_told_apart() {
        let faults = |acknowledged: &[_], arrived: &[_]| ledger_of(acknowledged, arrived).verdict();
        assert_eq!(faults(&[(0, 10), (1, 11)], &[(0, 10)]).missing, 1);
        assert_eq!(faults(&[], &[(0, 10), (0, 10)]).doubled, 1);
        assert_eq!(faults(&[], &[(1, 11)]).disordered, 1);
        assert_eq!(faults(&[(0, 10)], &[(0, 11)]).altered, 1);
        assert_eq!(faults(&[(0, 10), (0, 12)], &[(0, 12)]).altered, 1);
        let mut ledger = Ledger::default();
        ledger.arrive(0, None);
        assert_eq!(ledger.verdict().altered, 1);
    }
}
