//! What a power cut may leave of one moment: the choices, each with the kind of disk that makes it.

use forebay::CommitPadding;
use forebay::storage::memory::{Fate, MemoryDirectory, Unsynced, UnsyncedChange};

use crate::dice::Dice;

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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
}

/// Random choices of each personality, for each moment.
const RANDOM: usize = 8;

fn is_page(unit: &Unsynced) -> bool {
    matches!(unit.change, UnsyncedChange::Page { .. })
}

fn is_length(unit: &Unsynced) -> bool {
    matches!(unit.change, UnsyncedChange::Length { .. })
}

fn is_name(unit: &Unsynced) -> bool {
    !is_page(unit) && !is_length(unit)
}

/// The choices of one moment, in the making.
struct Choices<'a> {
    units: &'a [Unsynced],
    all: Vec<(Personality, Cut)>,
}

/// Everything that is enumerated for a moment with these unsynced things, and some at random.
pub(crate) fn choices(
    units: &[Unsynced],
    padding: CommitPadding,
    dice: &mut Dice,
) -> Vec<(Personality, Cut)> {
    let mut choices = Choices {
        units,
        all: vec![(Personality::Kill, Cut::Kill)],
    };
    choices.add_prefixes();
    choices.add_singles();
    choices.add_classes();
    for at in 0..units.len() {
        choices.add_torn(at);
    }
    if units.len() > 1 {
        choices.add_random(padding, dice);
    }
    choices.without_doubles()
}

impl Choices<'_> {
    fn add(&mut self, personality: Personality, mut fate: impl FnMut(usize, &Unsynced) -> Fate) {
        let units = self.units.iter().enumerate();
        let fates = units.map(|(at, unit)| fate(at, unit)).collect();
        self.all.push((personality, Cut::Power(fates)));
    }

    /// Nothing, each prefix, all.
    fn add_prefixes(&mut self) {
        for count in 0..=self.units.len() {
            self.add(Personality::Ordered, |at, _| kept_if(at < count));
        }
    }

    /// Each single thing kept alone, and lost alone.
    fn add_singles(&mut self) {
        for single in 0..self.units.len() {
            self.add(Personality::Reordering, |at, _| kept_if(at == single));
            self.add(Personality::Reordering, |at, _| kept_if(at != single));
        }
    }

    /// Lengths without data, data without lengths, names without anything, anything without names.
    fn add_classes(&mut self) {
        for class in [is_page, is_length, is_name] {
            self.add(Personality::Reordering, |_, unit| kept_if(class(unit)));
            self.add(Personality::Reordering, |_, unit| kept_if(!class(unit)));
        }
        self.add(Personality::LosingNames, |_, unit| kept_if(!is_name(unit)));
        let mut files: Vec<_> = self.units.iter().map(|unit| &unit.name).collect();
        files.dedup();
        for file in files {
            self.add(Personality::Reordering, |_, unit| {
                kept_if(unit.name == *file || is_name(unit))
            });
            self.add(Personality::Reordering, |_, unit| {
                kept_if(unit.name != *file || is_name(unit))
            });
        }
    }

    /// One page torn, with all others lost, or kept, or those before it kept.
    fn add_torn(&mut self, torn: usize) {
        let UnsyncedChange::Page { sectors, .. } = self.units[torn].change else {
            return;
        };
        let fates = torn_fates(sectors);
        for fate in fates {
            for others in 0..3 {
                self.add(Personality::Reordering, |at, _| match others {
                    _ if at == torn => fate,
                    0 => Fate::Lost,
                    1 => Fate::Kept,
                    _ => kept_if(at < torn),
                });
            }
        }
    }

    fn add_random(&mut self, padding: CommitPadding, dice: &mut Dice) {
        for _ in 0..RANDOM {
            self.add_random_ordered(dice);
            self.add(Personality::Reordering, |_, unit| random_fate(unit, dice));
            self.add(Personality::LosingNames, |_, unit| {
                if is_name(unit) {
                    Fate::Lost
                } else {
                    random_fate(unit, dice)
                }
            });
            if padding != CommitPadding::None {
                self.add(Personality::Harsh, |_, unit| {
                    harsh_fate(unit, padding, dice)
                });
            }
        }
    }

    fn add_random_ordered(&mut self, dice: &mut Dice) {
        let units = self.units;
        let journaled = dice.below(units.len() + 1);
        self.add(Personality::Ordered, |at, unit| {
            let UnsyncedChange::Page { page, .. } = unit.change else {
                return kept_if(at < journaled);
            };
            // The lengths that the file had, each with whether it is in the journal.
            let lengths = units
                .iter()
                .enumerate()
                .filter(|(_, other)| other.name == unit.name);
            let grown = lengths.filter_map(|(place, other)| match other.change {
                UnsyncedChange::Length { from, to } if from < to => Some((place, from)),
                _ => None,
            });
            let covering = grown.filter(|(_, from)| page * 4096 >= *from).last();
            match covering {
                Some((place, _)) => kept_if(place < journaled),
                None => random_fate(unit, dice),
            }
        });
    }

    /// Each choice once, by the first personality that makes it.
    fn without_doubles(self) -> Vec<(Personality, Cut)> {
        let mut seen = std::collections::HashSet::new();
        let mut all = self.all;
        all.retain(|(_, cut)| seen.insert(cut.clone()));
        all
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
