//! What queue and publisher do, through the `metrics` facade.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use ::metrics::{Key, KeyName, Label, Level, Metadata, SharedString, Unit, with_recorder};

use super::listener::{Loss, PublisherListener};
use crate::buffer::SinkError;
use crate::error::{Corruption, Error, Result};
use crate::event::{Gap, Listener, TornTail};
use crate::position::SegmentNumber;
use crate::queue::Queue;

static METADATA: Metadata<'static> = Metadata::new("forebay", Level::INFO, None);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Counter,
    Gauge,
    Histogram,
}

/// One metric: what follows the prefix, and what it means.
#[derive(Clone, Copy, Debug)]
struct Metric {
    sort: Sort,
    suffix: &'static str,
    unit: Unit,
    meaning: &'static str,
}

macro_rules! metrics {
    ($($name:ident: $sort:ident $suffix:literal $unit:ident $meaning:literal)*) => {
        #[derive(Clone, Copy, Debug)]
        enum Name { $($name),* }

        /// Every metric, in the order of `Name`.
        const METRICS: &[Metric] = &[$(Metric {
            sort: Sort::$sort,
            suffix: $suffix,
            unit: Unit::$unit,
            meaning: $meaning,
        }),*];
    };
}

metrics! {
    Published: Counter "published_total" Count "events that the sink confirmed without the buffer"
    PublishErrors: Counter "publish_errors_total" Count "direct attempts that the sink did not confirm"
    Buffered: Counter "buffered_total" Count "events that the publisher put into the buffer"
    Flushed: Counter "flushed_total" Count "events of the buffer that the sink confirmed"
    FlushRefusals: Counter "flush_refusals_total" Count "flushes that a refusal of the sink ended"
    FlushFailures: Counter "flush_failures_total" Count "flushes that failed in the buffer"
    Parked: Counter "parked_total" Count "events of the buffer that became dead letters"
    Lost: Counter "lost_total" Count "events that were neither delivered nor stored"
    Enqueued: Counter "enqueued_total" Count "records that the queue accepted"
    EnqueuedBytes: Counter "enqueued_bytes_total" Bytes "payload of those records"
    Dropped: Counter "dropped_total" Count "records given up undelivered, at capacity, for their age or their damage"
    Delivered: Counter "delivered_total" Count "records acknowledged, by the label consumer"
    SyncSeconds: Histogram "sync_seconds" Seconds "how long one sync of the log took"
    SyncRecords: Histogram "sync_records" Count "how many records one sync made durable"
    Rotations: Counter "rotations_total" Count "segments sealed and left for the next one"
    Reclaimed: Counter "reclaimed_segments_total" Count "segments deleted"
    ReclaimedBytes: Counter "reclaimed_bytes_total" Bytes "bytes of the files of those segments"
    TornTails: Counter "torn_tails_total" Count "ends of the log removed at opening, after a crash"
    Corruptions: Counter "corruptions_total" Count "damaged places found"
    Poisoned: Counter "poisoned_total" Count "queues that serve no one any more, because a sync failed"
    Depth: Gauge "depth_records" Count "records that wait"
    Bytes: Gauge "depth_bytes" Bytes "bytes of those records, with their frames"
    Oldest: Gauge "oldest_age_seconds" Seconds "age of the oldest record that a consumer has not acknowledged"
    DurableLag: Gauge "durable_lag_records" Count "records written and not yet known to survive power loss"
    Segments: Gauge "segments" Count "segment files"
    DiskFree: Gauge "disk_free_bytes" Bytes "bytes that may still be written on the file system of the queue"
}

/// Counts what a queue and a publisher do, through whatever recorder the program has installed.
///
/// The same listener serves both: the queue gets it by
/// [`QueueOptions::listener`](crate::QueueOptions::listener), the publisher by
/// `PublisherOptions::listener`. Counters and histograms move on the thread that did the thing,
/// before its call returns. Gauges move when somebody [observes](Self::observe) a queue; the flush
/// loop of a publisher does so each time before it waits. docs/METRICS.md has all names.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use forebay::Queue;
/// use forebay::metrics::MetricsListener;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("queue");
/// let metrics = Arc::new(MetricsListener::new("audit"));
/// let queue = Queue::options().listener(metrics.clone()).open(&path)?;
/// queue.enqueue(b"audit_enqueued_total is 1 now")?;
/// metrics.observe(&queue)?; // audit_depth_records as well
/// # Ok::<(), forebay::Error>(())
/// ```
#[derive(Clone)]
pub struct MetricsListener {
    /// In the order of `METRICS`.
    keys: Vec<Key>,
}

impl fmt::Debug for MetricsListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.keys.first().map(Key::name);
        f.debug_struct("MetricsListener")
            .field("first", &first)
            .finish_non_exhaustive()
    }
}

/// With the prefix `forebay`.
impl Default for MetricsListener {
    fn default() -> Self {
        Self::new("forebay")
    }
}

impl MetricsListener {
    /// A listener whose names begin with `prefix` and an underscore. Describes all of them to the
    /// recorder that is installed by now.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        let keys = METRICS.iter().map(|metric| {
            let name = format!("{prefix}_{}", metric.suffix);
            describe(metric, KeyName::from(name.clone()));
            Key::from_name(name)
        });
        Self {
            keys: keys.collect(),
        }
    }

    /// Sets the gauges to what they are in `queue` now. It may wait for the disk: the age of the
    /// oldest record is in a file.
    ///
    /// # Errors
    ///
    /// As for [`Queue::stats`] and [`Queue::lag`]; gauges that were read by then are set.
    pub fn observe(&self, queue: &Queue) -> Result<()> {
        let stats = queue.stats()?;
        self.gauge(Name::Depth, as_float(stats.records));
        if let Some(bytes) = stats.bytes {
            self.gauge(Name::Bytes, as_float(bytes));
        }
        self.gauge(
            Name::DurableLag,
            as_float(stats.next.since(stats.durable.min(stats.next))),
        );
        self.gauge(Name::Segments, as_float(stats.segments as u64));
        let mut oldest = Duration::ZERO;
        for consumer in queue.consumers() {
            // One that was just removed has nothing that waits.
            if let Ok(lag) = queue.lag(&consumer) {
                oldest = oldest.max(lag.age.unwrap_or_default());
            }
        }
        self.gauge(Name::Oldest, oldest.as_secs_f64());
        if let Some(free) = queue.disk_free_bytes()? {
            self.gauge(Name::DiskFree, as_float(free));
        }
        Ok(())
    }

    fn key(&self, name: Name) -> Option<&Key> {
        self.keys.get(name as usize)
    }

    fn count(&self, name: Name, more: u64) {
        let Some(key) = self.key(name) else { return };
        with_recorder(|recorder| recorder.register_counter(key, &METADATA).increment(more));
    }

    fn gauge(&self, name: Name, value: f64) {
        let Some(key) = self.key(name) else { return };
        with_recorder(|recorder| recorder.register_gauge(key, &METADATA).set(value));
    }

    fn record(&self, name: Name, value: f64) {
        let Some(key) = self.key(name) else { return };
        with_recorder(|recorder| recorder.register_histogram(key, &METADATA).record(value));
    }
}

fn describe(metric: &Metric, name: KeyName) {
    let unit = Some(metric.unit);
    let meaning: SharedString = Cow::Borrowed(metric.meaning).into();
    with_recorder(|recorder| match metric.sort {
        Sort::Counter => recorder.describe_counter(name, unit, meaning),
        Sort::Gauge => recorder.describe_gauge(name, unit, meaning),
        Sort::Histogram => recorder.describe_histogram(name, unit, meaning),
    });
}

#[expect(
    clippy::cast_precision_loss,
    reason = "recorders take floats, and nobody needs the last digit of 2^53 records"
)]
fn as_float(count: u64) -> f64 {
    count as f64
}

impl PublisherListener for MetricsListener {
    fn published(&self) {
        self.count(Name::Published, 1);
    }

    fn publish_error(&self, _error: &SinkError) {
        self.count(Name::PublishErrors, 1);
    }

    fn buffered(&self) {
        self.count(Name::Buffered, 1);
    }

    fn flushed(&self, events: usize) {
        self.count(Name::Flushed, events as u64);
    }

    fn flush_refused(&self, _error: &SinkError) {
        self.count(Name::FlushRefusals, 1);
    }

    fn flush_failed(&self, _error: &Error) {
        self.count(Name::FlushFailures, 1);
    }

    fn parked(&self, events: usize) {
        self.count(Name::Parked, events as u64);
    }

    fn lost(&self, _why: &Loss<'_>) {
        self.count(Name::Lost, 1);
    }

    fn resting(&self, queue: &Queue) {
        // What keeps the gauges from being read fails for those who use the queue, too.
        self.observe(queue).ok();
    }
}

impl Listener for MetricsListener {
    fn enqueued(&self, records: u64, bytes: u64) {
        self.count(Name::Enqueued, records);
        self.count(Name::EnqueuedBytes, bytes);
    }

    fn dropped(&self, _gap: &Gap, count: u64) {
        self.count(Name::Dropped, count);
    }

    fn delivered(&self, consumer: &str, records: u64) {
        let Some(key) = self.key(Name::Delivered) else {
            return;
        };
        let key = key.with_extra_labels(vec![Label::new("consumer", consumer.to_owned())]);
        with_recorder(|recorder| {
            recorder
                .register_counter(&key, &METADATA)
                .increment(records);
        });
    }

    fn synced(&self, duration: Duration, records: u64) {
        self.record(Name::SyncSeconds, duration.as_secs_f64());
        self.record(Name::SyncRecords, as_float(records));
    }

    fn rotated(&self, _sealed: SegmentNumber, _active: SegmentNumber) {
        self.count(Name::Rotations, 1);
    }

    fn reclaimed(&self, _segment: SegmentNumber, bytes: u64) {
        self.count(Name::Reclaimed, 1);
        self.count(Name::ReclaimedBytes, bytes);
    }

    fn torn_tail_removed(&self, _torn: &TornTail) {
        self.count(Name::TornTails, 1);
    }

    fn corruption(&self, _corruption: &Corruption) {
        self.count(Name::Corruptions, 1);
    }

    fn poisoned(&self, _error: &Error) {
        self.count(Name::Poisoned, 1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use metrics_util::MetricKind;
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    use super::*;
    use crate::event::GapReason;
    use crate::position::{Offset, Sequence};

    /// Has everything happen once, and returns all that a recorder was told: name to kind, unit and
    /// meaning.
    fn everything() -> BTreeMap<String, (MetricKind, Unit, String)> {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        ::metrics::with_local_recorder(&recorder, || {
            let listener = MetricsListener::default();
            let folder = tempfile::tempdir().expect("a folder");
            let queue = Queue::open(folder.path().join("queue")).expect("a queue");
            listener.observe(&queue).expect("gauges");
            tell_as_publisher(&listener);
            tell_as_queue(&listener);
        });
        let snapshot = snapshotter.snapshot().into_vec().into_iter();
        let told = snapshot.map(|(key, unit, meaning, _)| {
            let name = key.key().name().to_owned();
            let unit = unit.expect("described");
            let meaning = meaning.expect("described").to_string();
            (name, (key.kind(), unit, meaning))
        });
        told.collect()
    }

    fn tell_as_publisher(listener: &MetricsListener) {
        let refused = SinkError::retry("away");
        let failed = Error::new(crate::error::ErrorKind::Closed, "closed");
        listener.published();
        listener.publish_error(&refused);
        listener.buffered();
        listener.flushed(2);
        listener.flush_refused(&refused);
        listener.flush_failed(&failed);
        listener.parked(2);
        listener.lost(&Loss::NoCapacity);
        listener.poisoned(&failed);
    }

    fn tell_as_queue(listener: &MetricsListener) {
        let none = Sequence::ZERO..Sequence::ZERO;
        listener.enqueued(1, 10);
        listener.dropped(&Gap::new(none.clone(), GapReason::Dropped), 1);
        listener.delivered("shipper", 1);
        listener.synced(Duration::from_millis(2), 3);
        listener.rotated(SegmentNumber::new(1), SegmentNumber::new(1));
        listener.reclaimed(SegmentNumber::new(1), 4096);
        listener.torn_tail_removed(&TornTail::new("log".into(), Offset::new(0), 0));
        listener.corruption(&Corruption {
            file: "log".into(),
            offset: Offset::new(0),
            range: none,
            expected: "a frame".to_owned(),
            found: "zeros".to_owned(),
        });
    }

    /// The lines of the table in docs/METRICS.md: name to kind, unit and meaning.
    fn documented() -> BTreeMap<String, (MetricKind, Unit, String)> {
        let lines = include_str!("../../docs/METRICS.md").lines();
        let rows = lines.filter_map(|line| {
            let mut cells = line.strip_prefix("| `forebay_")?.split('|').map(str::trim);
            let name = format!("forebay_{}", cells.next()?.trim_end_matches('`'));
            let kind = match cells.next()? {
                "counter" => MetricKind::Counter,
                "gauge" => MetricKind::Gauge,
                "histogram" => MetricKind::Histogram,
                other => panic!("{other} is no kind of metric"),
            };
            let unit = Unit::from_string(cells.next()?).expect("a unit");
            Some((name, (kind, unit, cells.next()?.to_owned())))
        });
        rows.collect()
    }

    #[test]
    fn every_metric_is_documented_and_every_documented_one_exists() {
        let told = everything();
        assert_eq!(told, documented());
        assert_eq!(told.len(), METRICS.len());
    }

    #[test]
    fn what_is_counted_is_what_was_told() {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        ::metrics::with_local_recorder(&recorder, || {
            let listener = MetricsListener::new("audit");
            listener.flushed(7);
            listener.flushed(5);
            listener.delivered("shipper", 4);
            listener.synced(Duration::from_millis(250), 9);
        });
        let mut values = BTreeMap::new();
        for (key, _, _, value) in snapshotter.snapshot().into_vec() {
            let labels = key.key().labels().map(|label| label.value().to_owned());
            let labels: Vec<_> = labels.collect();
            values.insert(format!("{} {}", key.key().name(), labels.join(" ")), value);
        }
        let seconds = DebugValue::Histogram(vec![0.25.into()]);
        let expected = [
            ("audit_delivered_total shipper", DebugValue::Counter(4)),
            ("audit_flushed_total ", DebugValue::Counter(12)),
            (
                "audit_sync_records ",
                DebugValue::Histogram(vec![9.0.into()]),
            ),
            ("audit_sync_seconds ", seconds),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(values, BTreeMap::from(expected));
    }
}
