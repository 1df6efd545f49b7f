//! `barewire run`: the runner, the reporter and the exporters, wired together.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process,
    time::{Duration, Instant},
};

use barewire::{Exporter, Notice, Registry, Reporter, Reporting};
use barewire_runner::{
    Behaviour, Bottleneck, Lifecycle, LifecycleMeter, Origin, Plan, Run, RunError, Sampling, SystemUsage,
    Target, Workload,
};

use crate::{
    args::RunArgs,
    behind::Behind,
    console,
    exporters::{Exporters, Page},
    failure::Failure,
    interrupt::{GLANCE, Interrupt, Leaving},
    judge::Judge,
    live::Live,
    outputs,
    overrides::{self, Overridden},
    report::Outcome,
    results::{Destination, Older, Results},
    spec,
    summary::summary,
    watch::Watch,
};

/// How long the last snapshot may take to every receiver: an export that is under way may take 3 s itself. A receiver
/// that has never answered has those 3 s alone.
const FINAL_FLUSH: Duration = Duration::from_secs(5);

/// Runs what the arguments ask for. Where it cannot start, no older results are left in the file for its own.
pub(crate) fn run(args: &RunArgs) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    let older = Older::at(args.results.as_deref());
    let starting = interrupt.leave_at_once({
        let older = older.clone();
        move || older.remove()
    });
    let ended = run_load(args, &interrupt, starting);
    if ended.as_ref().is_err_and(Failure::is_before_the_load) {
        older.remove();
    }
    ended
}

/// Runs it, to its end. A signal that comes before the load has begun is left to `starting`.
fn run_load(args: &RunArgs, interrupt: &Interrupt, starting: Leaving) -> Result<(), Failure> {
    outputs::check(args)?;
    let (Overridden { plan, replaced }, _embedded) = plan(args)?;
    let workload = plan.check().map_err(|error| Failure::Usage(error.to_string()))?;
    let registry = Registry::new("barewire");
    let run_id = describe(&registry, &workload);
    let origin = Origin::new(run_id.as_str(), workload.name());
    let Exporters { list, pages, stdout, samples, interval, .. } = Exporters::open(args, &workload, &origin)?;
    let results = args.results.as_deref().map(Destination::open).transpose()?;
    let stdout = stdout || results.as_ref().is_some_and(Destination::is_stdout);
    // What has shards of its own comes before the load, whose sampling would give them room for samples.
    let usage = SystemUsage::new(&registry);
    let judge = Judge::new(&registry, workload.thresholds());
    let meter = LifecycleMeter::new(&registry);
    let sampling = sampling(args.sample_rate, args.trace_sample, samples)?;
    let mut load = Run::start_with(&workload, &registry, sampling)?;
    drop(starting);

    let console = Console { quiet: args.quiet, stdout: !stdout };
    console.print(&announcement(&workload, &replaced, &pages));
    let mut live = Live::new(args.quiet, workload.steps().count());
    let reporting = report_to(list, args.interval.unwrap_or(interval), &live, usage, &registry);
    let lifecycle = Lifecycle::new(&workload, &run_id, load.start_unix_ns());
    let behind = Behind::new(&workload);
    let mut watch = Watch { reporting, registry: &registry, lifecycle, meter, judge, behind };
    watch.follow(&load, interrupt, &mut live);
    let totals = load.join()?;

    let (figures, verdicts) = watch.verdicts(&totals);
    let mut outcome = Outcome {
        run_id: &run_id,
        workload: &workload,
        totals: &totals,
        figures: &figures,
        verdicts,
        lanes: Vec::new(),
        ended_by: interrupt.signal(),
        cpu_warning: watch.cpu_warning(),
    };
    let status = outcome.status();
    live.say("delivering the last snapshot");
    outcome.lanes = watch.end(totals.lasted(), status, FINAL_FLUSH);
    let fetched = linger(&pages, args.linger, interrupt, &live);
    pages.iter().for_each(|page| page.settle(&mut outcome.lanes));
    if let (Some(Bottleneck::Generator), Some(text)) = (outcome.bottleneck(), outcome.bottleneck_text()) {
        live.warn(&text);
    }
    figures.folds().for_each(|text| live.warn(text));
    live.finish();
    console.print(&fetched);
    console.print(&summary(&outcome));
    if let Some(results) = results {
        results.write(&Results::of(&outcome).to_text())?;
    }
    outcome.verdict()
}

/// What to run, by the target argument and the flags; and the embedded target, where that is what is loaded.
fn plan(args: &RunArgs) -> Result<(Overridden, Option<Target>), Failure> {
    let (plan, embedded) = match args.target.as_deref() {
        None => {
            let target = Target::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Behaviour::default())
                .map_err(|error| {
                    Failure::Usage(format!("the embedded target cannot listen on loopback: {error}"))
                })?;
            (Plan::get(format!("http://{}/", target.local_addr())), Some(target))
        }
        Some(target) => (spec::plan(target)?, None),
    };
    Ok((overrides::apply(plan, args)?, embedded))
}

/// Tells the registry what is run; returns the id of the run.
fn describe(registry: &Registry, workload: &Workload) -> String {
    let run_id = format!("{:x}-{:x}", registry.start_unix_ns(), process::id());
    for (key, value) in [
        ("load_test.test_run_id", run_id.as_str()),
        ("load_test.spec_name", workload.name()),
        ("load_test.test_type", workload.kind().name()),
        // As long as there is something to tell: another value at the end would be another series of everything.
        ("load_test.status", "running"),
    ] {
        registry.resource(key, value);
    }
    run_id
}

fn announcement(workload: &Workload, replaced: &[String], pages: &[Page]) -> String {
    let mut text = format!(
        "loading {} with {} connections on {} threads\n",
        workload.target(),
        workload.connections(),
        workload.threads()
    );
    for note in replaced {
        text.push_str(&format!("{note}\n"));
    }
    for page in pages {
        text.push_str(&format!("Prometheus page: http://{}/metrics\n", page.addr));
    }
    text
}

/// Which requests are shown one by one: all, unless flags say otherwise, if there is an exporter that tells of them.
fn sampling(rate: f64, traces: f64, is_told: bool) -> Result<Sampling, Failure> {
    Sampling::new(if is_told { rate } else { 0.0 }, traces).map_err(Failure::Usage)
}

fn report_to(
    exporters: Vec<Box<dyn Exporter>>,
    interval: Duration,
    live: &Live,
    mut usage: SystemUsage,
    registry: &Registry,
) -> Reporting {
    let warn = live.warner();
    let notify = move |notice: Notice<'_>| warn(&notice.to_string());
    let reporter = Reporter::every(interval).self_metrics().notify(notify).observe(move || usage.observe());
    exporters.into_iter().fold(reporter, Reporter::export_boxed).start(registry)
}

/// Waits until everyone who scrapes at a rhythm has the last page. Returns who fetched it, and warns of those who did not. A
/// run that the user ended does not wait.
fn linger(pages: &[Page], time: Duration, interrupt: &Interrupt, live: &Live) -> String {
    let mut fetched = String::new();
    if time.is_zero() || interrupt.is_set() {
        return fetched;
    }
    live.say("waiting for a last scrape");
    let began = Instant::now();
    for page in pages {
        while !page.is_seen(GLANCE) && !interrupt.is_set() && began.elapsed() < time {}
        let (takers, missing) = page.takers();
        let url = format!("http://{}/metrics", page.addr);
        if !takers.is_empty() {
            fetched.push_str(&format!("the last page of {url} was fetched by {}\n", takers.join(", ")));
        }
        if let Some(why) = unfetched(&takers, &missing).filter(|_| !interrupt.is_set()) {
            let because = match began.elapsed() < time {
                true => "whoever came before has no rhythm, and is not waited for",
                false => "a longer --linger waits longer",
            };
            live.warn(&format!("{why} the last page of {url}: {because}"));
        }
    }
    fetched
}

/// Who did not fetch a page, if somebody should have.
fn unfetched(takers: &[String], missing: &[String]) -> Option<String> {
    match (takers, missing) {
        ([], []) => Some("nobody fetched".to_owned()),
        (_, []) => None,
        (_, missing) => Some(format!("{} scraped before, and did not fetch", missing.join(", "))),
    }
}

/// Where text for people goes.
struct Console {
    quiet: bool,
    /// False where an exporter or the results go to stdout.
    stdout: bool,
}

impl Console {
    fn print(&self, text: &str) {
        match self {
            Console { quiet: true, .. } => {}
            Console { stdout: true, .. } => console::print(text),
            Console { stdout: false, .. } => console::eprint(text),
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let text = error.to_string();
        match error {
            RunError::Unreachable { .. } => Failure::Unreachable(text),
            RunError::FileLimit { .. } | RunError::PortRange { .. } => Failure::Usage(text),
            RunError::Io(_) | RunError::Panicked(_) => Failure::Defect(text),
        }
    }
}
