//! What many subcommands are asked in the same words.

use std::path::{Path, PathBuf};

use clap::Args;
use forebay::{Consumer, ConsumerOptions, ErrorKind};
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

/// Which kinds a consumer was made with.
#[derive(Debug, Args)]
pub(crate) struct Kinds {
    /// The kinds that the consumer was made with, if it was.
    #[arg(long = "kind", value_name = "K", value_delimiter = ',')]
    kinds: Vec<u16>,
}

impl Kinds {
    /// The consumer `name`, which is made where it is new.
    pub(crate) fn open(&self, queue: &forebay::Queue, name: &str) -> Result<Consumer, Failure> {
        let opened = queue.consumer_with(name, &of_kinds(&self.kinds));
        opened.map_err(|error| {
            let is_known = queue.consumers().iter().any(|known| known == name);
            if error.kind() != ErrorKind::InvalidInput || !is_known {
                return Failure::Queue(error);
            }
            Failure::Input {
                what: error.to_string(),
                remedy: "name with --kind the kinds it was made with, or none where it was made \
                         without; `forebay consumers` tells which",
            }
        })
    }
}

/// A consumer of these kinds, of all where there are none.
pub(crate) fn of_kinds(kinds: &[u16]) -> ConsumerOptions {
    let options = ConsumerOptions::new();
    if kinds.is_empty() {
        options
    } else {
        options.kinds(kinds.iter().copied())
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
