//! Standard output, where everything that was asked for goes.

use std::io::{self, Write as _};

use crate::failure::Failure;

/// Prints `text` as it is. A reader that went away wants no more, which is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let printed = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::io("cannot write to standard output")(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
