//! Bugs of the sinks for brokers and web servers: order, identity, and what a refusal asks for.

use crate::table::Bug;

pub(super) const BUGS: &[Bug] = &[
    Bug {
        name: "message-without-the-name-of-its-predecessor",
        breaks: "RTW-04",
        file: "forward/jetstream/mod.rs",
        within: "async fn send(",
        find: "self.flight.previous()",
        replace: "None",
        killer: "jetstream outage::what_the_client_sends_again_is_not_stored_before_what_the_socket_lost",
    },
    Bug {
        name: "last-message-of-the-stream-not-read",
        breaks: "RTW-03",
        file: "forward/jetstream/look.rs",
        within: "pub(super) async fn look<T>(",
        find: "Stored::read(&message.headers)",
        replace: "None",
        killer: "jetstream outage::what_was_stored_without_our_hearing_of_it_is_known_after_the_window_for_duplicates",
    },
    Bug {
        name: "flight-that-goes-on-behind-a-refusal",
        breaks: "RT-30",
        file: "forward/jetstream/flight.rs",
        within: "fn drop(",
        find: "state.broken = true;",
        replace: "",
        killer: "lib forward::jetstream::flight::tests::a_flight_that_lost_an_event_stays_broken_until_all_are_gone",
    },
    Bug {
        name: "predecessor-named-across-flights",
        breaks: "RT-30",
        file: "forward/jetstream/flight.rs",
        within: "fn drop(",
        find: "state.previous = None;",
        replace: "",
        killer: "lib forward::jetstream::flight::tests::the_first_event_of_a_flight_has_none_before_it",
    },
    Bug {
        name: "message-without-identity",
        breaks: "RT-22",
        file: "forward/jetstream/stored.rs",
        within: "pub(super) fn headers<T>(",
        find: "headers.insert(NATS_MESSAGE_ID, id);",
        replace: "",
        killer: "lib forward::jetstream::stored::tests::headers_name_the_record_its_kind_and_its_time",
    },
    Bug {
        name: "dot-in-a-token-makes-a-level",
        breaks: "RT-23",
        file: "forward/jetstream/subject.rs",
        within: "fn safe(",
        find: "matches!(letter, '_' | '-')",
        replace: "matches!(letter, '_' | '-' | '.')",
        killer: "lib forward::jetstream::subject::tests::unsafe_characters_become_underscores_token_by_token",
    },
    Bug {
        name: "wish-to-be-left-alone-not-passed-on",
        breaks: "RT-30",
        file: "forward/http.rs",
        within: "fn judge(",
        find: "refused.after(delay)",
        replace: "refused",
        killer: "webhook a_receiver_may_say_how_long_to_leave_it_alone",
    },
];
