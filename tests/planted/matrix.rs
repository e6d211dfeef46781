//! The matrix: planted bug, what it breaks, which test noticed, and how.

use std::fmt::Write;

use crate::table::Bug;
use crate::trial::Outcome;

/// Letters of what a test said that fit in the table.
const SAID_MAX: usize = 90;

/// All bugs with their outcomes, as a Markdown table.
pub(crate) fn render(bugs: &[&Bug], outcomes: &[Outcome]) -> String {
    let mut out = String::from(
        "| planted bug | breaks | in | killed by | how |\n| --- | --- | --- | --- | --- |\n",
    );
    for (bug, outcome) in bugs.iter().zip(outcomes) {
        let killer = if outcome.is_kill() {
            format!("`{}`", short(bug.killer))
        } else {
            format!("**SURVIVES** `{}`", short(bug.killer))
        };
        let said: String = outcome.to_string().chars().take(SAID_MAX).collect();
        let said = said.replace('|', "/").replace('`', "'");
        let Bug {
            name, breaks, file, ..
        } = bug;
        let _infallible = writeln!(
            out,
            "| {name} | {breaks} | `{file}` | {killer} | {} |",
            said.trim()
        );
    }
    out
}

/// The tests that notice one bug.
pub(crate) fn render_suite(bug: &Bug, noticed: &[String]) -> String {
    let mut out = format!("{}: {} tests notice", bug.name, noticed.len());
    for test in noticed {
        out.push_str("\n    ");
        out.push_str(test);
    }
    out
}

/// The name of a test without its modules.
fn short(killer: &str) -> &str {
    killer.rsplit("::").next().unwrap_or(killer)
}
