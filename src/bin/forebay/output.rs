//! Standard output, where everything that was asked for goes.

use std::io::{self, Write as _};

use crate::failure::Failure;

/// Prints `text` as it is. A reader that went away wants no more, which is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_while_read(text).map(|_| ())
}

/// Prints `text` as it is; false when nobody reads any more.
pub(crate) fn print_while_read(text: &str) -> Result<bool, Failure> {
    let mut output = io::stdout().lock();
    let printed = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::io("cannot write to standard output")(error))
        }
        printed => Ok(printed.is_ok()),
    }
}
