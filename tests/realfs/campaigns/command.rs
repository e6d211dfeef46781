//! Runs the system's tools.

use std::path::PathBuf;
use std::process::Command;

use super::failure::{Failure, Outcome};

/// Runs `tool`, and returns what it printed.
pub(crate) fn run(tool: &str, arguments: &[&str]) -> Outcome<String> {
    let told = format!("{tool} {}", arguments.join(" "));
    let output = Command::new(find(tool)?)
        .args(arguments)
        .output()
        .or_else(|error| Failure::setup(format!("{told}: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Failure::setup(format!("{told}: {}: {}", output.status, said.trim()))
}

/// Where `tool` is: also in the folders that are only on root's path.
pub(crate) fn find(tool: &str) -> Outcome<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    match folders
        .map(|folder| folder.join(tool))
        .find(|tool| tool.is_file())
    {
        Some(tool) => Ok(tool),
        None => Failure::setup(format!("there is no {tool}")),
    }
}
