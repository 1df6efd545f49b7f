//! Whatever a receiver answers, the deltas that it took add up to what was true at the last of them.

mod support;

use std::time::Instant;

use barewire::{
    Exporter, Metric, Registry,
    view::{Temporality, View},
};
use barewire_otlp_json::Otlp;
use proptest::{collection::vec, prelude::*};
use serde_json::Value as Json;
use support::{OK, PATIENCE, Server};

/// What becomes of one snapshot.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Taken,
    Refused,
    /// And the connection is closed.
    Unread,
    /// There is no time for it.
    Late,
    /// Nobody takes a snapshot at all.
    Missed,
    /// Another exporter begins, and its receiver knows nothing.
    Restarted,
}

impl Fate {
    fn answer(self) -> Option<&'static str> {
        match self {
            Fate::Taken | Fate::Restarted => Some(OK),
            Fate::Refused => Some("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"),
            Fate::Unread => {
                Some("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            }
            Fate::Late | Fate::Missed => None,
        }
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(Fate::Taken),
        1 => Just(Fate::Refused),
        1 => Just(Fate::Unread),
        1 => Just(Fate::Late),
        1 => Just(Fate::Missed),
        1 => Just(Fate::Restarted),
    ]
}

fn exporter(server: &Server) -> Otlp {
    Otlp::http(&server.url).unwrap().view(View::everything().temporality(Temporality::Delta))
}

/// The sum `hits`, and how often and how much was recorded in the histogram `took`.
fn figures(document: &Json) -> [u64; 3] {
    let metrics = document["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let of = |name: &str| metrics.iter().find(|metric| metric["name"] == name).unwrap();
    let took = &of("took")["exponentialHistogram"]["dataPoints"][0];
    let int = |json: &Json| json.as_str().map_or(0, |text| text.parse().unwrap());
    let hits = int(&of("hits")["sum"]["dataPoints"][0]["asInt"]);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of small integers")]
    let sum = took["sum"].as_f64().map_or(0, |sum| sum as u64);
    [hits, int(&took["count"]), sum]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]
    #[test]
    fn deltas_that_were_taken_add_up_to_what_was_counted(turns in vec((fate(), 0..1000_u64), 1..16)) {
        let registry = Registry::new("test");
        let (hits, took) = (registry.counter(Metric::new("hits")), registry.histogram(Metric::new("took")));
        let mut shard = registry.shard();
        let server = Server::answering(turns.iter().filter_map(|(fate, _)| fate.answer()));
        let (mut otlp, mut counted, mut got) = (exporter(&server), [0; 3], [0; 3]);
        for (fate, count) in turns {
            shard.add(hits, count);
            shard.record(took, count);
            counted = [counted[0] + count, counted[1] + 1, counted[2] + count];
            match fate {
                Fate::Missed => continue,
                Fate::Restarted => (otlp, got) = (exporter(&server), [0; 3]),
                _ => {}
            }
            let deadline = if fate == Fate::Late { Instant::now() } else { Instant::now() + PATIENCE };
            let is_delivered = otlp.export(&registry.snapshot(), deadline).is_ok();
            prop_assert_eq!(is_delivered, fate.answer() == Some(OK));
            if fate.answer().is_some() {
                let document = server.body();
                if is_delivered {
                    figures(&document).iter().zip(&mut got).for_each(|(more, sum)| *sum += more);
                    prop_assert_eq!(got, counted);
                }
            }
        }
        server.assert_no_more_requests();
    }
}
