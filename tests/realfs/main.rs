//! Real file systems and a real kernel: full disks, power cuts by the shutdown ioctl, failing
//! media, SIGKILL. Anything acknowledged must be there after each, once and in order.
//!
//! A plain `cargo test` kills a few processes only and says what it did not run. The campaigns
//! mount loop devices and need root; `campaigns/arguments.rs` has the usage.

#[cfg(target_os = "linux")]
mod campaigns;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    campaigns::run()
}

/// Loop devices and the shutdown ioctl are Linux's.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}
