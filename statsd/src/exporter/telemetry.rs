//! What a DogStatsD client tells of itself, by the names that Datadog's own clients use.

use std::sync::Arc;

use barewire::{
    Metric,
    view::{Frame, Number, Point, Temporality, Value},
    wire::datagram::Datagrams,
};

use crate::encode::{Encoder, Style};

/// Counts that are told with the next snapshot, and kept as long as none gets through.
#[derive(Debug)]
pub(super) struct Telemetry {
    frame: Frame,
    encoder: Encoder,
    counts: Counts,
}

/// What happened since the last snapshot.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) metrics: u64,
    pub(super) bytes_sent: u64,
    pub(super) bytes_dropped: u64,
    pub(super) packets_sent: u64,
    pub(super) packets_dropped: u64,
}

const NAMES: [&str; 5] = ["metrics", "bytes_sent", "bytes_dropped", "packets_sent", "packets_dropped"];

impl Telemetry {
    /// `style` has no prefix: these names are Datadog's.
    pub(super) fn new(style: Style, transport: &str) -> Self {
        let metric = |name: &str| {
            Metric::new(format!("datadog.dogstatsd.client.{name}"))
                .label("client", "barewire")
                .label("client_version", env!("CARGO_PKG_VERSION"))
                .label("client_transport", transport)
        };
        let points = NAMES.map(|name| Point { metric: Arc::new(metric(name)), value: Value::Absent });
        let frame = Frame { temporality: Temporality::Delta, points: points.into(), ..Frame::default() };
        Telemetry { frame, encoder: Encoder::new(style), counts: Counts::default() }
    }

    pub(super) fn add(&mut self, more: Counts) {
        let counts = &mut self.counts;
        counts.metrics += more.metrics;
        counts.bytes_sent += more.bytes_sent;
        counts.bytes_dropped += more.bytes_dropped;
        counts.packets_sent += more.packets_sent;
        counts.packets_dropped += more.packets_dropped;
    }

    pub(super) fn push(&mut self, time_unix_ns: u64, out: &mut Datagrams) {
        let Counts { metrics, bytes_sent, bytes_dropped, packets_sent, packets_dropped } =
            std::mem::take(&mut self.counts);
        let counts = [metrics, bytes_sent, bytes_dropped, packets_sent, packets_dropped];
        for (point, count) in self.frame.points.iter_mut().zip(counts) {
            point.value = Value::Counter(Number::Int(i64::try_from(count).unwrap_or(i64::MAX)));
        }
        self.frame.time_unix_ns = time_unix_ns;
        self.encoder.push_frame(&self.frame, out);
    }

    pub(super) fn settle(&mut self, bytes: usize) {
        self.encoder.settle(bytes);
    }
}
