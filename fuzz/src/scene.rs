//! The one verb that the model of `tests/it` takes from there.

use forebay::Sequence;

pub(crate) fn at(sequence: u64) -> Sequence {
    Sequence::new(sequence)
}
