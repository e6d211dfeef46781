//! The epochs of files whose header, which says it, is gone.

use super::places::{FilePlaces, Places};
use crate::format::{Integrity, StateSlot};
use crate::position::{Epoch, QueueId, Sequence};

/// Gives every file of `queue` without a header the epoch that the files beside it tell.
///
/// Where those before and behind it are of one epoch, so is it. Otherwise the chain decides: a
/// start frame that goes on with the chain before it is in the same epoch as that. Where nothing
/// decides it is the newer one: no other record of that epoch had the same sequence, while the
/// older one may have had records that a crash took back. What is at the end is of the current one.
pub(super) fn settle(places: &mut Places, queue: QueueId, state: Option<&StateSlot>) {
    let mut known: Vec<(Sequence, Epoch)> = places
        .of(queue)
        .filter(|file| file.header.is_some())
        .filter_map(|file| Some((file.walked.first()?, file.epoch)))
        .collect();
    let current = state.map(|state| state.epoch);
    // In order: each is told by the one before it, whether that has a header or not.
    let files = places.files.iter().enumerate();
    let untold = files.filter(|(_, file)| file.header.is_none() && file.framing.is_some());
    let mut untold: Vec<(Sequence, usize)> = untold
        .filter_map(|(at, file)| Some((file.walked.first()?, at)))
        .collect();
    untold.sort_unstable();
    for (first, at) in untold {
        if let Some(file) = places.files.get_mut(at) {
            file.epoch = told(file, first, &known, current);
            known.push((first, file.epoch));
        }
    }
}

fn told(
    file: &FilePlaces,
    first: Sequence,
    known: &[(Sequence, Epoch)],
    current: Option<Epoch>,
) -> Epoch {
    let before = known.iter().filter(|(at, _)| *at < first).max();
    let behind = known.iter().filter(|(at, _)| *at > first).min();
    let (before, behind) = (
        before.map(|(_, epoch)| *epoch),
        behind.map(|(_, epoch)| *epoch),
    );
    let goes_on = file.walked.start.as_ref().is_some_and(|(_, start, chain)| {
        let is_chained = file.framing.map(crate::format::Framing::integrity);
        is_chained == Some(Integrity::Chained) && start.previous_chain == *chain
    });
    let anew = Epoch::default().following(0);
    match (before, behind) {
        (Some(before), Some(behind)) if before == behind || goes_on => before.min(behind),
        (Some(before), None) if goes_on => before,
        (Some(before), None) => current.unwrap_or(before).max(before),
        (_, Some(behind)) => behind,
        (None, None) => current.unwrap_or(anew),
    }
}
