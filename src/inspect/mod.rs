//! Looking without touching: takes no lock, repairs nothing, cuts nothing.
