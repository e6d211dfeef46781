//! `forebay consumers`: who reads a queue, and how far behind each is.

use std::time::SystemTime;

use clap::Args;
use forebay::inspect::{ConsumerView, FilterView, inspect};
use serde_json::json;

use crate::failure::Failure;
use crate::paint::Paint;
use crate::rows::{Rows, Side, Tone, or_dash};
use crate::{asked, facts, output, units};

const EXAMPLE: &str = "\
A consumer's lag is an upper bound where it has a filter, or where records were
dropped. No lock is taken and nothing is written. Exit code 1 means that a
cursor cannot be used.

Fields of the JSON object; what is not known is null:
  path, next             the queue, and the sequence that the next record gets
  consumers              [{name, next, lag, lag_bytes, oldest_unix_ns, filtered,
                         kind, defect}]
                         next: of the record to deliver; oldest: when that one
                         was enqueued; kind: where it is given one kind only

Example:
  forebay consumers events.queue
  forebay consumers events.queue --json | jq '.consumers[] | select(.lag > 1000).name'";

/// Show who reads a queue and how far behind each is.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    queue: asked::Queue,
    #[command(flatten)]
    form: asked::Form,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let found = inspect(arguments.queue.path())?;
    let consumers = &found.consumers;
    let text = if arguments.form.json {
        let facts = json!({
            "path": found.path.display().to_string(),
            "next": found.next.get(),
            "consumers": consumers.iter().map(facts::of_consumer).collect::<Vec<_>>(),
        });
        format!("{facts:#}\n")
    } else if consumers.is_empty() {
        "no consumer yet: every record is kept\n".to_owned()
    } else {
        rows(consumers.iter(), SystemTime::now(), None).drawn(Paint::for_output())
    };
    output::print(&text)?;
    let mut damaged = consumers.iter().filter(|found| found.defect.is_some());
    match damaged.next() {
        Some(first) => Err(Failure::Finding(format!(
            "the cursor of {} cannot be used",
            units::shown(&first.name)
        ))),
        None => Ok(()),
    }
}

/// How fast a consumer goes, by its name.
type RateOf<'a> = dyn Fn(&str) -> Option<u64> + 'a;

/// The table of `consumers`, with a column of rates where there are any.
pub(crate) fn rows<'a>(
    consumers: impl Iterator<Item = &'a ConsumerView>,
    now: SystemTime,
    rate: Option<&RateOf<'_>>,
) -> Rows {
    let mut columns = vec![
        ("consumer", Side::Left),
        ("next", Side::Right),
        ("behind", Side::Right),
        ("bytes", Side::Right),
        ("oldest", Side::Right),
    ];
    if rate.is_some() {
        columns.push(("out/s", Side::Right));
    }
    columns.push(("kinds", Side::Left));
    let mut rows = Rows::new(columns);
    for consumer in consumers {
        let mut cells = vec![
            consumer.name.clone(),
            or_dash(consumer.next),
            or_dash(consumer.lag),
            or_dash(consumer.lag_bytes.map(units::bytes)),
            or_dash(consumer.oldest.map(|oldest| units::age(oldest, now))),
        ];
        if let Some(rate) = rate {
            cells.push(or_dash(rate(&consumer.name)));
        }
        let (tone, last) = match &consumer.defect {
            Some(defect) => (Tone::Bad, defect.clone()),
            None => (Tone::Plain, kinds(consumer.filter)),
        };
        cells.push(last);
        rows.push(tone, &cells);
    }
    rows
}

/// Which kinds of records a consumer is given.
pub(crate) fn kinds(filter: FilterView) -> String {
    match filter {
        FilterView::Everything => "all".to_owned(),
        FilterView::Kind(kind) => kind.to_string(),
        FilterView::Kinds(_) => "several".to_owned(),
        FilterView::Unknown | _ => "-".to_owned(),
    }
}
