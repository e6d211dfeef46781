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

    /// All of it as text, for a campaign that took `elapsed`, and so much time of all cores.
    pub(crate) fn report(&self, elapsed: Duration, busy: Option<Duration>) -> String {
        let rate = |time: Duration| u128::from(self.states) * 1000 / time.as_millis().max(1);
        let busy = busy.map_or(String::new(), |busy| {
            let seconds = busy.as_secs_f64();
            format!(
                "; {} a second of a core, {seconds:.1} s of them",
                rate(busy)
            )
        });
        format!(
            "{} crash states of {} workloads in {:.1} s: {} a second{busy}\n\
             {} different images opened and judged\n{self}",
            self.states,
            self.workloads,
            elapsed.as_secs_f64(),
            rate(elapsed),
            self.images,
        )
    }
}

/// The time that all threads of this process have run on a core, where the system tells.
pub(crate) fn core_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // After the name in parentheses: state, ten more, then user and system time in hundredths.
    let fields = text.rsplit_once(')')?.1.split_whitespace();
    let ticks: Option<u64> = fields
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    ticks.map(|ticks| Duration::from_millis(ticks * 10))
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
