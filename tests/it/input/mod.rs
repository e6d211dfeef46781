//! Bad input gets a clear error, and nothing is lost.

mod links;
mod paths;
mod sharing;
mod versions;
