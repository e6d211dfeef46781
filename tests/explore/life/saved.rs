//! A user's state: saved, loaded, and made again of what was saved and the records after it.

use std::sync::Arc;

use forebay::ErrorKind;
use forebay::Sequence;
use forebay::snapshot::Store;

use super::{Ended, Judged, Life, require};
use crate::promises::State;
use crate::workload::{Keep, SNAPSHOTS};

impl Life {
    fn store(&mut self) -> Judged<Store> {
        let store = self.queue()?.snapshots(SNAPSHOTS);
        let store = store.map_err(|error| format!("no store: {error}"))?;
        let files = self.disk().names();
        let mut strange = files.iter().filter(|name| name.starts_with("snapshots/"));
        let published = format!("snapshots/{SNAPSHOTS}.snapshot");
        let strange = strange.find(|name| **name != published);
        require!(strange.is_none(), "a store leaves {strange:?}");
        Ok(store)
    }

    /// Saves the state of the records up to one of them; sometimes that is an older one than the
    /// published, and sometimes it is given up.
    pub(super) fn publish(&mut self) -> Judged {
        let queue = self.queue()?;
        let (first, next) = (queue.first().get(), queue.next().get());
        let covered = self.ledger.saved.written;
        let from = if self.dice.once_in(6) {
            first
        } else {
            first.max(covered.unwrap_or(0))
        };
        let all = usize::try_from(next.saturating_sub(from)).unwrap_or(0);
        let covers = match self.dice.below(3) {
            0 => next,
            1 => self.ledger.durable.max(from),
            _ => from + self.dice.below(all + 1) as u64,
        };
        let is_older = covered > Some(covers);
        let store = self.store()?;
        let draft = store.begin();
        let mut draft = draft.map_err(|error| format!("no draft: {error}"))?;
        let put = draft.put(&self.ledger.state(covers).bytes());
        put.map_err(|error| format!("putting: {error}"))?;
        if self.dice.once_in(6) {
            drop(draft);
            return self.load(&store).map(drop);
        }
        if !is_older {
            let saved = &mut Arc::make_mut(&mut self.ledger).saved;
            saved.tried = saved.tried.max(Some(covers));
            self.recorder.expect(&self.ledger);
        }
        let finished = draft.finish(Sequence::new(covers));
        if is_older {
            let kind = finished.as_ref().err().map(forebay::Error::kind);
            require!(
                kind == Some(ErrorKind::OutOfRange),
                "one that covers {covers} over {covered:?}: {finished:?}"
            );
            return self.load(&store).map(drop);
        }
        finished.map_err(|error| format!("finishing: {error}"))?;
        let ledger = Arc::make_mut(&mut self.ledger);
        let saved = &mut ledger.saved;
        saved.durable = Some(covers);
        saved.written = Some(covers);
        saved.tried = Some(covers);
        ledger.note_durable(covers);
        self.recorder.promise(&self.ledger);
        self.note_durable()
    }

    /// The state that is published, which must be that of the records below what it covers.
    fn load(&mut self, store: &Store) -> Judged<Option<u64>> {
        let loaded = store.load();
        let loaded = loaded.map_err(|error| format!("loading: {error}"))?;
        let covers = loaded.as_ref().map(|snapshot| snapshot.covers.get());
        let saved = self.ledger.saved;
        require!(
            saved.written <= covers && covers <= saved.tried,
            "the published one covers {covers:?}: {saved:?}"
        );
        let Some(snapshot) = loaded else {
            return Ok(None);
        };
        let covers = snapshot.covers.get();
        require!(
            covers <= self.ledger.next(),
            "it covers {covers}, the log ends at {}",
            self.ledger.next()
        );
        let (expected, found) = (self.ledger.state(covers), State::parse(&snapshot.state));
        require!(
            found == Some(expected),
            "what covers {covers} is {found:?} and not {expected:?}"
        );
        Ok(Some(covers))
    }

    /// Loads the saved state, and makes the one as of now of it and the log.
    pub(crate) fn replay(&mut self) -> Judged {
        let store = self.store()?;
        let covers = self.load(&store)?;
        let saved = &mut Arc::make_mut(&mut self.ledger).saved;
        saved.written = covers;
        saved.tried = covers;
        if self.setup.keep == Keep::UntilSnapshot || self.ended == Ended::PowerCut {
            // Opening relies on it, and has made its name durable.
            saved.durable = covers;
        }
        self.recorder.promise(&self.ledger);
        let first = self.queue()?.first().get();
        let recovered = store.recover(
            |state| state.map_or(Some(State::default()), State::parse),
            |state, record| {
                if let Some(state) = state {
                    state.add(record.payload);
                }
            },
        );
        let from = covers.unwrap_or(0);
        if first > from {
            let kind = recovered.as_ref().err().map(forebay::Error::kind);
            require!(
                kind == Some(ErrorKind::OutOfRange),
                "a state without {from}..{first}: {recovered:?}"
            );
            return Ok(());
        }
        let recovered = recovered.map_err(|error| format!("making the state: {error}"))?;
        let next = self.ledger.next();
        let expected = self.ledger.state(next);
        require!(
            recovered.state == Some(expected) && recovered.next.get() == next,
            "the state of {next} records is {recovered:?}, not {expected:?}"
        );
        Arc::make_mut(&mut self.ledger).note_durable(next);
        self.recorder.promise(&self.ledger);
        self.note_durable()
    }
}
