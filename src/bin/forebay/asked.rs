//! What many subcommands are asked in the same words.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use crate::failure::Failure;
use crate::output;

/// Which queue it is about.
#[derive(Debug, Args)]
pub(crate) struct Queue {
    /// The queue's directory.
    #[arg(value_name = "DIR")]
    queue: PathBuf,
}

impl Queue {
    pub(crate) fn path(&self) -> &Path {
        &self.queue
    }
}

/// For whom the answer is.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Form {
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Form {
    /// Prints the answer in this form; as text with what a terminal would obey made visible.
    pub(crate) fn answer(
        self,
        json: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json {
            output::print(&format!("{:#}\n", json()))
        } else {
            output::say(&text())
        }
    }
}
