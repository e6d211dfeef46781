//! The campaign: rounds over the classes, in each all peers in a new order, the bare device
//! between them.

use std::time::Instant;

use crate::arguments::Arguments;
use crate::cell::Scratch;
use crate::class::Class;
use crate::figures::Figures;
use crate::peer::{Entry, Result};
use crate::peers::{self, RAW};
use crate::random::Random;
use crate::report::{Report, Round};

/// So many peers are measured between two measurements of the bare device.
const PEERS_PER_RAW: usize = 4;

pub struct Campaign<'a> {
    pub scratch: &'a Scratch,
    pub classes: &'a [Class],
    pub entries: &'a [&'static Entry],
    pub rounds: u32,
    pub seed: u64,
    pub arguments: &'a Arguments,
}

impl Campaign<'_> {
    pub fn run(&self, report: &mut Report) -> Result<()> {
        let mut random = Random::new(self.seed);
        let began = Instant::now();
        for round in 1..=self.rounds {
            let mut classes = self.classes.to_vec();
            random.shuffle(&mut classes);
            for (done, class) in classes.iter().enumerate() {
                let part = format!(
                    "round {round}/{}, class {}/{}",
                    self.rounds,
                    done + 1,
                    classes.len()
                );
                eprintln!("[{:>5} s] {part}: {class}", began.elapsed().as_secs());
                self.run_class(*class, round, &mut random, report);
            }
            // A campaign that is broken off is not lost.
            if let Some(file) = &self.arguments.json {
                report.save(file)?;
            }
        }
        Ok(())
    }

    fn run_class(&self, class: Class, round: u32, random: &mut Random, report: &mut Report) {
        let mut entries: Vec<&'static Entry> = self
            .entries
            .iter()
            .copied()
            .filter(|entry| entry.name != RAW && (entry.can)(class))
            .collect();
        random.shuffle(&mut entries);
        let raw = peers::find(RAW).zip(class.raw());
        let mut raws: Vec<Figures> = Vec::new();
        let mut measured = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            if at % PEERS_PER_RAW == 0
                && let Some((raw, class)) = raw
            {
                raws.extend(self.measure(raw, class, report));
            }
            if let Some(figures) = self.measure(entry, class, report) {
                measured.push((*entry, figures));
            }
        }
        let raw_per_second = mean(raws.iter().map(|figures| figures.per_second));
        if let Some((raw, _)) = raw {
            // The device's own row shows what it did, round by round.
            measured.extend(raws.into_iter().map(|figures| (raw, figures)));
        }
        for (entry, figures) in measured {
            let row = Round {
                round,
                figures,
                raw_per_second,
            };
            report.add(class, entry, row);
        }
    }

    fn measure(&self, entry: &Entry, class: Class, report: &mut Report) -> Option<Figures> {
        match self.scratch.run(&[], entry, &self.arguments.load(class)) {
            Ok(figures) => Some(figures),
            Err(reason) => {
                let failure = format!("{} in {class}: {reason}", entry.name);
                eprintln!("          {failure}");
                report.failures.push(failure);
                None
            }
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    let count = crate::figures::float(values.len() as u64);
    (count > 0.0).then(|| values.iter().sum::<f64>() / count)
}
