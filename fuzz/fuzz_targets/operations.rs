//! A sequence of operations: the queue does what the model does.

#![no_main]

use forebay_fuzz::Story;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|story: Story| forebay_fuzz::operations(story));
