//! The crate's sources, as they are on disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the crate is.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file below `src`.
pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(root().join("src").join(file)).unwrap_or_default()
}

/// All files of the crate, by their path from its root. What is built and what is hidden is not
/// among them.
pub(crate) fn files() -> Vec<PathBuf> {
    files_below(root())
}

/// The same for another tree.
pub(crate) fn files_below(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(root, root, &mut files);
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let path = entry.path();
        if name == "target" || name.to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files);
        } else if let Ok(inside) = path.strip_prefix(root) {
            files.push(inside.to_path_buf());
        }
    }
}

/// The names of all functions without arguments, tests among them.
pub(crate) fn test_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in files() {
        let is_source = file.extension().is_some_and(|extension| extension == "rs");
        if !is_source {
            continue;
        }
        let text = fs::read_to_string(root().join(&file)).unwrap_or_default();
        for line in text.lines() {
            if let Some(rest) = line.trim_start().strip_prefix("fn ")
                && let Some((name, _)) = rest.split_once("()")
            {
                names.insert(name.to_owned());
            }
        }
    }
    names
}
