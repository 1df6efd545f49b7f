//! From what was asked for to what can be run.

use std::{sync::Arc, thread, time::Duration};

use barewire::wire::http::{Header, Scheme, Url, is_token, push_request_head};

use super::{
    DEFAULT_MAX_DROPPED_PERCENT, DEFAULT_TIMEOUT, Defaults, Percent, Plan, PlanError, Stage, Step, ThinkTime,
    Threshold, Workload,
    workload::{self, Load},
};
use crate::{
    pace::{Curve, RATE_SCALE},
    trace::TRACEPARENT,
};

const MAX_CONNECTIONS: u32 = 1_000_000;
const MAX_THREADS: u32 = 1_024;
const MIN_RATE: f64 = 1e-6;
const MAX_RATE: f64 = 1e7;
const MAX_STAGES: usize = 100;
const MAX_STEPS: usize = 10_000;
/// Methods of requests that mean the same twice (RFC 9110, section 9.2.2).
const IDEMPOTENT: [&str; 6] = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];

/// Longer than any run: for loads that end by iterations.
const FOREVER_NS: u64 = u64::MAX / 4;

type Result<T> = std::result::Result<T, PlanError>;

pub(super) fn check(plan: &Plan) -> Result<Workload> {
    let target = parse_url("target", &plan.target)?;
    let defaults = plan.kind.defaults();
    check_ends(plan)?;
    let is_open = plan.rate.is_some() || plan.stages.iter().any(|stage| stage.rate.is_some());
    let (load, connections) =
        if is_open { open_load(plan, &defaults)? } else { closed_load(plan, &defaults)? };
    let timeout = plan.timeout.unwrap_or(DEFAULT_TIMEOUT);
    if timeout.is_zero() {
        return Err(PlanError::new("timeout", "0s leaves no time for an answer: give at least 1ms"));
    }
    Ok(Workload {
        name: plan.name.clone().unwrap_or_else(|| target.authority().to_owned()),
        kind: plan.kind,
        steps: check_steps(plan, &target, &defaults, is_open)?,
        target,
        load,
        iterations: if is_open { u64::MAX } else { plan.iterations.unwrap_or(u64::MAX) },
        connections: connections as usize,
        threads: check_threads(plan.threads, connections)?,
        timeout_ns: nanos(timeout),
        drain_ns: nanos(plan.drain.unwrap_or(timeout)),
        thresholds: plan.thresholds.clone(),
        max_dropped: max_dropped(plan, is_open),
    })
}

/// The share of dropped arrivals beyond which a run fails. Who sets thresholds wants to know of a load that was not
/// applied, and who sets one for just that has said how much of it.
fn max_dropped(plan: &Plan, is_open: bool) -> Option<f64> {
    let is_judged = !plan.thresholds.is_empty() && !plan.thresholds.iter().any(Threshold::is_of_dropped);
    let given = plan.max_dropped.map(Percent::value);
    given.or(is_judged.then_some(DEFAULT_MAX_DROPPED_PERCENT)).filter(|_| is_open)
}

/// There is one way to say when a run ends.
fn check_ends(plan: &Plan) -> Result<()> {
    let beside = |field: &str, given: bool, other: &str| match given {
        true => Err(PlanError::new(field, format!("cannot stand beside '{other}': leave one of them out"))),
        false => Ok(()),
    };
    if !plan.stages.is_empty() {
        beside("duration", plan.duration.is_some(), "stages")?;
        beside("iterations", plan.iterations.is_some(), "stages")?;
        beside("ramp_up", plan.ramp_up.is_some(), "stages")?;
        beside("ramp_down", plan.ramp_down.is_some(), "stages")?;
    }
    if plan.iterations.is_some() {
        beside("iterations", plan.rate.is_some(), "rate")?;
        beside("duration", plan.duration.is_some(), "iterations")?;
        beside("ramp_down", plan.ramp_down.is_some(), "iterations")?;
    }
    if plan.stages.len() > MAX_STAGES {
        return Err(PlanError::new(
            "stages",
            format!("{} are too many: {MAX_STAGES} are the most", plan.stages.len()),
        ));
    }
    match (plan.iterations, plan.duration) {
        (Some(0), _) => Err(PlanError::new("iterations", "0 is nothing to do: give at least 1")),
        (_, Some(Duration::ZERO)) => {
            Err(PlanError::new("duration", "0s is nothing to do: give at least 1ms"))
        }
        _ => Ok(()),
    }
}

fn closed_load(plan: &Plan, defaults: &Defaults) -> Result<(Load, u32)> {
    if let (Some(users), Some(connections)) = (plan.users, plan.connections)
        && users != connections
    {
        let reason =
            format!("{connections} are not the {users} users, who have one each: leave one of them out");
        return Err(PlanError::new("connections", reason));
    }
    let given = plan.users.or(plan.connections);
    let field = if plan.users.is_some() { "users" } else { "connections" };
    let users = match given {
        Some(users) => check_connections(field, users, if plan.stages.is_empty() { 1 } else { 0 })?,
        None if plan.stages.is_empty() => defaults.users,
        None => 0,
    };
    let users_at = |at: usize, stage: &Stage| -> Result<u64> {
        let field = format!("stages[{at}].users");
        let users = stage.users.ok_or_else(|| {
            PlanError::new(field.as_str(), "is missing: say how many there are at the end of the stage")
        })?;
        check_connections(&field, users, 0).map(u64::from)
    };
    let curve = course(plan, defaults, u64::from(users), users_at)?;
    let peak = u32::try_from(curve.peak()).unwrap_or(MAX_CONNECTIONS);
    if peak == 0 {
        return Err(PlanError::new("stages", "never reach one user: raise one of them"));
    }
    Ok((Load::Closed(Arc::new(curve)), peak))
}

fn open_load(plan: &Plan, defaults: &Defaults) -> Result<(Load, u32)> {
    if let Some(users) = plan.users {
        let reason = format!(
            "{users} cannot stand beside a rate, whose arrivals wait for nobody: write 'connections' for those that \
             serve them, or leave out the rate for users who wait for their responses"
        );
        return Err(PlanError::new("users", reason));
    }
    let connections = check_connections("connections", plan.connections.unwrap_or(defaults.users), 1)?;
    let rate = match plan.rate {
        // The first stage begins at rest.
        Some(0.0) if !plan.stages.is_empty() => 0,
        Some(rate) => check_rate("rate", rate)?,
        None => 0,
    };
    let rate_at = |at: usize, stage: &Stage| -> Result<u64> {
        if stage.users.is_some() {
            let reason = "cannot stand beside a rate: use rates in all stages, or users in all";
            return Err(PlanError::new(format!("stages[{at}].users"), reason));
        }
        let field = format!("stages[{at}].rate");
        let rate = stage.rate.ok_or_else(|| {
            PlanError::new(field.as_str(), "is missing: say what it is at the end of the stage")
        })?;
        if rate == 0.0 { Ok(0) } else { check_rate(&field, rate) }
    };
    let curve = course(plan, defaults, rate, rate_at)?;
    if curve.arrivals() == 0 {
        return Err(PlanError::new("stages", "never reach a rate: raise one of them"));
    }
    Ok((Load::Open(Arc::new(curve)), connections))
}

/// The course of the load: the stages, or ramp, plateau and ramp.
fn course(
    plan: &Plan,
    defaults: &Defaults,
    level: u64,
    level_at: impl Fn(usize, &Stage) -> Result<u64>,
) -> Result<Curve> {
    if !plan.stages.is_empty() {
        let line = |(at, stage): (usize, &Stage)| Ok((nanos(stage.duration), level_at(at, stage)?));
        let lines: Vec<(u64, u64)> = plan.stages.iter().enumerate().map(line).collect::<Result<_>>()?;
        return Ok(Curve::new(level, &lines));
    }
    let ramp_up = nanos(plan.ramp_up.unwrap_or(defaults.ramp_up));
    let from = if ramp_up > 0 { 0 } else { level };
    let (plateau, ramp_down) = match plan.iterations {
        Some(_) => (FOREVER_NS, Duration::ZERO),
        None => {
            (nanos(plan.duration.unwrap_or(defaults.duration)), plan.ramp_down.unwrap_or(defaults.ramp_down))
        }
    };
    let end = if ramp_down.is_zero() { level } else { 0 };
    Ok(Curve::new(from, &[(ramp_up, level), (plateau, level), (nanos(ramp_down), end)]))
}

fn check_connections(field: &str, count: u32, least: u32) -> Result<u32> {
    if (least..=MAX_CONNECTIONS).contains(&count) {
        return Ok(count);
    }
    Err(PlanError::new(field, format!("{count} is out of range: give {least} to {MAX_CONNECTIONS}")))
}

/// A rate as a level of its curve.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn check_rate(field: &str, rate: f64) -> Result<u64> {
    if (MIN_RATE..=MAX_RATE).contains(&rate) {
        return Ok((rate * RATE_SCALE).round() as u64);
    }
    Err(PlanError::new(
        field,
        format!("{rate} is out of range: give {MIN_RATE} to {MAX_RATE} arrivals per second"),
    ))
}

/// One a core unless given, and none without a connection.
fn check_threads(threads: Option<u32>, connections: u32) -> Result<usize> {
    let cores = || {
        thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(MAX_THREADS))
    };
    match threads.unwrap_or_else(cores) {
        0 => Err(PlanError::new("threads", "0 cannot do anything: give at least 1")),
        threads if threads > MAX_THREADS => {
            Err(PlanError::new("threads", format!("{threads} are too many: {MAX_THREADS} are the most")))
        }
        threads => Ok(threads.min(connections) as usize),
    }
}

fn check_steps(
    plan: &Plan,
    target: &Url,
    defaults: &Defaults,
    is_open: bool,
) -> Result<Box<[workload::Step]>> {
    if plan.steps.len() > MAX_STEPS {
        let reason = format!("{} are too many: {MAX_STEPS} are the most", plan.steps.len());
        return Err(PlanError::new("steps", reason));
    }
    let otherwise = plan.think_time.unwrap_or(defaults.think_time);
    let get = [Step::default()];
    let steps = if plan.steps.is_empty() { &get[..] } else { &plan.steps };
    let mut ready = Vec::with_capacity(steps.len());
    for (at, step) in steps.iter().enumerate() {
        ready.push(check_step(step, &format!("steps[{at}]"), target, otherwise)?);
    }
    if let (true, Some(last)) = (is_open, ready.last_mut()) {
        // The connection is free for the next arrival.
        last.think_ns = (0, 0);
    }
    Ok(ready.into())
}

fn check_step(step: &Step, path: &str, target: &Url, otherwise: ThinkTime) -> Result<workload::Step> {
    let url = resolve(target, &step.url, &format!("{path}.url"))?;
    let method = step.method.as_deref().map(upper_if_known);
    let method = method.unwrap_or(if step.body.is_some() { "POST" } else { "GET" });
    if !is_token(method) || method == "CONNECT" {
        let reason = format!("'{}' is not a method: write GET, POST, …", method.escape_debug());
        return Err(PlanError::new(format!("{path}.method"), reason));
    }
    let headers = check_headers(step, path)?;
    if let Some(status) = step.expect_status.iter().find(|status| !(200..=999).contains(*status)) {
        let reason = format!("{status} is not the status of a response: give 200 to 999");
        return Err(PlanError::new(format!("{path}.expect_status"), reason));
    }
    let body = step.body.as_deref().unwrap_or("");
    let length =
        (step.body.is_some() || matches!(method, "POST" | "PUT" | "PATCH")).then_some(body.len() as u64);
    let mut bytes = Vec::new();
    push_request_head(&mut bytes, method, url.target(), url.authority(), &headers, length);
    // Before the empty line.
    let trace_at = bytes.len() - 2;
    let is_traced = headers.iter().any(|header| header.name().eq_ignore_ascii_case(TRACEPARENT));
    bytes.extend_from_slice(body.as_bytes());
    let think = step.think_time.unwrap_or(otherwise);
    let path_only = url.target().split('?').next().unwrap_or_default();
    let name = step.name.clone().unwrap_or_else(|| format!("{method} {path_only}"));
    Ok(workload::Step {
        name,
        is_idempotent: IDEMPOTENT.contains(&method),
        closes: headers.iter().any(says_close),
        method: method.to_owned(),
        bytes: bytes.into(),
        body_len: body.len() as u64,
        trace_at: (!is_traced).then_some(trace_at),
        url,
        expect_status: step.expect_status.clone().into(),
        think_ns: (nanos(think.min), nanos(think.max)),
    })
}

fn says_close(header: &Header) -> bool {
    header.name().eq_ignore_ascii_case("connection")
        && header.value().split(',').any(|option| option.trim().eq_ignore_ascii_case("close"))
}

/// The methods of RFC 9110 and RFC 5789 but CONNECT, which asks for a tunnel.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

/// A known method in upper case, as nobody means another one by `get`; any other as it is, for methods tell case apart.
fn upper_if_known(method: &str) -> &str {
    METHODS.into_iter().find(|known| known.eq_ignore_ascii_case(method)).unwrap_or(method)
}

fn check_headers(step: &Step, path: &str) -> Result<Vec<Header>> {
    let names: Vec<&String> = step.headers.keys().collect();
    for (at, name) in names.iter().enumerate() {
        if let Some(other) = names[..at].iter().find(|other| other.eq_ignore_ascii_case(name)) {
            let field = format!("{path}.headers.{}", name.escape_debug());
            let reason = format!(
                "is the same header as '{}', in other letters: leave one of them out",
                other.escape_debug()
            );
            return Err(PlanError::new(field, reason));
        }
    }
    let header = |(name, value): (&String, &String)| {
        let field = || format!("{path}.headers.{}", name.escape_debug());
        Header::new(name, value).map_err(|error| PlanError::new(field(), error.to_string()))
    };
    step.headers.iter().map(header).collect()
}

/// The URL of a step: behind the target's path, or absolute with the same origin.
fn resolve(target: &Url, url: &str, field: &str) -> Result<Url> {
    if url.is_empty() {
        return Ok(target.clone());
    }
    if let Some(absolute) = absolute(url) {
        let absolute = parse_url(field, &absolute)?;
        let origin = |url: &Url| (url.scheme(), url.host().to_ascii_lowercase(), url.port());
        if origin(&absolute) == origin(target) {
            return Ok(absolute);
        }
        let reason = format!("'{absolute}' is not on the target '{target}': a plan loads one origin");
        return Err(PlanError::new(field, reason));
    }
    let url = url.strip_prefix("./").unwrap_or(url);
    let base = target.target().split('?').next().unwrap_or_default();
    let (base, slash) = if url.starts_with('?') { (base, "") } else { (base.trim_end_matches('/'), "/") };
    let url = url.strip_prefix('/').unwrap_or(url);
    parse_url(field, &format!("http://{}{base}{slash}{url}", target.authority()))
}

/// A URL that names its host, with its scheme: one that begins with `scheme://`, or with `//`. One that has such a thing
/// further behind, such as in its query, is a path.
fn absolute(url: &str) -> Option<String> {
    if url.starts_with("//") {
        return Some(format!("http:{url}"));
    }
    let (scheme, _) = url.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme.then(|| url.to_owned())
}

fn parse_url(field: &str, text: &str) -> Result<Url> {
    let url =
        Url::parse(text).map_err(|error| PlanError::new(field, format!("{}: {error}", Url::redact(text))))?;
    match url.scheme() {
        Scheme::Http => Ok(url),
        Scheme::Https => {
            Err(PlanError::new(field, format!("'{url}': https is not spoken by the load runner: use http")))
        }
    }
}

/// Durations are a year at most, so this never cuts one short.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(FOREVER_NS)
}

#[cfg(test)]
mod tests;
