//! One run, all receivers at once: each of them has counted every request, and none has anything to complain of.
//!
//! `BAREWIRE_RUN_SECONDS` and `BAREWIRE_RUN_RATE` make it as long and as fast as one likes.

mod support;

use std::net::SocketAddr;
use std::time::Duration;
use std::{env, thread};
use support::{
    Agent, Collector, Ended, Influxd, Nginx, PATIENCE, Prometheus, RESULTS, Victoria, barewire, count,
    exchange, free_port, http_get, poll, promtool_check, strict_openmetrics,
};

/// The names of the exporters, as the results tell them.
const EXPORTERS: [&str; 8] =
    ["otlp", "statsd", "statsd-2", "statsd-3", "influx", "influx-2", "influx-3", "prometheus"];

struct Receivers {
    nginx: Nginx,
    collector: Collector,
    agent: Agent,
    influxd: Influxd,
    victoria: Victoria,
    prometheus: Prometheus,
    page: SocketAddr,
}

impl Receivers {
    /// All of them take some seconds to start: they do it at once.
    fn start() -> Self {
        let page: SocketAddr = ([127, 0, 0, 1], free_port()).into();
        thread::scope(|scope| {
            let nginx = scope.spawn(Nginx::start);
            let collector = scope.spawn(Collector::start);
            let agent = scope.spawn(Agent::start);
            let influxd = scope.spawn(Influxd::start);
            let victoria = scope.spawn(Victoria::start);
            let prometheus = scope.spawn(|| Prometheus::start(&[page]));
            Receivers {
                nginx: nginx.join().expect("nginx"),
                collector: collector.join().expect("a Collector"),
                agent: agent.join().expect("an Agent"),
                influxd: influxd.join().expect("an InfluxDB"),
                victoria: victoria.join().expect("a VictoriaMetrics"),
                prometheus: prometheus.join().expect("a Prometheus"),
                page,
            }
        })
    }

    fn arguments(&self, seconds: u64, rate: u64) -> Vec<String> {
        let (agent, influxd) = (&self.agent, &self.influxd);
        let words = format!(
            "run {} -c 64 -d {seconds}s -r {rate} --results {RESULTS} --linger 60s",
            self.nginx.url()
        );
        let mut arguments: Vec<_> = words.split(' ').map(str::to_owned).collect();
        let mut flag = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        flag("--otlp", self.collector.otlp_url());
        flag("--statsd", format!("udp://{}", agent.udp()));
        flag("--statsd", format!("unixgram:{}", agent.datagram_socket().display()));
        flag("--statsd", format!("unix:{}", agent.stream_socket().display()));
        flag("--influx", influxd.udp_url());
        flag("--influx", influxd.write_url(Influxd::PASSWORD));
        flag("--influx", self.victoria.v2_url());
        flag("--prometheus", self.page.to_string());
        // The vocabulary is what tells the three ways into one Agent apart.
        flag("--profile", "statsd-2=tigrister".to_owned());
        flag("--profile", "statsd-3=loadpilot".to_owned());
        arguments
    }
}

#[test]
fn every_receiver_of_one_run_has_counted_every_request() {
    let set = |name: &str, default| {
        env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
    };
    let (seconds, rate) = (set("BAREWIRE_RUN_SECONDS", 8), set("BAREWIRE_RUN_RATE", 500));
    let receivers = Receivers::start();
    // Prometheus takes some seconds to look at its targets for the first time.
    poll(PATIENCE, "the first scrape, in vain", || receivers.prometheus.value("up").filter(|up| *up == 0.0));
    let mut run = barewire(receivers.arguments(seconds, rate));
    let first = poll(PATIENCE, "requests on the page", || pages(receivers.page));
    // We are a scraper too, and waited for until we have the last page.
    let mut last = None;
    poll(Duration::from_secs(seconds) + PATIENCE, "the end of the run", || {
        last = pages(receivers.page).or_else(|| last.take());
        run.exited()
    });
    let ended = Ended::of(run);
    assert_eq!((ended.code, ended.stderr.contains("barewire: ")), (0, false), "{}", ended.stderr);
    let requests = ended.requests();
    assert_eq!(requests, seconds * rate, "{:#}", ended.results["iterations"]);

    for name in EXPORTERS {
        let account = ended.exporter(name);
        let lost = ["failed", "rejected", "left_out", "events_lost", "samples_lost"];
        assert_eq!(lost.map(|what| count(account, what)), [0; 5], "{account:#}");
        // A receiver that takes longer than a tick, as it may on a busy machine, costs resolution and no count.
        let [sent, late] = [&["sent"][..], &["dropped", "timed_out"]]
            .map(|of| of.iter().map(|what| count(account, what)).sum::<u64>());
        assert!(sent + late >= seconds && late < sent && account["complete"] == true, "{account:#}");
    }
    let Receivers { nginx, collector, agent, influxd, victoria, prometheus, .. } = receivers;
    the_collector_agrees(&collector, requests);
    the_databases_agree(&influxd, &victoria, requests);
    the_scraper_agrees(&prometheus, requests);
    for [text, open] in [first, last.expect("a last page")] {
        assert_eq!(promtool_check(&text), Ok(()));
        strict_openmetrics(&open).expect("a page that the strict parser accepts");
    }
    the_agent_agrees(&agent, requests);
    assert_eq!(nginx.requests(), requests);
    assert_eq!(nginx.quit(), requests, "by the log of the target");
}

/// The page in the text format 0.0.4 and in OpenMetrics, once it tells of requests.
fn pages(page: SocketAddr) -> Option<[String; 2]> {
    let text = http_get(page, "/metrics").ok()?.text();
    let accept = "Accept: application/openmetrics-text; version=1.0.0\r\n";
    let request = format!("GET /metrics HTTP/1.0\r\nHost: {page}\r\n{accept}\r\n");
    let open = exchange(page, request.as_bytes()).ok()?;
    assert!(open.header("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text")));
    text.contains("outcome=\"success\"").then(|| [text, open.text()])
}

fn the_collector_agrees(collector: &Collector, requests: u64) {
    poll(PATIENCE, "all requests at the Collector", || {
        let sum = collector.last_sum("http.client.requests")?;
        assert!(sum <= requests as f64, "{sum} of {requests}");
        (sum == requests as f64).then_some(())
    });
    assert_eq!(collector.self_metric("otelcol_receiver_refused_metric_points_total"), 0.0);
    assert_eq!(collector.self_metric("otelcol_receiver_refused_log_records_total"), 0.0);
    assert!(!collector.log().contains("\terror\t"), "{}", collector.log());
}

fn the_databases_agree(influxd: &Influxd, victoria: &Victoria, requests: u64) {
    for database in [Influxd::UDP_DATABASE, Influxd::DATABASE] {
        poll(PATIENCE, &format!("all requests in the database {database}"), || {
            let sum = influxd.last_sum(database, "http.client.requests", "value")?;
            (sum == requests as f64).then_some(())
        });
    }
    assert_eq!(influxd.complaints(), Vec::<String>::new());
    poll(PATIENCE, "all requests in VictoriaMetrics", || {
        victoria.last_sum("http.client.requests_value").filter(|sum| *sum == requests as f64)
    });
    assert_eq!(victoria.self_metric("vm_rows_invalid_total"), 0.0);
}

fn the_scraper_agrees(prometheus: &Prometheus, requests: u64) {
    // The page is gone by now, and with it its series: the last of them count.
    let all = "sum(max_over_time(http_client_requests_total[1h]))";
    poll(PATIENCE, "all requests at Prometheus", || {
        prometheus.value(all).filter(|sum| *sum == requests as f64)
    });
}

/// Last, as it takes longest: it flushes what was counted in whole spans of ten seconds.
fn the_agent_agrees(agent: &Agent, requests: u64) {
    for (way, total) in support::WAYS_INTO_THE_AGENT {
        poll(PATIENCE, &format!("all requests that came by {way} out of the Agent"), || {
            let total = total(&agent.intake);
            assert!(total < requests as f64 + 0.5, "{way}: {total} of {requests}");
            (total > requests as f64 - 0.5).then_some(())
        });
    }
    poll(PATIENCE, "all requests in the Agent's sketch", || {
        let sketch = agent.intake.sketch("http.client.request.duration", &["http.request.method:GET"])?;
        assert!(sketch.count <= requests, "{} of {requests}", sketch.count);
        (sketch.count == requests).then_some(())
    });
    assert_eq!(agent.complaints(), Vec::<String>::new());
}
