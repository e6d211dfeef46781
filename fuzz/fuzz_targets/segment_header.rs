//! A segment's header block: one encoding, and no flipped bit unseen.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| forebay::fuzzing::segment_header(data));
