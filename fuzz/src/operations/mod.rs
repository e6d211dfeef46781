//! A sequence of operations, with closes, kills and power cuts, against a plain model.
//!
//! The model is that of `tests/it/model`; here the steps are the fuzzer's.

#[path = "../../../tests/it/model/pair.rs"]
mod pair;
mod steps;

use arbitrary::Arbitrary;

use pair::Pair;
use steps::{Shape, Step};

/// Longer stories are slow, and tell nothing that two short ones do not.
const STEPS_MAX: usize = 60;

/// How a queue is opened first, and what happens to it.
#[derive(Arbitrary, Debug)]
pub struct Story {
    shape: Shape,
    steps: Vec<Step>,
}

/// The queue does what the model does.
pub fn operations(story: Story) {
    let mut pair = Pair::new(story.shape);
    for step in story.steps.into_iter().take(STEPS_MAX) {
        pair.run(step);
    }
    pair.finish();
}
