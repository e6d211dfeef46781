//! The cursor files of all consumers.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::files::{of_slots, slot_defects};
use super::found::{Finding, Severity};
use super::ground::Ground;
use crate::error::Result;
use crate::format::{CURSORS, CursorSlot, consumer_of, cursor_file};
use crate::position::Offset;
use crate::storage::{Directory, list_if_there};

/// What is wrong with them, by name. A spare slot that is bad is minor.
pub(super) fn check_cursors(directory: &dyn Directory, ground: &Ground) -> Result<Vec<Finding>> {
    let mut names = list_if_there(directory, CURSORS)?;
    names.sort_unstable();
    let mut findings = Vec::new();
    for consumer in names.iter().filter_map(|name| consumer_of(name)) {
        let name = cursor_file(consumer);
        let file = directory.path().join(&name);
        // One that vanished was removed meanwhile.
        let slots = slot_defects::<CursorSlot>(directory, &name, ground.identity.queue)?;
        let mut found = slots.map_or(Vec::new(), |slots| of_slots(&file, &slots));
        let is_told = found
            .iter()
            .any(|finding| finding.severity > Severity::Minor);
        let mut refused = ground.consumers.iter();
        if let Some((_, reason)) = refused.find(|(name, _)| name == consumer)
            && !is_told
        {
            let words = ("a cursor of this log".to_owned(), reason.clone());
            found.push(Finding::plain(Severity::Damage, file, Offset::ZERO, words));
        }
        findings.append(&mut found);
    }
    Ok(findings)
}
