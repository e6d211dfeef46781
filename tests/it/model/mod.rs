//! The whole queue against a plain model, with closes, kills and power cuts among the operations.
//!
//! The model holds every payload by its sequence, where the floor is, and where the consumer is.
//! After a crash it takes over what the queue says, within the bounds that the contract sets: a
//! kill loses nothing that was accepted, a power cut nothing that was durable.

mod once;
mod pair;
mod steps;

use proptest::prelude::*;

use pair::Pair;
use steps::{shapes, steps};

/// Overridden by the variable `FOREBAY_MODEL_CASES`, to look longer.
const CASES: u32 = 1000;

fn config() -> ProptestConfig {
    let cases = std::env::var("FOREBAY_MODEL_CASES").ok();
    let cases = cases.and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(cases.unwrap_or(CASES))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_queue_does_what_the_model_does(
        shape in shapes(),
        steps in prop::collection::vec(steps(), 1..60),
    ) {
        let mut pair = Pair::new(shape);
        for step in steps {
            pair.run(step);
        }
        pair.finish();
    }
    #[test]
    fn every_key_that_counts_is_found_whatever_happened_to_the_queue(
        always: bool,
        window in 0..80_u64,
        steps in prop::collection::vec(once::step(), 1..80),
    ) {
        let mut keyed = once::Keyed::new(always, window);
        for step in &steps {
            keyed.run(step);
        }
        keyed.finish();
    }
}
