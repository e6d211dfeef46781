//! `forebay dead-letters DIR list`.

use std::path::Path;

use clap::Args;
use forebay::{DeadLetter, Refusal, Sequence};
use serde_json::{Value, json};

use super::visit;
use crate::facts::unix_ns;
use crate::failure::Failure;
use crate::record_json::PayloadJson;
use crate::{asked, output, units};

/// The columns before the reason.
const REASON_AT: usize = 65;

const EXAMPLE: &str = "\
Fields of each object in the JSON array:
  sequence               the letter's number
  parked_unix_ns         when it was given up, nanoseconds since 1970
  enqueued_unix_ns       when the event was enqueued
  queue, epoch, record   what names the event's record in its buffer
  kind, key (hex)        as it was enqueued; no key is null
  attempts, refusal      how often it was refused, and how: retry, reject, stop
  reason                 what the sink said
  text or base64         the event's bytes: text where they are UTF-8

Example:
  forebay dead-letters events.dead list
  forebay dead-letters events.dead list --json | jq '.[].reason'";

/// Show the letters, the oldest first, with the reason of each.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    #[command(flatten)]
    form: asked::Form,
}

impl Arguments {
    pub(super) fn run(&self, path: &Path, first: Sequence) -> Result<(), Failure> {
        if self.form.json {
            return list_json(path, first);
        }
        let width = output::width();
        let mut count = 0_u64;
        visit(path, first, |letter| {
            if count == 0 {
                output::print(&format!("{}\n", line(HEAD)))?;
            }
            count += 1;
            output::print(&format!("{}\n", as_line(&letter, width)))
        })?;
        if count == 0 {
            return output::print("no dead letters\n");
        }
        Ok(())
    }
}

fn list_json(path: &Path, first: Sequence) -> Result<(), Failure> {
    let mut before = "[";
    visit(path, first, |letter| {
        let text = format!("{before}\n{}", as_json(&letter));
        before = ",";
        output::print(&text)
    })?;
    let empty = if before == "[" { "[" } else { "" };
    output::print(&format!("{empty}\n]\n"))
}

fn as_json(letter: &DeadLetter) -> Value {
    let payload = PayloadJson::of(&letter.payload);
    let mut object = json!({
        "sequence": letter.sequence.get(),
        "parked_unix_ns": unix_ns(letter.parked_at),
        "enqueued_unix_ns": unix_ns(letter.enqueued_at),
        "queue": letter.record.queue.to_string(),
        "epoch": letter.record.epoch.to_string(),
        "record": letter.record.sequence.get(),
        "kind": letter.kind,
        "key": letter.key.map(|key| units::hex(&key)),
        "attempts": letter.attempts,
        "refusal": refusal(letter.refusal),
        "reason": letter.reason,
    });
    if let Some(fields) = object.as_object_mut() {
        let (name, text) = payload.field();
        fields.insert(name.to_owned(), text.into());
    }
    object
}

fn refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Retry => "retry",
        Refusal::Reject => "reject",
        Refusal::Stop => "stop",
        _ => "unknown",
    }
}

const HEAD: [&str; 6] = ["letter", "parked", "kind", "tries", "bytes", "reason"];

fn line([sequence, parked, kind, tries, bytes, reason]: [&str; 6]) -> String {
    format!("{sequence:>8}  {parked:<23}  {kind:>6}  {tries:>6}  {bytes:>12}  {reason}")
}

/// One letter in `width` columns, if there is a limit.
fn as_line(letter: &DeadLetter, width: Option<usize>) -> String {
    let is_control = |character: char| character.is_control();
    let mut reason = letter.reason.replace(is_control, " ");
    let room = width.map(|width| width.saturating_sub(REASON_AT).max(10));
    if let Some(room) = room.filter(|room| reason.chars().count() > *room) {
        reason = reason.chars().take(room.saturating_sub(3)).collect();
        reason.push_str("...");
    }
    let bytes = u64::try_from(letter.payload.len()).unwrap_or(u64::MAX);
    line([
        &letter.sequence.to_string(),
        &units::moment(letter.parked_at),
        &letter.kind.to_string(),
        &letter.attempts.to_string(),
        &units::bytes(bytes),
        &reason,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_begins_where_its_room_is_counted_from() {
        assert_eq!(line(HEAD).find("reason"), Some(REASON_AT));
    }
}
