//! The copy of the crate in which every bug can be chosen, and its test binaries.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::trial::Outcome;
use crate::{bugs, choice, source, table};

/// A test that has not ended by then hangs.
const TEST_TIME: Duration = Duration::from_mins(2);
/// The same for a whole binary.
const SUITE_TIME: Duration = Duration::from_mins(20);
/// The test binaries that may notice a bug, besides the unit tests.
const BINARIES: [&str; 11] = [
    "backup",
    "it",
    "it_crash",
    "kill",
    "inspect",
    "follow",
    "deliver",
    "publisher",
    "jetstream",
    "webhook",
    "rebuild",
];
/// What those need.
const FEATURES: &str = "tokio,metrics,tracing,nats,http";

/// The built copy.
#[derive(Debug)]
pub(crate) struct Workshop {
    tree: PathBuf,
    /// Test binaries by name; `lib` has the unit tests.
    binaries: BTreeMap<String, PathBuf>,
}

impl Workshop {
    /// Copies the crate with its choices and builds the tests.
    pub(crate) fn build() -> Result<Self, String> {
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let tree = scratch.join("planted");
        copy(&tree)?;
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(&tree)
            .args(["test", "--no-run", "--lib", "--features", FEATURES]);
        for binary in BINARIES {
            cargo.args(["--test", binary]);
        }
        // A place of its own: cargo tells packages apart by their path from their own root, and
        // would take what is built here for the crate itself.
        cargo.env("CARGO_TARGET_DIR", scratch.join("planted-target"));
        let built = cargo.output().map_err(|why| format!("cargo: {why}"))?;
        let told = String::from_utf8_lossy(&built.stderr);
        if !built.status.success() {
            return Err(format!("the planted copy does not build:\n{told}"));
        }
        let binaries = told.lines().filter_map(|line| executable(&tree, line));
        Ok(Self {
            binaries: binaries.collect(),
            tree,
        })
    }

    /// Runs one test with the bug `planted`.
    pub(crate) fn try_test(&self, test: &str, planted: Option<&str>) -> Outcome {
        let (binary, path) = test.split_once(' ').unwrap_or(("lib", test));
        let Some(program) = self.binaries.get(binary) else {
            return Outcome::Unknown(format!("there is no test binary {binary}"));
        };
        let mut command = Command::new(program);
        command.args([path, "--exact", "--test-threads=1"]);
        let (output, in_time) = self.output(command, planted, TEST_TIME);
        Outcome::of_test(&output, in_time)
    }

    /// The tests that notice the bug `planted`.
    pub(crate) fn try_suite(&self, planted: &str) -> Vec<String> {
        let mut noticed = Vec::new();
        for (binary, program) in &self.binaries {
            let command = Command::new(program);
            let (output, in_time) = self.output(command, Some(planted), SUITE_TIME);
            let failed = output.lines().filter_map(|line| {
                let (test, how) = line.strip_prefix("test ")?.split_once(" ... ")?;
                (how == "FAILED").then(|| format!("{binary} {test}"))
            });
            noticed.extend(failed);
            if !output.contains("test result:") {
                let how = if in_time { "died" } else { "hung" };
                noticed.push(format!("{binary} as a whole: {how}"));
            }
        }
        noticed
    }

    /// What `command` prints, and whether it ended in time.
    fn output(
        &self,
        mut command: Command,
        planted: Option<&str>,
        limit: Duration,
    ) -> (String, bool) {
        let said = self.tree.join(format!(
            "{}.said",
            planted.unwrap_or("nothing").to_owned() + &format!("{:?}", std::thread::current().id())
        ));
        let Ok(file) = fs::File::create(&said) else {
            return (String::new(), true);
        };
        let both = file.try_clone().map_or_else(|_| Stdio::null(), Stdio::from);
        command
            .current_dir(&self.tree)
            .env("FOREBAY_PLANTED", planted.unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(both);
        let in_time = command.spawn().is_ok_and(|mut child| {
            let until = Instant::now() + limit;
            while Instant::now() < until {
                if !matches!(child.try_wait(), Ok(None)) {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            child.kill().ok();
            child.wait().ok();
            false
        });
        let text = fs::read(&said).unwrap_or_default();
        fs::remove_file(&said).ok();
        (String::from_utf8_lossy(&text).into_owned(), in_time)
    }
}

/// The name and the path in a line by which cargo tells of a test binary.
fn executable(tree: &Path, line: &str) -> Option<(String, PathBuf)> {
    let told = line.trim().strip_prefix("Executable ")?;
    let (source, path) = told.strip_suffix(')')?.split_once(" (")?;
    let name = match source.strip_prefix("tests/") {
        Some(test) => test.split(&['/', '.']).next()?,
        None => "lib",
    };
    Some((name.to_owned(), tree.join(path)))
}

/// Brings the copy up to date; a file that is as it should be is not touched.
fn copy(tree: &Path) -> Result<(), String> {
    let bugs = bugs::all();
    let files = source::files();
    for gone in source::files_below(tree) {
        if !files.contains(&gone) {
            fs::remove_file(tree.join(&gone))
                .map_err(|why| format!("{}: {why}", gone.display()))?;
        }
    }
    for file in files {
        let from = source::root().join(&file);
        let mut bytes = fs::read(&from).map_err(|why| format!("{}: {why}", from.display()))?;
        if let Ok(inside) = file.strip_prefix("src") {
            let own = table::of_file(&bugs, &inside.to_string_lossy());
            let text = String::from_utf8_lossy(&bytes);
            let mut text = choice::rewrite(&text, &own)?;
            if inside == Path::new("lib.rs") {
                text.insert_str(0, "#![allow(warnings)]\n");
                text.push_str(choice::SWITCH);
            }
            bytes = text.into_bytes();
        }
        let to = tree.join(&file);
        if fs::read(&to).is_ok_and(|known| known == bytes) {
            continue;
        }
        let folder = to.parent().unwrap_or(tree);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&to, &bytes))
            .map_err(|why| format!("{}: {why}", to.display()))?;
    }
    Ok(())
}
