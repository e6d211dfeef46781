//! The committed corpus, gone through again: what a fuzzer once found stays found.

use std::path::Path;

/// Runs `target` on every input of its corpus. A package without the folder `fuzz` has none.
fn replay(name: &str, target: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let Ok(entries) = std::fs::read_dir(root.join("corpus").join(name)) else {
        assert!(!root.exists(), "the target {name} has no corpus");
        return;
    };
    let mut count = 0;
    for entry in entries {
        let path = entry.expect("the corpus can be listed").path();
        target(&std::fs::read(path).expect("the corpus can be read"));
        count += 1;
    }
    assert!(count > 0, "the target {name} has an empty corpus");
}

#[test]
fn no_segment_header_of_the_corpus_is_a_finding() {
    replay("segment_header", super::segment_header);
}

#[test]
fn no_file_of_keys_of_the_corpus_is_a_finding() {
    replay("keys", super::keys);
}

#[test]
fn no_frame_of_the_corpus_is_a_finding() {
    replay("frame", super::frame);
}

#[test]
fn no_segment_of_the_corpus_is_a_finding() {
    replay("segment_scan", super::segment_scan);
}

#[test]
fn no_footer_of_the_corpus_is_a_finding() {
    replay("footer", super::footer);
}

#[test]
fn no_index_of_the_corpus_is_a_finding() {
    replay("index", super::index);
}

#[test]
fn no_state_of_the_corpus_is_a_finding() {
    replay("state", super::state);
}

#[test]
fn no_cursor_of_the_corpus_is_a_finding() {
    replay("cursor", super::cursor);
}
