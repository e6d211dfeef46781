//! From a workload to its crash images, each opened, judged, used and crashed again.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use forebay::CommitPadding;
use forebay::storage::memory::{Fate, MemoryDirectory};

use crate::cut::{Choices, Cut, Personality};
use crate::dice::{Dice, mix};
use crate::ledger::Ledger;
use crate::life::{Ended, Judged, Life, follow_image, require};
use crate::operation::Operation;
use crate::promises::Presence;
use crate::recorder::Moment;
use crate::tally::Tally;
use crate::workload::{Kind, Setup, Workload};

/// Crashes inside the recovery of a crash, and inside that one's, and so on.
const DEPTH_MAX: usize = 3;
/// One image of so many is looked into deeper.
const DEEPER: usize = 5;
/// How many cuts are tried inside one recovery, by its depth.
const INNER_CUTS: [usize; DEPTH_MAX] = [4, 2, 1];

/// One crash on the way to an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// At which boundary of the life before; `None` is its end.
    pub(crate) moment: Option<usize>,
    /// The call right before it, for a reader.
    pub(crate) after: (&'static str, Arc<str>),
    pub(crate) cut: Cut,
}

/// A promise that was not kept, with all it takes to see it again.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) workload: Workload,
    pub(crate) trail: Vec<Step>,
    pub(crate) what: String,
}

/// An image on its way to be judged.
struct Image {
    disk: MemoryDirectory,
    ledger: Arc<Ledger>,
    ended: Ended,
}

/// What is explored of one workload.
pub(crate) struct Explorer<'a> {
    workload: &'a Workload,
    tally: &'a mut Tally,
    seen: HashSet<u64>,
    trail: Vec<Step>,
}

impl<'a> Explorer<'a> {
    pub(crate) fn new(workload: &'a Workload, tally: &'a mut Tally) -> Self {
        Self {
            workload,
            tally,
            seen: HashSet::new(),
            trail: Vec::new(),
        }
    }

    /// Runs the workload and judges about `budget` of what a power cut in it may leave.
    pub(crate) fn explore(&mut self, budget: usize) -> Result<(), Violation> {
        let moments = self.guarded(Self::live)?;
        let mut dice = Dice::new(mix(self.workload.seed, budget as u64));
        let mut order: Vec<usize> = (0..moments.len()).collect();
        dice.draw(&mut order, budget.max(1));
        let share = budget.div_ceil(order.len().max(1));
        for at in order {
            let moment = &moments[at];
            let units = moment.disk.unsynced();
            let all = Choices::new(&units, self.padding(moment), &mut dice);
            let all = all.draw(share, &mut dice);
            for (personality, cut) in all {
                self.tally.count(self.workload.kind, personality);
                self.descend(Some(at), moment, cut)?;
            }
        }
        Ok(())
    }

    /// Goes the given way, and judges everything on it; `story` is told what happens.
    pub(crate) fn replay(
        &mut self,
        steps: &[Step],
        story: &mut dyn FnMut(&str),
    ) -> Result<(), Violation> {
        let mut moments = self.guarded(Self::live)?;
        for step in steps {
            let at = step.moment.unwrap_or(moments.len() - 1);
            for (number, moment) in moments.iter().enumerate() {
                let (call, name) = &moment.after;
                story(&format!("{number}: {call} {name}"));
            }
            let Some(moment) = moments.get(at).cloned() else {
                story("there is no such boundary any more");
                break;
            };
            story(&format!("the power is cut after {at}"));
            if let Cut::Power(fates) = &step.cut {
                let fates = fates.iter().copied().chain(std::iter::repeat(Fate::Lost));
                for (unit, fate) in moment.disk.unsynced().iter().zip(fates) {
                    story(&format!("  {fate:?}: {} {:?}", unit.name, unit.change));
                }
            }
            let image = Image::of(&moment, &step.cut);
            story(&format!("left is {:?}", image.disk.names()));
            self.trail.push(Step {
                after: moment.after,
                ..step.clone()
            });
            self.tally
                .count(self.workload.kind, Personality::Reordering);
            moments = self.guarded(|own| own.judge(image, true))?;
        }
        self.trail.clear();
        Ok(())
    }

    /// Runs the workload itself; the boundaries at which the power may be cut.
    fn live(&mut self) -> Judged<Vec<Moment>> {
        let disk = MemoryDirectory::new();
        let seed = mix(self.workload.seed, 0);
        let setup = self.workload.setup;
        let mut life = Life::new(disk, Arc::default(), Ended::Close, setup, seed);
        let from = self.workload.explored_from();
        for (at, operation) in self.workload.operations.iter().enumerate() {
            if at == from {
                life.record();
            }
            life.run(*operation)?;
        }
        if self.workload.operations.is_empty() {
            life.record();
            life.queue()?;
        }
        Ok(life.end())
    }

    /// Cuts the power at `moment`; judges what is left, unless it was judged before.
    fn descend(&mut self, at: Option<usize>, moment: &Moment, cut: Cut) -> Result<(), Violation> {
        let image = Image::of(moment, &cut);
        if !self.seen.insert(image.fingerprint()) {
            return Ok(());
        }
        self.tally.images += 1;
        self.trail.push(Step {
            moment: at,
            after: moment.after.clone(),
            cut,
        });
        let depth = self.trail.len();
        self.tally.depths[depth.min(DEPTH_MAX)] += 1;
        let mut dice = self.dice();
        let goes_deeper = depth <= DEPTH_MAX && dice.once_in(DEEPER);
        let moments = self.guarded(|own| own.judge(image, goes_deeper))?;
        if goes_deeper {
            self.cut_recovery(&moments, depth, &mut dice)?;
        } else if let Some(last) = moments.last().filter(|_| depth <= 1) {
            // What was appended after the recovery survives the next power cut.
            let nothing = Cut::Power(Vec::new());
            self.tally.count(self.workload.kind, Personality::Ordered);
            self.descend(None, last, nothing)?;
        }
        self.trail.pop();
        Ok(())
    }

    fn cut_recovery(
        &mut self,
        moments: &[Moment],
        depth: usize,
        dice: &mut Dice,
    ) -> Result<(), Violation> {
        for _ in 0..INNER_CUTS[depth - 1] {
            let at = dice.below(moments.len());
            let units = moments[at].disk.unsynced();
            let all = Choices::new(&units, self.padding(&moments[at]), dice);
            for (personality, cut) in all.draw(1, dice) {
                self.tally.count(self.workload.kind, personality);
                self.descend(Some(at), &moments[at], cut)?;
            }
        }
        Ok(())
    }

    /// What keeps commits apart at `moment`: nothing from the moment a recovery begins.
    fn padding(&self, moment: &Moment) -> CommitPadding {
        if moment.ledger.is_recovered {
            CommitPadding::None
        } else {
            self.workload.setup.padding
        }
    }

    /// Different for every trail, and always the same for one.
    fn dice(&self) -> Dice {
        let steps = self.trail.iter().map(|step| {
            mix(
                step.moment.map_or(u64::MAX, |at| at as u64),
                step.cut.number(),
            )
        });
        Dice::new(steps.fold(self.workload.seed, mix))
    }

    /// Opens the image, judges it, and goes on with it; the boundaries on the way.
    fn judge(&mut self, mut image: Image, records_all: bool) -> Judged<Vec<Moment>> {
        let mut dice = self.dice();
        let depth = self.trail.len() as u64;
        let setup = self.workload.setup;
        let kept = image.ledger.kept_from(setup.keep);
        let how = (image.ended == Ended::Kill, dice.once_in(2));
        follow_image(&image.disk, &mut image.ledger, kept, how)?;
        let seed = mix(self.workload.seed, depth);
        let mut life = Life::new(image.disk, image.ledger, image.ended, setup, seed);
        if records_all {
            life.record();
        }
        life.queue()?;
        let is_first = depth <= 1;
        if is_first || dice.once_in(2) {
            judge_again(&life, setup, seed)?;
        }
        let ledger = life.ledger();
        let has_second = ledger.second.presence != Presence::Gone;
        let has_saved = ledger.saved.tried.is_some();
        if has_saved {
            life.replay()?;
        }
        life.drain()?;
        life.drain_second()?;
        if is_first || records_all {
            let operation = if (has_second || has_saved) && dice.once_in(2) {
                dice.pick(&AFTERWARDS_OF_READERS)
            } else {
                dice.pick(&AFTERWARDS)
            };
            life.run(operation)?;
            if records_all {
                life.run(Operation::Small)?;
            }
            life.run(Operation::Sync)?;
        }
        Ok(life.end())
    }

    /// Runs `act`; what it finds, or panics with, becomes a violation of this trail.
    fn guarded<T>(&mut self, act: impl FnOnce(&mut Self) -> Judged<T>) -> Result<T, Violation> {
        let done = catch_unwind(AssertUnwindSafe(|| act(self)));
        let judged = done.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("a panic: {}", text.unwrap_or("of no text")))
        });
        judged.map_err(|what| Violation {
            workload: self.workload.clone(),
            trail: self.trail.clone(),
            what,
        })
    }
}

/// What a recovered queue is used for.
const AFTERWARDS: [Operation; 6] = [
    Operation::Small,
    Operation::Spanning,
    Operation::Batch,
    Operation::Rotate,
    Operation::DropOldest,
    Operation::Empty,
];

/// The same where there are readers.
const AFTERWARDS_OF_READERS: [Operation; 6] = [
    Operation::Remove,
    Operation::MakeAtEnd,
    Operation::MakeAtRecord,
    Operation::Publish,
    Operation::Reclaim,
    Operation::AckDurable,
];

/// What recovery decided is durable when open returns, and opening again decides nothing.
fn judge_again(life: &Life, setup: Setup, seed: u64) -> Judged {
    let disk = life.disk().crash_losing_all();
    let before = disk.fingerprint(is_lock);
    let ledger = Arc::clone(life.ledger());
    let next = ledger.next();
    let run = ledger.run;
    let mut again = Life::new(disk, ledger, Ended::PowerCut, setup, mix(seed, 1));
    let queue = again.queue()?;
    let (next_again, epoch) = (queue.next().get(), queue.epoch().get());
    let report = queue.recovery();
    require!(
        next_again == next,
        "opening again ends the log at {next_again}, not at {next}"
    );
    if life.is_decided() {
        require!(
            report.clean && epoch == run,
            "opening again decides again: {report:?}"
        );
        let after = again.disk().fingerprint(is_lock);
        require!(before == after, "opening again changed a file");
    }
    again.end();
    Ok(())
}

fn is_lock(name: &str) -> bool {
    name == "LOCK"
}

impl Image {
    fn of(moment: &Moment, cut: &Cut) -> Self {
        let mut ledger = Arc::clone(&moment.ledger);
        let ended = match cut {
            Cut::Kill => Ended::Kill,
            Cut::Power(_) => {
                ledger.lose_power();
                Ended::PowerCut
            }
        };
        Self {
            disk: cut.of(&moment.disk),
            ledger,
            ended,
        }
    }

    /// Of what there is and what was promised about it.
    fn fingerprint(&self) -> u64 {
        let promised = self.ledger.fingerprint();
        let ended = mix(promised, u64::from(self.ended == Ended::Kill));
        mix(self.disk.fingerprint(is_lock), ended)
    }
}

/// Explores `workload`, whatever its kind.
pub(crate) fn explore(
    workload: &Workload,
    budget: usize,
    tally: &mut Tally,
) -> Result<(), Violation> {
    match workload.kind {
        Kind::Short | Kind::Readers | Kind::Long => Explorer::new(workload, tally).explore(budget),
        Kind::Threads => crate::threads::explore(workload, budget, tally),
    }
}
