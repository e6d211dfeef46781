//! Standard output, where everything that was asked for goes.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::failure::Failure;
use crate::units;

/// Whoever reads standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    There,
    /// It closed the pipe, and wants no more.
    Gone,
}

/// `text`, line by line, with what a terminal would obey made visible: names and paths may hold
/// anything.
pub(crate) fn safe(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    let lines = lines.map(|line| match line.strip_suffix('\n') {
        Some(line) => units::shown(line) + "\n",
        None => units::shown(line),
    });
    lines.collect()
}

/// Prints `text` for a person, [`safe`].
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    print(&safe(text))
}

/// Prints `text` as it is. A reader that went away wants no more, which is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    write(text.as_bytes()).map(|_reader| ())
}

/// Writes `bytes`, and tells whether anybody is left to read more.
pub(crate) fn write(bytes: &[u8]) -> Result<Reader, Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(Failure::io("cannot write to standard output")(error)),
    }
}

/// Adds `value` to `out` as a line of JSON.
pub(crate) fn append_line(value: &impl Serialize, out: &mut Vec<u8>) {
    // Neither memory nor what the command tells can refuse.
    serde_json::to_writer(&mut *out, value).ok();
    out.push(b'\n');
}

/// Whether anybody reads standard output, where that can be told without writing to it.
#[cfg(unix)]
pub(crate) fn reader() -> Reader {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let output = rustix::stdio::stdout();
    // What is asked for is an error, and that is always told.
    let mut pipe = [PollFd::new(&output, PollFlags::empty())];
    let at_once = Timespec::default();
    let answered = poll(&mut pipe, Some(&at_once)).is_ok();
    let [pipe] = pipe;
    if answered && pipe.revents().intersects(PollFlags::ERR | PollFlags::HUP) {
        Reader::Gone
    } else {
        Reader::There
    }
}

#[cfg(not(unix))]
pub(crate) fn reader() -> Reader {
    Reader::There
}

/// How many columns the terminal has; `None` where standard output is none, and lines may have any
/// length.
pub(crate) fn width() -> Option<usize> {
    /// Where the terminal does not say.
    const COLUMNS: usize = 80;

    let columns = std::env::var("COLUMNS").ok();
    let columns = columns.and_then(|columns| columns.parse().ok());
    let is_terminal = io::stdout().is_terminal();
    is_terminal.then(|| terminal_width().or(columns).unwrap_or(COLUMNS))
}

#[cfg(unix)]
fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

#[cfg(not(unix))]
fn terminal_width() -> Option<usize> {
    None
}
