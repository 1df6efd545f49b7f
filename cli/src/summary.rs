//! What a run came to, as text.

mod exporters;

use std::time::Duration;

use barewire::Distribution;
use barewire_runner::{Failure, Figures, Reasons, Workload};

use crate::{format, report::Outcome};

/// A drain that is shorter, and cut nothing off, is no news.
const NOTABLE_DRAIN: Duration = Duration::from_millis(100);

/// The summary of a run.
pub(crate) fn summary(outcome: &Outcome<'_>) -> String {
    let mut out = String::new();
    let Outcome { workload, figures, .. } = outcome;
    push(&mut out, &headline(workload, figures));
    push_end(&mut out, outcome);
    push(&mut out, "");
    push_latencies(&mut out, figures);
    push(&mut out, "");
    push_counts(&mut out, outcome);
    push_folds(&mut out, figures);
    push_bottleneck(&mut out, outcome);
    push_steps(&mut out, figures);
    push_thresholds(&mut out, outcome);
    exporters::push(&mut out, &outcome.lanes);
    out
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

fn headline(workload: &Workload, figures: &Figures) -> String {
    format!(
        "{} of {} with {} connections on {} threads",
        format::seconds(figures.elapsed),
        workload.target(),
        workload.connections(),
        workload.threads(),
    )
}

/// How the run ended, where that was not by itself and at once.
fn push_end(out: &mut String, outcome: &Outcome<'_>) {
    let Outcome { workload, totals, .. } = outcome;
    if let (Some(signal), Some(stopped)) = (outcome.ended_by, outcome.stopped()) {
        let of =
            workload.duration().map_or_else(String::new, |whole| format!(" of {}", format::short(whole)));
        push(out, &format!("ended by {} after {}{of}", signal.name, format::short(stopped)));
    }
    if totals.drained >= NOTABLE_DRAIN || totals.requests_unfinished > 0 {
        let unanswered = match totals.requests_unfinished {
            0 => String::new(),
            count => format!(", {count} requests were cut off unanswered"),
        };
        let late = match totals.late_requests {
            0 => String::new(),
            count => format!(", {count} requests were sent in it and are no part of the rate"),
        };
        push(out, &format!("drained for {}{late}{unanswered}", format::short(totals.drained)));
    }
}

fn push_latencies(out: &mut String, figures: &Figures) {
    push(out, "  latency       mean      p50      p90      p95      p99    p99.9      max");
    // Under a rate the honest one comes first.
    if figures.schedule_slip.count() > 0 {
        push_latency(out, "from due", &figures.response_time);
        push_latency(out, "due, sent", &figures.schedule_slip);
    }
    push_latency(out, "from sent", &figures.latency);
    push_failed_latencies(out, figures);
}

/// Rows of their own for requests that failed, for they are in no other.
fn push_failed_latencies(out: &mut String, figures: &Figures) {
    let rows = [("fail, due", &figures.failed_response_time), ("fail,sent", &figures.failed_latency)];
    for (name, took) in rows.into_iter().filter(|(_, took)| took.count() > 0) {
        push_latency(out, name, took);
    }
}

fn push_latency(out: &mut String, name: &str, took: &Distribution) {
    let mean = took.mean().map_or_else(|| "-".to_owned(), format::time);
    let quantiles = [0.5, 0.9, 0.95, 0.99, 0.999, 1.0].map(|q| format!("{:>8}", format::quantile(took, q)));
    push(out, &format!("  {name:<9} {mean:>8} {}", quantiles.join(" ")));
}

fn push_counts(out: &mut String, outcome: &Outcome<'_>) {
    let Outcome { figures, totals, workload, .. } = outcome;
    push(
        out,
        &format!(
            "  {} requests, {}, {} errors; {} in, {} out",
            figures.requests,
            format::rates(figures.rate(), workload.steps().count(), 0),
            figures.errors,
            format::bytes(figures.bytes_in),
            format::bytes(figures.bytes_out),
        ),
    );
    if figures.retries > 0 {
        let what = "kept connections were closed before a byte of the response came";
        push(out, &format!("  {} retries: {what}", figures.retries));
    }
    push_failures(out, figures, &totals.reasons);
    let lost = totals.dropped + totals.unfinished;
    if workload.is_open() || lost > 0 {
        push(
            out,
            &format!(
                "  {} iterations scheduled: {} completed, {} dropped, {} unfinished",
                totals.scheduled, totals.completed, totals.dropped, totals.unfinished
            ),
        );
    }
}

/// The failures by class, each with its first reasons.
fn push_failures(out: &mut String, figures: &Figures, reasons: &Reasons) {
    for (class, count) in &figures.errors_by_class {
        let known = Failure::ALL.into_iter().find(|known| known.name() == class);
        let told = known.into_iter().flat_map(|class| reasons.of(class));
        let told: Vec<String> = told.map(|(reason, count)| format!("{reason}: {count}")).collect();
        let told = if told.is_empty() { String::new() } else { format!("; {}", told.join(", ")) };
        push(out, &format!("  {count} failed: {class}{told}"));
    }
}

fn push_folds(out: &mut String, figures: &Figures) {
    for text in figures.folds() {
        push(out, "");
        push(out, &format!("  {text}"));
    }
}

fn push_bottleneck(out: &mut String, outcome: &Outcome<'_>) {
    for text in outcome.bottleneck_text().iter().chain(&outcome.cpu_warning) {
        push(out, "");
        push(out, &format!("  {text}"));
    }
}

fn push_steps(out: &mut String, figures: &Figures) {
    if figures.steps.len() < 2 {
        return;
    }
    let width = figures.steps.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).clamp(4, 40);
    push(out, "");
    push(out, &format!("  {:<width$}  requests   errors      p50      p99      max", "step"));
    for (name, step) in &figures.steps {
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|q| format::quantile(&step.latency, q));
        push(
            out,
            &format!("  {name:<width$} {:>9} {:>8} {p50:>8} {p99:>8} {max:>8}", step.requests, step.errors),
        );
    }
}

fn push_thresholds(out: &mut String, outcome: &Outcome<'_>) {
    if outcome.verdicts.is_empty() && outcome.too_many_dropped().is_none() {
        return;
    }
    push(out, "");
    if let Some(text) = outcome.too_many_dropped() {
        push(out, &format!("  FAILED {text}"));
    }
    for (threshold, verdict) in &outcome.verdicts {
        let mark = if verdict.ok { "ok    " } else { "FAILED" };
        push(out, &format!("  {mark} {threshold}: {}", threshold.tell(verdict.measured)));
    }
}
