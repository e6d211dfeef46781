//! What to do, as a table: every combination of facts matches exactly one rule.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::Survey;
use super::walk::{Walked, walk};
use crate::format::{Identity, StateSlot};

/// What to do about damage below the durable watermark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CorruptionPolicy {
    /// Refuse to open while any is known.
    RefuseOpen,
    /// Open and accept records; a consumer that reaches the damage gets an error each time, until
    /// it skips explicitly.
    #[default]
    RefuseRead,
    /// Open; a consumer passes the damage by itself. The damaged bytes are copied aside, and the
    /// lost range is reported as a gap.
    Quarantine,
}

/// The facts that the decision rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one column of the table"
)]
pub(crate) struct Facts {
    pub(crate) identity: IdentityFact,
    pub(crate) segments: bool,
    pub(crate) state: StateFact,
    /// Whether nothing follows the stated end.
    pub(crate) quiet: bool,
    pub(crate) damage: bool,
    pub(crate) strict: bool,
    pub(crate) may_create: bool,
}

/// What the identity file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdentityFact {
    Missing,
    Damaged,
    Good,
}

/// What `STATE` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateFact {
    /// Lost, and no segment tells where the log was.
    Gone,
    /// Lost; segments tell.
    Lost,
    Clean,
    Unclean,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Create,
    Continue,
    Recover,
    /// The same without `STATE`, all of which is rebuilt from the segments.
    Rebuild,
    Refuse(Refusal),
}

/// Why the queue is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no queue and none may be created.
    NotThere,
    /// Segments without the identity file.
    IdentityLost,
    IdentityDamaged,
    /// Neither `STATE` nor a segment tells where the log was: beginning at 0 would use sequences
    /// again.
    StateGone,
    /// Damage below the watermark under `CorruptionPolicy::RefuseOpen`.
    Damage,
}

/// One line of the table; `None` means that the fact does not matter.
struct Rule {
    /// The physical event.
    event: &'static str,
    identity: IdentityFact,
    segments: Option<bool>,
    state: Option<StateFact>,
    quiet: Option<bool>,
    damage: Option<bool>,
    strict: Option<bool>,
    may_create: Option<bool>,
    verdict: Verdict,
}

const ANY: Rule = Rule {
    event: "",
    identity: IdentityFact::Good,
    segments: None,
    state: None,
    quiet: None,
    damage: None,
    strict: None,
    may_create: None,
    verdict: Verdict::Create,
};

const RULES: [Rule; 15] = [
    Rule {
        event: "nothing is there, or creation stopped before its commit point",
        identity: IdentityFact::Missing,
        segments: Some(false),
        may_create: Some(true),
        verdict: Verdict::Create,
        ..ANY
    },
    Rule {
        event: "nothing is there, where a queue was expected",
        identity: IdentityFact::Missing,
        segments: Some(false),
        may_create: Some(false),
        verdict: Verdict::Refuse(Refusal::NotThere),
        ..ANY
    },
    Rule {
        event: "the identity file was deleted",
        identity: IdentityFact::Missing,
        segments: Some(true),
        verdict: Verdict::Refuse(Refusal::IdentityLost),
        ..ANY
    },
    Rule {
        event: "the identity file was damaged after it was committed",
        identity: IdentityFact::Damaged,
        verdict: Verdict::Refuse(Refusal::IdentityDamaged),
        ..ANY
    },
    Rule {
        event: "a clean close, or an open that committed and appended nothing",
        state: Some(StateFact::Clean),
        quiet: Some(true),
        verdict: Verdict::Continue,
        ..ANY
    },
    Rule {
        event: "bytes after a clean end: a copy of an old STATE, or a lost clearing of the flag",
        state: Some(StateFact::Clean),
        quiet: Some(false),
        damage: Some(false),
        verdict: Verdict::Recover,
        ..ANY
    },
    Rule {
        event: "the same, with damage; not to be opened so",
        state: Some(StateFact::Clean),
        quiet: Some(false),
        damage: Some(true),
        strict: Some(true),
        verdict: Verdict::Refuse(Refusal::Damage),
        ..ANY
    },
    Rule {
        event: "the same, with damage",
        state: Some(StateFact::Clean),
        quiet: Some(false),
        damage: Some(true),
        strict: Some(false),
        verdict: Verdict::Recover,
        ..ANY
    },
    Rule {
        event: "a kill or a power cut",
        state: Some(StateFact::Unclean),
        damage: Some(false),
        verdict: Verdict::Recover,
        ..ANY
    },
    Rule {
        event: "a kill or a power cut, and damage by the medium; not to be opened so",
        state: Some(StateFact::Unclean),
        damage: Some(true),
        strict: Some(true),
        verdict: Verdict::Refuse(Refusal::Damage),
        ..ANY
    },
    Rule {
        event: "a kill or a power cut, and damage by the medium",
        state: Some(StateFact::Unclean),
        damage: Some(true),
        strict: Some(false),
        verdict: Verdict::Recover,
        ..ANY
    },
    Rule {
        event: "STATE was deleted or both its slots damaged, where no segment was left",
        state: Some(StateFact::Gone),
        verdict: Verdict::Refuse(Refusal::StateGone),
        ..ANY
    },
    Rule {
        event: "STATE was deleted or both its slots damaged, and records too; not to be opened so",
        state: Some(StateFact::Lost),
        damage: Some(true),
        strict: Some(true),
        verdict: Verdict::Refuse(Refusal::Damage),
        ..ANY
    },
    Rule {
        event: "STATE was deleted or both its slots damaged, and records too",
        state: Some(StateFact::Lost),
        damage: Some(true),
        strict: Some(false),
        verdict: Verdict::Rebuild,
        ..ANY
    },
    Rule {
        event: "STATE was deleted or both its slots damaged",
        state: Some(StateFact::Lost),
        damage: Some(false),
        verdict: Verdict::Rebuild,
        ..ANY
    },
];

impl Rule {
    fn matches(&self, facts: Facts) -> bool {
        fn agrees<T: PartialEq>(wanted: Option<T>, found: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == *found)
        }
        self.identity == facts.identity
            && agrees(self.segments, &facts.segments)
            && agrees(self.state, &facts.state)
            && agrees(self.quiet, &facts.quiet)
            && agrees(self.damage, &facts.damage)
            && agrees(self.strict, &facts.strict)
            && agrees(self.may_create, &facts.may_create)
    }
}

/// The verdict for `facts`, and the event that explains them.
pub(crate) fn decide(facts: Facts) -> (Verdict, &'static str) {
    let rule = RULES.iter().find(|rule| rule.matches(facts));
    rule.map_or(
        (Verdict::Refuse(Refusal::IdentityDamaged), "no rule"),
        |rule| (rule.verdict, rule.event),
    )
}

/// What opening will do.
#[derive(Debug)]
pub(crate) enum Plan {
    /// Make a new queue.
    Create,
    /// Go on where the last owner left.
    Continue {
        identity: Identity,
        state: StateSlot,
    },
    /// Cut, give a new epoch, commit.
    Recover(Box<Recovery>),
    Refuse(Refusal, Box<Walked>),
}

/// The decision after an unclean end.
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(crate) identity: Identity,
    /// The last `STATE`, unless it was lost.
    pub(crate) state: Option<StateSlot>,
    pub(crate) walked: Walked,
    pub(crate) event: &'static str,
}

/// Decides what opening does about `survey`.
pub(crate) fn make_plan(survey: &Survey, policy: CorruptionPolicy, may_create: bool) -> Plan {
    let walked = if survey.is_clean() {
        Walked::default()
    } else {
        walk(survey)
    };
    let facts = Facts {
        identity: match &survey.identity {
            None => IdentityFact::Missing,
            Some(Err(_)) => IdentityFact::Damaged,
            Some(Ok(_)) => IdentityFact::Good,
        },
        segments: !survey.numbers.is_empty(),
        state: match &survey.state {
            None if survey.has_log() => StateFact::Lost,
            None => StateFact::Gone,
            Some(state) if state.clean => StateFact::Clean,
            Some(_) => StateFact::Unclean,
        },
        quiet: survey.quiet,
        damage: !walked.damages.is_empty(),
        strict: policy == CorruptionPolicy::RefuseOpen,
        may_create,
    };
    let (verdict, event) = decide(facts);
    let identity = survey.identity.and_then(Result::ok);
    match (verdict, identity, survey.state) {
        (Verdict::Create, _, _) => Plan::Create,
        (Verdict::Continue, Some(identity), Some(state)) => Plan::Continue { identity, state },
        (Verdict::Recover | Verdict::Rebuild, Some(identity), state) => {
            Plan::Recover(Box::new(Recovery {
                identity,
                state,
                walked,
                event,
            }))
        }
        (Verdict::Refuse(refusal), _, _) => Plan::Refuse(refusal, Box::new(walked)),
        (Verdict::Continue | Verdict::Recover | Verdict::Rebuild, _, _) => {
            Plan::Refuse(Refusal::IdentityDamaged, Box::new(walked))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_facts() -> Vec<Facts> {
        let mut all = Vec::new();
        for identity in [
            IdentityFact::Missing,
            IdentityFact::Damaged,
            IdentityFact::Good,
        ] {
            for state in [
                StateFact::Gone,
                StateFact::Lost,
                StateFact::Clean,
                StateFact::Unclean,
            ] {
                for bits in 0_u8..32 {
                    all.push(Facts {
                        identity,
                        state,
                        segments: bits & 1 != 0,
                        quiet: bits & 2 != 0,
                        damage: bits & 4 != 0,
                        strict: bits & 8 != 0,
                        may_create: bits & 16 != 0,
                    });
                }
            }
        }
        all
    }

    #[test]
    fn every_combination_of_facts_matches_exactly_one_rule() {
        let all = all_facts();
        assert_eq!(all.len(), 384);
        for facts in all {
            let events: Vec<_> = RULES
                .iter()
                .filter(|rule| rule.matches(facts))
                .map(|rule| rule.event)
                .collect();
            assert_eq!(events.len(), 1, "{facts:?} matches {events:?}");
        }
    }

    #[test]
    fn no_rule_is_unused() {
        let all = all_facts();
        for rule in &RULES {
            assert!(
                all.iter().any(|facts| rule.matches(*facts)),
                "unused: {}",
                rule.event
            );
        }
    }

    #[test]
    fn only_an_empty_place_is_ever_created_in() {
        for facts in all_facts() {
            let (verdict, event) = decide(facts);
            if verdict == Verdict::Create {
                assert!(
                    !facts.segments && facts.identity == IdentityFact::Missing,
                    "{event}"
                );
            }
        }
    }

    #[test]
    fn a_clean_end_is_believed_only_when_nothing_follows_it() {
        for facts in all_facts() {
            let (verdict, event) = decide(facts);
            if verdict == Verdict::Continue {
                assert!(facts.quiet && facts.state == StateFact::Clean, "{event}");
            }
        }
    }

    #[test]
    fn damage_refuses_an_open_only_where_the_policy_says_so() {
        for facts in all_facts() {
            if decide(facts).0 == Verdict::Refuse(Refusal::Damage) {
                assert!(facts.damage && facts.strict);
            }
        }
    }
}
