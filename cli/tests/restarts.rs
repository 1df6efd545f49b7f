//! Every receiver is killed in the middle of a run and started again: totals are right at the end, what was not
//! delivered meanwhile is counted, and the load has not felt it.

mod support;

use rustix::process::Signal;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use support::{
    Agent, Child, Collector, Dir, Ended, Influxd, PATIENCE, Prometheus, RESULTS, Target, Victoria,
    WAYS_INTO_THE_AGENT, barewire, count, free_port, otlp, poll,
};

/// What pushes. A page is scraped, or not.
const PUSHING: [&str; 7] = ["otlp", "statsd", "statsd-2", "statsd-3", "influx", "influx-2", "influx-3"];
const RATE: f64 = 200.0;
/// The counts at every tick, by an exporter that nothing happens to.
const TICKS: &str = "ticks.jsonl";

struct Receivers {
    collector: Collector,
    agent: Agent,
    influxd: Influxd,
    victoria: Victoria,
    prometheus: Prometheus,
}

impl Receivers {
    fn start(page: SocketAddr) -> Self {
        thread::scope(|scope| {
            let collector = scope.spawn(Collector::start);
            let agent = scope.spawn(Agent::start);
            let influxd = scope.spawn(Influxd::start);
            let victoria = scope.spawn(Victoria::start);
            let prometheus = scope.spawn(|| Prometheus::start(&[page]));
            Receivers {
                collector: collector.join().expect("a Collector"),
                agent: agent.join().expect("an Agent"),
                influxd: influxd.join().expect("an InfluxDB"),
                victoria: victoria.join().expect("a VictoriaMetrics"),
                prometheus: prometheus.join().expect("a Prometheus"),
            }
        })
    }

    fn kill(&mut self) {
        let Receivers { collector, agent, influxd, victoria, prometheus } = self;
        let children = [
            &mut collector.child,
            &mut agent.child,
            &mut influxd.child,
            &mut victoria.child,
            &mut prometheus.child,
        ];
        children.into_iter().for_each(Child::kill);
    }

    fn restart(&mut self) {
        let Receivers { collector, agent, influxd, victoria, prometheus } = self;
        thread::scope(|scope| {
            scope.spawn(|| collector.restart());
            scope.spawn(|| agent.restart());
            scope.spawn(|| influxd.restart());
            scope.spawn(|| victoria.restart());
            scope.spawn(|| prometheus.restart());
        });
    }

    fn arguments(&self, target: &Target, page: SocketAddr) -> Vec<String> {
        let (agent, influxd) = (&self.agent, &self.influxd);
        let words = format!("run {} -c 16 -t 1 -d 300s -r {RATE} --results {RESULTS}", target.url());
        let mut arguments: Vec<_> = words.split(' ').map(str::to_owned).collect();
        let mut flag = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        flag("--otlp", self.collector.otlp_url());
        flag("--otlp", format!("file:{TICKS}"));
        flag("--statsd", format!("udp://{}", agent.udp()));
        flag("--statsd", format!("unixgram:{}", agent.datagram_socket().display()));
        flag("--statsd", format!("unix:{}", agent.stream_socket().display()));
        flag("--influx", influxd.udp_url());
        flag("--influx", influxd.write_url(Influxd::PASSWORD));
        flag("--influx", self.victoria.v2_url());
        flag("--prometheus", page.to_string());
        flag("--profile", "statsd-2=tigrister".to_owned());
        flag("--profile", "statsd-3=loadpilot".to_owned());
        arguments
    }

    /// Whether each of them has something of the run.
    fn have_seen(&self) -> bool {
        let Receivers { collector, agent, influxd, victoria, prometheus } = self;
        let databases = [Influxd::UDP_DATABASE, Influxd::DATABASE];
        collector.last_sum("http.client.requests").is_some()
            && databases.iter().all(|database| stored(influxd, database) > Some(0.0))
            && victoria.last_sum("http.client.requests_value").is_some()
            && prometheus.value(SCRAPED) > Some(0.0)
            && WAYS_INTO_THE_AGENT.iter().all(|(_, total)| total(&agent.intake) > 0.0)
    }
}

const SCRAPED: &str = "sum(max_over_time(http_client_requests_total[1h]))";

fn stored(influxd: &Influxd, database: &str) -> Option<f64> {
    influxd.last_sum(database, "http.client.requests", "value")
}

#[test]
fn receivers_that_are_killed_and_come_back_have_the_right_totals_at_the_end() {
    let target = Target::start(&[]);
    let page: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let mut receivers = Receivers::start(page);
    let run = barewire(receivers.arguments(&target, page));
    poll(PATIENCE, "something of the run at each receiver", || receivers.have_seen().then_some(()));

    receivers.kill();
    let told = |what: &str| PUSHING.iter().all(|name| run.log().contains(&format!(": {name} {what}")));
    poll(PATIENCE, "each exporter says that it does not deliver", || told("does not deliver").then_some(()));
    let by_the_first = WAYS_INTO_THE_AGENT.map(|(_, total)| total(&receivers.agent.intake));
    // The tick in whose middle they were killed may not be in the file yet.
    let ticks_before = ticks(run.dir()).len() + 1;
    receivers.restart();
    poll(PATIENCE, "each exporter delivers again", || told("delivers again").then_some(()));
    let scraped = receivers.prometheus.value(SCRAPED);
    poll(PATIENCE, "another scrape", || (receivers.prometheus.value(SCRAPED) > scraped).then_some(()));

    run.signal(Signal::INT);
    let ended = Ended::of(run);
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    the_load_has_not_felt_it(&ended, &target);
    for name in PUSHING {
        let account = ended.exporter(name);
        assert!(count(account, "failed") > 0 && account["complete"] == true, "{account:#}");
        assert_eq!(count(account, "left_out") + count(account, "rejected"), 0, "{account:#}");
    }
    the_totals_are_right(&receivers, ended.requests() as f64);
    the_agent_has_all_but_what_the_first_took_with_it(&receivers.agent, &ended, by_the_first, ticks_before);
}

fn the_load_has_not_felt_it(ended: &Ended, target: &Target) {
    let (requests, iterations) = (ended.requests(), &ended.results["iterations"]);
    let [scheduled, completed, dropped, unfinished] =
        ["scheduled", "completed", "dropped", "unfinished"].map(|what| count(iterations, what));
    assert_eq!((requests, scheduled), (completed, completed + dropped + unfinished), "{iterations}");
    // A request that was on its way when the run was ended may have been served.
    assert!((requests..=requests + unfinished).contains(&target.requests()), "{iterations}");
    // Whoever ends a run early does not wait for what was due at the very end.
    let due = RATE * ended.results["duration_s"].as_f64().expect("seconds");
    assert!(requests as f64 >= 0.9 * due, "{requests} of {due}");
}

/// Of all that count since the start of the run: what they missed is in what came next.
fn the_totals_are_right(receivers: &Receivers, requests: f64) {
    let Receivers { collector, influxd, victoria, .. } = receivers;
    poll(PATIENCE, "all requests at the Collector", || {
        collector.last_sum("http.client.requests").filter(|sum| *sum == requests)
    });
    for database in [Influxd::UDP_DATABASE, Influxd::DATABASE] {
        poll(PATIENCE, &format!("all requests in the database {database}"), || {
            stored(influxd, database).filter(|sum| *sum == requests)
        });
    }
    poll(PATIENCE, "all requests in VictoriaMetrics", || {
        victoria.last_sum("http.client.requests_value").filter(|sum| *sum == requests)
    });
}

/// The Agent is told what came since the last delivery, so what the first one had been given and not flushed when it was
/// killed is gone with it, and nobody can know. But nothing else: the second one has everything since one of the ticks.
fn the_agent_has_all_but_what_the_first_took_with_it(
    agent: &Agent,
    ended: &Ended,
    by_the_first: [f64; 3],
    ticks_before: usize,
) {
    const LAST: &str = "the.last.to.come";
    let last = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    last.send_to(format!("{LAST}:1|c").as_bytes(), agent.udp()).expect("a datagram");
    poll(PATIENCE, "what was sent last, out of the Agent", || {
        (agent.intake.total(LAST, &[]) > 0.5).then_some(())
    });
    assert_eq!(count(ended.exporter("otlp-2"), "dropped"), 0, "a tick is missing");
    let (requests, ticks) = (ended.requests() as f64, ticks(&ended.dir));
    for ((way, total), first) in WAYS_INTO_THE_AGENT.into_iter().zip(by_the_first) {
        let taken = poll(PATIENCE, &format!("all since a tick that came by {way} out of the Agent"), || {
            let taken = requests - (total(&agent.intake) - first);
            ticks[..ticks_before].iter().any(|tick| (tick - taken).abs() < 0.5).then_some(taken)
        });
        assert!(taken > first - 0.5, "{way}: the first one flushed {first} of {taken}");
    }
}

/// All requests up to each tick.
fn ticks(dir: &Dir) -> Vec<f64> {
    let documents = otlp::documents(&dir.read(TICKS));
    documents.iter().filter_map(|tick| otlp::cumulative_sum(tick, "http.client.requests")).collect()
}
