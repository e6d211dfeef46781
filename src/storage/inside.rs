//! Whether a place lies in a tree that is only to be read.

use std::path::Path;

use super::{DiskDirectory, failed};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::Directory as _;

/// Refuses `place`, which need not exist, where it lies in the tree of `directory`, through links
/// or not.
pub(crate) fn refuse_inside(directory: &DiskDirectory, place: &Path) -> Result<()> {
    let resolve = |path: &Path| std::fs::canonicalize(path);
    let absolute =
        std::path::absolute(place).map_err(failed("find the absolute path of", place))?;
    // What does not exist yet has no links: the nearest ancestor that does, and what is below.
    let real = absolute.ancestors().find_map(|known| {
        let below = absolute.strip_prefix(known).ok()?;
        Some(resolve(known).ok()?.join(below))
    });
    let root = resolve(directory.path()).map_err(failed("resolve", directory.path()))?;
    if real.unwrap_or(absolute).starts_with(root) {
        let what = "the place lies in the directory that is only to be read";
        return Err(Error::at(ErrorKind::InvalidInput, what, place));
    }
    Ok(())
}
