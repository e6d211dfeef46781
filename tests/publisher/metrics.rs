//! The metrics of a publisher, as a recorder of the calling thread sees them.

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay::metrics::MetricsListener;
use forebay::{EventBuffer, Publisher, PublisherOptions, QueueOptions};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

use crate::stage::{Mood, Upstream, buffer_in};

/// How far every counter has moved since this was asked last, by name.
fn counters(snapshotter: &Snapshotter) -> BTreeMap<String, u64> {
    let all = snapshotter.snapshot().into_vec().into_iter();
    let counters = all.filter_map(|(key, _, _, value)| match value {
        DebugValue::Counter(count) => Some((key.key().name().to_owned(), count)),
        DebugValue::Gauge(_) | DebugValue::Histogram(_) => None,
    });
    counters.collect()
}

/// Runs `future` on this thread, with a recorder of this thread.
fn recorded<F: Future>(future: impl FnOnce(Snapshotter) -> F) -> F::Output {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    metrics::with_local_recorder(&recorder, || runtime.block_on(future(snapshotter)))
}

fn publisher(buffer: EventBuffer<u32>, upstream: &Arc<Upstream>) -> Publisher<u32> {
    let metrics = Arc::new(MetricsListener::new("aa_audit"));
    let options = PublisherOptions::new().listener(metrics);
    let sink = Arc::<Upstream>::clone(upstream);
    Publisher::with_options(Arc::new(buffer), sink, options)
}

#[test]
fn one_published_one_refused_and_buffered_one_flushed_move_exactly_four_counters() {
    recorded(async |snapshotter| {
        let folder = tempfile::tempdir().expect("a folder");
        let upstream = Upstream::new(Mood::Up);
        let publisher = publisher(buffer_in(&folder, 10_000), &upstream);
        publisher.publish(1).await;
        upstream.set(Mood::Away);
        publisher.publish(2).await;
        upstream.set(Mood::Up);
        assert_eq!(publisher.flush_pending().await.expect("a flush"), 1);
        let expected = [
            ("aa_audit_buffered_total", 1),
            ("aa_audit_flushed_total", 1),
            ("aa_audit_publish_errors_total", 1),
            ("aa_audit_published_total", 1),
        ];
        let expected = expected.map(|(name, count)| (name.to_owned(), count));
        assert_eq!(counters(&snapshotter), BTreeMap::from(expected));
    });
}

#[test]
fn each_counter_moves_on_the_callers_thread_before_its_call_returns() {
    recorded(async |snapshotter| {
        let folder = tempfile::tempdir().expect("a folder");
        let upstream = Upstream::new(Mood::Up);
        let publisher = publisher(buffer_in(&folder, 10_000), &upstream);
        let moved = || {
            let counters = counters(&snapshotter).into_iter();
            let moved = counters.filter(|(_, count)| *count > 0);
            let moved = moved.map(|(name, count)| {
                let name = name.trim_start_matches("aa_audit_");
                format!("{} {count}", name.trim_end_matches("_total"))
            });
            moved.collect::<Vec<_>>()
        };
        publisher.publish(1).await;
        assert_eq!(moved(), ["published 1"]);
        upstream.set(Mood::Away);
        publisher.publish(2).await;
        assert_eq!(moved(), ["buffered 1", "publish_errors 1"]);
        publisher.publish(3).await;
        assert_eq!(moved(), ["buffered 1"]);
        publisher.flush_pending().await.expect("a flush");
        assert_eq!(moved(), ["flush_refusals 1"]);
        upstream.set(Mood::Up);
        publisher.flush_pending().await.expect("a flush");
        assert_eq!(moved(), ["flushed 2"]);
        upstream.set(Mood::Rejects(|_| true));
        publisher.publish(4).await;
        assert_eq!(moved(), ["lost 1", "publish_errors 1"]);
    });
}

#[test]
fn a_queue_counts_with_the_same_listener_only_where_it_has_it() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let folder = tempfile::tempdir().expect("a folder");
        let metrics = Arc::new(MetricsListener::new("m"));
        let listener = Arc::<MetricsListener>::clone(&metrics);
        let options = QueueOptions::new().listener(listener);
        let path = folder.path().join("buffer");
        let buffer: EventBuffer<u32> =
            EventBuffer::with_options(path, 2, options).expect("a buffer");
        for event in 0..3 {
            buffer.enqueue(&event).expect("room");
        }
        metrics.observe(buffer.queue()).expect("gauges");
        buffer.drain(|_| Ok::<(), ()>(())).expect("a drain");
    });
    let mut values = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        values.insert(key.key().name().to_owned(), value);
    }
    assert_eq!(
        values.get("m_enqueued_total"),
        Some(&DebugValue::Counter(3))
    );
    assert_eq!(values.get("m_dropped_total"), Some(&DebugValue::Counter(1)));
    assert_eq!(
        values.get("m_delivered_total"),
        Some(&DebugValue::Counter(2))
    );
    let depth = DebugValue::Gauge(2.0.into());
    assert_eq!(values.get("m_depth_records"), Some(&depth));
    let lag = DebugValue::Gauge(0.0.into());
    assert_eq!(values.get("m_durable_lag_records"), Some(&lag));
    let segments = DebugValue::Gauge(1.0.into());
    assert_eq!(values.get("m_segments"), Some(&segments));
    assert!(matches!(
        values.get("m_disk_free_bytes"),
        Some(DebugValue::Gauge(free)) if free.0 > 0.0
    ));
    assert!(matches!(
        values.get("m_sync_seconds"),
        Some(DebugValue::Histogram(times)) if !times.is_empty()
    ));
}
