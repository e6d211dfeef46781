//! One planted bug, and whether the table still fits the sources.

use std::collections::BTreeSet;

use crate::{choice, source};

/// A deliberate bug.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bug {
    /// What the bug is, in kebab case.
    pub(crate) name: &'static str,
    /// What it breaks: a rule (A) or failure (B) of docs/TRUST.md, a case or an invariant of DESIGN.md.
    pub(crate) breaks: &'static str,
    /// The file below `src`.
    pub(crate) file: &'static str,
    /// The line that opens the only function, method or table in which `find` is looked for.
    pub(crate) within: &'static str,
    /// A whole expression, or whole statements; there once. White space does not matter.
    pub(crate) find: &'static str,
    /// What stands there with the bug.
    pub(crate) replace: &'static str,
    /// The test that notices: its binary (`lib` for the unit tests) and its path.
    pub(crate) killer: &'static str,
}

/// What does not fit.
pub(crate) fn check(bugs: &[Bug]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut names = BTreeSet::new();
    for bug in bugs {
        let name = bug.name;
        let in_case = |letter: char| letter.is_ascii_lowercase() || letter == '-';
        if !name.chars().all(in_case) || !names.insert(name) {
            findings.push(format!("{name}: not in kebab case, or there twice"));
        }
        if !source::has_test(bug.killer) {
            findings.push(format!("{name}: there is no test {}", bug.killer));
        }
    }
    for file in files(bugs) {
        let text = source::read(file);
        let own = of_file(bugs, file);
        let alone = own.iter().map(std::slice::from_ref);
        let unfit: Vec<_> = alone
            .filter_map(|bug| choice::rewrite(&text, bug).err())
            .collect();
        // Each may fit alone and yet two of them overlap.
        let overlap = choice::rewrite(&text, &own).err();
        let overlap = overlap.filter(|_| unfit.is_empty());
        let said = unfit.into_iter().chain(overlap);
        findings.extend(said.map(|why| format!("{file}: {why}")));
    }
    findings
}

/// The files in which bugs are planted.
pub(crate) fn files(bugs: &[Bug]) -> BTreeSet<&'static str> {
    bugs.iter().map(|bug| bug.file).collect()
}

/// The bugs of one file.
pub(crate) fn of_file(bugs: &[Bug], file: &str) -> Vec<Bug> {
    let mut own = bugs.to_vec();
    own.retain(|bug| bug.file == file);
    own
}
