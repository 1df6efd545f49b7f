//! `barewire run`: the runner, the reporter and the exporters, wired together.

use std::{
    fs::{self, OpenOptions},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use barewire::{Registry, Reporter, Reporting};
use barewire_runner::{Behaviour, Figures, Plan, Run, RunError, Target, Workload};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::{
    args::RunArgs, console, exporters::Exporters, failure::Failure, judge::Judge, live::Live,
    report::Outcome, results::Results, summary::summary,
};

/// How long the last snapshot may take to every receiver: an export that is under way may take 3 s itself.
const FINAL_FLUSH: Duration = Duration::from_secs(5);

/// How often the end of the run is looked for.
const GLANCE: Duration = Duration::from_millis(20);

pub(crate) fn run(args: &RunArgs) -> Result<(), Failure> {
    let (plan, _embedded) = plan(args)?;
    let workload = plan.check().map_err(|error| Failure::Usage(error.to_string()))?;
    let exporters = Exporters::open(args, &workload)?;
    args.results.as_deref().map_or(Ok(()), claim)?;
    let interrupt = Interrupt::listen()?;
    let registry = Registry::new("barewire");
    let run_id = describe(&registry, &workload);
    let mut load = Run::start(&workload, &registry)?;

    let console = Console { quiet: args.quiet, stdout: !exporters.stdout };
    console.print(&announcement(&workload, &exporters));
    let mut live = Live::new(args.quiet);
    let reporting = report_to(exporters, args.interval, &live, &registry);
    let mut judge = Judge::new(&registry, workload.thresholds());
    watch(&load, &interrupt, |elapsed| {
        let figures = Figures::of(&registry.snapshot(), elapsed);
        judge.judge(&figures);
        live.show(figures);
    });
    let totals = load.join()?;

    let figures = Figures::of(&registry.snapshot(), totals.elapsed);
    let mut outcome = Outcome {
        run_id: &run_id,
        workload: &workload,
        totals: &totals,
        figures: &figures,
        verdicts: judge.judge(&figures),
        lanes: Vec::new(),
        aborted: interrupt.is_set(),
    };
    registry.resource("load_test.status", outcome.status());
    live.say("delivering the last snapshot");
    outcome.lanes = reporting.stop(FINAL_FLUSH).lanes;
    live.finish();
    console.print(&summary(&outcome));
    if let Some(path) = &args.results {
        write(path, &outcome)?;
    }
    if outcome.passed() { Ok(()) } else { Err(Failure::Threshold) }
}

/// What to run, by the target argument and the flags; and the embedded target, where that is what is loaded.
fn plan(args: &RunArgs) -> Result<(Plan, Option<Target>), Failure> {
    let (plan, embedded) = match args.target.as_deref() {
        None => {
            let target = Target::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Behaviour::default())
                .map_err(|error| {
                    Failure::Usage(format!("the embedded target cannot listen on loopback: {error}"))
                })?;
            (Plan::get(format!("http://{}/", target.local_addr())), Some(target))
        }
        Some(text) if text.trim_start().starts_with('{') => (spec("the spec", text)?, None),
        Some(path) if path.ends_with(".json") && !path.contains("://") => {
            let text = fs::read_to_string(path).map_err(|error| {
                Failure::Usage(format!("the spec '{path}' cannot be read: {error}; name a file that can"))
            })?;
            (spec(path, &text)?, None)
        }
        Some(url) => (Plan::get(url), None),
    };
    Ok((with_flags(plan, args), embedded))
}

fn spec(origin: &str, text: &str) -> Result<Plan, Failure> {
    Plan::from_json(text).map_err(|error| Failure::Usage(format!("{origin}: {error}")))
}

/// The plan, with whatever the flags say instead.
fn with_flags(mut plan: Plan, args: &RunArgs) -> Plan {
    if args.rate.is_some() {
        plan.rate = args.rate;
        plan.users = None;
    }
    if args.connections.is_some() {
        plan.connections = args.connections;
        plan.users = None;
    }
    plan.threads = args.threads.or(plan.threads);
    plan.timeout = args.timeout.or(plan.timeout);
    if args.duration.is_some() {
        plan.duration = args.duration;
        plan.iterations = None;
    }
    plan
}

/// Tells the registry what is run; returns the id of the run.
fn describe(registry: &Registry, workload: &Workload) -> String {
    let run_id = format!("{:x}-{:x}", registry.start_unix_ns(), process::id());
    for (key, value) in [
        ("load_test.test_run_id", run_id.as_str()),
        ("load_test.spec_name", workload.name()),
        ("load_test.test_type", workload.kind().name()),
        ("load_test.status", "running"),
    ] {
        registry.resource(key, value);
    }
    run_id
}

fn announcement(workload: &Workload, exporters: &Exporters) -> String {
    let mut text = format!(
        "loading {} with {} connections on {} threads\n",
        workload.target(),
        workload.connections(),
        workload.threads()
    );
    for page in &exporters.pages {
        text.push_str(&format!("Prometheus page: http://{page}/metrics\n"));
    }
    text
}

fn report_to(exporters: Exporters, interval: Duration, live: &Live, registry: &Registry) -> Reporting {
    let warn = live.warner();
    let reporter = Reporter::every(interval).self_metrics().notify(move |notice| match notice.error {
        Some(error) => warn(&format!("{} does not deliver: {error}", notice.exporter)),
        None => warn(&format!("{} delivers again", notice.exporter)),
    });
    exporters.list.into_iter().fold(reporter, Reporter::export_boxed).start(registry)
}

/// Calls `show` once a second until the load ends, and ends it when the user asks for that.
fn watch(load: &Run, interrupt: &Interrupt, mut show: impl FnMut(Duration)) {
    let mut shown = 0;
    while !load.is_finished() {
        if interrupt.is_set() {
            load.stop();
        }
        let elapsed = load.elapsed();
        if elapsed.as_secs() > shown {
            shown = elapsed.as_secs();
            show(elapsed);
        }
        thread::sleep(GLANCE);
    }
}

/// Makes sure that the results can be written before anything is sent. What the file holds stays until then.
fn claim(path: &Path) -> Result<(), Failure> {
    OpenOptions::new().create(true).append(true).open(path).map(drop).map_err(|error| {
        Failure::Usage(format!(
            "--results: '{}' cannot be written: {error}; choose another file",
            path.display()
        ))
    })
}

fn write(path: &Path, outcome: &Outcome<'_>) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(&Results::of(outcome)).unwrap_or_default();
    text.push('\n');
    fs::write(path, text).map_err(|error| {
        Failure::Defect(format!("--results: '{}' could not be written: {error}", path.display()))
    })
}

/// Where text for people goes.
struct Console {
    quiet: bool,
    /// False where an exporter writes to stdout.
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

/// Whether the user asked for the end. The second time, the process ends at once.
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&asked))
                .and_then(|_| flag::register(signal, Arc::clone(&asked)))
                .map_err(|error| Failure::Defect(format!("signals cannot be handled: {error}")))?;
        }
        Ok(Interrupt(asked))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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
