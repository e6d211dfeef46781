//! Bugs of those who read on where the medium does not give back its bytes: what is not told, and
//! zeros that pass for what was written.

use crate::table::Bug;

pub(super) const BUGS: &[Bug] = &[
    Bug {
        name: "verify-ends-where-the-medium-fails",
        breaks: "Unreadable",
        file: "error.rs",
        within: "pub fn is_of_medium(",
        find: "number == EIO || EIO_ALIKE.contains(&number)",
        replace: "number == 0",
        killer: "it_crash repair::unreadable::verify_tells_exactly_the_block_and_the_records_that_it_hides",
    },
    Bug {
        name: "verify-leaves-the-rest-unread",
        breaks: "Unreadable",
        file: "inspect/verify/rest.rs",
        within: "fn read_rest(",
        find: "wide(file.read_at(&mut buffer, offset.get())?)",
        replace: "wide(usize::from(buffer.is_empty()))",
        killer: "it_crash repair::unreadable::what_cannot_be_read_behind_the_end_of_the_log_is_told_too",
    },
    Bug {
        name: "opening-told-as-if-it-forgave",
        breaks: "Unreadable",
        file: "inspect/verify/run.rs",
        within: "pub fn verify_on(",
        find: "ground.open_strictly(medium);",
        replace: "let _ = medium;",
        killer: "it_crash repair::unreadable::verify_says_that_opening_fails_exactly_where_it_does",
    },
    Bug {
        name: "repair-takes-zeros-for-the-end",
        breaks: "Unreadable",
        file: "repair/unreadable.rs",
        within: "fn refuse_unknown_end(",
        find: "is_closed && lenient.noted_of(STATE).is_empty()",
        replace: "is_closed || lenient.noted_of(STATE).is_empty()",
        killer: "it_crash repair::unreadable::a_repair_of_a_log_that_may_end_in_the_block_is_refused",
    },
    Bug {
        name: "repair-copies-more-zeros-than-planned",
        breaks: "Unreadable",
        file: "repair/aside.rs",
        within: "pub(super) fn copy_bytes(",
        find: "!is_within(found, unreadable, u64::MAX)",
        replace: "!is_within(found, unreadable, u64::MAX) && bytes == 0",
        killer: "it_crash repair::unreadable::what_cannot_be_read_any_more_when_it_is_copied_is_not_taken_for_zeros",
    },
    Bug {
        name: "repair-gives-up-what-can-be-read-again",
        breaks: "Unreadable",
        file: "repair/aside.rs",
        within: "pub(super) fn copy_bytes(",
        find: "!is_within(found, &met, end)",
        replace: "!is_within(found, &met, end) && bytes == 0",
        killer: "it_crash repair::unreadable::what_can_be_read_again_when_it_is_copied_is_not_given_up",
    },
    Bug {
        name: "any-failing-read-is-the-mediums",
        breaks: "Unreadable",
        file: "error.rs",
        within: "pub fn is_of_medium(",
        find: "number == EIO || EIO_ALIKE.contains(&number)",
        replace: "number > 0",
        killer: "lib error::tests::only_what_a_failing_device_answers_is_of_the_medium",
    },
    Bug {
        name: "backup-leaves-out-what-it-could-not-read",
        breaks: "Unreadable",
        file: "backup/report.rs",
        within: "pub fn is_damaged(",
        find: "!self.damage.is_empty() || !self.unreadable.is_empty()",
        replace: "!self.damage.is_empty()",
        killer: "it_crash repair::unreadable::a_backup_tells_the_block_and_is_restored_with_every_record_outside_of_it",
    },
];
