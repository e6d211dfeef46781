//! The cases that shaped the rules, each as a test named after its claim.

mod damage_cases;
mod delivery;
mod opening;
mod ownership;
mod payloads;
mod reclaiming;
mod statements;
