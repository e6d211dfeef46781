//! Bugs of what looks at a queue without touching it.

use crate::table::Bug;

pub(super) const BUGS: &[Bug] = &[
    Bug {
        name: "missing-segment-not-seen",
        breaks: "I15",
        file: "inspect/segments.rs",
        within: "fn missing_before(",
        find: "is_due && !is_there",
        replace: "is_due && is_there",
        killer: "inspect details::a_segment_that_others_go_on_from_is_shown_as_missing_with_its_records",
    },
    Bug {
        name: "chain-of-the-segment-before",
        breaks: "I15",
        file: "inspect/segments.rs",
        within: "fn view(",
        find: "end.chain.bytes()",
        replace: "{ let _ = end.chain; look.end.chain.bytes() }",
        killer: "inspect details::a_sealed_segment_s_chain_records_and_bytes_are_those_of_its_footer",
    },
    Bug {
        name: "lag-from-the-begin-of-the-log",
        breaks: "I15",
        file: "inspect/consumers.rs",
        within: "fn measure_lag(",
        find: "look.end.log_bytes.saturating_sub(found.log_bytes)",
        replace: "look.end.log_bytes",
        killer: "inspect details::a_consumer_s_lag_is_told_as_the_queue_tells_it",
    },
    Bug {
        name: "snapshot-of-another-name-taken",
        breaks: "I15",
        file: "inspect/snapshots.rs",
        within: "fn own(",
        find: "header.name != consumer_id(name)",
        replace: "false",
        killer: "inspect details::snapshots_are_shown_and_a_damaged_one_is_damage",
    },
    Bug {
        name: "timeline-without-its-last-record",
        breaks: "I15",
        file: "inspect/timeline.rs",
        within: "fn spread(",
        find: "count.saturating_sub(1).max(1)",
        replace: "count.max(1)",
        killer: "inspect details::the_timeline_has_both_ends_in_order_and_no_more_than_asked_for",
    },
    Bug {
        name: "quarantine-not-counted",
        breaks: "I15",
        file: "inspect/disk.rs",
        within: "fn disk_use(",
        find: "folder_bytes(directory, QUARANTINE, |_| true)",
        replace: "folder_bytes(directory, QUARANTINE, |name| consumer_of(name).is_some())",
        killer: "inspect details::what_lies_in_quarantine_is_counted_apart",
    },
    Bug {
        name: "torn-beginning-told-as-damage",
        breaks: "I15",
        file: "inspect/segments.rs",
        within: "fn view(",
        find: "look.opening.torn.is_some()",
        replace: "look.opening.torn.is_none()",
        killer: "inspect a_segment_that_was_torn_as_it_was_begun_is_a_torn_tail_and_no_damage",
    },
];
