//! A cell is one peer doing the work of one class, in a process of its own: no peer meets the
//! threads, the memory or the crash of another.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::figures::Figures;
use crate::peer::Entry;
use crate::work::{self, Load};

/// What begins the line that a child prints; peers print, too.
const FIGURES: &str = "forebay-compare figures ";
/// How long a cell may take, the filling included.
const PATIENCE: Duration = Duration::from_secs(600);

/// Does the work here and prints the figures. The child's part.
pub fn run_here(entry: &Entry, folder: &Path, load: &Load) -> crate::peer::Result<()> {
    tell(&work::run(entry, folder, load)?)
}

/// Prints what a child has measured, for its parent.
pub fn tell(figures: &impl Serialize) -> crate::peer::Result<()> {
    println!("{FIGURES}{}", serde_json::to_string(figures)?);
    Ok(())
}

/// Where cells have their data: a folder each, removed after it.
pub struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// In `asked`, or beside this program, which is on a real disk where the build was.
    pub fn new(asked: Option<&Path>) -> crate::peer::Result<Self> {
        let program = std::env::current_exe()?;
        let beside = program.parent().unwrap_or(Path::new("."));
        let parent = asked.unwrap_or(beside);
        let folder = parent.join(format!("compare-data-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Measures a peer in a class, with `runner` before it (strace, or nothing).
    pub fn run(&self, runner: &[String], entry: &Entry, load: &Load) -> Result<Figures, String> {
        let name = format!("{}-{}", load.class, entry.name);
        self.measure(&name, runner, &words(entry, load))
    }

    /// Starts a child for a cell with `runner` before it, waits for it, and takes its data away.
    pub fn measure<T: DeserializeOwned>(
        &self,
        name: &str,
        runner: &[String],
        words: &[String],
    ) -> Result<T, String> {
        let folder = self.folder.join(name);
        let outcome = fs::create_dir_all(&folder)
            .map_err(|error| error.to_string())
            .and_then(|()| child(runner, words, &folder))
            .and_then(finish);
        fs::remove_dir_all(&folder).ok();
        // The next cell should not pay for the blocks that this one leaves behind.
        if let Ok(folder) = fs::File::open(&self.folder) {
            folder.sync_all().ok();
        }
        outcome
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// The child's command line for a peer in a class.
fn words(entry: &Entry, load: &Load) -> Vec<String> {
    let mut words = vec!["cell".to_owned()];
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    option("--peers", entry.name.to_owned());
    option("--classes", load.class.to_string());
    option("--size", load.record_bytes.to_string());
    option("--seconds", load.seconds.to_string());
    option("--waiting", load.waiting.to_string());
    option("--sync-us", load.sync_microseconds.to_string());
    if let Some(calls) = load.calls {
        option("--calls", calls.to_string());
    }
    words
}

fn child(runner: &[String], words: &[String], folder: &Path) -> Result<Child, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = match runner {
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        [] => Command::new(program),
    };
    command
        .args(words)
        .arg("--dir")
        .arg(folder)
        // How walrus is told its folder.
        .env("WALRUS_DATA_DIR", folder)
        .env("WALRUS_QUIET", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start: {error}"))
}

fn finish<T: DeserializeOwned>(mut child: Child) -> Result<T, String> {
    let began = Instant::now();
    let output = child.stdout.take().map(read_all);
    let errors = child.stderr.take().map(read_all);
    let ended = loop {
        match child.try_wait() {
            Ok(Some(ended)) => break ended,
            Ok(None) if began.elapsed() > PATIENCE => {
                child.kill().ok();
                child.wait().ok();
                return Err(format!("not done after {} s", PATIENCE.as_secs()));
            }
            Ok(None) => thread::sleep(Duration::from_millis(10)),
            Err(error) => return Err(error.to_string()),
        }
    };
    let text = |reader: Option<thread::JoinHandle<String>>| {
        reader
            .and_then(|reader| reader.join().ok())
            .unwrap_or_default()
    };
    let (output, errors) = (text(output), text(errors));
    let line = output.lines().find_map(|line| line.strip_prefix(FIGURES));
    match line {
        Some(line) if ended.success() => {
            serde_json::from_str(line).map_err(|error| error.to_string())
        }
        _ => {
            let last = errors.lines().rfind(|line| !line.trim().is_empty());
            Err(format!("{ended}: {}", last.unwrap_or("no message")))
        }
    }
}

fn read_all(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).ok();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
