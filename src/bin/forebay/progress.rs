//! How far a long task has come, on standard error; hidden where that is no terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// `bar`, drawn as `template` says.
pub(crate) fn drawn(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
