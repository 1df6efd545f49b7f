//! What a worker counts, with the handle of every series at hand.

use barewire::{
    Counter, Gauge, Histogram, LabelValue, Metric, OVERFLOW, Precision, Registry, Sample, SampleSeries,
    Shard, TraceContext, Unit,
};

use crate::{
    clock::now_ns,
    name,
    outcome::{FAILURE, Failure, Outcome, SUCCESS},
    plan::{WorkStep, Workload},
    sampling::{Picker, Sampling},
};

/// How many outcomes a step tells apart by status and failure; what comes beyond counts as one.
const MAX_OUTCOMES: usize = 32;

/// Series of a step besides those of outcomes that are told apart: for each class of failures one of errors, one of
/// response times and one of durations; of other statuses two of durations, good and bad; the rest as [`StepMeters`] has
/// them.
const SERIES_A_STEP: usize = 3 * Failure::ALL.len() + 2 + 10;

/// Series of a load besides those of its steps.
const SERIES_BESIDES: usize = 5;

/// The most series that a run of `workload` may register, whatever the target answers. Each thread tells the outcomes apart
/// that it sees first.
pub(crate) fn most_series(workload: &Workload) -> usize {
    let by_outcome = MAX_OUTCOMES * workload.threads;
    workload.steps.len() * (by_outcome + SERIES_A_STEP) + SERIES_BESIDES
}

/// One worker's counts.
#[derive(Debug)]
pub(crate) struct Meters {
    shard: Shard,
    /// Which requests are shown one by one.
    shown: Picker,
    /// What the monotonic clock is behind the time since the Unix epoch.
    epoch_ns: u64,
    steps: Box<[StepMeters]>,
    users: Gauge,
    in_flight: Gauge,
    target_rate: Option<Gauge>,
    iterations: Counter,
    iterations_dropped: Counter,
}

/// One request, as it is counted at its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange {
    pub(crate) outcome: Outcome,
    /// On the monotonic clock.
    pub(crate) sent_ns: u64,
    /// From sent to received.
    pub(crate) service_ns: u64,
    /// From due to received.
    pub(crate) response_ns: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) body_bytes: u64,
    pub(crate) trace: Option<TraceContext>,
}

#[cfg(test)]
impl Exchange {
    /// A good request that took a millisecond.
    pub(crate) fn sample() -> Self {
        Exchange {
            outcome: Outcome { status: Some(200), failure: None },
            sent_ns: 0,
            service_ns: 1_000_000,
            response_ns: 1_000_000,
            bytes_in: 100,
            bytes_out: 50,
            body_bytes: 10,
            trace: None,
        }
    }
}

#[derive(Debug)]
struct StepMeters {
    request: RequestLabels,
    request_body_len: u64,
    successes: Counter,
    failures: Counter,
    bytes_in: Counter,
    bytes_out: Counter,
    retries: Counter,
    request_size: Histogram,
    response_sizes: [Histogram; 2],
    open: Option<OpenMeters>,
    failed: [Option<FailureMeters>; Failure::ALL.len()],
    durations: ByOutcome<Histogram>,
    samples: ByOutcome<SampleSeries>,
}

/// What is known of the requests of a step beforehand.
#[derive(Debug)]
struct RequestLabels {
    step: String,
    method: String,
    /// Without the query, which may hold a secret.
    url: String,
    server: (String, u16),
}

/// Handles of series that tell requests apart by status and failure.
#[derive(Debug)]
struct ByOutcome<T>(Vec<(Outcome, T)>);

/// Requests of one class of failures.
#[derive(Debug, Clone, Copy)]
struct FailureMeters {
    errors: Counter,
    /// Under a rate.
    response_time: Option<Histogram>,
}

/// What only arrivals have: a time at which they are due.
#[derive(Debug, Clone, Copy)]
struct OpenMeters {
    response_time: Histogram,
    schedule_slip: Histogram,
}

impl Meters {
    /// Those of one thread, which shows the requests that `shown` picks.
    pub(crate) fn new(registry: &Registry, workload: &Workload, shown: Picker) -> Self {
        let gauge = |name, help| registry.gauge(Metric::new(name).unit(Unit::One).help(help));
        let counter = |name, help| registry.counter(Metric::new(name).unit(Unit::One).help(help));
        let is_open = workload.is_open();
        Meters {
            shard: registry.shard(),
            shown,
            epoch_ns: registry.start_unix_ns().wrapping_add(registry.elapsed_ns()).wrapping_sub(now_ns()),
            steps: workload.steps.iter().map(|step| StepMeters::new(registry, step, is_open)).collect(),
            users: gauge(name::USERS, "Virtual users in an iteration or a pause."),
            in_flight: gauge(name::IN_FLIGHT, "Requests that were sent and wait for their response."),
            target_rate: is_open
                .then(|| gauge(name::TARGET_RATE, "Arrivals per second that the plan asks for.")),
            iterations: counter(name::ITERATIONS, "Iterations that ran all their steps."),
            iterations_dropped: counter(
                name::ITERATIONS_DROPPED,
                "Arrivals that never found a free connection.",
            ),
        }
    }

    pub(crate) fn sent(&mut self, step: usize, slip_ns: u64) {
        if let Some(open) = self.steps[step].open {
            self.shard.record(open.schedule_slip, slip_ns);
        }
    }

    pub(crate) fn sent_again(&mut self, step: usize) {
        self.shard.add(self.steps[step].retries, 1);
    }

    pub(crate) fn finished(&mut self, step: usize, exchange: &Exchange) {
        let (shard, meters) = (&mut self.shard, &mut self.steps[step]);
        let duration = meters.duration(shard, exchange.outcome);
        shard.record(duration, exchange.service_ns);
        shard.add(meters.bytes_in, exchange.bytes_in);
        shard.add(meters.bytes_out, exchange.bytes_out);
        if meters.request_body_len > 0 && exchange.bytes_out > 0 {
            shard.record(meters.request_size, meters.request_body_len);
        }
        let response_size = match exchange.outcome.failure {
            None => {
                if let Some(open) = meters.open {
                    shard.record(open.response_time, exchange.response_ns);
                }
                shard.add(meters.successes, 1);
                meters.response_sizes[0]
            }
            Some(failure) => {
                let failed = meters.failed(shard, failure);
                if let Some(response_time) = failed.response_time {
                    shard.record(response_time, exchange.response_ns);
                }
                shard.add(meters.failures, 1);
                shard.add(failed.errors, 1);
                meters.response_sizes[1]
            }
        };
        if exchange.outcome.status.is_some() {
            shard.record(response_size, exchange.body_bytes);
        }
        let counted = self.shown.pick();
        if counted || exchange.trace.is_some() {
            self.show(step, exchange, counted);
        }
    }

    /// Keeps a sample of the request.
    #[inline(never)]
    fn show(&mut self, step: usize, exchange: &Exchange, counted: bool) {
        let sample = Sample {
            series: self.steps[step].sample_series(&self.shard, exchange.outcome),
            start_unix_ns: self.epoch_ns.wrapping_add(exchange.sent_ns),
            duration_ns: exchange.service_ns,
            bytes: exchange.body_bytes,
            counted,
            trace: exchange.trace,
        };
        self.shard.sample(sample);
    }

    pub(crate) fn iteration(&mut self) {
        self.shard.add(self.iterations, 1);
    }

    pub(crate) fn dropped(&mut self, iterations: u64) {
        self.shard.add(self.iterations_dropped, iterations);
    }

    /// Once a round.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn gauges(&mut self, users: usize, in_flight: usize) {
        self.shard.set(self.users, users as f64);
        self.shard.set(self.in_flight, in_flight as f64);
    }

    pub(crate) fn target_rate(&mut self, rate: f64) {
        if let Some(gauge) = self.target_rate {
            self.shard.set(gauge, rate);
        }
    }
}

/// The gauges of a load that rests.
pub(crate) fn resting(registry: &Registry, workload: &Workload) -> Shard {
    let mut meters = Meters::new(registry, workload, Sampling::default().shown(0, 1));
    meters.gauges(0, 0);
    meters.target_rate(0.0);
    meters.shard
}

impl StepMeters {
    fn new(registry: &Registry, step: &WorkStep, is_open: bool) -> Self {
        let of_step = |name, help| Metric::new(name).help(help).label(name::STEP, step.name.as_str());
        let of_method = |name, help| of_step(name, help).label(name::METHOD, step.method.as_str());
        let requests = |outcome| {
            let metric = of_method(name::REQUESTS, "Requests with an outcome.").label(name::OUTCOME, outcome);
            registry.counter(metric.unit(Unit::One))
        };
        let bytes = |name, help| registry.counter(of_step(name, help).unit(Unit::Bytes));
        let size = |metric: Metric| registry.histogram(metric.unit(Unit::Bytes));
        let request_size = of_method(name::REQUEST_SIZE, "Bytes of the bodies of requests that have one.");
        let response_size = |outcome| {
            of_method(name::RESPONSE_SIZE, "Bytes of the bodies of responses, as transferred.")
                .label(name::OUTCOME, outcome)
        };
        StepMeters {
            request: RequestLabels::new(step),
            request_body_len: step.body_len,
            successes: requests(SUCCESS),
            failures: requests(FAILURE),
            bytes_in: bytes(name::RECEIVED, "Bytes received, heads included."),
            bytes_out: bytes(name::SENT, "Bytes sent, heads included."),
            retries: registry.counter(
                of_step(
                    name::RETRIES,
                    "Requests sent once more, as their connection had been closed unused.",
                )
                .unit(Unit::One),
            ),
            request_size: size(request_size),
            response_sizes: [SUCCESS, FAILURE].map(|outcome| size(response_size(outcome))),
            open: is_open.then(|| OpenMeters::new(registry, &step.name)),
            failed: Default::default(),
            durations: ByOutcome::new(),
            samples: ByOutcome::new(),
        }
    }

    /// The durations of requests that ended this way; their series appears with the first of them.
    fn duration(&mut self, shard: &Shard, outcome: Outcome) -> Histogram {
        self.durations.of(outcome, |is_known| {
            let metric = self
                .request
                .metric(name::DURATION, outcome, is_known)
                .unit(Unit::Seconds)
                .help("Time from the first byte of a request sent to the last byte of its response received.")
                .precision(Precision::Three);
            shard.registry().histogram(metric)
        })
    }

    /// What samples of requests that ended this way belong to.
    fn sample_series(&mut self, shard: &Shard, outcome: Outcome) -> SampleSeries {
        self.samples.of(outcome, |is_known| {
            let metric = self
                .request
                .metric(name::REQUEST, outcome, is_known)
                .label(name::OUTCOME, outcome.name())
                .label(name::URL, self.request.url.as_str())
                .label(name::SERVER_ADDRESS, self.request.server.0.as_str())
                .label(name::SERVER_PORT, self.request.server.1);
            shard.registry().sample_series(metric)
        })
    }

    /// The series of requests that failed this way; they appear with the first of them.
    fn failed(&mut self, shard: &Shard, failure: Failure) -> FailureMeters {
        let (step, method) = (self.request.step.as_str(), self.request.method.as_str());
        let is_open = self.open.is_some();
        *self.failed[failure as usize]
            .get_or_insert_with(|| FailureMeters::new(shard.registry(), (step, method), failure, is_open))
    }
}

impl FailureMeters {
    fn new(registry: &Registry, (step, method): (&str, &str), failure: Failure, is_open: bool) -> Self {
        let errors = Metric::new(name::ERRORS)
            .unit(Unit::One)
            .help("Requests that failed, by the class of their failure.")
            .label(name::STEP, step)
            .label(name::METHOD, method)
            .label(name::ERROR_TYPE, failure.name());
        let response_time = || response_time(step).label(name::ERROR_TYPE, failure.name());
        FailureMeters {
            errors: registry.counter(errors),
            response_time: is_open.then(|| registry.histogram(response_time())),
        }
    }
}

impl RequestLabels {
    fn new(step: &WorkStep) -> Self {
        RequestLabels {
            step: step.name.clone(),
            method: step.method.clone(),
            url: step.url.to_string().split('?').next().unwrap_or_default().to_owned(),
            server: (step.url.host().to_owned(), step.url.port()),
        }
    }

    /// A metric of requests that ended this way; of any status, unless the outcome `is_known` by its own.
    fn metric(&self, name: &str, outcome: Outcome, is_known: bool) -> Metric {
        let mut metric =
            Metric::new(name).label(name::STEP, self.step.as_str()).label(name::METHOD, self.method.as_str());
        if let Some(status) = outcome.status {
            let value = if is_known { LabelValue::from(status) } else { LabelValue::from(OVERFLOW) };
            metric = metric.label(name::STATUS_CODE, value);
        }
        if let Some(failure) = outcome.failure {
            metric = metric.label(name::ERROR_TYPE, failure.name());
        }
        metric
    }
}

impl<T: Copy> ByOutcome<T> {
    fn new() -> Self {
        ByOutcome(Vec::with_capacity(MAX_OUTCOMES))
    }

    /// The handle for `outcome`; `register` makes it, and is told whether there is room to know it from then on.
    fn of(&mut self, outcome: Outcome, register: impl FnOnce(bool) -> T) -> T {
        match self.0.iter().find(|(known, _)| *known == outcome) {
            Some((_, handle)) => *handle,
            None => self.first(outcome, register),
        }
    }

    #[cold]
    fn first(&mut self, outcome: Outcome, register: impl FnOnce(bool) -> T) -> T {
        let is_known = self.0.len() < MAX_OUTCOMES;
        let handle = register(is_known);
        if is_known {
            self.0.push((outcome, handle));
        }
        handle
    }
}

impl OpenMeters {
    fn new(registry: &Registry, step: &str) -> Self {
        let slip = "Time from when a request was due to when it was sent.";
        OpenMeters {
            response_time: registry.histogram(response_time(step)),
            schedule_slip: registry.histogram(time_of(step, name::SCHEDULE_SLIP, slip)),
        }
    }
}

fn response_time(step: &str) -> Metric {
    let help = "Time from when a request was due to the last byte of its response.";
    time_of(step, name::RESPONSE_TIME, help).precision(Precision::Three)
}

fn time_of(step: &str, name: &str, help: &'static str) -> Metric {
    Metric::new(name).unit(Unit::Seconds).help(help).label(name::STEP, step)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Figures, Plan, Step};

    fn workload(steps: usize) -> Workload {
        let step = |at: usize| Step { name: Some(format!("step {at}")), ..Step::default() };
        let steps = (0..steps).map(step).collect();
        let plan =
            Plan { rate: Some(1.0), threads: Some(2), connections: Some(2), steps, ..Plan::get("http://h/") };
        plan.check().expect("a plan that can be run")
    }

    /// On each of two threads every class of failure, and more statuses than are told apart, good ones and bad ones.
    fn count_everything(registry: &Registry, workload: &Workload) -> [u64; 2] {
        let [mut requests, mut errors] = [0; 2];
        for thread in 0..2 {
            let mut meters = Meters::new(registry, workload, Sampling::default().shown(0, 1));
            let statuses =
                (200..=260).map(|status| Outcome::answered(status + thread * 300, status % 2 == 0));
            let outcomes = statuses.chain(Failure::ALL.map(Outcome::failed));
            for (step, outcome) in
                (0..workload.steps.len()).flat_map(|step| outcomes.clone().map(move |one| (step, one)))
            {
                meters.finished(step, &Exchange { outcome, ..Exchange::sample() });
                requests += 1;
                errors += u64::from(outcome.failure.is_some());
            }
        }
        [requests, errors]
    }

    #[test]
    fn a_run_that_has_its_room_folds_nothing_whatever_it_is_answered() {
        let (registry, workload) = (Registry::with_budget("test", 0), workload(3));
        registry.extend_budget(most_series(&workload));
        let counted = count_everything(&registry, &workload);
        assert_eq!(registry.folded(), 0);
        let figures = Figures::of(&registry.snapshot(), Duration::from_secs(1));
        assert_eq!([figures.requests, figures.errors], counted);
        assert_eq!((figures.is_folded, figures.has_other_statuses), (false, true));
    }

    #[test]
    fn a_run_without_room_loses_no_count_and_says_that_its_figures_are_folded() {
        let (registry, workload) = (Registry::with_budget("test", 20), workload(3));
        let [requests, errors] = count_everything(&registry, &workload);
        let figures = Figures::of(&registry.snapshot(), Duration::from_secs(1));
        assert_eq!([figures.requests, figures.errors_by_class.values().sum()], [requests, errors]);
        assert_eq!(figures.latency.count() + figures.failed_latency.count(), requests);
        assert_eq!(figures.failed_response_time.count(), errors);
        assert!(figures.is_folded);
        assert!(!"error_rate <= 100%".parse::<crate::Threshold>().unwrap().verdict(&figures).ok);
    }
}
