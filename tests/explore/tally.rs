//! What was explored, counted.

use std::fmt;
use std::time::Duration;

use crate::cut::Personality;
use crate::workload::Kind;

#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) workloads: u64,
    /// Crashes: a moment and a choice, each counted once.
    pub(crate) states: u64,
    /// What they left that was different from all other images of the workload, or promised about
    /// in another way: each of these was opened and judged.
    pub(crate) images: u64,
    /// Images by how many crashes it took.
    pub(crate) depths: [u64; 4],
    kinds: [u64; Kind::ALL.len()],
    personalities: [u64; Personality::ALL.len()],
}

impl Tally {
    pub(crate) fn count(&mut self, kind: Kind, personality: Personality) {
        self.states += 1;
        let at = |is_it: bool| u64::from(is_it);
        for (count, one) in self.kinds.iter_mut().zip(Kind::ALL) {
            *count += at(one == kind);
        }
        for (count, one) in self.personalities.iter_mut().zip(Personality::ALL) {
            *count += at(one == personality);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.workloads += other.workloads;
        self.states += other.states;
        self.images += other.images;
        let pairs = self.depths.iter_mut().zip(other.depths);
        let pairs = pairs.chain(self.kinds.iter_mut().zip(other.kinds));
        let pairs = pairs.chain(self.personalities.iter_mut().zip(other.personalities));
        pairs.for_each(|(own, other)| *own += other);
    }

    /// Whether every kind and every personality had its turn.
    pub(crate) fn misses(&self) -> Option<&'static str> {
        let kinds = self.kinds.iter().zip(Kind::ALL.map(Kind::name));
        let all = self.personalities.iter();
        let mut all = kinds.chain(all.zip(Personality::ALL.map(Personality::name)));
        all.find(|(count, _)| **count == 0).map(|(_, name)| name)
    }

    /// All of it as text, for a campaign that took `elapsed` on `workers` cores.
    pub(crate) fn report(&self, elapsed: Duration, workers: usize) -> String {
        let rate = |count: u64| count as f64 / elapsed.as_secs_f64();
        format!(
            "{} crash states of {} workloads in {:.1} s: {:.0} a second, {:.0} a core\n\
             {} different images opened and judged: {:.0} a second\n{self}",
            self.states,
            self.workloads,
            elapsed.as_secs_f64(),
            rate(self.states),
            rate(self.states) / workers as f64,
            self.images,
            rate(self.images),
        )
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  by workload:")?;
        for (count, kind) in self.kinds.iter().zip(Kind::ALL) {
            write!(f, " {} {count}", kind.name())?;
        }
        write!(f, "\n  by personality:")?;
        for (count, personality) in self.personalities.iter().zip(Personality::ALL) {
            write!(f, " {} {count}", personality.name())?;
        }
        write!(f, "\n  images after one crash, two, three, four:")?;
        for count in self.depths {
            write!(f, " {count}")?;
        }
        Ok(())
    }
}
