//! What `--help` says of every subcommand, and of theirs.

use std::path::Path;

use crate::golden::run;

/// What prints something else than an answer, and has no `--json`.
const WITHOUT_JSON: [&str; 7] = [
    "drain",
    "dump",
    "tail",
    "export",
    "demo",
    "completions",
    "man",
];

fn help(command: &[&str]) -> String {
    let output = run(Path::new("."), &[command, &["--help"]].concat());
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The subcommands that `help` lists.
fn listed(help: &str) -> Vec<&str> {
    let commands = help.split_once("\nCommands:\n");
    let lines = commands.map_or("", |(_, commands)| commands).lines();
    lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

fn assert_tells(command: &[&str]) {
    let help = help(command);
    let example = format!("Example:\n  forebay {}", command[0]);
    assert!(help.contains(&example), "{command:?}: {help}");
    let below = listed(&help);
    for name in &below {
        let has_place = help.contains("<DIR> <COMMAND>");
        let place: &[&str] = if has_place { &["DIR"] } else { &[] };
        assert_tells(&[command, place, &[name]].concat());
    }
    let has_json = help.lines().any(|line| line.starts_with("      --json"));
    let has_fields = help.contains("\nFields of ");
    assert!(has_fields || !has_json, "{command:?}: {help}");
    let needs_none = !below.is_empty() || WITHOUT_JSON.contains(&command[0]);
    assert_eq!(has_json, !needs_none, "{command:?}: {help}");
}

#[test]
fn every_subcommand_has_an_example_and_tells_the_fields_of_its_json() {
    let whole = help(&[]);
    let names = listed(&whole);
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert_tells(&[name]);
    }
}
