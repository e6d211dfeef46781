//! What the fuzz targets claim of bytes, one function for each structure.
//!
//! Built for `cargo fuzz` and for this crate's own tests, and for nobody else. Bytes drawn at random
//! meet no checksum, so each function also puts the right checksum into what it was given and asks
//! again. It claims more than that nothing panics: what decodes encodes to the same bytes again, and
//! what is good at its place is refused at every other.

mod frames;
mod index;
mod input;
mod scan;
mod segment_file;
mod slots;
mod structures;
#[cfg(test)]
mod tests;

pub use frames::{footer, frame};
pub use index::index;
pub use scan::segment_scan;
pub use slots::{cursor, state};
pub use structures::{keys, segment_header};
