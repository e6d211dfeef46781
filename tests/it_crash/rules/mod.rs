//! Failures that others have met, each as a test named after its claim; docs/TRUST.md has the table.

mod calls;
mod devices;
mod handles;
mod indexes;
mod opening;
mod resources;
mod torn;
mod witness;
mod writing;
