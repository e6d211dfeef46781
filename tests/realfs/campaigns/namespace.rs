//! A mount namespace of its own: however the process ends, nothing stays mounted.

use std::process::{Command, ExitCode};

use super::command::{find, run};
use super::failure::{Failure, Outcome};

/// The first argument of the process that is inside.
pub(crate) const INSIDE: &str = "--inside";

/// Why loop devices with the file systems of `tools` cannot be mounted here.
pub(crate) fn check(tools: &[&str]) -> Outcome {
    if run("id", &["-u"])? != "0" {
        return Failure::setup("only root may mount");
    }
    for tool in ["unshare", "losetup", "mount", "umount"]
        .iter()
        .chain(tools)
    {
        find(tool)?;
    }
    run("unshare", &["--mount", "true"])?;
    run("losetup", &["--find"])?;
    Ok(())
}

/// Runs this program again, inside.
pub(crate) fn enter(arguments: &[String]) -> Outcome<ExitCode> {
    let own = std::env::current_exe().or_else(|error| Failure::setup(error.to_string()))?;
    let status = Command::new(find("unshare")?)
        .args(["--mount", "--propagation", "private"])
        .arg(own)
        .arg(INSIDE)
        .args(arguments)
        .status();
    let status = status.or_else(|error| Failure::setup(format!("unshare: {error}")))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}
