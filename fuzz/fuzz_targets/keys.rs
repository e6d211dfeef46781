//! A file of keys: one encoding, entries in order, no flipped bit.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| forebay::fuzzing::keys(data));
