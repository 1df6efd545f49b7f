//! The command line.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use barewire_runner::{Delay, Profile, Sampling, Stall, parse_duration};
use clap::{Args, Parser, Subcommand};

use crate::encode::EncodeArgs;

/// Drives HTTP load at full speed, and streams what it measures to the receivers you have.
#[derive(Parser)]
#[command(name = "barewire", version, max_term_width = 110, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 a threshold failed or the load was not applied, 2 bad usage, 3 the target could not be reached, 70 a defect, 129, 130 or 143 ended by SIGHUP, SIGINT or SIGTERM.";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Load a target, show it live, and report it
    Run(Box<RunArgs>),
    /// Serve requests: the embedded target, alone
    Target(TargetArgs),
    Encode(EncodeArgs),
}

// Not `Debug`: secrets are among them.
#[derive(Args)]
#[command(after_help = RUN_HELP)]
pub(crate) struct RunArgs {
    /// A URL, a JSON spec (a file, '-' for standard input, or the text itself), or nothing: an embedded server on
    /// loopback
    pub(crate) target: Option<String>,

    /// Connections kept open; without --rate each is a virtual user that waits for its response [default: 64]
    #[arg(short, long, value_name = "N", value_parser = parse_count, allow_negative_numbers = true)]
    pub(crate) connections: Option<u32>,

    /// Threads that drive the load [default: one a core]
    #[arg(short, long, value_name = "N", value_parser = parse_count, allow_negative_numbers = true)]
    pub(crate) threads: Option<u32>,

    /// How long to load the target, such as 10s, 1m30s or 500ms [default: 10s]
    #[arg(short, long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) duration: Option<Duration>,

    /// Iterations a second, each a request for every step of the plan (without a spec: one), due at fixed times whatever
    /// the target does: latency then counts from when each was due
    #[arg(short, long, value_name = "ITERATIONS_PER_SECOND", value_parser = parse_rate, allow_negative_numbers = true)]
    pub(crate) rate: Option<f64>,

    /// How long a request may take [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,

    /// How long after the end requests in flight are waited for and, with --rate, requests that were due are sent; what is
    /// left then is counted as dropped or unfinished [default: --timeout]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) drain: Option<Duration>,

    /// Stream OTLP/JSON to a Collector's base URL (host:port is one of http, and /v1/metrics at its end is ignored), metrics alone to a URL that is used as it stands, or all to a file,
    /// one document a line, or to stdout; alone, with another flag or nothing behind it, it is http://localhost:4318; repeatable
    // Without a value: `--otlp` before another flag or at the end.
    #[arg(long, value_name = "URL|metrics:URL|file:PATH|-", num_args = 0..=1, default_missing_value = "http://localhost:4318")]
    pub(crate) otlp: Vec<String>,

    /// Stream DogStatsD to a Datadog Agent, by UDP, over a Unix stream (unix) or in Unix datagrams (unixgram); repeatable
    #[arg(long, value_name = "udp://HOST:PORT|unix:PATH|unixgram:PATH")]
    pub(crate) statsd: Vec<String>,

    /// Send InfluxDB line protocol by UDP, or to the write API of version 1 (/write?db=…), 2
    /// (/api/v2/write?org=…&bucket=…) or 3 (/api/v3/write_lp?db=…); repeatable
    #[arg(long, value_name = "udp://HOST:PORT|URL")]
    pub(crate) influx: Vec<String>,

    /// Serve a Prometheus page at http://ADDR/metrics; a port alone is one of loopback, port 0 any free one. Without a port
    /// it is 9090 for the profile loadpilot, 9646 for loaddensity, any free one for others; without an address it is
    /// loopback; repeatable [default: 127.0.0.1:0 where no exporter is given]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "")]
    pub(crate) prometheus: Vec<String>,

    /// At the end, keep the Prometheus pages up until everyone who scrapes at a rhythm has fetched the last one, and at most this
    /// long; where nobody has scraped yet, wait for one. Whoever came once, such as curl, is not waited for. Ctrl-C ends the
    /// wait
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    pub(crate) linger: Duration,

    /// Write what happens and the figures of every tick as JSON, one document a line in Locust Telemetry's shape, to
    /// stdout or to a file; repeatable
    #[arg(long, value_name = "json[:PATH]")]
    pub(crate) log: Vec<String>,

    /// Send a header along with an exporter's requests, such as 'otlp:x-api-key: @env:API_KEY'; repeatable
    #[arg(long, value_name = "EXPORTER:NAME: SECRET")]
    // Not parsed here: an error would repeat it, and it may be a secret.
    pub(crate) header: Vec<String>,

    /// Authenticate an exporter, by 'EXPORTER:bearer SECRET', 'EXPORTER:token SECRET' or 'EXPORTER:basic USER:SECRET',
    /// such as 'otlp:bearer @file:/run/secrets/token'; repeatable
    #[arg(long, value_name = "EXPORTER:SCHEME SECRET")]
    // Not parsed here, for the same reason.
    pub(crate) auth: Vec<String>,

    /// Trust the certificate authorities in a PEM file, and no others, when exporting to https; repeatable
    #[arg(long, value_name = "FILE.pem")]
    pub(crate) ca: Vec<PathBuf>,

    /// Show the certificate in a PEM file to https receivers that ask for one
    #[arg(long, value_name = "FILE.pem")]
    pub(crate) cert: Option<PathBuf>,

    /// The private key of --cert, in PEM, unencrypted [default: in the same file]
    #[arg(long, value_name = "FILE.pem")]
    pub(crate) key: Option<PathBuf>,

    /// How often to stream [default: 1s; 5s where all exporters are --otlp in the profile loaddensity]
    #[arg(long, value_name = "TIME", value_parser = parse_interval)]
    pub(crate) interval: Option<Duration>,

    /// The names under which the run is shown: barewire, tigrister, loaddensity, loadpilot or locust-telemetry; for one
    /// exporter only as in otlp=tigrister; repeatable [default: barewire]
    #[arg(long, value_name = "[EXPORTER=]NAME")]
    pub(crate) profile: Vec<ExporterProfile>,

    /// The beginning of the names of the profile loaddensity [default: loaddensity]
    #[arg(long, value_name = "NAME")]
    pub(crate) prefix: Option<String>,

    /// The service.name of metrics, logs and spans [default: that of the profile]
    #[arg(long, value_name = "NAME")]
    pub(crate) service_name: Option<String>,

    /// The share of requests, 0 to 1, that are told one by one, where a profile does that
    #[arg(long, value_name = "RATE", value_parser = parse_share, allow_negative_numbers = true, default_value = "1")]
    pub(crate) sample_rate: f64,

    /// The share of requests, 0 to 1, that carry a trace to the target and go to --otlp as spans, such as 0.001 for
    /// one in a thousand
    #[arg(long, value_name = "RATE", value_parser = parse_share, allow_negative_numbers = true, default_value = "0")]
    pub(crate) trace_sample: f64,

    /// Write the results as JSON to a file, which is replaced whole or not at all, or to standard output; a run that cannot
    /// start removes the results of an earlier one, which are not its own
    #[arg(long, value_name = "FILE.json|-")]
    pub(crate) results: Option<PathBuf>,

    /// Show nothing but errors and warnings
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

const RUN_HELP: &str = "\
Examples:
  barewire run                                              the embedded server, as fast as it goes
  barewire run http://127.0.0.1:8080/ -c 64 -d 30s          64 users who wait for their responses
  barewire run http://127.0.0.1:8080/ -r 2000 -d 30s        2000 requests a second, come what may
  barewire run http://127.0.0.1:8080/ --otlp http://127.0.0.1:4318 --prometheus 9646
  barewire run http://127.0.0.1:8080/ --statsd udp://127.0.0.1:8125 --profile statsd=loaddensity
  barewire run http://127.0.0.1:8080/ --influx 'http://127.0.0.1:8086/write?db=load' \\
                 --auth 'influx:basic admin:@env:INFLUX_PASSWORD'
  barewire run '{\"target\": \"http://127.0.0.1:8080\", \"users\": 10, \"duration\": \"30s\",
                 \"steps\": [{\"name\": \"browse\", \"url\": \"/items\"}, {\"name\": \"buy\", \"url\": \"/buy\", \"body\": \"{}\"}],
                 \"thresholds\": [\"p95 < 500ms\", \"error_rate <= 1%\"]}'

A threshold is avg, p50, p90, p95, p99, max, error_rate, dropped or throughput, then <, <=, > or >=, then a limit: ms or any
time, % (always written, for 0.06 may mean 6%), or req/s. A percentile and max are of all requests, and one that failed is
slower than any limit: 'p95 < 500ms' says that 95 of 100 were answered with success in time. avg is of those that
succeeded. All other latencies, live, at the end and for exporters, are of requests that succeeded; failures have rows of
their own. A run with thresholds fails, too, where more than 1% of the arrivals of a rate were dropped, as its load
was not applied: \"max_dropped\": \"100%\" in the spec, or a threshold such as 'dropped < 5%', says otherwise.

An EXPORTER is called like its flag, which means all of that kind, or by its number: influx-2 is the second --influx,
influx-1 the first.
A SECRET is @file:PATH or @env:NAME, which keep it out of the list of processes, or the secret
itself, which everybody on this machine sees there. A last newline in a file does not count. A file
of --auth is read again when it has changed, and when the receiver answers 401.
A flag replaces what contradicts it in the spec, and the run says so; -d beside stages is refused, unless -r or -c replaces
them. Ctrl-C, SIGTERM and SIGHUP end the run in order; a second one leaves at once, and so
does the first before the load began. Under nohup, SIGHUP ends nothing.
Exit codes: 0 done, 1 a threshold failed or the load was not applied, 2 bad usage, 3 the target could not be
reached, 70 a defect, 129, 130 or 143 ended by SIGHUP, SIGINT or SIGTERM.";

#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// Where to listen; port 0 is any free one
    #[arg(long, value_name = "ADDR", value_parser = parse_listen, default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// How long to think before each answer: 5ms, 1ms..10ms, normal(10ms,2ms) or exp(10ms)
    #[arg(long, value_name = "DIST")]
    pub(crate) delay: Option<Delay>,

    /// How many of a hundred answers are a 500
    #[arg(long, value_name = "PCT", value_parser = parse_percentage, default_value = "0", allow_negative_numbers = true)]
    pub(crate) errors: f64,

    /// Stand still for a part of every period, such as 1s/5s
    #[arg(long, value_name = "TIME/TIME")]
    pub(crate) stall: Option<Stall>,

    /// Write when each request had come, in nanoseconds since the start, one integer a line; complete when the target
    /// has ended. Meanwhile it never sleeps, so that waking up is in no line
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
}

/// A header for one of the exporters.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ExporterHeader {
    pub(crate) exporter: String,
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for ExporterHeader {
    type Err = String;

    /// The text is not repeated in an error: it may be a secret.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = "a header is given as 'EXPORTER:Name: value', such as 'otlp:x-api-key: secret'";
        let (exporter, field) = text.split_once(':').ok_or(form)?;
        let (name, value) = field.split_once(':').ok_or(form)?;
        Ok(ExporterHeader {
            exporter: exporter.to_owned(),
            name: name.trim().to_owned(),
            value: value.trim_matches([' ', '\t']).to_owned(),
        })
    }
}

/// Credentials for one of the exporters.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ExporterAuth {
    pub(crate) exporter: String,
    pub(crate) scheme: AuthScheme,
    pub(crate) secret: String,
}

/// How an exporter authenticates.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum AuthScheme {
    Basic { user: String },
    Bearer,
    Token,
}

impl FromStr for ExporterAuth {
    type Err = String;

    /// The text is not repeated in an error: it may be a secret.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = "give 'EXPORTER:bearer SECRET', 'EXPORTER:token SECRET' or 'EXPORTER:basic USER:SECRET'";
        let (exporter, rest) = text.split_once(':').ok_or(form)?;
        let (scheme, secret) = rest.trim_start().split_once(' ').ok_or(form)?;
        let secret = secret.trim_matches([' ', '\t']);
        let (scheme, secret) = match scheme {
            "bearer" => (AuthScheme::Bearer, secret),
            "token" => (AuthScheme::Token, secret),
            "basic" if !secret.starts_with('@') => {
                let (user, secret) = secret.split_once(':').ok_or(form)?;
                (AuthScheme::Basic { user: user.to_owned() }, secret)
            }
            _ => return Err(form.to_owned()),
        };
        Ok(ExporterAuth { exporter: exporter.to_owned(), scheme, secret: secret.to_owned() })
    }
}

/// A profile for one of the exporters, or for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExporterProfile {
    pub(crate) exporter: Option<String>,
    pub(crate) profile: Profile,
}

impl FromStr for ExporterProfile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (exporter, name) = match text.split_once('=') {
            Some((exporter, name)) => (Some(exporter.to_owned()), name),
            None => (None, text),
        };
        Ok(ExporterProfile { exporter, profile: name.parse()? })
    }
}

fn parse_count(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("'{text}' is no whole number: write one, such as 64"))
}

fn parse_rate(text: &str) -> Result<f64, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is no rate: write a number of iterations a second, such as 2000"))
}

fn parse_percentage(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("'{text}' is no percentage: write a number from 0 to 100"))
}

/// A share of requests.
fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse().map_err(|_| format!("'{text}' is no number: give 0 for none to 1 for all"))?;
    Sampling::new(share, share).map(|_| share)
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("'{text}' is no address: write ADDR:PORT, such as 127.0.0.1:8080"))
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    if interval < Duration::from_millis(10) {
        return Err("an interval is 10ms or longer".to_owned());
    }
    Ok(interval)
}

/// The arguments of a run, from the words behind `barewire run`.
#[cfg(test)]
pub(crate) fn run_args<'w>(words: impl IntoIterator<Item = &'w str>) -> RunArgs {
    let line = ["barewire", "run"].into_iter().chain(words);
    match Arguments::try_parse_from(line).expect("a command line").command {
        Command::Run(args) => *args,
        _ => unreachable!("it is a run"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_destination_that_is_left_out_is_the_usual_one_and_one_that_follows_is_meant() {
        for (words, target, otlp, prometheus) in [
            (&["http://t/", "--otlp"][..], Some("http://t/"), &["http://localhost:4318"][..], &[][..]),
            (&["--otlp", "http://c:4318"], None, &["http://c:4318"], &[]),
            (&["http://t/", "--otlp", "http://c:4318"], Some("http://t/"), &["http://c:4318"], &[]),
            (&["--otlp", "-c", "8", "http://t/"], Some("http://t/"), &["http://localhost:4318"], &[]),
            (&["--otlp", "-", "http://t/"], Some("http://t/"), &["-"], &[]),
            (&["--otlp", "--otlp", "file:x"], None, &["http://localhost:4318", "file:x"], &[]),
            (&["--otlp", "localhost:4318"], None, &["localhost:4318"], &[]),
            (&["http://t/", "--prometheus"], Some("http://t/"), &[], &[""]),
            (&["--prometheus", "--otlp=x", "http://t/"], Some("http://t/"), &["x"], &[""]),
            (&["--prometheus", "9646"], None, &[], &["9646"]),
        ] {
            let run = run_args(words.iter().copied());
            assert_eq!(run.target.as_deref(), target, "{words:?}");
            assert_eq!(run.otlp, otlp, "{words:?}");
            assert_eq!(run.prometheus, prometheus, "{words:?}");
        }
    }

    #[test]
    fn a_header_names_its_exporter() {
        let header: ExporterHeader = "otlp:X-Key:  a:b ".parse().unwrap();
        assert_eq!(
            (header.exporter.as_str(), header.name.as_str(), header.value.as_str()),
            ("otlp", "X-Key", "a:b")
        );
        assert!("otlp".parse::<ExporterHeader>().is_err());
        assert!("otlp:x".parse::<ExporterHeader>().is_err());
    }

    #[test]
    fn an_authorization_names_its_exporter_and_its_scheme() {
        for (text, exporter, scheme, secret) in [
            ("otlp:bearer a b", "otlp", AuthScheme::Bearer, "a b"),
            ("otlp-2: token  @env:X ", "otlp-2", AuthScheme::Token, "@env:X"),
            ("influx:basic me:a:b", "influx", AuthScheme::Basic { user: "me".to_owned() }, "a:b"),
            ("influx:basic me:@file:/x", "influx", AuthScheme::Basic { user: "me".to_owned() }, "@file:/x"),
            ("influx:basic :", "influx", AuthScheme::Basic { user: String::new() }, ""),
        ] {
            let expected = ExporterAuth { exporter: exporter.to_owned(), scheme, secret: secret.to_owned() };
            assert!(text.parse() == Ok(expected), "{text}");
        }
        for text in
            ["otlp", "otlp:bearer", "bearer x", "otlp:Bearer x", "otlp:basic me", "otlp:basic @file:/x"]
        {
            let error = text.parse::<ExporterAuth>().err().unwrap();
            assert!(error.starts_with("give 'EXPORTER:bearer SECRET'"), "{error}");
        }
    }

    #[test]
    fn a_profile_is_for_one_exporter_or_for_all() {
        let all: ExporterProfile = "tigrister".parse().unwrap();
        assert_eq!(all, ExporterProfile { exporter: None, profile: Profile::Tigrister });
        let one: ExporterProfile = "otlp=barewire".parse().unwrap();
        assert_eq!(one, ExporterProfile { exporter: Some("otlp".to_owned()), profile: Profile::Barewire });
    }
}
