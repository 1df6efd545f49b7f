//! However a request comes in, the answer is the same.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use barewire::{Exporter as _, Metric, Registry};
use barewire_promtext::PromText;
use proptest::{collection::vec, prelude::*, sample::Index};

const PATIENCE: Duration = Duration::from_secs(60);

/// Requests that follow each other over one connection, the last of which ends it.
fn requests() -> impl Strategy<Value = String> {
    let request = prop_oneof![
        Just("GET /metrics HTTP/1.1\r\nHost: h\r\nUser-Agent: a\r\n"),
        Just("HEAD /metrics HTTP/1.1\r\nHost: h\r\nAccept: application/openmetrics-text; version=1.0.0\r\n"),
        Just("GET /-/healthy HTTP/1.1\r\nHost: h\r\n"),
        Just("GET /nowhere HTTP/1.1\r\nHost: h\r\n"),
        Just("POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"),
        Just("GET /metrics?a=b HTTP/1.1\r\nHost: h\r\nAccept-Encoding: identity;q=0, gzip;q=0\r\n"),
        Just("GET http://h/metrics HTTP/1.1\r\nHost: h\r\n"),
        Just("nonsense\r\n"),
    ];
    vec(request, 1..4).prop_map(|requests| {
        let ended: Vec<String> = requests.iter().map(|request| format!("{request}\r\n")).collect();
        let (last, before) = ended.split_last().expect("at least one");
        [before.concat(), last.trim_end().to_owned(), "\r\nConnection: close\r\n\r\n".to_owned()].concat()
    })
}

/// All that is answered to `pieces`, sent one after another.
fn answers(addr: SocketAddr, pieces: &[&[u8]]) -> Vec<u8> {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for piece in pieces {
        // The server may have had enough: what it said of that is to be read.
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    let mut answers = Vec::new();
    // A connection that is closed with bytes of ours unread may end in a reset.
    drop(stream.read_to_end(&mut answers));
    answers
}

fn cut<'i>(input: &'i [u8], cuts: &[Index]) -> Vec<&'i [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    at.extend([0, input.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect()
}

/// Status lines; the rest is their business.
fn statuses(answers: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(answers);
    text.lines().filter(|line| line.starts_with("HTTP/1.")).map(str::to_owned).collect()
}

// An answer that does not come takes as long as the server waits for a request: too long to look for a shorter case.
proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::with_cases(48) })]
    #[test]
    fn every_split_of_a_request_is_answered_alike(requests in requests(), cuts in vec(any::<Index>(), 0..8)) {
        let registry = Registry::new("test");
        registry.counter(Metric::new("hits"));
        let mut endpoint = PromText::bind("127.0.0.1:0").unwrap();
        endpoint.export(&registry.snapshot(), Instant::now() + PATIENCE).unwrap();
        let whole = answers(endpoint.local_addr(), &[requests.as_bytes()]);
        let pieces = answers(endpoint.local_addr(), &cut(requests.as_bytes(), &cuts));
        prop_assert!(!statuses(&whole).is_empty());
        if requests.contains("nonsense") {
            prop_assert_eq!(statuses(&pieces), statuses(&whole));
        } else {
            prop_assert_eq!(pieces, whole);
        }
    }
}
