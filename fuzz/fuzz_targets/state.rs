//! A `STATE` file: the newest good slot counts, and the next write leaves it alone.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| forebay::fuzzing::state(data));
