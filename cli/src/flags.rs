//! Flags that there are not: those of other tools are told by what they mean.

use barewire_runner::is_slip;
use clap::{
    CommandFactory as _, Error,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::args::Arguments;

const DURATION: &str = "-d TIME says how long the load lasts, such as -d 10s";
const ITERATIONS: &str = "how often each user goes on is \"iterations\" in a JSON spec";
const USERS: &str = "-c N says how many connections there are, each a user";
const RATE: &str = "-r N says how many iterations there are a second, each a request a step";
const HEADERS: &str = "headers of the load are \"headers\" of a step in a JSON spec";
const METHOD: &str = "a method is \"method\" of a step in a JSON spec";
const BODY: &str = "a body is \"body\" of a step in a JSON spec";
const CONTENT_TYPE: &str = "the type of a body is \"Content-Type\" in \"headers\" of a step in a JSON spec";
const CREDENTIALS: &str =
    "credentials of the load are \"Authorization\" in \"headers\" of a step in a JSON spec";
const TLS: &str =
    "the load speaks no TLS, so there is no certificate to accept; exporters trust one by --ca FILE.pem";
const KEPT: &str = "connections are always kept: leave it out";
const CLOSED: &str =
    "connections are kept, unless a step in a JSON spec has \"headers\": {\"Connection\": \"close\"}";
const RESULTS: &str = "--results FILE.json writes the results, and --results - shows them";
const LATENCIES: &str = "latencies are always shown: leave it out";
const RAMP: &str = "a load that grows is \"ramp_up\" or \"stages\" in a JSON spec";
const SCRIPT: &str = "there are no scripts: requests are \"steps\" in a JSON spec";
const TIMEOUT: &str = "--timeout TIME says how long a request may take";
const TARGET: &str = "the target needs no flag: barewire run URL";
const SPEC: &str = "a JSON spec needs no flag: barewire run FILE.json";
const QUIET: &str = "--quiet shows nothing but errors and warnings";
const THRESHOLDS: &str = "what must hold is \"thresholds\" in a JSON spec";
const REDIRECTS: &str = "redirects are not followed";
const VERSION: &str = "the load speaks HTTP/1.1 alone";
const PROXY: &str = "the load goes to its target, over no proxy";
const INTERVAL: &str = "--interval TIME says how often the figures are sent";
const THINK: &str = "pauses are \"think_time\" in a JSON spec";
const EXPORTER: &str = "figures are sent by --otlp, --statsd, --influx and --prometheus";

/// The flags of wrk, wrk2, hey, oha, k6, vegeta, ab, locust, bombardier, h2load and curl, and what to give for them.
const ELSEWHERE: [(&[&str], &str); 27] = [
    (&["-z", "-D", "--run-time", "--time", "--test-duration", "--timelimit"], DURATION),
    (&["-n", "-i", "--requests", "--num-requests", "--iterations", "--count", "--loops"], ITERATIONS),
    (
        &[
            "-u",
            "-w",
            "--vus",
            "--users",
            "--concurrency",
            "--workers",
            "--conns",
            "--clients",
            "--max-workers",
        ],
        USERS,
    ),
    (&["-R", "--qps", "--rps", "--rate-limit", "--max-rate", "--query-per-second"], RATE),
    (&["-H", "--headers"], HEADERS),
    (&["-m", "-X", "--method", "--request"], METHOD),
    (&["-b", "-p", "--body", "--data", "--data-raw", "--json-body", "--body-file", "--post-file"], BODY),
    (&["-T", "--content-type"], CONTENT_TYPE),
    (&["-a", "-A", "--basic-auth", "--user", "--bearer"], CREDENTIALS),
    (&["--insecure", "--insecure-skip-tls-verify", "--cacert", "--tls"], TLS),
    (&["-k", "--keepalive", "--keep-alive"], KEPT),
    (&["--disable-keepalive", "--no-keepalive", "--no-connection-reuse"], CLOSED),
    (
        &[
            "-o",
            "-e",
            "--out",
            "--output",
            "--json",
            "--csv",
            "--format",
            "--summary-export",
            "--report",
            "--html",
        ],
        RESULTS,
    ),
    (
        &["-l", "-L", "--latency", "--latencies", "--latency-correction", "--percentiles", "--histogram"],
        LATENCIES,
    ),
    (
        &[
            "--spawn-rate",
            "--hatch-rate",
            "--ramp-up",
            "--ramp-down",
            "--rampup",
            "--stage",
            "--stages",
            "--warmup",
        ],
        RAMP,
    ),
    (&["-s", "--script", "--lua"], SCRIPT),
    (&["--connect-timeout", "--request-timeout", "--max-time", "--stop-timeout"], TIMEOUT),
    (&["--host", "--url", "--base-url", "--target", "--targets", "--uri"], TARGET),
    (&["-f", "--config", "--spec", "--file", "--locustfile", "--plan"], SPEC),
    (
        &[
            "--headless",
            "--no-tui",
            "--no-ui",
            "--no-progress",
            "--no-summary",
            "--no-color",
            "--silent",
            "--only-summary",
        ],
        QUIET,
    ),
    (&["--threshold", "--thresholds", "--fail-on", "--slo", "--exit-code-on-error"], THRESHOLDS),
    (&["--redirect", "--redirects", "--max-redirects", "--follow", "--location"], REDIRECTS),
    (&["-2", "--http1", "--http1.1", "--http2", "--http3", "--h2", "--h2c", "--http-version"], VERSION),
    (&["-x", "--proxy"], PROXY),
    (&["--stats-interval", "--push-interval", "--flush-interval", "--metrics-interval"], INTERVAL),
    (&["--think-time", "--sleep", "--wait", "--pause", "--wait-time"], THINK),
    (
        &["--metrics", "--datadog", "--otel", "--opentelemetry", "--influxdb", "--prom", "--dogstatsd"],
        EXPORTER,
    ),
];

/// What is wrong with a command line, where the parser would guess by letters or say what only it means.
pub(crate) fn explain(error: &Error, words: &[String]) -> Option<String> {
    if !error.use_stderr() {
        return None;
    }
    let subcommand = words.iter().find_map(|word| Arguments::command().find_subcommand(word).cloned());
    if let Some(flag) = words.iter().find_map(|word| single_dash(word, subcommand.as_ref()?)) {
        return Some(format!("a flag of more than one letter has two dashes: write {flag}"));
    }
    let given = given(error)?;
    match (error.kind(), subcommand) {
        (ErrorKind::InvalidSubcommand, _) if is_target(given) => {
            Some("the command is missing: write 'barewire run' before the target".to_owned())
        }
        (ErrorKind::UnknownArgument, None) if given.starts_with('-') => {
            Some(format!("'{given}' stands before a command: write 'barewire run' first"))
        }
        // It may be the second half of a secret that has no quotes.
        (ErrorKind::UnknownArgument, Some(_)) if !given.starts_with('-') => {
            Some("there is one argument too many: put a value that has blanks in quotes".to_owned())
        }
        (ErrorKind::UnknownArgument, Some(command)) => Some(unknown(given, &command)),
        _ => None,
    }
}

fn given(error: &Error) -> Option<&str> {
    let of = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    of(ContextKind::InvalidArg).or_else(|| of(ContextKind::InvalidSubcommand))
}

fn is_target(text: &str) -> bool {
    text.contains("://") || text.contains('.') || text.contains(':') || text.trim_start().starts_with('{')
}

/// The flag that was meant by `-duration` or `-rate=5`, as programs written in Go have them.
fn single_dash(word: &str, command: &clap::Command) -> Option<String> {
    let name = word.strip_prefix('-')?.split('=').next().filter(|name| name.len() > 1)?;
    longs(command).find(|flag| flag.strip_prefix("--") == Some(name))
}

fn longs(command: &clap::Command) -> impl Iterator<Item = String> {
    command.get_arguments().filter_map(|argument| Some(format!("--{}", argument.get_long()?)))
}

fn unknown(flag: &str, command: &clap::Command) -> String {
    let name = command.get_name();
    let is_run = name == "run";
    let known = ELSEWHERE.iter().filter(|_| is_run).find(|(flags, _)| flags.contains(&flag));
    let remedy = match known {
        Some((_, meaning)) => (*meaning).to_owned(),
        None => match longs(command)
            .find(|known| is_slip(flag, known) || flag.len() > 4 && known.starts_with(flag))
        {
            Some(known) => format!("write '{known}'"),
            None => format!("'barewire {name} --help' shows all"),
        },
    };
    format!("there is no flag '{flag}': {remedy}")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn explained(line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let error = Arguments::try_parse_from([&["barewire".to_owned()], &words[..]].concat()).err().unwrap();
        explain(&error, &words).unwrap_or_else(|| error.to_string())
    }

    #[test]
    fn a_flag_of_another_tool_is_told_by_what_it_means() {
        for (line, expected) in [
            ("run http://h/ --insecure", "there is no flag '--insecure': the load speaks no TLS"),
            ("run http://h/ -z 10s", "there is no flag '-z': -d TIME"),
            ("run http://h/ -n 200", "there is no flag '-n': how often each user goes on is \"iterations\""),
            ("run http://h/ --vus 5", "there is no flag '--vus': -c N"),
            ("run http://h/ --latency", "there is no flag '--latency': latencies are always shown"),
            ("run http://h/ -H X:y", "there is no flag '-H': headers of the load"),
            ("run http://h/ --spawn-rate=3", "there is no flag '--spawn-rate': a load that grows"),
            ("run http://h/ -duration=5s", "a flag of more than one letter has two dashes: write --duration"),
            ("run http://h/ -rate 50", "a flag of more than one letter has two dashes: write --rate"),
            ("run http://h/ --bogus", "there is no flag '--bogus': 'barewire run --help' shows all"),
            ("run http://h/ --otpl -", "there is no flag '--otpl': write '--otlp'"),
            ("run http://h/ --conn 5", "there is no flag '--conn': write '--connections'"),
            ("run http://h/ --result r.json", "there is no flag '--result': write '--results'"),
            ("target --port 5", "there is no flag '--port': 'barewire target --help' shows all"),
            ("run http://h/ --auth otlp:bearer hunter2", "there is one argument too many: put a value"),
            ("http://h/", "the command is missing: write 'barewire run' before the target"),
            ("-c 5 http://h/", "'-c' stands before a command: write 'barewire run' first"),
        ] {
            let explained = explained(line);
            assert!(explained.starts_with(expected), "{line}: {explained}");
            assert!(!explained.contains("hunter2"), "{explained}");
        }
    }

    #[test]
    fn no_flag_of_another_tool_is_one_of_ours() {
        let command = Arguments::command();
        let run = command.find_subcommand("run").unwrap();
        let shorts = run.get_arguments().filter_map(|argument| Some(format!("-{}", argument.get_short()?)));
        let ours: Vec<String> = longs(run).chain(shorts).collect();
        let all: Vec<&str> = ELSEWHERE.iter().flat_map(|(flags, _)| flags.iter().copied()).collect();
        for (at, flag) in all.iter().enumerate() {
            assert!(!ours.iter().any(|own| own == flag) && !all[..at].contains(flag), "{flag}");
        }
    }
}
