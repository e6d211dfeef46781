//! `forebay stats --watch`: the same again and again, with what changed in between.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use forebay::inspect::inspect;

use super::rates::{Look, Rates};
use super::{refuse_damaged, table};
use crate::failure::Failure;
use crate::paint::Paint;
use crate::{facts, output};

/// To the first place of the screen, which is drawn over rather than wiped, so that it is steady.
const HOME: &str = "\x1b[H";
const ERASE_LINE: &str = "\x1b[K";
const ERASE_BELOW: &str = "\x1b[J";
const ERASE_SCREEN: &str = "\x1b[2J";

/// Looks every `pause` until nobody reads; Ctrl-C ends the process.
pub(super) fn watch(queue: &Path, pause: Duration, as_json: bool) -> Result<(), Failure> {
    let redraws = !as_json && io::stdout().is_terminal();
    if redraws {
        output::print(ERASE_SCREEN)?;
    }
    let mut before: Option<Look> = None;
    loop {
        let at = Instant::now();
        let found = inspect(queue)?;
        let look = Look { found, at };
        let rates = before.as_ref().map(|before| Rates::between(before, &look));
        let text = if as_json {
            as_line(&look, rates.as_ref())
        } else {
            let drawn = table::draw(
                &look.found,
                rates.as_ref(),
                SystemTime::now(),
                Paint::for_output(),
            );
            if redraws {
                drawn_over(&drawn)
            } else {
                format!("{drawn}\n")
            }
        };
        if !output::print_while_read(&text)? {
            return refuse_damaged(&look.found);
        }
        before = Some(look);
        // The pause is from look to look, however long a look takes.
        thread::sleep(pause.saturating_sub(at.elapsed()));
    }
}

fn as_line(look: &Look, rates: Option<&Rates>) -> String {
    let mut line = facts::of_inspection(&look.found);
    if let (Some(rates), Some(fields)) = (rates, line.as_object_mut()) {
        fields.insert("rates".to_owned(), rates.as_json());
    }
    format!("{line}\n")
}

/// `text` over what is on the screen already.
fn drawn_over(text: &str) -> String {
    let lines = text.replace('\n', &format!("{ERASE_LINE}\n"));
    format!("{HOME}{lines}{ERASE_BELOW}")
}
