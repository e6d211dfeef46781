//! One kind of call fails, once or for ever, while all others work.

use forebay::storage::fault::{CallKind, Failure, Fault, Repeat};

use crate::faults::{Before, survive, survive_all};
use crate::support::{guard, tell};
use forebay::SyncPolicy;

/// From the Nth call of one kind on, for every N and kind, none of that kind works any more.
fn survive_each_kind(kinds: &[CallKind], failure: Failure) {
    let mut count = 0_u64;
    for kind in kinds {
        for before in [Before::Nothing, Before::Closed, Before::Torn] {
            for nth in 1.. {
                let fault = Fault::nth_of(nth, &[*kind], failure).for_ever();
                let policy = if nth % 2 == 0 {
                    SyncPolicy::Manual
                } else {
                    SyncPolicy::Always
                };
                let what = format!("{before:?} {policy:?} {fault:?}");
                if !guard(&what, move || survive(before, policy, &fault)) {
                    break;
                }
                count += 1;
            }
        }
    }
    tell(&format!("{failure:?} for ever, by kind: {count} faults"));
}

#[test]
fn a_kind_of_call_that_never_works_again_loses_nothing_acknowledged() {
    let kinds = [
        CallKind::Open,
        CallKind::Create,
        CallKind::List,
        CallKind::CreateFolder,
        CallKind::Rename,
        CallKind::Remove,
        CallKind::SyncFolder,
        CallKind::Read,
        CallKind::Write,
        CallKind::SyncFile,
        CallKind::Length,
        CallKind::SetLength,
        CallKind::Allocate,
        CallKind::Map,
    ];
    survive_each_kind(&kinds, Failure::Io);
}

#[test]
fn space_that_never_comes_back_loses_nothing_acknowledged() {
    let kinds = [CallKind::Create, CallKind::Write, CallKind::Allocate];
    survive_each_kind(&kinds, Failure::Full);
    survive_each_kind(&[CallKind::Write], Failure::TornFull { bytes: 300 });
}

#[test]
fn an_interrupted_call_loses_nothing_acknowledged() {
    survive_all(Failure::Interrupted, Repeat::Once);
}
