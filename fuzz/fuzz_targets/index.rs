//! An index file: one encoding, and lookups that agree with its list.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| forebay::fuzzing::index(data));
