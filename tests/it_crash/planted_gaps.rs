//! What no other test noticed.

#[test]
fn a_sync_proves_nothing_of_what_was_written_after_it_began() {}

#[test]
fn a_caller_is_not_released_by_the_commit_before_its_own() {}

#[test]
fn a_segment_sealed_while_a_sync_ran_is_synced_by_the_next() {}

#[test]
fn a_refused_record_does_not_come_back_with_a_later_power_cut() {}

#[test]
fn a_short_write_is_never_taken_for_a_whole_one() {}

#[test]
fn at_most_two_sealed_segments_wait_for_their_sync() {}

#[test]
fn the_decision_of_a_recovery_is_synced_before_open_returns() {}

#[test]
fn a_recovery_makes_the_names_of_what_it_keeps_durable() {}

#[test]
fn segments_set_aside_are_gone_for_good_before_the_log_goes_on() {}

#[test]
fn a_frame_with_a_bad_payload_is_not_where_good_records_go_on() {}

#[test]
fn a_frame_too_far_ahead_for_the_bytes_skipped_is_not_believed() {}

#[test]
fn a_new_run_is_bound_into_the_chain_and_a_rotation_is_not() {}

#[test]
fn nothing_is_reclaimed_while_a_cursor_cannot_be_read() {}

#[test]
fn a_drop_made_while_a_sync_ran_is_not_stored_with_it() {}
