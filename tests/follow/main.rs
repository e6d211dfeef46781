//! Followers: the same records as everybody else's, whatever the writer does meanwhile.

mod copies;
mod damage;
mod faults;
mod moments;
mod processes;
mod reclaim;
mod stage;
mod starts;
mod vacated;
