//! A folder's tree, for the test programs that take it as their module.

use std::path::Path;

/// Copies a queue's tree as killing its process now would leave it. Nothing may be written to it
/// meanwhile: where the background may delete segments, the storage in memory does it better.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the copy's folder can be made");
    for entry in std::fs::read_dir(from).expect("the tree can be listed") {
        let entry = entry.expect("the tree can be listed");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            copy_tree(&entry.path(), &target);
        } else if let Err(error) = std::fs::copy(entry.path(), target) {
            // Indexes come and go in the background.
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
        }
    }
}
