//! The architecture and the style, held against the sources.
//!
//! The layer table of DESIGN.md is data here: a module may name only the modules in its line.
//! Paths are read from the tokens of a file, with `use` trees expanded and with comments and
//! string literals removed, so neither grouping nor a comment hides an edge or makes one. The
//! second half of this file plants one fault of each sort and sees it found.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Which top-level modules a top-level module may name.
const LAYERS: &[(&str, &[&str])] = &[
    ("position", &[]),
    ("sync", &[]),
    ("error", &["position"]),
    ("event", &["error", "position"]),
    ("format", &["error", "position"]),
    ("storage", &["error"]),
    ("slots", &["error", "position", "format", "storage"]),
    ("segment", &["error", "position", "format", "storage"]),
    (
        "recovery",
        &[
            "error", "position", "event", "format", "storage", "slots", "segment",
        ],
    ),
    (
        "log",
        &[
            "error", "position", "event", "sync", "format", "storage", "slots", "segment",
            "recovery",
        ],
    ),
    (
        "consumer",
        &[
            "error", "position", "event", "sync", "format", "storage", "slots", "segment", "log",
        ],
    ),
    (
        "snapshot",
        &[
            "error", "position", "sync", "format", "storage", "segment", "log", "consumer",
        ],
    ),
    (
        "queue",
        &[
            "error", "position", "event", "sync", "format", "storage", "slots", "segment",
            "recovery", "log", "consumer", "snapshot",
        ],
    ),
    (
        "buffer",
        &["queue", "consumer", "error", "position", "event"],
    ),
    (
        "forward",
        &["buffer", "queue", "consumer", "error", "position", "event"],
    ),
    (
        "inspect",
        &[
            "error", "position", "event", "format", "storage", "slots", "segment", "recovery",
        ],
    ),
    (
        "rebuild",
        &[
            "error", "position", "event", "format", "storage", "slots", "segment",
        ],
    ),
    (
        "salvage",
        &[
            "error", "position", "event", "format", "storage", "slots", "segment", "rebuild",
        ],
    ),
    (
        "backup",
        &[
            "error", "position", "event", "format", "storage", "slots", "segment", "recovery",
            "inspect",
        ],
    ),
    (
        "repair",
        &[
            "error", "position", "format", "storage", "slots", "segment", "recovery",
        ],
    ),
    // Not in any program: built for fuzz targets and tests alone.
    (
        "fuzzing",
        &["position", "format", "storage", "slots", "segment"],
    ),
];

/// The only place that touches files.
const FILES_HOME: &str = "src/storage/";
/// What touches files.
const FILE_ACCESS: &[&str] = &["std::fs", "std::os::unix::fs", "fs2", "memmap2", "libc"];
/// The one file with `unsafe`.
const UNSAFE_HOME: &str = "src/storage/map.rs";
/// Modules whose answers depend on their arguments alone.
const DETERMINISTIC: &[&str] = &["format", "storage", "segment", "recovery"];
/// The files of those modules that ask the system all the same.
const DETERMINISTIC_EXCEPT: &[&str] = &["src/storage/disk.rs", "src/storage/filesystem.rs"];
const UNDETERMINED: &[&str] = &[
    "SystemTime::now",
    "Instant::now",
    "std::env",
    "env::var",
    "thread::spawn",
];
/// What changes files after an unclean end, and the only module that may ask for it.
const CONFINED: (&str, &str) = ("recovery::apply", "log");

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
/// Spelled in halves, so that this file may be looked at too.
const LEFTOVER_WORDS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];
const LEFTOVER_MACROS: &[&str] = &["dbg", "todo", "unimplemented"];
const PRINTING_MACROS: &[&str] = &["print", "println", "eprint", "eprintln"];
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "types"];

/// A source file, by its path from the crate's root with `/` between folders.
struct Source {
    path: String,
    text: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    reason: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.reason)
    }
}

#[test]
fn the_sources_keep_to_the_layers_and_the_style() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "tests", "benches", "examples", "fuzz"] {
        collect(root, &root.join(folder), &mut sources);
    }
    assert!(
        sources.iter().any(|source| source.path == "src/lib.rs"),
        "looked in the wrong place"
    );
    let findings: Vec<String> = check(&sources).iter().map(Finding::to_string).collect();
    assert!(
        findings.is_empty(),
        "{} findings\n{}",
        findings.len(),
        findings.join("\n")
    );
}

/// Adds all Rust sources below `folder`, built artefacts excepted.
fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && !path.ends_with("target") {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let below = path.strip_prefix(root).expect("below the root");
            let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
            let text = std::fs::read_to_string(&path).expect("UTF-8 sources");
            sources.push(Source {
                path: parts.join("/"),
                text,
            });
        }
    }
}

fn check(sources: &[Source]) -> Vec<Finding> {
    let confined = confined_names(sources);
    let mut findings = Vec::new();
    for source in sources {
        let file = Parsed::new(source);
        let mut note = |line: usize, reason: String| {
            findings.push(Finding {
                path: source.path.clone(),
                line,
                reason,
            });
        };
        check_names(&file, &mut note);
        check_header(&file, &mut note);
        check_leftovers(&file, &mut note);
        check_sizes(&file, &mut note);
        if file.path.starts_with("src/") {
            check_unsafe_and_printing(&file, &mut note);
            for (line, path) in file.production_paths() {
                check_edge(&file, line, path, &mut note);
                check_file_access(&file, line, path, &mut note);
                check_determinism(&file, line, path, &mut note);
                check_confinement(&file, line, path, &confined, &mut note);
            }
        }
    }
    findings
}

fn check_names(file: &Parsed<'_>, note: &mut impl FnMut(usize, String)) {
    for part in file.path.split('/') {
        let name = part.trim_end_matches(".rs");
        let versioned = name.rsplit_once("_v").is_some_and(|(_, version)| {
            !version.is_empty() && version.chars().all(|digit| digit.is_ascii_digit())
        });
        if EMPTY_NAMES.contains(&name) || versioned {
            note(1, format!("`{name}` does not say what is in it"));
        }
    }
}

fn check_header(file: &Parsed<'_>, note: &mut impl FnMut(usize, String)) {
    if !file.text.starts_with("//!") {
        note(1, "no `//!` header in the first line".to_owned());
    }
}

fn check_leftovers(file: &Parsed<'_>, note: &mut impl FnMut(usize, String)) {
    for (at, line) in file.text.lines().enumerate() {
        let words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        for word in words.filter(|word| LEFTOVER_WORDS.contains(word)) {
            note(at + 1, format!("`{word}` is left"));
        }
    }
    for (line, name) in file.macros() {
        if LEFTOVER_MACROS.contains(&name) {
            note(line, format!("`{name}!` is left"));
        }
    }
}

fn check_sizes(file: &Parsed<'_>, note: &mut impl FnMut(usize, String)) {
    let limited = file.path.starts_with("src/") && !is_test_file(file.path);
    if limited && file.production_lines > FILE_LINES_MAX {
        let lines = file.production_lines;
        note(
            lines,
            format!("{lines} production lines, at most {FILE_LINES_MAX}"),
        );
    }
    for (line, name, lines) in functions(&file.code) {
        if lines > FUNCTION_LINES_MAX {
            note(
                line,
                format!("`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}"),
            );
        }
    }
}

fn check_unsafe_and_printing(file: &Parsed<'_>, note: &mut impl FnMut(usize, String)) {
    for (line, path) in &file.paths {
        if path == "unsafe" && file.path != UNSAFE_HOME {
            note(*line, format!("`unsafe` outside {UNSAFE_HOME}"));
        }
    }
    for (line, name) in file.macros() {
        if PRINTING_MACROS.contains(&name) && !file.path.starts_with("src/bin/") {
            note(line, format!("`{name}!` in the library"));
        }
    }
}

fn check_edge(file: &Parsed<'_>, line: usize, path: &str, note: &mut impl FnMut(usize, String)) {
    let Some(module) = file.module() else { return };
    if path.starts_with("super::super::") || (file.is_module_root() && path.starts_with("super::"))
    {
        note(
            line,
            format!("`{path}` climbs to another module: write `crate::`"),
        );
    }
    let Some(named) = path
        .strip_prefix("crate::")
        .and_then(|rest| rest.split("::").next())
    else {
        return;
    };
    if named == module {
        return;
    }
    let Some((_, allowed)) = LAYERS.iter().find(|(from, _)| *from == module) else {
        note(line, format!("`{module}` has no line in the layer table"));
        return;
    };
    if !LAYERS.iter().any(|(known, _)| *known == named) {
        note(
            line,
            format!("`{path}` is not the path of its module: name that"),
        );
    } else if !allowed.contains(&named) {
        note(line, format!("`{module}` may not name `{named}`"));
    }
}

fn check_file_access(
    file: &Parsed<'_>,
    line: usize,
    path: &str,
    note: &mut impl FnMut(usize, String),
) {
    if file.path.starts_with(FILES_HOME) {
        return;
    }
    let exempt = |access: &str| file.path.starts_with("src/bin/") && access.starts_with("std::");
    for access in FILE_ACCESS
        .iter()
        .filter(|access| begins_with(path, access))
    {
        if !exempt(access) {
            note(line, format!("`{access}` outside {FILES_HOME}"));
        }
    }
}

fn check_determinism(
    file: &Parsed<'_>,
    line: usize,
    path: &str,
    note: &mut impl FnMut(usize, String),
) {
    let bound = file
        .module()
        .is_some_and(|module| DETERMINISTIC.contains(&module));
    if !bound || DETERMINISTIC_EXCEPT.contains(&file.path) {
        return;
    }
    for source in UNDETERMINED {
        if begins_with(path, source) || path.ends_with(&format!("::{source}")) {
            note(
                line,
                format!("`{path}` in a module that depends on its arguments alone"),
            );
        }
    }
}

fn check_confinement(
    file: &Parsed<'_>,
    line: usize,
    path: &str,
    confined: &[String],
    note: &mut impl FnMut(usize, String),
) {
    let (what, home) = CONFINED;
    let from = what.split("::").next();
    if file.module() == Some(home) || file.module() == from {
        return;
    }
    for name in confined.iter().filter(|name| begins_with(path, name)) {
        note(line, format!("`{name}` may be named only by `{home}`"));
    }
}

/// The paths by which the confined module and what it re-exports can be named.
fn confined_names(sources: &[Source]) -> Vec<String> {
    let (what, _) = CONFINED;
    let (parent, module) = what.split_once("::").expect("a module in a module");
    let mut names = vec![format!("crate::{what}")];
    let root = format!("src/{parent}/mod.rs");
    if let Some(source) = sources.iter().find(|source| source.path == root) {
        let inside = format!("{module}::");
        let paths = Parsed::new(source).paths;
        let exported = paths
            .iter()
            .filter_map(|(_, path)| path.strip_prefix(&inside));
        names.extend(exported.map(|item| format!("crate::{parent}::{item}")));
    }
    names
}

/// Whether `path` is `start` or goes on from it.
fn begins_with(path: &str, start: &str) -> bool {
    path.strip_prefix(start)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|folder| folder == "tests")
}

/// A source with what the checks ask of it.
struct Parsed<'a> {
    path: &'a str,
    text: &'a str,
    /// The text with comments and literals blanked; lines are where they were.
    code: String,
    /// Lines before the test module.
    production_lines: usize,
    /// Every path, and every single word, with its line.
    paths: Vec<(usize, String)>,
}

impl<'a> Parsed<'a> {
    fn new(source: &'a Source) -> Self {
        let code = blanked(&source.text);
        Self {
            path: &source.path,
            text: &source.text,
            production_lines: production_lines(&code),
            paths: paths(&code),
            code,
        }
    }

    /// The top-level module this file belongs to; none for the crate's root and the binaries.
    fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let name = below.split('/').next()?.trim_end_matches(".rs");
        (name != "lib" && name != "bin").then_some(name)
    }

    /// Whether `super` means the crate's root here.
    fn is_module_root(&self) -> bool {
        self.path.split('/').count() == 2 || self.path.split('/').nth(2) == Some("mod.rs")
    }

    fn production_paths(&self) -> impl Iterator<Item = (usize, &str)> {
        let limit = if is_test_file(self.path) {
            0
        } else {
            self.production_lines
        };
        let paths = self.paths.iter().map(|(line, path)| (*line, path.as_str()));
        paths.filter(move |(line, _)| *line <= limit)
    }

    fn macros(&self) -> impl Iterator<Item = (usize, &str)> {
        self.paths
            .iter()
            .filter_map(|(line, path)| Some((*line, path.strip_suffix('!')?)))
    }
}

/// How many lines stand before the test module.
fn production_lines(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let opens_tests = |at: &usize| {
        let attribute = lines[*at];
        let conditional = attribute.starts_with("#[cfg(") && attribute.contains("test");
        let item = lines[*at..].iter().find(|line| {
            [
                "mod ", "pub ", "pub(", "fn ", "use ", "impl", "const ", "struct ", "enum ",
            ]
            .iter()
            .any(|keyword| line.starts_with(keyword))
        });
        conditional
            && !attribute.contains("feature")
            && item.is_some_and(|item| item.starts_with("mod tests"))
    };
    (0..lines.len()).find(opens_tests).unwrap_or(lines.len())
}

/// `text` with comments, strings and characters turned into spaces.
fn blanked(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        let end = at + blank_length(&letters[at..], letters[..at].last().copied());
        if end == at {
            code.push(letters[at]);
            at += 1;
            continue;
        }
        code.extend(
            letters[at..end]
                .iter()
                .map(|letter| if *letter == '\n' { '\n' } else { ' ' }),
        );
        at = end;
    }
    code
}

/// How many letters at the front of `rest` are a comment or a literal.
fn blank_length(rest: &[char], before: Option<char>) -> usize {
    let in_word = before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    match rest {
        ['/', '/', ..] => rest.iter().take_while(|letter| **letter != '\n').count(),
        ['/', '*', ..] => block_comment_length(rest),
        ['"', ..] => string_length(rest, 0),
        ['b' | 'c', '"', ..] if !in_word => string_length(rest, 1),
        ['r', '"' | '#', ..] if !in_word => raw_string_length(rest, 1),
        ['b' | 'c', 'r', '"' | '#', ..] if !in_word => raw_string_length(rest, 2),
        ['\'', '\\', _, ..] => {
            let closing = rest.iter().skip(3).position(|letter| *letter == '\'');
            closing.map_or(rest.len(), |at| at + 4)
        }
        ['\'', _, '\'', ..] => 3,
        _ => 0,
    }
}

fn block_comment_length(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => {
                depth += 1;
                at += 2;
            }
            ['*', '/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn string_length(rest: &[char], prefix: usize) -> usize {
    let mut at = prefix + 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string_length(rest: &[char], prefix: usize) -> usize {
    let hashes = rest[prefix..]
        .iter()
        .take_while(|letter| **letter == '#')
        .count();
    let start = prefix + hashes;
    if rest.get(start) != Some(&'"') {
        return 0;
    }
    let mut closing = vec!['"'];
    closing.extend(std::iter::repeat_n('#', hashes));
    let body = &rest[start + 1..];
    let found = body
        .windows(closing.len())
        .position(|letters| letters == closing);
    found.map_or(rest.len(), |at| start + 1 + at + closing.len())
}

/// Every path in `code`, groups expanded, with its line; macros keep their exclamation mark.
fn paths(code: &str) -> Vec<(usize, String)> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = if is_word(&tokens[at].1) {
            read_path(&tokens, at, "", &mut found)
        } else {
            at + 1
        };
    }
    found
}

/// Reads the path at `at`, which continues `prefix`; returns where it ends.
fn read_path(
    tokens: &[(usize, String)],
    mut at: usize,
    prefix: &str,
    found: &mut Vec<(usize, String)>,
) -> usize {
    let mut path = prefix.to_owned();
    let token = |at: usize| tokens.get(at).map_or("", |(_, token)| token.as_str());
    let line = tokens.get(at).map_or(0, |(line, _)| *line);
    loop {
        path.push_str(token(at));
        at += 1;
        if token(at) != "::" {
            break;
        }
        if token(at + 1) == "{" {
            path.push_str("::");
            return read_group(tokens, at + 2, &path, found);
        }
        if !is_word(token(at + 1)) {
            break;
        }
        path.push_str("::");
        at += 1;
    }
    if token(at) == "!" && token(at + 1) != "=" {
        path = format!("{}!", path.rsplit("::").next().unwrap_or_default());
    }
    found.push((line, path));
    at
}

/// Reads what follows the opening brace of a `use` group; returns where it ends.
fn read_group(
    tokens: &[(usize, String)],
    mut at: usize,
    prefix: &str,
    found: &mut Vec<(usize, String)>,
) -> usize {
    while let Some((line, token)) = tokens.get(at) {
        match token.as_str() {
            "}" => return at + 1,
            "{" => at = read_group(tokens, at + 1, prefix, found),
            "*" => {
                found.push((*line, prefix.trim_end_matches("::").to_owned()));
                at += 1;
            }
            // The new name of `a as b` is not part of any path.
            "as" => at += 2,
            "self" if tokens.get(at + 1).is_none_or(|(_, next)| next != "::") => {
                found.push((*line, prefix.trim_end_matches("::").to_owned()));
                at += 1;
            }
            word if is_word(word) => at = read_path(tokens, at, prefix, found),
            _ => at += 1,
        }
    }
    at
}

fn is_word(token: &str) -> bool {
    token.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
}

/// Words, `::`, and single other letters, each with its line.
fn tokens(code: &str) -> Vec<(usize, String)> {
    let mut tokens = Vec::new();
    for (at, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
            let length = match word.unwrap_or(rest.len()) {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                length => length,
            };
            let (token, after) = rest.split_at(length);
            tokens.push((at + 1, token.to_owned()));
            rest = after.trim_start();
        }
    }
    tokens
}

/// Every function with a body: its line, its name, its lines from the signature to the last brace.
fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let [(line, keyword), (_, name)] = pair else {
            continue;
        };
        if keyword != "fn" || !is_word(name) {
            continue;
        }
        if let Some(end) = body_end(&tokens[at..]) {
            found.push((*line, name.clone(), end - line + 1));
        }
    }
    found
}

/// The line of the brace that closes the body of the function at the front of `tokens`.
fn body_end(tokens: &[(usize, String)]) -> Option<usize> {
    let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
    for (line, token) in tokens {
        let opener = match token.as_str() {
            ")" => "(",
            "]" => "[",
            "}" => "{",
            other => other,
        };
        match token.as_str() {
            "(" | "[" | "{" => *depths.entry(opener).or_default() += 1,
            ")" | "]" | "}" => {
                let depth = depths.entry(opener).or_default();
                *depth = depth.saturating_sub(1);
                if opener == "{" && depths.values().all(|depth| *depth == 0) {
                    return Some(*line);
                }
            }
            ";" if depths.values().all(|depth| *depth == 0) => return None,
            _ => {}
        }
    }
    None
}

// The checker itself, on planted sources.

fn planted(path: &str, body: &str) -> Vec<String> {
    let text = format!("//! A planted file.\n{body}");
    let sources = [
        Source {
            path: path.to_owned(),
            text,
        },
        Source {
            path: "src/recovery/mod.rs".to_owned(),
            text: "//! Shelf.\nmod apply;\npub(crate) use apply::{carry_out, create};\n".to_owned(),
        },
    ];
    check(&sources).iter().map(Finding::to_string).collect()
}

fn assert_found(path: &str, body: &str, expected: &str) {
    let findings = planted(path, body);
    assert_eq!(findings, [format!("{path}:{expected}")], "planted: {body}");
}

#[track_caller]
fn assert_clean(path: &str, body: &str) {
    assert_eq!(planted(path, body), [""; 0], "planted: {body}");
}

#[test]
fn an_allowed_edge_is_clean() {
    assert_clean(
        "src/segment/scan.rs",
        "use crate::format::{Defect, Footer};\n",
    );
    assert_clean(
        "src/log/mod.rs",
        "use crate::recovery::{carry_out, survey};\n",
    );
    assert_clean("src/lib.rs", "pub use crate::queue::Queue;\n");
    assert_clean(
        "src/queue/open.rs",
        "use super::Queue;\nuse crate::queue::Stats;\n",
    );
}

#[test]
fn a_forbidden_edge_is_found_however_it_is_written() {
    let reason = "`format` may not name `storage`";
    let path = "src/format/frame.rs";
    assert_found(path, "use crate::storage::File;\n", &format!("2: {reason}"));
    assert_found(
        path,
        "use crate::{\n    position::Offset,\n    storage::File,\n};\n",
        &format!("4: {reason}"),
    );
    assert_found(
        path,
        "use crate::{error::{Error, Result}, storage as files};\n",
        &format!("2: {reason}"),
    );
    assert_found(
        path,
        "fn f() {\n    crate::storage::open();\n}\n",
        &format!("3: {reason}"),
    );
    assert_found(
        path,
        "use super::super::storage::File;\n",
        "2: `super::super::storage::File` climbs to another module: write `crate::`",
    );
    assert_found(
        "src/format/mod.rs",
        "use super::storage::File;\n",
        "2: `super::storage::File` climbs to another module: write `crate::`",
    );
    assert_found(
        path,
        "use crate::Queue;\n",
        "2: `crate::Queue` is not the path of its module: name that",
    );
    assert_found(
        "src/novel.rs",
        "use crate::error::Error;\n",
        "2: `novel` has no line in the layer table",
    );
    assert_found(
        "src/inspect/verify.rs",
        "use crate::log::Log;\n",
        "2: `inspect` may not name `log`",
    );
}

#[test]
fn comments_strings_and_tests_make_no_edge() {
    let path = "src/format/frame.rs";
    assert_clean(
        path,
        "// crate::storage::File\n/* crate::log */\n/// [`crate::log::Log`]\n",
    );
    assert_clean(path, "const A: &str = \"crate::log \\\" crate::log\";\n");
    assert_clean(
        path,
        "const A: &str = r#\"crate::log \" std::fs\"#;\nconst B: char = '\"';\n",
    );
    assert_clean(
        path,
        "fn f<'a>(a: &'a str) {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n",
    );
    assert_clean(
        "src/format/tests.rs",
        "use crate::storage::File;\nuse std::fs;\n",
    );
    let hidden = "#[cfg(test)]\nfn only_here() {}\nuse crate::log::Log;\n";
    assert_found(path, hidden, "4: `format` may not name `log`");
}

#[test]
fn recovery_apply_is_for_the_log_alone() {
    let path = "src/inspect/mod.rs";
    assert_clean(path, "use crate::recovery::{plan, survey};\n");
    assert_found(
        path,
        "use crate::recovery::{carry_out, survey};\n",
        "2: `crate::recovery::carry_out` may be named only by `log`",
    );
    assert_found(
        path,
        "use crate::recovery::apply::anything;\n",
        "2: `crate::recovery::apply` may be named only by `log`",
    );
    assert_found(
        "src/queue/open.rs",
        "fn f() {\n    crate::recovery::create();\n}\n",
        "3: `crate::recovery::create` may be named only by `log`",
    );
}

#[test]
fn file_access_outside_storage_is_found() {
    assert_clean(
        "src/storage/disk.rs",
        "use std::fs;\nuse fs2::FileExt as _;\n",
    );
    assert_clean("src/bin/forebay/main.rs", "use std::fs;\n");
    assert_found(
        "src/bin/forebay/main.rs",
        "use memmap2::Mmap;\n",
        "2: `memmap2` outside src/storage/",
    );
    assert_found(
        "src/log/mod.rs",
        "use std::{fs, io};\n",
        "2: `std::fs` outside src/storage/",
    );
    assert_found(
        "src/log/mod.rs",
        "use std::{\n    io,\n    fs::{self as files},\n};\n",
        "4: `std::fs` outside src/storage/",
    );
    assert_found(
        "src/log/mod.rs",
        "fn f() {\n    libc::fsync(1);\n}\n",
        "3: `libc` outside src/storage/",
    );
    assert_found(
        "src/queue/mod.rs",
        "use fs2::FileExt;\n",
        "2: `fs2` outside src/storage/",
    );
}

#[test]
fn unsafe_outside_its_file_is_found() {
    let body = "fn f() {\n    unsafe { g() }\n}\n";
    assert_clean("src/storage/map.rs", body);
    assert_clean("src/log/mod.rs", "// unsafe\nconst A: &str = \"unsafe\";\n");
    assert_found(
        "src/storage/disk.rs",
        body,
        "3: `unsafe` outside src/storage/map.rs",
    );
}

#[test]
fn clocks_and_the_environment_are_found_where_answers_depend_on_arguments() {
    let reason = "in a module that depends on its arguments alone";
    let clock = "fn f() {\n    std::time::SystemTime::now();\n}\n";
    assert_clean("src/log/mod.rs", clock);
    assert_clean("src/storage/disk.rs", clock);
    assert_found(
        "src/storage/mod.rs",
        clock,
        &format!("3: `std::time::SystemTime::now` {reason}"),
    );
    assert_found(
        "src/recovery/plan.rs",
        "fn f() {\n    Instant::now();\n}\n",
        &format!("3: `Instant::now` {reason}"),
    );
    assert_found(
        "src/segment/scan.rs",
        "use std::env;\n",
        &format!("2: `std::env` {reason}"),
    );
    assert_found(
        "src/format/mod.rs",
        "fn f() {\n    std::thread::spawn(g);\n}\n",
        &format!("3: `std::thread::spawn` {reason}"),
    );
}

#[test]
fn long_files_and_long_functions_are_found() {
    let lines = "const A: u8 = 0;\n".repeat(FILE_LINES_MAX);
    let at = FILE_LINES_MAX + 1;
    let reason = format!("{at}: {at} production lines, at most {FILE_LINES_MAX}");
    assert_found("src/log/mod.rs", &lines, &reason);
    assert_clean("src/log/tests.rs", &lines);
    assert_clean("tests/it/crash.rs", &lines);
    assert_clean(
        "src/log/mod.rs",
        &format!("#[cfg(test)]\nmod tests {{\n{lines}}}\n"),
    );

    let function = |lines: usize| {
        let body = "    g([0; 4], \"}\"); // }\n".repeat(lines - 2);
        format!("fn before();\nfn long(a: [u8; 4]) -> u8 {{\n{body}}}\n")
    };
    assert_clean("src/log/mod.rs", &function(FUNCTION_LINES_MAX));
    let lines = FUNCTION_LINES_MAX + 1;
    let reason = format!("3: `long` has {lines} lines, at most {FUNCTION_LINES_MAX}");
    assert_found("src/log/mod.rs", &function(lines), &reason);
    assert_found("tests/kill.rs", &function(lines), &reason);
}

#[test]
fn a_file_without_a_header_is_found() {
    let source = Source {
        path: "src/log/mod.rs".to_owned(),
        text: "use std::io;\n".to_owned(),
    };
    let findings = check(&[source]);
    let texts: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert_eq!(
        texts,
        ["src/log/mod.rs:1: no `//!` header in the first line"]
    );
}

#[test]
fn leftovers_and_printing_are_found() {
    for word in LEFTOVER_WORDS {
        assert_found(
            "src/log/mod.rs",
            &format!("// {word}: later\n"),
            &format!("2: `{word}` is left"),
        );
        assert_found(
            "benches/sync.rs",
            &format!("// {word}\n"),
            &format!("2: `{word}` is left"),
        );
        assert_clean("src/log/mod.rs", &format!("// {word}S\n"));
    }
    for name in LEFTOVER_MACROS {
        let body = format!("fn f() {{\n    {name}!(1);\n}}\n");
        assert_found("tests/it/main.rs", &body, &format!("3: `{name}!` is left"));
    }
    for name in PRINTING_MACROS {
        let body = format!("fn f() {{\n    std::{name}!(\"a\");\n}}\n");
        assert_found(
            "src/log/mod.rs",
            &body,
            &format!("3: `{name}!` in the library"),
        );
        assert_clean("src/bin/forebay/main.rs", &body);
        assert_clean("examples/demo.rs", &body);
    }
    assert_clean(
        "src/log/mod.rs",
        "fn f(todo: bool) -> bool {\n    todo != true\n}\n",
    );
}

#[test]
fn names_that_say_nothing_are_found() {
    for name in EMPTY_NAMES {
        let reason = format!("1: `{name}` does not say what is in it");
        assert_found(&format!("src/log/{name}.rs"), "", &reason);
        assert_found(&format!("tests/{name}/mod.rs"), "", &reason);
    }
    assert_found(
        "src/log/append_v2.rs",
        "",
        "1: `append_v2` does not say what is in it",
    );
    assert_clean("src/log/survey.rs", "");
}

#[test]
fn the_layer_table_has_no_cycle() {
    // A module is settled once all it may name is settled; a cycle never settles.
    let mut settled: Vec<&str> = Vec::new();
    for _ in LAYERS {
        for (module, names) in LAYERS {
            if !settled.contains(module) && names.iter().all(|name| settled.contains(name)) {
                settled.push(module);
            }
        }
    }
    assert_eq!(settled.len(), LAYERS.len(), "settled: {settled:?}");
}
