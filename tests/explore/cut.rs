//! What a power cut may leave of one moment: the choices, each with the kind of disk that makes it.

use forebay::CommitPadding;
use forebay::storage::memory::{Fate, MemoryDirectory, Unsynced, UnsyncedChange};

use crate::dice::{Dice, mix};

/// What kind of disk loses what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Personality {
    /// No disk at all: the process is killed.
    Kill,
    /// Names and lengths survive in the order of happening, data no later than the length that
    /// covers it; what is overwritten survives in any order. As ext4 does.
    Ordered,
    /// Anything survives in any order.
    Reordering,
    /// Names that were not synced are gone, whatever else survives.
    LosingNames,
    /// Without powersafe overwrite: what shares a sector or page with a write may go with it. Only
    /// where commit padding keeps commits apart.
    Harsh,
}

impl Personality {
    pub(crate) const ALL: [Self; 5] = [
        Self::Kill,
        Self::Ordered,
        Self::Reordering,
        Self::LosingNames,
        Self::Harsh,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Ordered => "ordered",
            Self::Reordering => "reordering",
            Self::LosingNames => "losing names",
            Self::Harsh => "harsh",
        }
    }
}

/// One choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Kill,
    /// A fate for each unsynced thing, in the order of happening; what is left over is lost.
    Power(Vec<Fate>),
}

impl Cut {
    /// What is left of `disk`.
    pub(crate) fn of(&self, disk: &MemoryDirectory) -> MemoryDirectory {
        let Self::Power(fates) = self else {
            return disk.process_kill();
        };
        let mut fates = fates.iter();
        disk.crash(&mut |_| fates.next().copied().unwrap_or(Fate::Lost))
    }

    /// Tells choices apart.
    pub(crate) fn number(&self) -> u64 {
        match self {
            Self::Kill => 1,
            Self::Power(fates) => fates
                .iter()
                .fold(2, |hash, fate| mix(hash, fate_number(*fate))),
        }
    }
}

/// Random choices of each personality, for each moment.
const RANDOM: u64 = 8;

fn is_page(unit: &Unsynced) -> bool {
    matches!(unit.change, UnsyncedChange::Page { .. })
}

fn is_length(unit: &Unsynced) -> bool {
    matches!(unit.change, UnsyncedChange::Length { .. })
}

fn is_name(unit: &Unsynced) -> bool {
    !is_page(unit) && !is_length(unit)
}

/// What becomes of the things beside the one that is torn.
#[derive(Clone, Copy, Debug)]
enum Others {
    Lost,
    Kept,
    /// Those that happened before are kept.
    Before,
}

/// What decides the fates of all unsynced things of a moment.
#[derive(Clone, Copy, Debug)]
enum Rule {
    Kill,
    /// The first so many are kept.
    Prefix(usize),
    /// One is kept alone, or lost alone.
    Single(usize, Fate),
    /// Lengths without data, data without lengths, names alone, or all but names.
    Class(fn(&Unsynced) -> bool, bool),
    /// Of one file alone everything is kept, or lost; names are kept.
    File(usize, bool),
    /// All names are lost, all else is kept.
    NoNames,
    /// One page is torn.
    Torn(usize, Fate, Others),
    RandomOrdered(u64),
    RandomReordering(u64),
    RandomNoNames(u64),
    RandomHarsh(u64),
}

/// The choices of one moment.
pub(crate) struct Choices<'a> {
    units: &'a [Unsynced],
    padding: CommitPadding,
    rules: Vec<Rule>,
}

impl<'a> Choices<'a> {
    /// Everything that is enumerated for a moment with these unsynced things, and some at random.
    pub(crate) fn new(units: &'a [Unsynced], padding: CommitPadding, dice: &mut Dice) -> Self {
        let mut rules = vec![Rule::Kill];
        rules.extend((0..=units.len()).map(Rule::Prefix));
        if units.len() > 1 {
            for class in [is_page, is_length, is_name] {
                rules.extend([true, false].map(|kept| Rule::Class(class, kept)));
            }
            rules.push(Rule::NoNames);
        }
        for (at, unit) in units.iter().enumerate() {
            rules.extend([Fate::Kept, Fate::Lost].map(|fate| Rule::Single(at, fate)));
            if at > 0 && units[at - 1].name != unit.name {
                rules.extend([true, false].map(|kept| Rule::File(at, kept)));
            }
            if let UnsyncedChange::Page { sectors, .. } = unit.change {
                for fate in torn_fates(sectors) {
                    let others = [Others::Lost, Others::Kept, Others::Before];
                    rules.extend(others.map(|others| Rule::Torn(at, fate, others)));
                }
            }
        }
        for _ in 0..if units.len() > 1 { RANDOM } else { 0 } {
            rules.push(Rule::RandomOrdered(dice.roll()));
            rules.push(Rule::RandomReordering(dice.roll()));
            rules.push(Rule::RandomNoNames(dice.roll()));
            if padding != CommitPadding::None {
                rules.push(Rule::RandomHarsh(dice.roll()));
            }
        }
        Self {
            units,
            padding,
            rules,
        }
    }

    /// `count` of them, or all, none twice.
    pub(crate) fn draw(mut self, count: usize, dice: &mut Dice) -> Vec<(Personality, Cut)> {
        dice.draw(&mut self.rules, count);
        let mut seen = Vec::with_capacity(self.rules.len());
        let rules = std::mem::take(&mut self.rules);
        let cuts = rules.into_iter().map(|rule| self.carry_out(rule));
        cuts.filter(|(_, cut)| {
            let number = cut.number();
            let is_new = !seen.contains(&number);
            seen.push(number);
            is_new
        })
        .collect()
    }

    fn carry_out(&self, rule: Rule) -> (Personality, Cut) {
        let of_each = |fate: &mut dyn FnMut(usize, &Unsynced) -> Fate| {
            let units = self.units.iter().enumerate();
            Cut::Power(units.map(|(at, unit)| fate(at, unit)).collect())
        };
        match rule {
            Rule::Kill => (Personality::Kill, Cut::Kill),
            Rule::Prefix(count) => (
                Personality::Ordered,
                of_each(&mut |at, _| kept_if(at < count)),
            ),
            Rule::Single(single, fate) => {
                let others = kept_if(fate == Fate::Lost);
                let cut = of_each(&mut |at, _| if at == single { fate } else { others });
                (Personality::Reordering, cut)
            }
            Rule::Class(class, kept) => {
                let cut = of_each(&mut |_, unit| kept_if(class(unit) == kept));
                (Personality::Reordering, cut)
            }
            Rule::File(of, kept) => {
                let name = &self.units[of].name;
                let cut =
                    of_each(&mut |_, unit| kept_if((unit.name == *name) == kept || is_name(unit)));
                (Personality::Reordering, cut)
            }
            Rule::NoNames => {
                let cut = of_each(&mut |_, unit| kept_if(!is_name(unit)));
                (Personality::LosingNames, cut)
            }
            Rule::Torn(torn, fate, others) => {
                let cut = of_each(&mut |at, _| match others {
                    _ if at == torn => fate,
                    Others::Lost => Fate::Lost,
                    Others::Kept => Fate::Kept,
                    Others::Before => kept_if(at < torn),
                });
                (Personality::Reordering, cut)
            }
            Rule::RandomOrdered(seed) => {
                let mut dice = Dice::new(seed);
                let journaled = dice.below(self.units.len() + 1);
                let cut =
                    of_each(&mut |at, unit| self.ordered_fate((at, unit), journaled, &mut dice));
                (Personality::Ordered, cut)
            }
            Rule::RandomReordering(seed) => {
                let mut dice = Dice::new(seed);
                let cut = of_each(&mut |_, unit| random_fate(unit, &mut dice));
                (Personality::Reordering, cut)
            }
            Rule::RandomNoNames(seed) => {
                let mut dice = Dice::new(seed);
                let cut = of_each(&mut |_, unit| {
                    let fate = random_fate(unit, &mut dice);
                    if is_name(unit) { Fate::Lost } else { fate }
                });
                (Personality::LosingNames, cut)
            }
            Rule::RandomHarsh(seed) => {
                let mut dice = Dice::new(seed);
                let cut = of_each(&mut |_, unit| harsh_fate(unit, self.padding, &mut dice));
                (Personality::Harsh, cut)
            }
        }
    }

    /// With the first `journaled` changes of names and lengths on the medium.
    fn ordered_fate(
        &self,
        (at, unit): (usize, &Unsynced),
        journaled: usize,
        dice: &mut Dice,
    ) -> Fate {
        let UnsyncedChange::Page { page, .. } = unit.change else {
            return kept_if(at < journaled);
        };
        // The last change of the length that made room for the page.
        let mut covering = None;
        for (place, other) in self.units.iter().enumerate() {
            if let UnsyncedChange::Length { from, to } = other.change
                && other.name == unit.name
                && from < to
                && page * 4096 >= from
            {
                covering = Some(place);
            }
        }
        covering.map_or_else(
            || random_fate(unit, dice),
            |place| kept_if(place < journaled),
        )
    }
}

fn kept_if(is_kept: bool) -> Fate {
    if is_kept { Fate::Kept } else { Fate::Lost }
}

/// The ways in which a write of these sectors tears.
fn torn_fates(sectors: u8) -> Vec<Fate> {
    let each = (0..8)
        .map(|bit| 1_u8 << bit)
        .filter(|bit| sectors & bit != 0);
    let each: Vec<u8> = each.collect();
    let mut fates = Vec::new();
    for count in 1..each.len() {
        let first = each[..count].iter().fold(0, |mask, bit| mask | bit);
        fates.push(Fate::Torn { sectors: first });
        fates.push(Fate::Torn {
            sectors: sectors & !first,
        });
    }
    let scrambled = |kept, zeroed, noisy| Fate::Scrambled {
        kept,
        zeroed,
        noisy,
        harsh: false,
    };
    fates.push(scrambled(0, 0xff, 0));
    fates.push(scrambled(0, 0, 0xff));
    if each.len() > 1 {
        let last = each[each.len() - 1];
        fates.push(scrambled(sectors & !last, 0, last));
        fates.push(scrambled(sectors & !last, last, 0));
        fates.push(scrambled(sectors & !each[0], 0, each[0]));
        fates.push(scrambled(sectors & !each[0], each[0], 0));
    }
    fates
}

fn random_fate(unit: &Unsynced, dice: &mut Dice) -> Fate {
    match dice.below(if is_page(unit) { 6 } else { 3 }) {
        0 => Fate::Lost,
        1 | 2 => Fate::Kept,
        3 => Fate::Torn {
            sectors: dice.byte(),
        },
        _ => Fate::Scrambled {
            kept: dice.byte(),
            zeroed: dice.byte(),
            noisy: dice.byte(),
            harsh: false,
        },
    }
}

fn harsh_fate(unit: &Unsynced, padding: CommitPadding, dice: &mut Dice) -> Fate {
    let UnsyncedChange::Page { sectors, .. } = unit.change else {
        return random_fate(unit, dice);
    };
    // A sector of its own protects against what happens to that sector, not to the page.
    let hit = if padding == CommitPadding::Page {
        0xff
    } else {
        sectors
    };
    match dice.below(4) {
        0 => Fate::Lost,
        1 => Fate::Kept,
        _ => Fate::Scrambled {
            kept: dice.byte(),
            zeroed: dice.byte() & hit,
            noisy: dice.byte() & hit,
            harsh: true,
        },
    }
}

fn fate_number(fate: Fate) -> u64 {
    match fate {
        Fate::Lost => 0,
        Fate::Kept => 1,
        Fate::Torn { sectors } => 2 << 8 | u64::from(sectors),
        Fate::Scrambled {
            kept,
            zeroed,
            noisy,
            harsh,
        } => u64::from(u32::from_le_bytes([
            kept,
            zeroed,
            noisy,
            3 + u8::from(harsh),
        ])),
    }
}
