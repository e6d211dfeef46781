//! The walk over a segment of good frames, wrong frames, garbage and holes.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| forebay::fuzzing::segment_scan(data));
