//! What a run came to, as JSON for programs.

mod destination;

use std::collections::BTreeMap;

use barewire::{Distribution, LaneReport};
use barewire_runner::{Bottleneck, Failure, Figures, Reason};
use serde::Serialize;

pub(crate) use self::destination::{Destination, Older};
use crate::report::Outcome;

/// The document that `--results` writes. Times are milliseconds unless the name says otherwise; a figure that was
/// not measured is null.
#[derive(Debug, Serialize)]
pub(crate) struct Results<'a> {
    run_id: &'a str,
    name: &'a str,
    status: &'static str,
    target: String,
    connections: usize,
    threads: usize,
    /// The signal that ended the run, if one did.
    ended_by: Option<&'static str>,
    /// When that came, since the beginning of the load.
    ended_after_s: Option<f64>,
    duration_s: f64,
    /// The time after that in which what was in flight or due was waited for.
    drained_s: f64,
    requests: u64,
    errors: u64,
    /// Requests that were sent in the drain, and so are no part of the rate.
    late_requests: u64,
    /// Requests that were sent and cut off by the end of the drain.
    unanswered: u64,
    /// Requests that were sent once more.
    retries: u64,
    rps: Option<f64>,
    bytes_in: u64,
    bytes_out: u64,
    /// Of requests that succeeded.
    latency_ms: Latency,
    /// Of requests that failed, where any did.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_latency_ms: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_time_ms: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_response_time_ms: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule_slip_ms: Option<Latency>,
    /// The cause that kept the run from its rate: "generator", "connections", "target", "connections_or_target" or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    bottleneck: Option<Option<&'static str>>,
    /// Connections that the rate takes at the latency that was measured, by Little's law and with some headroom.
    #[serde(skip_serializing_if = "Option::is_none")]
    connections_needed: Option<u64>,
    /// The first warning that the processors were too busy, or null.
    cpu_warning: Option<&'a str>,
    iterations: Iterations,
    /// A sentence for each way in which series were folded into others.
    folded: Vec<&'static str>,
    steps: Vec<Step<'a>>,
    errors_by_class: &'a BTreeMap<String, u64>,
    /// The first reasons of each class.
    error_reasons: Vec<ErrorReason>,
    thresholds: Vec<ThresholdResult>,
    exporters: Vec<Exporter<'a>>,
}

#[derive(Debug, Serialize)]
struct Latency {
    mean: Option<f64>,
    p50: Option<f64>,
    p90: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    p999: Option<f64>,
    max: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Iterations {
    scheduled: u64,
    completed: u64,
    dropped: u64,
    unfinished: u64,
    dropped_percent: Option<f64>,
    /// Beyond it the load was not applied, and the run has failed; null where nothing is judged by it.
    max_dropped_percent: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Step<'a> {
    name: &'a str,
    requests: u64,
    errors: u64,
    retries: u64,
    bytes_in: u64,
    latency_ms: Latency,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_latency_ms: Option<Latency>,
    errors_by_class: &'a BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct ErrorReason {
    class: &'static str,
    reason: String,
    count: u64,
}

#[derive(Debug, Serialize)]
struct ThresholdResult {
    threshold: String,
    /// Null where nothing was measured, or the figure falls on requests that failed.
    value: Option<f64>,
    unit: &'static str,
    ok: bool,
    /// The same as the summary has it.
    measured: String,
}

#[derive(Debug, Serialize)]
struct Exporter<'a> {
    name: &'a str,
    sent: u64,
    /// Of those sent, the ones of which the receiver rejected points.
    partial: u64,
    dropped: u64,
    failed: u64,
    timed_out: u64,
    /// Accepted by the receiver.
    points: u64,
    rejected: u64,
    left_out: u64,
    bytes: u64,
    /// Of a page; null for an exporter that sends.
    scrapes: Option<u64>,
    events: u64,
    events_rejected: u64,
    events_lost: u64,
    samples: u64,
    samples_rejected: u64,
    samples_lost: u64,
    complete: bool,
    /// Sentences of the receiver about what it took.
    messages: &'a [String],
    last_error: Option<&'a str>,
}

impl<'a> Results<'a> {
    /// The document, as it is written.
    pub(crate) fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    pub(crate) fn of(outcome: &'a Outcome<'a>) -> Self {
        let Outcome { workload, figures, totals, .. } = outcome;
        Results {
            run_id: outcome.run_id,
            name: workload.name(),
            status: outcome.status().name(),
            target: workload.target().to_string(),
            connections: workload.connections(),
            threads: workload.threads(),
            ended_by: outcome.ended_by.map(|signal| signal.name),
            ended_after_s: outcome.stopped().map(|stopped| stopped.as_secs_f64()),
            duration_s: figures.elapsed.as_secs_f64(),
            drained_s: totals.drained.as_secs_f64(),
            requests: figures.requests,
            errors: figures.errors,
            late_requests: totals.late_requests,
            unanswered: totals.requests_unfinished,
            retries: figures.retries,
            rps: figures.rate(),
            bytes_in: figures.bytes_in,
            bytes_out: figures.bytes_out,
            latency_ms: Latency::of(&figures.latency),
            failed_latency_ms: Latency::of_any(&figures.failed_latency),
            response_time_ms: workload.is_open().then(|| Latency::of(&figures.response_time)),
            failed_response_time_ms: Latency::of_any(&figures.failed_response_time),
            schedule_slip_ms: workload.is_open().then(|| Latency::of(&figures.schedule_slip)),
            connections_needed: totals.capacity(workload).map(|capacity| capacity.needed),
            cpu_warning: outcome.cpu_warning.as_deref(),
            bottleneck: workload.is_open().then(|| outcome.bottleneck().map(Bottleneck::name)),
            iterations: Iterations {
                scheduled: totals.scheduled,
                completed: totals.completed,
                dropped: totals.dropped,
                unfinished: totals.unfinished,
                dropped_percent: figures.dropped_percent(),
                max_dropped_percent: workload.max_dropped_percent(),
            },
            folded: figures.folds().collect(),
            steps: figures.steps.iter().map(|(name, figures)| Step::of(name, figures)).collect(),
            errors_by_class: &figures.errors_by_class,
            error_reasons: totals.reasons.list().into_iter().map(ErrorReason::of).collect(),
            thresholds: outcome
                .verdicts
                .iter()
                .map(|(threshold, verdict)| ThresholdResult {
                    threshold: threshold.to_string(),
                    value: verdict.measured.value(),
                    unit: threshold.unit(),
                    ok: verdict.ok,
                    measured: threshold.tell(verdict.measured),
                })
                .collect(),
            exporters: outcome.lanes.iter().map(Exporter::of).collect(),
        }
    }
}

impl Latency {
    fn of_any(took: &Distribution) -> Option<Self> {
        (took.count() > 0).then(|| Latency::of(took))
    }

    fn of(took: &Distribution) -> Self {
        let quantile = |q| took.quantile(q).map(ms);
        Latency {
            mean: took.mean().map(ms),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p95: quantile(0.95),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: took.max().map(ms),
        }
    }
}

impl ErrorReason {
    fn of((class, reason, count): (Failure, Reason, u64)) -> Self {
        ErrorReason { class: class.name(), reason: reason.to_string(), count }
    }
}

impl<'a> Step<'a> {
    fn of(name: &'a str, figures: &'a Figures) -> Self {
        Step {
            name,
            requests: figures.requests,
            errors: figures.errors,
            retries: figures.retries,
            bytes_in: figures.bytes_in,
            latency_ms: Latency::of(&figures.latency),
            failed_latency_ms: Latency::of_any(&figures.failed_latency),
            errors_by_class: &figures.errors_by_class,
        }
    }
}

impl<'a> Exporter<'a> {
    fn of(lane: &'a LaneReport) -> Self {
        Exporter {
            name: &lane.name,
            sent: lane.sent,
            partial: lane.partial,
            dropped: lane.dropped,
            failed: lane.failed,
            timed_out: lane.timed_out,
            points: lane.points,
            rejected: lane.rejected,
            left_out: lane.left_out,
            bytes: lane.bytes,
            scrapes: lane.scrapes,
            events: lane.events,
            events_rejected: lane.events_rejected,
            events_lost: lane.events_lost,
            samples: lane.samples,
            samples_rejected: lane.samples_rejected,
            samples_lost: lane.samples_lost,
            complete: lane.complete,
            messages: &lane.messages,
            last_error: lane.last_error.as_deref(),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "a float is what JSON has")]
fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}
