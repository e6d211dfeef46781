//! Colours, for people who look at a terminal.

use std::env;
use std::io::{self, IsTerminal as _};

/// Whether text may be coloured, decided once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    is_on: bool,
}

impl Paint {
    /// For standard output: a terminal that knows colours, whose user did not say no.
    ///
    /// `NO_COLOR` counts when it is not empty (<https://no-color.org>).
    pub(crate) fn for_output() -> Self {
        let says = |name: &str, is_no: fn(&str) -> bool| {
            env::var_os(name).is_some_and(|value| is_no(&value.to_string_lossy()))
        };
        let refused = says("NO_COLOR", |value| !value.is_empty());
        let is_dumb = says("TERM", |value| value == "dumb");
        Self {
            is_on: io::stdout().is_terminal() && !refused && !is_dumb,
        }
    }

    /// What should not be so.
    pub(crate) fn bad(self, text: &str) -> String {
        self.in_style("1;31", text)
    }

    /// What is worth a look.
    pub(crate) fn notable(self, text: &str) -> String {
        self.in_style("33", text)
    }

    /// What is well.
    pub(crate) fn good(self, text: &str) -> String {
        self.in_style("32", text)
    }

    /// What the eye looks for.
    pub(crate) fn strong(self, text: &str) -> String {
        self.in_style("1", text)
    }

    /// What names the rest.
    pub(crate) fn quiet(self, text: &str) -> String {
        self.in_style("2", text)
    }

    fn in_style(self, style: &str, text: &str) -> String {
        if self.is_on && !text.is_empty() {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_for_a_terminal_is_coloured() {
        let (on, off) = (Paint { is_on: true }, Paint { is_on: false });
        assert_eq!(on.bad("damage"), "\x1b[1;31mdamage\x1b[0m");
        assert_eq!(off.bad("damage"), "damage");
        assert_eq!(on.bad(""), "");
    }
}
