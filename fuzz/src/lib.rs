//! What the two large fuzz targets run: a damaged queue, and a sequence of operations.
//!
//! The small ones are functions of `forebay::fuzzing`, because decoders are private to the crate.

mod damage;
mod directory;
mod golden;
mod operations;
mod payload;
mod scene;

pub use damage::{Case, Edit};
pub use directory::directory;
pub use golden::{Golden, Machine, goldens};
pub use operations::{Story, operations};

#[cfg(test)]
mod tests {
    use arbitrary::{Arbitrary, Unstructured};

    /// Every input of a target's corpus, as the target takes it.
    fn corpus<T: for<'a> Arbitrary<'a>>(target: &str) -> Vec<T> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        let inputs = std::fs::read_dir(folder.join(target)).expect("there is a corpus");
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let bytes = std::fs::read(entry.expect("readable").path()).expect("readable");
            T::arbitrary_take_rest(Unstructured::new(&bytes)).ok()
        };
        let inputs: Vec<T> = inputs.filter_map(read).collect();
        assert!(!inputs.is_empty());
        inputs
    }

    #[test]
    fn no_damaged_queue_of_the_corpus_is_a_finding() {
        corpus::<super::Case>("directory")
            .iter()
            .for_each(super::directory);
    }

    #[test]
    fn no_story_of_the_corpus_is_a_finding() {
        corpus("operations").into_iter().for_each(super::operations);
    }
}
