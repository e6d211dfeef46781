//! Which calls fail: the plan of a faulty storage, and the count it keeps.

use parking_lot::Mutex;

/// What is asked of the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// [`Directory::open`](crate::storage::Directory::open).
    Open,
    /// [`Directory::create`](crate::storage::Directory::create).
    Create,
    /// [`Directory::list`](crate::storage::Directory::list).
    List,
    /// [`Directory::create_folder`](crate::storage::Directory::create_folder).
    CreateFolder,
    /// [`Directory::rename`](crate::storage::Directory::rename).
    Rename,
    /// [`Directory::remove`](crate::storage::Directory::remove).
    Remove,
    /// [`Directory::sync`](crate::storage::Directory::sync).
    SyncFolder,
    /// [`Directory::lock`](crate::storage::Directory::lock).
    Lock,
    /// [`File::read_at`](crate::storage::File::read_at).
    Read,
    /// [`File::write_at`](crate::storage::File::write_at).
    Write,
    /// [`File::sync`](crate::storage::File::sync).
    SyncFile,
    /// [`File::length`](crate::storage::File::length).
    Length,
    /// [`File::set_length`](crate::storage::File::set_length).
    SetLength,
    /// [`File::allocate`](crate::storage::File::allocate).
    Allocate,
    /// [`File::map`](crate::storage::File::map).
    Map,
}

impl CallKind {
    /// What the error of this call says it was doing.
    pub(super) fn operation(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::List => "list",
            Self::CreateFolder => "create directory",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::SyncFolder => "sync directory",
            Self::Lock => "lock",
            Self::Read => "read",
            Self::Write => "write",
            Self::SyncFile => "sync",
            Self::Length => "look at",
            Self::SetLength => "set length",
            Self::Allocate => "allocate",
            Self::Map => "map",
        }
    }
}

/// One call that reached the storage, whether it failed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub kind: CallKind,
    /// The file or folder; for a file that was open when it was renamed, the name it was opened
    /// by. For a rename both names, as in `"old -> new"`.
    pub name: String,
}

impl Call {
    /// A call of this kind to this file or folder.
    #[must_use]
    pub fn new(kind: CallKind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
        }
    }
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// With an input/output error, changing nothing.
    Io,
    /// Because the device is full, changing nothing.
    Full,
    /// Because a signal came, changing nothing, where nobody has gone on with the call.
    Interrupted,
    /// A write puts down only its first `bytes`, then fails as `Io`. Any other call fails as `Io`.
    Torn {
        /// How many bytes are put down, at most.
        bytes: usize,
    },
    /// A write puts down only its first `bytes`, then fails as `Full`. Any other call fails as
    /// `Full`.
    TornFull {
        /// How many bytes are put down, at most.
        bytes: usize,
    },
    /// A sync of a file fails as `Io` and leaves the file's unsynced bytes readable, clean and not
    /// durable ([as on Linux](super::MemoryDirectory::fail_next_sync_and_mark_clean)). Any other
    /// call fails as `Io`; so does a sync of a file that no longer has the name it was opened by,
    /// and one of a storage that is not [over memory](super::FaultyDirectory::over_memory).
    Forget,
}

/// How often a planned fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// In one call.
    Once,
    /// In that call and in every later one that the fault is for.
    Forever,
}

/// Which calls fail, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which of the calls that this is for, counted from the moment of planning; the first is 1.
    pub nth: u64,
    /// The kinds of call that this is for; all when empty.
    pub kinds: Vec<CallKind>,
    /// The name that this is for, as [`Call::name`] has it; any when `None`.
    pub name: Option<String>,
    /// How often it happens.
    pub repeat: Repeat,
    /// What happens.
    pub failure: Failure,
}

impl Fault {
    /// Fails the `nth` call of any kind, once.
    #[must_use]
    pub fn nth_call(nth: u64, failure: Failure) -> Self {
        Self::nth_of(nth, &[], failure)
    }

    /// Fails the `nth` call of these kinds, once.
    #[must_use]
    pub fn nth_of(nth: u64, kinds: &[CallKind], failure: Failure) -> Self {
        Self {
            nth,
            kinds: kinds.to_vec(),
            name: None,
            repeat: Repeat::Once,
            failure,
        }
    }

    /// Only calls that concern `name`.
    #[must_use]
    pub fn on(self, name: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            ..self
        }
    }

    /// And every later call of the kind too.
    #[must_use]
    pub fn for_ever(self) -> Self {
        Self {
            repeat: Repeat::Forever,
            ..self
        }
    }

    fn is_for(&self, call: &Call) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&call.kind))
            && self.name.as_ref().is_none_or(|name| *name == call.name)
    }
}

/// What is to fail, shared by the directory and its files.
#[derive(Debug, Default)]
pub(super) struct Plan {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: u64,
    failures: u64,
    armed: Vec<Armed>,
    log: Option<Vec<Call>>,
}

/// A fault, and how many calls it was for so far.
#[derive(Debug)]
struct Armed {
    fault: Fault,
    seen: u64,
}

impl Armed {
    fn fires(&mut self, call: &Call) -> bool {
        if !self.fault.is_for(call) {
            return false;
        }
        self.seen += 1;
        match self.fault.repeat {
            Repeat::Once => self.seen == self.fault.nth,
            Repeat::Forever => self.seen >= self.fault.nth,
        }
    }
}

impl Plan {
    pub(super) fn calls(&self) -> u64 {
        self.state.lock().calls
    }

    pub(super) fn failures(&self) -> u64 {
        self.state.lock().failures
    }

    pub(super) fn add(&self, fault: Fault) {
        self.state.lock().armed.push(Armed { fault, seen: 0 });
    }

    pub(super) fn clear(&self) {
        self.state.lock().armed.clear();
    }

    pub(super) fn record(&self) {
        self.state.lock().log = Some(Vec::new());
    }

    pub(super) fn log(&self) -> Vec<Call> {
        self.state.lock().log.clone().unwrap_or_default()
    }

    /// Counts a call, and tells how it is to fail if it is.
    pub(super) fn ask(&self, kind: CallKind, name: &str) -> Option<Failure> {
        let call = Call::new(kind, name);
        let mut state = self.state.lock();
        state.calls += 1;
        // Every fault counts the call, also behind one that makes it fail.
        let mut failure = None;
        for armed in &mut state.armed {
            if armed.fires(&call) {
                failure = failure.or(Some(armed.fault.failure));
            }
        }
        state.failures += u64::from(failure.is_some());
        if let Some(log) = &mut state.log {
            log.push(call);
        }
        failure
    }
}
