//! A frame: good at one place of one segment of one queue, and nowhere else.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| forebay::fuzzing::frame(data));
