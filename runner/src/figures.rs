//! What a report needs to know of a run, read from a snapshot.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use barewire::{Distribution, Metric, OVERFLOW, Precision, Reading, Snapshot};

use crate::{name, outcome::FAILURE, run::Totals};

/// The figures of a run, or of one step of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// How long the run has lasted.
    pub elapsed: Duration,
    /// Requests with an outcome, good or bad.
    pub requests: u64,
    /// Those of them that failed.
    pub errors: u64,
    /// Requests that were sent after the load had ended, and so are no part of a rate.
    pub late_requests: u64,
    /// Those of the late ones that failed.
    pub late_errors: u64,
    /// Requests without an outcome, because the end of the run cut them off. For a percentile they are failures.
    pub unanswered: u64,
    /// The failures by the names of their classes ([`Failure::name`](crate::Failure::name)); none that are zero.
    pub errors_by_class: BTreeMap<String, u64>,
    /// Requests that wait for their response.
    pub in_flight: u64,
    /// Requests that were sent once more, because a kept connection was closed before a byte of the response came.
    pub retries: u64,
    /// Bytes received, heads included.
    pub bytes_in: u64,
    /// Bytes sent, heads included.
    pub bytes_out: u64,
    /// Service time, from sent to received, of requests that succeeded, in nanoseconds.
    pub latency: Distribution,
    /// Service time of requests that failed, to their failure.
    pub failed_latency: Distribution,
    /// Response time, from due to received, of requests that succeeded, in nanoseconds; empty under the closed model.
    pub response_time: Distribution,
    /// Response time of requests that failed, to their failure; empty under the closed model.
    pub failed_response_time: Distribution,
    /// From due to sent, of the requests that were sent, in nanoseconds; empty under the closed model.
    pub schedule_slip: Distribution,
    /// Arrivals that were due, as far as their fate is known: completed or dropped, and at the end all of them.
    pub scheduled: u64,
    /// Arrivals that never found a free connection; none before the load has ended.
    pub dropped: u64,
    /// Whether a part of the figures was folded into series of others, so that steps and outcomes are not all known.
    pub is_folded: bool,
    /// Whether a step was answered with more statuses than are told apart: exporters show the others as one.
    pub has_other_statuses: bool,
    /// The same for each step, in the order of the plan; a step has none itself.
    pub steps: Vec<(String, Figures)>,
}

impl Figures {
    /// Reads the figures of a run that has lasted for `elapsed`.
    pub fn of(snapshot: &Snapshot, elapsed: Duration) -> Self {
        let mut whole = Figures { elapsed, ..Figures::default() };
        let mut places = HashMap::new();
        for (metric, reading) in snapshot.readings() {
            whole.add(metric, reading);
            whole.is_folded |= snapshot.folded() > 0 && is_of_folded(metric);
            whole.has_other_statuses |= metric.label_value(name::STATUS_CODE) == Some(&OVERFLOW.into());
            let Some(step) = metric.label_value(name::STEP) else { continue };
            let at = *places.entry(step.to_text()).or_insert_with_key(|step| {
                let figures = Figures { elapsed, ..Figures::default() };
                whole.steps.push((step.to_string(), figures));
                whole.steps.len() - 1
            });
            whole.steps[at].1.add(metric, reading);
        }
        // Where the counters of one name were lost, those of the other were not.
        let by_class = |figures: &Figures| figures.errors_by_class.values().sum();
        whole.errors = whole.errors.max(by_class(&whole));
        whole.steps.iter_mut().for_each(|(_, step)| step.errors = step.errors.max(by_class(step)));
        whole
    }

    /// A sentence for each way in which series were folded.
    pub fn folds(&self) -> impl Iterator<Item = &'static str> {
        let rows = [
            (
                self.is_folded,
                "the registry had no room for all series of the run: some of its figures are in series called \
                 '_other', and no threshold can be judged; give it a larger budget",
            ),
            (
                self.has_other_statuses,
                "a step was answered with more than 32 statuses: exporters show the others as '_other'",
            ),
        ];
        rows.into_iter().filter_map(|(is_so, text)| is_so.then_some(text))
    }

    /// Successful requests a second; `None` when no time has passed.
    pub fn throughput(&self) -> Option<f64> {
        let successes = self.requests.saturating_sub(self.errors);
        self.per_second(successes.saturating_sub(self.late_requests - self.late_errors))
    }

    /// Requests a second, whatever became of them; `None` when no time has passed.
    pub fn rate(&self) -> Option<f64> {
        self.per_second(self.requests.saturating_sub(self.late_requests))
    }

    /// The share of failed requests, 0 to 100; `None` when there are no requests.
    #[allow(clippy::cast_precision_loss)]
    pub fn error_percent(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.errors as f64 * 100.0 / self.requests as f64)
    }

    /// The figures of a run that has ended, with what became of all its arrivals.
    #[must_use]
    pub fn with_totals(self, totals: &Totals) -> Self {
        Figures {
            scheduled: totals.scheduled,
            dropped: totals.dropped,
            late_requests: totals.late_requests,
            late_errors: totals.late_errors,
            unanswered: totals.requests_unfinished,
            ..self
        }
    }

    /// The share of arrivals that were dropped, 0 to 100; `None` as long as none was either dropped or completed.
    #[allow(clippy::cast_precision_loss)]
    pub fn dropped_percent(&self) -> Option<f64> {
        (self.scheduled > 0).then(|| self.dropped as f64 * 100.0 / self.scheduled as f64)
    }

    /// The latency that thresholds judge, of requests that succeeded: response time where there is any, service time
    /// otherwise.
    pub fn judged(&self) -> &Distribution {
        if self.has_response_times() { &self.response_time } else { &self.latency }
    }

    /// The same of requests that failed.
    pub fn judged_failures(&self) -> &Distribution {
        if self.has_response_times() { &self.failed_response_time } else { &self.failed_latency }
    }

    /// The time within which the share `q` of all requests was answered with success; `None` where so many were not.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn quantile_of_all(&self, q: f64) -> Option<u64> {
        let successes = self.judged().count();
        // A request without a duration has no success to show for it.
        let all = self.unanswered + self.requests.max(successes + self.judged_failures().count());
        let rank = ((q * all as f64).ceil() as u64).clamp(1, all.max(1));
        // Half a place before the end of its own, where no rounding leads to a neighbour.
        (rank <= successes).then(|| self.judged().quantile((rank as f64 - 0.5) / successes as f64)).flatten()
    }

    fn has_response_times(&self) -> bool {
        self.response_time.count() + self.failed_response_time.count() > 0
    }

    #[allow(clippy::cast_precision_loss)]
    fn per_second(&self, count: u64) -> Option<f64> {
        (!self.elapsed.is_zero()).then(|| count as f64 / self.elapsed.as_secs_f64())
    }

    fn add(&mut self, metric: &Metric, reading: Reading<'_>) {
        match (metric.name.as_str(), reading) {
            (name::REQUESTS, Reading::Counter(n)) => self.add_requests(metric, n),
            (name::ERRORS, Reading::Counter(n)) => self.add_errors(metric, n),
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count, kept as a gauge"
            )]
            (name::IN_FLIGHT, Reading::Gauge(count)) => self.in_flight += count.unwrap_or(0.0) as u64,
            (name::RECEIVED, Reading::Counter(n)) => self.bytes_in += n,
            (name::RETRIES, Reading::Counter(n)) => self.retries += n,
            (name::SENT, Reading::Counter(n)) => self.bytes_out += n,
            (name::ITERATIONS, Reading::Counter(n)) => self.scheduled += n,
            (name::ITERATIONS_DROPPED, Reading::Counter(n)) => {
                self.scheduled += n;
                self.dropped += n;
            }
            (name::DURATION, Reading::Histogram(took)) => match metric.label_value(name::ERROR_TYPE) {
                None => self.latency.merge(took),
                Some(_) => self.failed_latency.merge(took),
            },
            (name::SCHEDULE_SLIP, Reading::Histogram(slip)) => self.schedule_slip.merge(slip),
            (name::RESPONSE_TIME, Reading::Histogram(took)) => match metric.label_value(name::ERROR_TYPE) {
                None => self.response_time.merge(took),
                Some(_) => self.failed_response_time.merge(took),
            },
            _ => {}
        }
    }

    fn add_requests(&mut self, metric: &Metric, n: u64) {
        self.requests += n;
        if metric.label_value(name::OUTCOME) == Some(&FAILURE.into()) {
            self.errors += n;
        }
    }

    fn add_errors(&mut self, metric: &Metric, n: u64) {
        if let Some(class) = metric.label_value(name::ERROR_TYPE).filter(|_| n > 0) {
            *self.errors_by_class.entry(class.to_text().into_owned()).or_default() += n;
        }
    }
}

/// Whether a series holds what was counted for others, past the budget of the registry.
fn is_of_folded(metric: &Metric) -> bool {
    let is_of_requests = metric.label_value(name::STEP).is_some();
    is_of_requests && metric.labels.iter().all(|label| label.value == OVERFLOW.into())
}

impl Default for Figures {
    fn default() -> Self {
        Figures {
            elapsed: Duration::ZERO,
            requests: 0,
            late_requests: 0,
            late_errors: 0,
            unanswered: 0,
            errors: 0,
            errors_by_class: BTreeMap::new(),
            in_flight: 0,
            retries: 0,
            bytes_in: 0,
            bytes_out: 0,
            latency: Distribution::new(Precision::Three),
            failed_latency: Distribution::new(Precision::Three),
            response_time: Distribution::new(Precision::Three),
            failed_response_time: Distribution::new(Precision::Three),
            schedule_slip: Distribution::default(),
            scheduled: 0,
            dropped: 0,
            is_folded: false,
            has_other_statuses: false,
            steps: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barewire::Registry;

    #[test]
    fn figures_add_up_over_series_and_stand_apart_by_step() {
        let registry = Registry::new("test");
        let mut shard = registry.shard();
        let of = |name, step| Metric::new(name).label(name::STEP, step);
        for (step, n) in [("a", 1), ("b", 2)] {
            shard.add(registry.counter(of(name::REQUESTS, step).label(name::OUTCOME, "success")), 10 * n);
            shard.add(registry.counter(of(name::REQUESTS, step).label(name::OUTCOME, "failure")), n);
            shard.add(registry.counter(of(name::ERRORS, step).label(name::ERROR_TYPE, "timeout")), n);
            shard.add(registry.counter(of(name::RECEIVED, step)), 100 * n);
            shard.add(registry.counter(of(name::SENT, step)), 1000 * n);
            shard.record(registry.histogram(of(name::DURATION, step).precision(Precision::Three)), n * 1_000);
        }
        shard.add(registry.counter(of(name::ERRORS, "b").label(name::ERROR_TYPE, "reset")), 0);
        let figures = Figures::of(&registry.snapshot(), Duration::from_secs(4));
        assert_eq!(
            (figures.requests, figures.errors, figures.bytes_in, figures.bytes_out),
            (33, 3, 300, 3000)
        );
        assert_eq!(figures.errors_by_class, BTreeMap::from([("timeout".to_owned(), 3)]));
        assert_eq!((figures.rate(), figures.throughput()), (Some(8.25), Some(7.5)));
        assert_eq!((figures.latency.count(), figures.judged().max()), (2, Some(2000)));
        let steps: Vec<_> = figures
            .steps
            .iter()
            .map(|(name, step)| (name.as_str(), step.requests, step.latency.sum()))
            .collect();
        assert_eq!(steps, [("a", 11, 1000), ("b", 22, 2000)]);
    }
}
