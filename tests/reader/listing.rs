//! What the second decoder printed, as data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One line: a word and its named values.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    text: String,
    pub(crate) word: String,
    fields: BTreeMap<String, String>,
}

impl Line {
    fn parse(text: &str) -> Self {
        let mut parts = text.split(' ');
        let word = parts.next().unwrap_or_default().to_owned();
        let fields = parts.map(|part| part.split_once('=').expect("name=value"));
        Self {
            text: text.to_owned(),
            word,
            fields: fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        let value = self.fields.get(name);
        value.unwrap_or_else(|| panic!("no `{name}` in {self:?}"))
    }

    /// The number of this name; `None` where the reader had nothing to say.
    pub(crate) fn find(&self, name: &str) -> Option<u64> {
        let value = self.text(name);
        (value != "-").then(|| value.parse().expect("a number"))
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.find(name)
            .unwrap_or_else(|| panic!("`{name}` is empty in {self:?}"))
    }
}

/// Everything that was printed about one folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    pub(crate) lines: Vec<Line>,
}

impl Listing {
    pub(crate) fn all<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a Line> {
        self.lines.iter().filter(move |line| line.word == word)
    }

    /// What matters of it, to be read in a failure.
    pub(crate) fn summary(&self) -> String {
        let long = [
            "queue",
            "start",
            "record",
            "padding",
            "footer",
            "cursor-slot",
        ];
        let told = self
            .lines
            .iter()
            .filter(|line| !long.contains(&line.word.as_str()));
        told.flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }

    /// The listing with the last number of this name one higher.
    pub(crate) fn with_one_more(&self, word: &str, name: &str) -> Self {
        let mut changed = self.clone();
        let mut lines = changed.lines.iter_mut().rev();
        let has_it = |line: &Line| line.word == word && line.find(name).is_some();
        let line = lines.find(|line| has_it(line)).expect("such a line");
        let more = (line.number(name) + 1).to_string();
        line.fields.insert(name.to_owned(), more);
        changed
    }

    /// How much is wrong.
    pub(crate) fn findings(&self) -> usize {
        self.all("finding").count() + self.all("damaged").count()
    }

    pub(crate) fn one<'a>(&'a self, word: &'a str) -> &'a Line {
        let mut found = self.all(word);
        let first = found.next().unwrap_or_else(|| panic!("no line `{word}`"));
        assert!(found.next().is_none(), "two lines `{word}`");
        first
    }
}

/// Whether there is an interpreter; says so where there is none.
pub(crate) fn can_run() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok();
    if !found {
        tell("SKIPPED: there is no python3, so the second decoder of the format was NOT run");
    }
    found
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn tell(text: &str) {
    eprintln!("{text}");
}

/// Runs the reader once over all `folders`; its exit code and a listing for each.
pub(crate) fn read(folders: &[PathBuf]) -> (i32, Vec<Listing>) {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reader");
    let output = Command::new("python3")
        // The sources' folder stays as it is.
        .arg("-B")
        .arg(home.join("read_queue.py"))
        .args(folders)
        .output()
        .expect("python3 runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors, "", "the reader complains");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut listings = Vec::new();
    if folders.len() == 1 {
        listings.push(Listing::default());
    }
    for line in text.lines().map(Line::parse) {
        if line.word == "folder" {
            listings.push(Listing::default());
        } else {
            listings
                .last_mut()
                .expect("a folder first")
                .lines
                .push(line);
        }
    }
    assert_eq!(listings.len(), folders.len(), "a listing for each folder");
    (output.status.code().expect("an exit code"), listings)
}
