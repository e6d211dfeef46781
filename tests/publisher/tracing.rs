//! What a publisher does, as a subscriber of `tracing` sees it.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use forebay::tracing::TracingListener;
use forebay::{Publisher, PublisherOptions};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

use crate::stage::{Mood, Upstream, buffer_in};

/// Keeps each event as a line: the spans around it, its level, its message, its fields.
#[derive(Clone, Debug, Default)]
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    spans: Arc<Mutex<Spans>>,
}

#[derive(Debug, Default)]
struct Spans {
    names: Vec<&'static str>,
    entered: Vec<usize>,
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            write!(self.fields, " {}={value:?}", field.name()).expect("memory");
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("forebay")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut spans = self.spans.lock().expect("not poisoned");
        spans.names.push(span.metadata().name());
        Id::from_u64(u64::try_from(spans.names.len()).expect("few"))
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let spans = self.spans.lock().expect("not poisoned");
        let within: Vec<_> = spans
            .entered
            .iter()
            .filter_map(|at| spans.names.get(*at).copied())
            .collect();
        drop(spans);
        let Text { message, fields } = text;
        let level = event.metadata().level();
        let line = format!("{}: {level} {message}{fields}", within.join(" "));
        self.lines.lock().expect("not poisoned").push(line);
    }

    fn enter(&self, span: &Id) {
        let at = usize::try_from(span.into_u64() - 1).expect("few");
        self.spans.lock().expect("not poisoned").entered.push(at);
    }

    fn exit(&self, _span: &Id) {
        self.spans.lock().expect("not poisoned").entered.pop();
    }
}

#[test]
fn publishing_and_flushing_are_spans_with_events_of_sensible_levels() {
    // With one subscriber alone a span that another test's thread meets first would be switched off
    // for good: nobody listens on that thread.
    let _second = Dispatch::new(Lines::default());
    let lines = Lines::default();
    let subscriber = lines.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let folder = tempfile::tempdir().expect("a folder");
            let upstream = Upstream::new(Mood::Up);
            let options = PublisherOptions::new().listener(Arc::new(TracingListener));
            let sink = Arc::<Upstream>::clone(&upstream);
            let buffer = Arc::new(buffer_in(&folder, 10));
            let publisher = Publisher::with_options(buffer, sink, options);
            publisher.publish(1).await;
            upstream.set(Mood::Away);
            publisher.publish(2).await;
            publisher.flush_pending().await.expect("a flush");
            upstream.set(Mood::Up);
            publisher.flush_pending().await.expect("a flush");
            upstream.set(Mood::Rejects(|_| true));
            publisher.publish(3).await;
        });
    });
    let expected = [
        "publish: TRACE published",
        "publish: WARN the sink did not confirm an event error=away",
        "publish: DEBUG buffered",
        "flush: WARN the sink refused, the backlog waits error=away",
        "flush: INFO flushed events=1",
        "publish: WARN the sink did not confirm an event error=poison",
        "publish: ERROR an event is lost why=rejected: poison",
    ];
    assert_eq!(*lines.lines.lock().expect("not poisoned"), expected);
}
