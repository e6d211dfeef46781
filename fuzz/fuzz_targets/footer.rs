//! A footer counts only where all of it agrees with the segment before it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| forebay::fuzzing::footer(data));
