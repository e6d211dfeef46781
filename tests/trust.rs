//! docs/TRUST.md and DESIGN.md, held against the tests that they name.
//!
//! A word of at least four parts in backticks is the name of a test and has to be one. Every rule
//! and every failure has its row, and every invariant is cited where it is claimed.

use std::collections::BTreeMap;
use std::path::Path;

/// The tests of the crate by name, each with the comment above it.
type Tests = BTreeMap<String, String>;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).expect("the file is there")
}

fn all_tests() -> Tests {
    let mut tests = Tests::new();
    let mut folders = vec!["src".into(), "tests".into()];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    while let Some(folder) = folders.pop() {
        let folder: std::path::PathBuf = folder;
        for entry in std::fs::read_dir(root.join(&folder)).expect("a folder of sources") {
            let entry = entry.expect("it can be listed");
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(entry.path()).expect("a source");
                add_tests(&text, &mut tests);
            }
        }
    }
    tests
}

/// Adds the functions of `text` that are tests.
fn add_tests(text: &str, tests: &mut Tests) {
    let mut comment = String::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            comment.push_str(words);
            continue;
        }
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            continue;
        }
        // Models are made by a macro, which is given the name first.
        let is_claim = line.starts_with("claim!(");
        let signature = line.strip_prefix("async ").unwrap_or(line);
        let rest = line
            .strip_prefix("claim!(")
            .or(signature.strip_prefix("fn "));
        let name = rest.unwrap_or(line).split(['(', '<', ',']).next();
        if let Some(name) = name.filter(|name| (is_test || is_claim) && !name.is_empty()) {
            tests.insert(name.to_owned(), comment.clone());
        }
        comment.clear();
        is_test = is_claim;
    }
}

/// The words in backticks that name a test.
fn names_in(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_word = |word: &&str| {
        word.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && word.split('_').count() >= 4
    };
    quoted.filter(is_word).collect()
}

/// What is wrong with the names in `document`.
fn unknown_names(document: &str, tests: &Tests) -> Vec<String> {
    let names = document.lines().flat_map(names_in);
    names
        .filter(|name| !tests.contains_key(*name))
        .map(str::to_owned)
        .collect()
}

/// The rows of the tables in `document` whose first cell is one of `keys`, with the last cell.
fn rows<'a>(document: &'a str, keys: &[String]) -> Vec<(&'a str, &'a str)> {
    let cells = document.lines().filter_map(|line| {
        let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let (first, rest) = line.split_once(" | ")?;
        Some((first, rest.rsplit(" | ").next().unwrap_or(rest)))
    });
    cells
        .filter(|(first, _)| keys.iter().any(|key| key == first))
        .collect()
}

/// The keys without exactly one row that names a test or gives a reason.
fn unclaimed(document: &str, keys: &[String]) -> Vec<String> {
    let rows = rows(document, keys);
    let is_claimed = |key: &&String| {
        let mut own = rows.iter().filter(|(first, _)| first == key);
        let claim = own.next().map_or("", |(_, last)| *last);
        let is_reason = claim.split_whitespace().count() >= 8;
        own.next().is_none() && (is_reason || !names_in(claim).is_empty())
    };
    let lacking = keys.iter().filter(|key| !is_claimed(key));
    lacking.cloned().collect()
}

fn rule_keys() -> Vec<String> {
    let rules = (1..=51).map(|number| format!("A{number}"));
    let failures = (1..=61).map(|number| format!("B{number}"));
    let more = ["A30b", "A30c"].map(str::to_owned);
    rules.chain(failures).chain(more).collect()
}

#[test]
fn every_test_that_the_documents_name_exists() {
    let tests = all_tests();
    assert!(tests.len() > 200, "looked in the wrong place");
    for document in ["docs/TRUST.md", "DESIGN.md"] {
        let unknown = unknown_names(&read(document), &tests);
        assert!(unknown.is_empty(), "{document} names {unknown:#?}");
    }
}

#[test]
fn every_rule_and_every_failure_has_a_test_or_a_reason() {
    let lacking = unclaimed(&read("docs/TRUST.md"), &rule_keys());
    assert!(lacking.is_empty(), "nothing claims {lacking:?}");
}

#[test]
fn every_invariant_is_cited_by_the_tests_that_claim_it() {
    let design = read("DESIGN.md");
    let keys: Vec<String> = (1..=15).map(|number| format!("I{number}")).collect();
    assert_eq!(unclaimed(&design, &keys), Vec::<String>::new());
    let tests = all_tests();
    for (key, claim) in rows(&design, &keys) {
        for name in names_in(claim) {
            let comment = tests.get(name).map_or("", String::as_str);
            let is_cited = comment.contains(&format!(" {key}:"));
            assert!(is_cited, "{name} does not say that it claims {key}");
        }
    }
}

#[test]
fn a_name_a_row_or_a_claim_that_is_missing_is_found() {
    let mut tests = Tests::new();
    let source = "/// I1: said.\n#[test]\nfn a_test_of_this_kind() {\nfn not_a_test_at_all() {\n";
    add_tests(source, &mut tests);
    assert_eq!(tests.keys().collect::<Vec<_>>(), ["a_test_of_this_kind"]);
    assert_eq!(tests["a_test_of_this_kind"], " I1: said.");
    let source = "#[tokio::test(start_paused = true)]\nasync fn a_test_that_awaits_something() {\n";
    add_tests(source, &mut tests);
    assert!(tests.remove("a_test_that_awaits_something").is_some());
    let text = "`a_test_of_this_kind` and `max_bytes` but `not_a_test_at_all`";
    assert_eq!(unknown_names(text, &tests), ["not_a_test_at_all"]);
    let keys = ["A1", "A2", "A3", "A4"].map(str::to_owned);
    let table = "| A1 | x | `a_test_of_this_kind` |\n| A2 | x | none |\n\
                 | A3 | x | `a_test_of_this_kind` |\n| A3 | x | `a_test_of_this_kind` |\n";
    assert_eq!(unclaimed(table, &keys), ["A2", "A3", "A4"]);
}
