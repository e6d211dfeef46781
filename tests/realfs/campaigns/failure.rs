//! Why a campaign ended early.

use std::fmt;

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The queue broke a promise.
    Broken(String),
    /// The machine did not do what the campaign needs.
    Setup(String),
}

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn broken<T>(what: impl Into<String>) -> Outcome<T> {
        Err(Self::Broken(what.into()))
    }

    pub(crate) fn setup<T>(what: impl Into<String>) -> Outcome<T> {
        Err(Self::Setup(what.into()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(what) => write!(f, "BROKEN PROMISE: {what}"),
            Self::Setup(what) => write!(f, "could not run: {what}"),
        }
    }
}

/// What the queue was asked for and may not refuse here.
pub(crate) trait Must<T> {
    fn must(self, what: &str) -> Outcome<T>;
}

impl<T> Must<T> for forebay::Result<T> {
    fn must(self, what: &str) -> Outcome<T> {
        self.or_else(|error| Failure::broken(format!("{what}: {:?}: {error}", error.kind())))
    }
}

impl<T> Must<T> for std::io::Result<T> {
    fn must(self, what: &str) -> Outcome<T> {
        self.or_else(|error| Failure::setup(format!("{what}: {error}")))
    }
}
