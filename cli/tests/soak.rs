//! A run with every exporter at once, whose receivers are killed, frozen and restarted all the while.
//!
//! A short one is a test as any other. `scripts/soak` makes it as long as one likes by `BAREWIRE_SOAK_MINUTES`, and
//! repeats one by `BAREWIRE_SOAK_SEED`.

mod support;

#[path = "soak/ledger.rs"]
mod ledger;
#[path = "soak/outages.rs"]
mod outages;
#[path = "soak/resources.rs"]
mod resources;

use ledger::{Ticks, forgotten};
use outages::{Receiver, Toll, torment};
use resources::{CALM, Resources};
use serde_json::Value;
use std::env;
use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::{
    Agent, Child, Collector, Ended, Influxd, PATIENCE, Prometheus, RESULTS, Target, Victoria, barewire,
    free_port, otlp, poll,
};

/// Long enough for an outage of each receiver.
const SHORT_MINUTES: f64 = 1.0 / 3.0;

/// How much longer the run is than the schedule: for its first ticks, for the last outage, which may end later, and for
/// looks while all is calm. A run that is interrupted would not wait for a last scrape.
const BEFORE_AND_AFTER: Duration = Duration::from_secs(60);

const REQUESTS: &str = "http.client.requests";
const FILE: &str = "o.jsonl";
const LOG: &str = "l.jsonl";
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

#[test]
fn whatever_becomes_of_the_receivers_every_request_is_told() {
    let length = Duration::from_secs_f64(60.0 * setting("BAREWIRE_SOAK_MINUTES").unwrap_or(SHORT_MINUTES));
    let seed = setting("BAREWIRE_SOAK_SEED").unwrap_or_else(seed_of_the_clock);
    println!("soak: {} s, seed {seed}", length.as_secs());
    let (target, page) =
        (Target::start(&["--delay", "5ms"]), SocketAddr::from(([127, 0, 0, 1], free_port())));
    let mut receivers = Receivers::start(page);
    let mut run = barewire(receivers.arguments(&target, page, length));
    poll(PATIENCE, "the first scrape", || (receivers.prometheus.targets_up() == 1).then_some(()));
    poll(PATIENCE, "the first ticks", || (run.dir().read(FILE).lines().count() >= 3).then_some(()));

    let (resources, tolls) = watched(&run, || receivers.torment(seed, length));
    assert!(run.exited().is_none(), "the schedule outlasted the run: {}", run.log());
    run.wait(BEFORE_AND_AFTER + PATIENCE);
    let ended = Ended::of(run);
    assert_eq!(ended.code, 0, "{}", ended.stderr);

    let books = Books::open(&ended, &target);
    let mut verdicts = books.check(&receivers, &tolls);
    verdicts.extend(resources.verdicts());
    for (holds, line) in &verdicts {
        println!("{} {line}", if *holds { "holds " } else { "BROKEN" });
    }
    assert!(verdicts.iter().all(|(holds, _)| *holds), "{}\n{:#}", ended.stderr, ended.results["exporters"]);
}

fn setting<T: FromStr<Err: Display>>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name} is '{text}': {error}")))
}

fn seed_of_the_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

/// Looks at the run once a second while `course` lasts, and a little before and after; tells of it now and then.
fn watched<T>(run: &Child, course: impl FnOnce() -> T) -> (Resources, T) {
    let (resources, is_over) = (Mutex::new(Resources::new()), AtomicBool::new(false));
    let look = || resources.lock().expect("the looks").look(run);
    let look_calmly = || {
        for _ in 0..CALM {
            look();
            thread::sleep(Duration::from_secs(1));
        }
    };
    look_calmly();
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            let mut told = Instant::now();
            while !is_over.load(Ordering::Relaxed) {
                look();
                if told.elapsed() >= PROGRESS_INTERVAL {
                    told = Instant::now();
                    eprintln!("soak: {}", resources.lock().expect("the looks").now());
                }
                thread::sleep(Duration::from_secs(1));
            }
        });
        let _over = OnDrop(|| is_over.store(true, Ordering::Relaxed));
        course()
    });
    look_calmly();
    (resources.into_inner().expect("the looks"), result)
}

/// Does something at the end, even that of a panic.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// One of each kind, and an Agent for each way to reach one.
struct Receivers {
    collector: Collector,
    agents: [Agent; 3],
    influxd: Influxd,
    victoria: Victoria,
    prometheus: Prometheus,
}

/// What the Collector, the Agents, InfluxDB, VictoriaMetrics and Prometheus went through.
type Tolls = [Toll; 7];

impl Receivers {
    fn start(page: SocketAddr) -> Self {
        thread::scope(|scope| {
            let agents = [(); 3].map(|()| scope.spawn(Agent::start));
            let (influxd, victoria) = (scope.spawn(Influxd::start), scope.spawn(Victoria::start));
            let prometheus = scope.spawn(move || Prometheus::start(&[page]));
            Self {
                collector: Collector::start(),
                agents: agents.map(|agent| agent.join().expect("an Agent")),
                influxd: influxd.join().expect("InfluxDB"),
                victoria: victoria.join().expect("VictoriaMetrics"),
                prometheus: prometheus.join().expect("Prometheus"),
            }
        })
    }

    fn arguments(&self, target: &Target, page: SocketAddr, length: Duration) -> Vec<String> {
        let [udp, datagrams, stream] = &self.agents;
        let pairs = [
            ("-d", format!("{}s", (length + BEFORE_AND_AFTER).as_secs())),
            ("-c", "4".to_owned()),
            ("-t", "2".to_owned()),
            ("-r", "500".to_owned()),
            ("--otlp", self.collector.otlp_url()),
            ("--otlp", format!("file:{FILE}")),
            ("--statsd", format!("udp://{}", udp.udp())),
            ("--statsd", format!("unixgram:{}", datagrams.datagram_socket().display())),
            ("--statsd", format!("unix:{}", stream.stream_socket().display())),
            ("--influx", self.influxd.udp_url()),
            ("--influx", self.influxd.write_url(Influxd::PASSWORD)),
            ("--influx", self.victoria.v2_url()),
            ("--prometheus", page.to_string()),
            ("--linger", "30s".to_owned()),
            ("--log", format!("json:{LOG}")),
            ("--results", RESULTS.to_owned()),
        ];
        let pairs = pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]);
        ["run".to_owned(), target.url()].into_iter().chain(pairs).collect()
    }

    /// Each has a schedule of its own, which depends on the seed alone.
    fn torment(&mut self, seed: u64, length: Duration) -> Tolls {
        let mut dice = fastrand::Rng::with_seed(seed);
        let outages = AtomicU32::new(0);
        let tell = |name: &str, what: &str| {
            let number = outages.fetch_add(1, Ordering::Relaxed) + 1;
            eprintln!("soak: outage {number}: {name} was {what}");
        };
        let [udp, datagrams, stream] = &mut self.agents;
        let receivers: [(&str, &mut dyn Receiver); 7] = [
            ("the Collector", &mut self.collector),
            ("the Agent of UDP", udp),
            ("the Agent of unixgram", datagrams),
            ("the Agent of unix", stream),
            ("InfluxDB", &mut self.influxd),
            ("VictoriaMetrics", &mut self.victoria),
            ("Prometheus", &mut self.prometheus),
        ];
        thread::scope(|scope| {
            let schedules = receivers.map(|(name, receiver)| {
                let (dice, tell) = (dice.fork(), &tell);
                scope.spawn(move || torment(receiver, dice, length, |what| tell(name, what)))
            });
            schedules.map(|schedule| schedule.join().expect("a schedule that was kept"))
        })
    }
}

/// The three accounts of a run that are not an exporter's.
struct Books<'a> {
    ended: &'a Ended,
    requests: f64,
    target: f64,
    ticks: Ticks,
}

/// Whether a line is as it has to be, and the line.
type Verdict = (bool, String);

impl<'a> Books<'a> {
    fn open(ended: &'a Ended, target: &Target) -> Self {
        let requests = ended.results["requests"].as_f64().expect("requests");
        Self { ended, requests, target: target.requests() as f64, ticks: Ticks::read(&ended.dir.read(FILE)) }
    }

    /// A line for each exporter.
    fn check(&self, receivers: &Receivers, tolls: &Tolls) -> Vec<Verdict> {
        let Receivers { collector, agents, influxd, victoria, prometheus } = receivers;
        let [of_collector, agent_tolls @ .., of_influxd, of_victoria, of_prometheus] = tolls;
        let influx = |database| move || influxd.last_sum(database, REQUESTS, "value");
        let page = "sum(last_over_time(http_client_requests_total[2d]))";
        let mut verdicts = vec![
            self.balance("target", "its own count", Some(self.target), ""),
            self.conserved("otlp", of_collector, || collector.last_sum(REQUESTS)),
            self.written("otlp-2", Some(self.ticks.total())),
        ];
        for (name, (agent, toll)) in
            ["statsd", "statsd-2", "statsd-3"].into_iter().zip(agents.iter().zip(agent_tolls))
        {
            verdicts.push(self.flushed(name, agent, toll));
        }
        verdicts.extend([
            self.conserved("influx", of_influxd, influx(Influxd::UDP_DATABASE)),
            self.conserved("influx-2", of_influxd, influx(Influxd::DATABASE)),
            self.conserved("influx-3", of_victoria, || victoria.last_sum("http.client.requests_value")),
            self.conserved("prometheus", of_prometheus, || prometheus.value(page)),
            self.written("log", logged(&self.ended.dir.read(LOG))),
        ]);
        verdicts
    }

    /// A receiver is told the total, and has that of the last request at the end.
    fn conserved(&self, name: &str, toll: &Toll, seen: impl Fn() -> Option<f64>) -> Verdict {
        self.account(name, "in its receiver", self.settled(seen), &toll.to_string())
    }

    fn written(&self, name: &str, seen: Option<f64>) -> Verdict {
        self.account(name, "in its file", seen, "nobody in between")
    }

    /// An Agent is told differences.
    fn flushed(&self, name: &str, agent: &Agent, toll: &Toll) -> Verdict {
        let settle = || forgotten(&self.ticks, &toll.ends, agent.handed_on(), self.requests);
        let deadline = Instant::now() + PATIENCE;
        while settle().is_err() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(100));
        }
        match settle() {
            Ok(forgotten) => {
                let toll = format!("{toll}; {forgotten} were taken by Agents that ended before they flushed");
                self.account(
                    name,
                    "flushed or forgotten by its Agents",
                    Some(agent.handed_on() + forgotten),
                    &toll,
                )
            }
            Err(why) => (false, format!("{name:12} {why}; {toll}")),
        }
    }

    /// What is seen, as soon as it is everything; the last that was seen where that does not come.
    fn settled(&self, seen: impl Fn() -> Option<f64>) -> Option<f64> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let total = seen();
            if total == Some(self.requests) || Instant::now() > deadline {
                return total;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The balance of an exporter, which has to know itself that all is delivered.
    fn account(&self, name: &str, place: &str, seen: Option<f64>, toll: &str) -> Verdict {
        let exporters = otlp::items(&self.ended.results["exporters"]);
        let account = exporters.into_iter().find(|it| it["name"] == name).unwrap_or(&Value::Null);
        let count = |what: &str| account[what].as_u64().unwrap_or(0);
        let ticks = format!(
            "; ticks: {} sent, {} dropped, {} failed, {} timed out; {toll}",
            count("sent"),
            count("dropped"),
            count("failed"),
            count("timed_out")
        );
        let (holds, line) = self.balance(name, place, seen, &ticks);
        (holds && account["complete"] == true, line)
    }

    fn balance(&self, name: &str, place: &str, seen: Option<f64>, rest: &str) -> Verdict {
        let shown = seen.map_or_else(|| "nothing".to_owned(), |seen| seen.to_string());
        (
            seen == Some(self.requests),
            format!("{name:12} {shown} of {} requests {place}{rest}", self.requests),
        )
    }
}

/// The total that a log ends with.
fn logged(text: &str) -> Option<f64> {
    let lines =
        text.lines().rev().map(|line| serde_json::from_str::<Value>(line).expect("a document a line"));
    let last = lines.map(|line| {
        line["telemetry"]["num_requests"].as_f64().filter(|_| line["telemetry"]["stats_type"] == "final")
    });
    last.flatten().next()
}
