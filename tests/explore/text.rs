//! A workload with a way into it, as text: what is printed for a violation, and what a file of
//! `tests/regressions` holds.
//!
//! One `key value` a line; a line that begins with `#` is for the reader.

use std::fmt::Write;

use forebay::storage::memory::Fate;
use forebay::{CommitPadding, Integrity, Preallocate};

use crate::cut::Cut;
use crate::explore::{Step, Violation};
use crate::operation::Operation;
use crate::workload::{Keep, Kind, Setup, Workload};

/// The text that replays `violation`.
pub(crate) fn write(violation: &Violation) -> String {
    let workload = &violation.workload;
    let setup = workload.setup;
    let operations: Vec<_> = workload.operations.iter().map(|one| one.name()).collect();
    let mut text = format!("# {}\n", violation.what.replace('\n', " "));
    let pairs = [
        ("workload", workload.kind.name().to_owned()),
        (
            "policy",
            if setup.always { "always" } else { "manual" }.to_owned(),
        ),
        ("integrity", integrity_name(setup.integrity).to_owned()),
        ("padding", padding_name(setup.padding).to_owned()),
        (
            "preallocate",
            preallocate_name(setup.preallocate).to_owned(),
        ),
        ("keep", setup.keep.name().to_owned()),
        ("operations", operations.join(" ")),
        ("seed", workload.seed.to_string()),
    ];
    for (key, value) in pairs {
        writeln!(text, "{key} {value}").expect("a string takes everything");
    }
    for step in &violation.trail {
        let moment = step.moment.map_or("end".to_owned(), |at| at.to_string());
        let cut = cut_text(&step.cut);
        writeln!(
            text,
            "# after: {} {}\ncut {moment} {cut}",
            step.after.0, step.after.1
        )
        .expect("a string takes everything");
    }
    text
}

/// The workload and the way into it that `text` tells.
pub(crate) fn read(text: &str) -> Result<(Workload, Vec<Step>), String> {
    let mut workload = Workload {
        kind: Kind::Short,
        setup: Setup::of(0),
        operations: Vec::new(),
        seed: 0,
    };
    let mut steps = Vec::new();
    let lines = text.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        let understood = match key {
            "cut" => read_step(value).map(|step| steps.push(step)),
            _ => read_pair(&mut workload, key, value),
        };
        understood.ok_or_else(|| format!("this is no line of a regression: {line}"))?;
    }
    Ok((workload, steps))
}

fn read_pair(workload: &mut Workload, key: &str, value: &str) -> Option<()> {
    let setup = &mut workload.setup;
    let one_of = |first: &str, second: &str| match value {
        _ if value == first => Some(true),
        _ if value == second => Some(false),
        _ => None,
    };
    match key {
        "workload" => workload.kind = Kind::ALL.into_iter().find(|kind| kind.name() == value)?,
        "policy" => setup.always = one_of("always", "manual")?,
        "integrity" => {
            let all = [Integrity::Chained, Integrity::Crc32c];
            setup.integrity = all.into_iter().find(|one| integrity_name(*one) == value)?;
        }
        "padding" => {
            let all = [
                CommitPadding::None,
                CommitPadding::Sector,
                CommitPadding::Page,
            ];
            setup.padding = all.into_iter().find(|one| padding_name(*one) == value)?;
        }
        "preallocate" => {
            let all = [Preallocate::None, Preallocate::Allocate, Preallocate::Zero];
            setup.preallocate = all
                .into_iter()
                .find(|one| preallocate_name(*one) == value)?;
        }
        "keep" => setup.keep = Keep::ALL.into_iter().find(|keep| keep.name() == value)?,
        "operations" => {
            let names = value.split_whitespace();
            workload.operations = names.map(Operation::parse).collect::<Option<_>>()?;
        }
        "seed" => workload.seed = value.parse().ok()?,
        _ => return None,
    }
    Some(())
}

fn integrity_name(integrity: Integrity) -> &'static str {
    if integrity == Integrity::Chained {
        "chained"
    } else {
        "crc32c"
    }
}

fn padding_name(padding: CommitPadding) -> &'static str {
    if padding == CommitPadding::Sector {
        "sector"
    } else if padding == CommitPadding::Page {
        "page"
    } else {
        "none"
    }
}

fn preallocate_name(preallocate: Preallocate) -> &'static str {
    if preallocate == Preallocate::Allocate {
        "allocate"
    } else if preallocate == Preallocate::Zero {
        "zero"
    } else {
        "none"
    }
}

fn cut_text(cut: &Cut) -> String {
    match cut {
        Cut::Kill => "kill".to_owned(),
        Cut::Power(fates) => {
            let fates: Vec<_> = fates.iter().map(|fate| fate_text(*fate)).collect();
            fates.join(" ")
        }
    }
}

fn fate_text(fate: Fate) -> String {
    match fate {
        Fate::Lost => "lost".to_owned(),
        Fate::Kept => "kept".to_owned(),
        Fate::Torn { sectors } => format!("torn={sectors:02x}"),
        Fate::Scrambled {
            kept,
            zeroed,
            noisy,
            harsh,
        } => {
            let word = if harsh { "harsh" } else { "scrambled" };
            format!("{word}={kept:02x}/{zeroed:02x}/{noisy:02x}")
        }
    }
}

fn read_step(text: &str) -> Option<Step> {
    let mut words = text.split_whitespace();
    let moment = match words.next()? {
        "end" => None,
        number => Some(number.parse().ok()?),
    };
    let words: Vec<_> = words.collect();
    let cut = if words == ["kill"] {
        Cut::Kill
    } else {
        Cut::Power(words.into_iter().map(read_fate).collect::<Option<_>>()?)
    };
    Some(Step {
        moment,
        after: Default::default(),
        cut,
    })
}

fn read_fate(word: &str) -> Option<Fate> {
    let (name, masks) = word.split_once('=').unwrap_or((word, ""));
    let masks: Vec<u8> = masks
        .split('/')
        .filter_map(|mask| u8::from_str_radix(mask, 16).ok())
        .collect();
    match (name, masks.as_slice()) {
        ("lost", []) => Some(Fate::Lost),
        ("kept", []) => Some(Fate::Kept),
        ("torn", [sectors]) => Some(Fate::Torn { sectors: *sectors }),
        ("scrambled" | "harsh", [kept, zeroed, noisy]) => Some(Fate::Scrambled {
            kept: *kept,
            zeroed: *zeroed,
            noisy: *noisy,
            harsh: name == "harsh",
        }),
        _ => None,
    }
}
