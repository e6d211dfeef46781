//! A queue whose files were damaged: nothing wrong comes out, nothing proven vanishes.

#![no_main]

use forebay_fuzz::Case;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|case: Case| forebay_fuzz::directory(&case));
