//! The page of a queue: one file, readable anywhere, without a script or a resource from outside.

mod picture;
mod rate;
mod strip;
mod tables;
mod text;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;

use forebay::inspect::{Inspection, timeline};
use forebay::{Error, Sequence};

use crate::failure::Failure;
use crate::units;
use text::{counted, escaped, grouped};

const STYLE: &str = include_str!("style.css");

/// Records whose times are looked up for the picture of the rate.
const MOMENTS_MAX: usize = 400;

/// Something that should not be so, as a row of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Where: a file, an offset, a consumer.
    pub(crate) place: String,
    /// The records concerned, half open; empty where it is about none. They are red in the picture.
    pub(crate) records: Range<Sequence>,
    /// What is wrong there.
    pub(crate) what: String,
}

/// What is wrong as far as `found` tells.
pub(crate) fn findings_of(found: &Inspection) -> Vec<Finding> {
    let none = Sequence::ZERO..Sequence::ZERO;
    let corruption = found.opening.corruption.iter().map(|damage| Finding {
        place: format!("{} at offset {}", damage.file.display(), damage.offset),
        records: damage.range.clone(),
        what: format!("expected {}, found {}", damage.expected, damage.found),
    });
    let segments = found.segments.iter().filter_map(|segment| {
        let (base, next) = segment.base.zip(segment.next).unwrap_or_default();
        Some(Finding {
            place: format!("segment {}", segment.number),
            records: base..next,
            what: segment.defect.clone()?,
        })
    });
    let named = |kind: &'static str, name: &str, defect: &Option<String>| {
        Some(Finding {
            place: format!("{kind} {name}"),
            records: none.clone(),
            what: defect.clone()?,
        })
    };
    let consumers = found.consumers.iter();
    let snapshots = found.snapshots.iter();
    let rebuilt = found.opening.state_rebuilt.then(|| Finding {
        place: "STATE".to_owned(),
        records: none.clone(),
        what: found.opening.event.to_owned(),
    });
    corruption
        .chain(rebuilt)
        .chain(segments)
        .chain(consumers.filter_map(|found| named("consumer", &found.name, &found.defect)))
        .chain(snapshots.filter_map(|found| named("snapshot", &found.name, &found.defect)))
        .collect()
}

/// Finds out whether the new file `path` can be made, before there is a page to write.
pub(crate) fn try_place(path: &Path) -> Result<(), Failure> {
    drop(create(path)?);
    // What is left where this fails is found, and told, when the page is written.
    std::fs::remove_file(path).ok();
    Ok(())
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create_new(path).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return Failure::Input {
                what: format!("{} is there already", path.display()),
                remedy: "nothing was changed: give another name, or delete it first",
            };
        }
        Failure::io(format!("cannot create {}", path.display()))(error)
    })
}

/// What a page is made of.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    /// The queue's directory.
    pub(crate) queue: &'a Path,
    /// What was found there, or why it cannot be looked at.
    pub(crate) found: Result<&'a Inspection, &'a Error>,
    pub(crate) findings: &'a [Finding],
    /// Whether it is sound, where every record was read.
    pub(crate) is_sound: Option<bool>,
}

impl Page<'_> {
    /// Writes the page into the new file `path`.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let page = self.render(SystemTime::now());
        create(path)?.write_all(page.as_bytes()).map_err(|error| {
            // A part of a page is worth nothing, and would be in the way the next time.
            std::fs::remove_file(path).ok();
            Failure::io(format!("cannot write {}", path.display()))(error)
        })
    }

    fn render(&self, now: SystemTime) -> String {
        let name = self.queue.file_name().unwrap_or(self.queue.as_os_str());
        let mut page = begin(
            &name.display().to_string(),
            &self.queue.display().to_string(),
            self.badge(),
            now,
        );
        if let Ok(found) = self.found {
            page.push_str(&tiles(found, now));
        }
        if !self.findings.is_empty() {
            let count = u64::try_from(self.findings.len()).unwrap_or(u64::MAX);
            let heading = counted(count, "finding");
            let table = tables::findings(self.findings);
            section(&mut page, &heading, "bad", &table);
        }
        match self.found {
            Ok(found) => picture_and_tables(&mut page, found, self.findings, now),
            Err(error) => {
                let why = escaped(&error.to_string());
                let note = format!("<p class=\"note\">There is no picture of it: {why}</p>\n");
                section(&mut page, "The log", "", &note);
            }
        }
        let version = env!("CARGO_PKG_VERSION");
        let depth = if self.is_sound.is_some() {
            "Every record was read"
        } else {
            "Looked at as far as opening looks; <code>forebay verify</code> reads every record"
        };
        let footer = format!("<footer>forebay {version}. {depth}. Ranges are half open.</footer>");
        page + &footer + "\n</main>\n</body>\n</html>\n"
    }

    /// The state in one word, and its colour.
    fn badge(&self) -> (&'static str, &'static str) {
        let looks_damaged = |found: &Inspection| found.is_damaged() || !self.findings.is_empty();
        match self.found {
            _ if self.is_sound == Some(false) => ("bad", "Not sound"),
            Err(_) => ("bad", "Damaged"),
            Ok(found) if self.is_sound.is_none() && looks_damaged(found) => ("bad", "Damaged"),
            Ok(found) if found.opening.torn.is_some() => ("warn", "Torn tail"),
            Ok(_) => ("good", "Intact"),
        }
    }
}

fn picture_and_tables(
    page: &mut String,
    found: &Inspection,
    findings: &[Finding],
    now: SystemTime,
) {
    // Where no record's time can be read there is nothing to draw; why is among the findings.
    let moments = timeline(&found.path, MOMENTS_MAX).unwrap_or_default();
    section(page, "The log", "", &picture::picture(found, findings));
    section(page, "Enqueued over time", "", &rate::rate(&moments));
    section(page, "Consumers", "", &tables::consumers(found, now));
    if !found.segments.is_empty() {
        section(page, "Segments", "long", &tables::segments(found));
    }
    if !found.snapshots.is_empty() {
        section(page, "Snapshots", "", &tables::snapshots(found));
    }
    section(page, "The queue", "", &tables::identity(found));
}

fn begin(name: &str, path: &str, badge: (&str, &str), now: SystemTime) -> String {
    let (name, path) = (escaped(name), escaped(path));
    let (class, words) = badge;
    let now = units::moment(now);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}: forebay queue</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header><div><h1>{name}</h1><p class=\"path\">{path}</p></div>\n\
         <div class=\"state\"><span class=\"badge {class}\">{words}</span>\
         <p class=\"when\">looked at {now}</p></div></header>\n"
    )
}

fn section(page: &mut String, heading: &str, class: &str, content: &str) {
    // Writing to a string cannot fail.
    writeln!(
        page,
        "<section class=\"{class}\"><h2>{heading}</h2>\n{content}</section>"
    )
    .ok();
}

/// The numbers that one looks for first.
fn tiles(found: &Inspection, now: SystemTime) -> String {
    let or_unknown = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
    let bytes = or_unknown(found.waiting_bytes.map(units::bytes));
    let oldest = match found.oldest_waiting {
        Some(oldest) => units::age(oldest, now),
        None if found.waiting_records == 0 => "–".to_owned(),
        None => "unknown".to_owned(),
    };
    let behind = found.next.since(found.durable);
    let durable = if behind == 0 {
        "everything is durable".to_owned()
    } else {
        format!("below {}", grouped(found.durable.get()))
    };
    let furthest = found.consumers.iter().max_by_key(|consumer| consumer.lag);
    let (lag, who) = match furthest {
        Some(consumer) => (
            or_unknown(consumer.lag.map(grouped)),
            units::shown(&consumer.name),
        ),
        None => ("–".to_owned(), "no consumer yet".to_owned()),
    };
    let free = found.free_bytes.map(units::bytes);
    let rows = [
        ("Waiting records", grouped(found.waiting_records), bytes),
        ("Oldest waits for", oldest, oldest_since(found)),
        ("Furthest behind", lag, who),
        ("Not yet durable", grouped(behind), durable),
        (
            "On disk",
            units::bytes(found.disk_bytes),
            format!("{} free", or_unknown(free)),
        ),
    ];
    let mut html = String::from("<div class=\"tiles\">\n");
    for (name, value, more) in rows {
        writeln!(
            html,
            "<div class=\"tile\"><span class=\"name\">{name}</span><b>{value}</b>\
             <span>{}</span></div>",
            escaped(&more)
        )
        .ok();
    }
    html.push_str("</div>\n");
    html
}

fn oldest_since(found: &Inspection) -> String {
    match found.oldest_waiting {
        Some(oldest) => units::moment(oldest),
        None => "nothing waits".to_owned(),
    }
}
