//! Bugs of who verifies, and of who witnesses the chain.

use crate::table::Bug;

pub(super) const BUGS: &[Bug] = &[
    Bug {
        name: "verify-believes-the-hash-it-finds",
        breaks: "case 20",
        file: "inspect/verify/walk.rs",
        within: "fn check_hash(",
        find: "before.after_record(&span.header, &digest)",
        replace: "span.header.chain",
        killer: "inspect verify::forged::a_record_whose_checksums_alone_are_made_to_fit_is_named",
    },
    Bug {
        name: "verify-judges-by-the-state-of-before",
        breaks: "I15",
        file: "inspect/verify/run.rs",
        within: "fn of(",
        find: "newest_state(directory, ground.identity.queue)?.or(ground.state)",
        replace: "ground.state",
        killer: "inspect verify::meanwhile::whatever_a_writer_does_between_two_reads_is_no_finding",
    },
    Bug {
        name: "verify-takes-a-spare-slot-for-damage",
        breaks: "I15",
        file: "inspect/verify/files.rs",
        within: "fn of_slots(",
        find: "defects.iter().all(|slot| slot.unusable)",
        replace: "defects.iter().any(|slot| slot.unusable)",
        killer: "inspect verify::a_bad_cache_and_a_bad_spare_slot_are_minor",
    },
    Bug {
        name: "verify-misses-what-a-cut-file-lost",
        breaks: "I15",
        file: "inspect/verify/joints.rs",
        within: "fn enter(",
        find: "self.lose(missing, due..first.min(self.durable));",
        replace: "let _ = missing;",
        killer: "inspect verify::a_file_that_ends_early_loses_exactly_what_it_had_behind_that",
    },
    Bug {
        name: "anchor-proven-across-a-hole",
        breaks: "case 20",
        file: "inspect/verify/anchor.rs",
        within: "fn judge(",
        find: "self.proven_from(anchor.sequence).map_or(AnchorOutcome::Proven, AnchorOutcome::ProvenFrom)",
        replace: "AnchorOutcome::Proven",
        killer: "inspect verify::anchors::behind_a_hole_an_anchor_proves_what_follows_the_hole_only",
    },
    Bug {
        name: "head-past-the-watermark",
        breaks: "case 20",
        file: "inspect/head.rs",
        within: "fn walk_to(",
        find: "header.sequence >= sequence",
        replace: "header.sequence > sequence",
        killer: "inspect verify::anchors::every_head_that_was_ever_witnessed_is_proven",
    },
    Bug {
        name: "head-of-state-told-as-of-the-log",
        breaks: "case 20",
        file: "inspect/head.rs",
        within: "pub fn head_on(",
        find: "read.is_some() || !ground.has_records()",
        replace: "true",
        killer: "inspect verify::anchors::a_head_that_the_log_does_not_lead_to_is_told_as_such",
    },
];
