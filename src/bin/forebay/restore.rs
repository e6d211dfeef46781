//! `forebay restore`: a queue of a backup, in a new place.

use std::path::PathBuf;

use clap::Args;
use forebay::ErrorKind;
use forebay::backup::restore;
use serde_json::json;

use crate::asked;
use crate::backup::{contents, manifest_as_json, refused};
use crate::failure::Failure;

const EXAMPLE: &str = "\
Every file of the backup is compared with its hash first: one that is missing,
changed or extra is named, with exit code 1, and nothing is made. DIR must not
exist or be an empty directory. Records keep their ids and consumers their
places. Opening the queue begins a new epoch, so that two queues of one backup
never give the same id to different records.

Fields of the JSON object:
  path, backup, id, epoch (hex; of the records restored), first, next, durable,
  files, bytes

Example:
  forebay restore /backups/events.2026-11-21 events.queue";

/// Make a queue of a backup.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The backup's directory.
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// Where the queue is made.
    #[arg(value_name = "DIR")]
    queue: PathBuf,
    #[command(flatten)]
    form: asked::Form,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (backup, queue) = (&arguments.backup, &arguments.queue);
    let manifest = restore(backup, queue).map_err(|error| {
        let kind = error.kind();
        let failure = refused(error);
        // The folder of segments is made first, QUEUE last.
        let is_begun = queue.join("segments").exists() && !queue.join("QUEUE").exists();
        if is_begun && kind != ErrorKind::InvalidInput {
            let path = queue.display();
            return failure.after(format!("what is in {path} is no queue, remove it"));
        }
        failure
    })?;
    arguments.form.answer(
        || {
            let mut object = manifest_as_json(&manifest, backup);
            object["path"] = json!(queue.display().to_string());
            object
        },
        || {
            let (backup, queue) = (backup.display(), queue.display());
            let contents = contents(&manifest);
            format!("restored   {queue}\nfrom       {backup}\n{contents}")
        },
    )
}
