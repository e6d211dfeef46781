//! The crate's sources, as they are on disk.

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

/// Whether there is the test `killer`: a test binary (`lib` for the unit tests) and a path in it.
pub(crate) fn has_test(killer: &str) -> bool {
    let Some((binary, path)) = killer.split_once(' ') else {
        return false;
    };
    let base = match binary {
        "lib" => "src".to_owned(),
        test => format!("tests/{test}"),
    };
    let mut modules: Vec<&str> = path.split("::").collect();
    let function = format!("fn {}()", modules.pop().unwrap_or_default());
    // The last module may be written in the file of the one before.
    (0..2).any(|inline| {
        let outer = modules.len().saturating_sub(inline);
        let mut place = vec![base.as_str()];
        place.extend(&modules[..outer]);
        let place = place.join("/");
        ["", "/mod", "/main"].iter().any(|form| {
            let file = root().join(format!("{place}{form}.rs"));
            fs::read_to_string(file).is_ok_and(|text| text.contains(&function))
        })
    })
}
