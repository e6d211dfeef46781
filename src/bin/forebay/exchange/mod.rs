//! `forebay export` and `forebay import`: a queue as lines of text, and back.

pub(crate) mod export;
mod header;
pub(crate) mod import;
