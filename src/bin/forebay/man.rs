//! `forebay man`: the manual pages, made of the same text as `--help`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;

use crate::failure::Failure;
use crate::output;

const EXAMPLE: &str = "\
With DIR there is a page for each subcommand, forebay-stats.1 and so on; pages
of the same names are replaced. Without, the page of the command is printed.

Example:
  forebay man | man -l -
  forebay man /usr/local/share/man/man1";

/// Write the manual pages.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// Where to write the pages of all subcommands; made if it is not there.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut command = crate::Arguments::command().disable_help_subcommand(true);
    command.build();
    let Some(folder) = &arguments.folder else {
        let page = render(command).map_err(Failure::io("cannot make the page"))?;
        return output::print(&String::from_utf8_lossy(&page));
    };
    let cannot = |path: &Path| format!("cannot write {}", path.display());
    fs::create_dir_all(folder).map_err(Failure::io(cannot(folder)))?;
    for (name, page) in pages(command) {
        let path = folder.join(format!("{name}.1"));
        page.and_then(|page| fs::write(&path, page))
            .map_err(Failure::io(cannot(&path)))?;
    }
    Ok(())
}

/// The page of `command` and of all commands below it, by the names of their files.
fn pages(command: Command) -> Vec<(String, io::Result<Vec<u8>>)> {
    let below: Vec<Command> = command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .cloned()
        .collect();
    let name = page_name(&command);
    let mut all = vec![(name, render(command))];
    all.extend(below.into_iter().flat_map(pages));
    all
}

/// `forebay-stats` for what is called as `forebay stats`.
fn page_name(command: &Command) -> String {
    let called = command.get_bin_name().unwrap_or(command.get_name());
    called.replace(' ', "-")
}

fn render(command: Command) -> io::Result<Vec<u8>> {
    let name = page_name(&command);
    let help = command.get_after_help().map(ToString::to_string);
    // Set as it is written, with its columns, rather than filled like prose.
    let man = Man::new(command.after_help(Resettable::Reset))
        .title(name.to_uppercase())
        .source(concat!("forebay ", env!("CARGO_PKG_VERSION")))
        .manual("forebay");
    let mut page = Vec::new();
    man.render(&mut page)?;
    if let Some(help) = help {
        writeln!(page, ".SH NOTES\n.nf")?;
        for line in help.lines() {
            writeln!(page, "{}", escaped(line))?;
        }
        writeln!(page, ".fi")?;
    }
    Ok(page)
}

/// `line` so that troff sets it as it is.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) {
        format!("\\&{line}")
    } else {
        line
    }
}
