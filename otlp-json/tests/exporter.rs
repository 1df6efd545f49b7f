//! What the exporter says to receivers, and what it makes of their answers, also of those that misbehave.

mod support;

use std::{
    fs,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use barewire::{
    Counter, Delivered, ExportError, Exporter, Metric, Registry, Shard, Snapshot,
    view::{Rule, Temporality, View},
    wire::post::Auth,
};
use barewire_otlp_json::{Encoder, Otlp};
use support::{HANG_UP, OK, SILENCE, Server, failed, host, scratch_file, soon};

/// A registry with one counter.
struct Shop {
    registry: Registry,
    shard: Shard,
    hits: Counter,
}

impl Shop {
    fn open() -> Shop {
        let registry = Registry::new("shop");
        let hits = registry.counter(Metric::new("hits"));
        Shop { shard: registry.shard(), registry, hits }
    }

    fn after(&mut self, hits: u64) -> Arc<Snapshot> {
        self.shard.add(self.hits, hits);
        self.registry.snapshot()
    }
}

fn hits(document: &serde_json::Value) -> u64 {
    let metric = &document["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0];
    assert_eq!(metric["name"], "hits");
    metric["sum"]["dataPoints"][0]["asInt"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_snapshot_is_one_request_whose_body_is_what_the_encoder_says() {
    let server = Server::answering([OK]);
    let snapshot = Shop::open().after(3);
    let delivered = Otlp::http(&server.url).unwrap().export(&snapshot, soon()).unwrap();
    let request = server.request();
    let mut body = Vec::new();
    Encoder::new().push_request([View::everything().show(&snapshot, None)], &mut body);
    assert_eq!(String::from_utf8(request.body), String::from_utf8(body.clone()));
    assert_eq!(
        request.head,
        format!(
            "POST /v1/metrics HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             User-Agent: barewire/{}\r\nAccept-Encoding: identity\r\nContent-Length: {}\r\n\r\n",
            host(&server),
            env!("CARGO_PKG_VERSION"),
            body.len()
        )
    );
    let bytes = (request.head.len() + body.len()) as u64;
    assert_eq!(delivered, Delivered { points: 1, bytes, encode: delivered.encode, ..Delivered::default() });
}

#[test]
fn a_base_url_is_appended_to_and_a_metrics_url_is_used_as_it_stands() {
    let base: fn(&str) -> _ = Otlp::http;
    for (otlp, path, target) in [
        (base, "", "/v1/metrics"),
        (base, "/", "/v1/metrics"),
        (base, "/api/otel/", "/api/otel/v1/metrics"),
        (base, "/api/otel", "/api/otel/v1/metrics"),
        (Otlp::open, "/api?key=1", "/api/v1/metrics?key=1"),
        (Otlp::metrics_url, "", "/"),
        (Otlp::metrics_url, "/x/", "/x/"),
        (Otlp::metrics_url, "/v1/metrics", "/v1/metrics"),
    ] {
        let server = Server::answering([OK]);
        otlp(&format!("{}{path}", server.url)).unwrap().export(&Shop::open().after(1), soon()).unwrap();
        let head = server.request().head;
        assert_eq!(head.split(' ').nth(1), Some(target), "{path}");
    }
}

#[test]
fn a_connection_is_kept() {
    let server = Server::answering([OK, OK]);
    let (mut otlp, mut shop) = (Otlp::http(&server.url).unwrap(), Shop::open());
    for expected in [1, 2] {
        otlp.export(&shop.after(1), soon()).unwrap();
        let request = server.request();
        assert_eq!(request.connection, 1);
        assert_eq!(hits(&serde_json::from_slice(&request.body).unwrap()), expected);
    }
}

#[test]
fn cumulative_data_goes_out_again_when_a_kept_connection_turns_out_stale() {
    let server = Server::answering([OK, HANG_UP, OK]);
    let (mut otlp, mut shop) = (Otlp::http(&server.url).unwrap(), Shop::open());
    otlp.export(&shop.after(1), soon()).unwrap();
    otlp.export(&shop.after(1), soon()).unwrap();
    assert_eq!([1, 2, 2], [(); 3].map(|()| hits(&server.body())));
}

#[test]
fn a_delta_does_not_go_out_again_and_is_part_of_the_next() {
    let server = Server::answering([OK, HANG_UP, OK, OK]);
    let mut otlp = Otlp::http(&server.url).unwrap().view(View::everything().temporality(Temporality::Delta));
    let mut shop = Shop::open();
    otlp.export(&shop.after(1), soon()).unwrap();
    otlp.export(&shop.after(2), soon()).unwrap_err();
    otlp.export(&shop.after(4), soon()).unwrap();
    otlp.export(&shop.after(8), soon()).unwrap();
    assert_eq!([1, 2, 6, 8], [(); 4].map(|()| hits(&server.body())));
}

#[test]
fn any_body_of_a_success_is_a_success() {
    for answer in [
        OK,
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\0",
    ] {
        let server = Server::answering([answer]);
        let mut otlp = Otlp::http(&server.url).unwrap();
        let delivered = otlp.export(&Shop::open().after(1), soon()).unwrap();
        assert_eq!((delivered.points, delivered.left_out), (1, 0), "{answer}");
        assert_eq!(delivered.message, None);
    }
}

#[test]
fn a_page_for_a_browser_is_no_delivery_and_an_empty_or_protobuf_answer_is_one() {
    let answer = |kind: &str, body: &str| {
        let length = body.len();
        &*format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}").leak()
    };
    for (kind, body, expected) in [
        ("text/html", "<title>Sign in</title>", Some(": an HTML page, 'Sign in'")),
        ("Text/HTML; charset=utf-8", "hello", Some(": an HTML page")),
        ("text/plain", " <!DOCTYPE html><p>hello", Some(": an HTML page")),
        ("text/html", "", None),
        ("application/x-protobuf", "", None),
        ("application/x-protobuf", "\n\x02\x08\x00", None),
        ("application/json;charset=UTF-8", "{}", None),
        ("text/plain", "ok", None),
    ] {
        let server = Server::answering([answer(kind, body)]);
        let outcome = Otlp::http(&server.url).unwrap().export(&Shop::open().after(1), soon());
        let refused = expected
            .map(|said| failed(format!("{} answered 200: this is no OTLP endpoint{said}", host(&server))));
        assert_eq!(outcome.err(), refused, "{kind} {body}");
    }
}

#[test]
fn a_signals_own_path_and_a_missing_scheme_are_taken_as_they_are_meant() {
    for (given, shown) in [
        ("http://h/v1/metrics", "http://h/v1/metrics"),
        ("http://h/v1/metrics/", "http://h/v1/metrics"),
        ("http://h/v1/logs", "http://h/v1/metrics"),
        ("http://h/v1/traces//", "http://h/v1/metrics"),
        ("http://h/otlp/v1/metrics?key=secret", "http://h/otlp/v1/metrics?…"),
        ("http://h/otlp", "http://h/otlp/v1/metrics"),
        ("http://h/v1/metricsx", "http://h/v1/metricsx/v1/metrics"),
        ("http://h/xv1/metrics", "http://h/xv1/metrics/v1/metrics"),
        ("metrics:http://h/v1/metrics", "http://h/v1/metrics"),
        ("metrics:http://h/x", "http://h/x"),
        ("localhost:4318", "http://localhost:4318/v1/metrics"),
        ("localhost:4318/otlp/v1/metrics", "http://localhost:4318/otlp/v1/metrics"),
        ("[::1]:4318", "http://[::1]:4318/v1/metrics"),
        ("metrics:4318", "http://metrics:4318/v1/metrics"),
    ] {
        assert_eq!(format!("{:?}", Otlp::open(given).unwrap()), format!("Otlp({shown})"), "{given}");
    }
    for given in ["localhost", ":4318", "localhost:", "h:1x", "me:1@h"] {
        assert!(Otlp::open(given).unwrap_err().to_string().contains("http://"), "{given}");
    }
}

#[test]
fn the_port_of_grpc_is_told_as_what_it_is() {
    let error =
        Otlp::http("127.0.0.1:4317").unwrap().export(&Shop::open().after(1), Instant::now()).unwrap_err();
    let told = "(port 4317 is for OTLP over gRPC; OTLP over HTTP has port 4318)";
    assert!(error.to_string().ends_with(told), "{error}");
}

#[cfg(feature = "gzip")]
#[test]
fn a_partial_success_is_read_where_it_is_packed_though_nobody_asked() {
    use std::{
        io::{Read as _, Write as _},
        thread,
    };

    for (encoding, rejected, said) in [
        ("gzip", 1, "too old"),
        ("X-GZIP", 1, "too old"),
        ("br", 0, "a body packed as 'br', which was not asked for"),
    ] {
        let body = r#"{"partialSuccess":{"rejectedDataPoints":"1","errorMessage":"too old"}}"#;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(body.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        let length = packed.len();
        let mut answer =
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {length}\r\n\r\n")
                .into_bytes();
        answer.extend_from_slice(&packed);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut otlp = Otlp::http(&listener.local_addr().unwrap().to_string()).unwrap();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.read_exact(&mut [0; 200]).unwrap();
            stream.write_all(&answer).unwrap();
            // Until the exporter goes away.
            stream.read_to_end(&mut Vec::new()).ok();
        });
        let delivered = otlp.export(&Shop::open().after(1), soon()).unwrap();
        assert_eq!((delivered.rejected, delivered.message.as_deref()), (rejected, Some(said)));
        drop(otlp);
        server.join().unwrap();
    }
}

#[test]
fn points_that_the_receiver_rejects_are_counted_and_not_sent_again() {
    let server = Server::answering([
        concat!(
            "HTTP/1.1 200 OK\r\nContent-Length: 71\r\n\r\n",
            r#"{"partialSuccess":{"rejectedDataPoints":"99","errorMessage":"too old"}}"#,
        ),
        OK,
    ]);
    let (mut otlp, mut shop) = (Otlp::http(&server.url).unwrap(), Shop::open());
    let delivered = otlp.export(&shop.after(1), soon()).unwrap();
    assert_eq!((delivered.points, delivered.rejected, delivered.left_out), (0, 1, 0));
    assert_eq!(delivered.message.as_deref(), Some("too old"));
    server.request();
    server.assert_no_more_requests();
    let delivered = otlp.export(&shop.after(1), soon()).unwrap();
    assert_eq!((delivered.points, delivered.message), (1, None));
}

#[test]
fn a_pause_that_ends_in_time_is_waited_for() {
    let busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    let server = Server::answering([busy, OK]);
    let begun = Instant::now();
    Otlp::http(&server.url).unwrap().export(&Shop::open().after(1), soon()).unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!([1, 1], [(); 2].map(|()| hits(&server.body())));
}

#[test]
fn a_longer_pause_is_kept_without_a_word() {
    for status in
        ["429 Too Many Requests", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"]
    {
        let answer = format!("HTTP/1.1 {status}\r\nRetry-After: 100\r\nContent-Length: 4\r\n\r\nbusy").leak();
        let server = Server::answering([answer, OK]);
        let (mut otlp, mut shop) = (Otlp::http(&server.url).unwrap(), Shop::open());
        let refused = otlp.export(&shop.after(1), soon()).unwrap_err();
        assert_eq!(refused, failed(format!("{} answered {}: busy", host(&server), &status[..3])));
        server.request();
        assert_eq!(otlp.export(&shop.after(1), soon()), Err(ExportError::Throttled));
        server.assert_no_more_requests();
    }
}

#[test]
fn a_refusal_names_the_receiver_and_its_reason_and_the_next_snapshot_is_sent() {
    for (answer, expected) in [
        ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "503"),
        (
            "HTTP/1.1 301 Moved\r\nLocation: https://h/v1?token=x\r\nContent-Length: 2\r\n\r\nno",
            "301: it sends to 'https://h/v1', which is not followed: give that address if it is the right one",
        ),
        ("HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nno", "302: no"),
        (
            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json; charset=utf-8\r\n\
             Transfer-Encoding: chunked\r\n\r\n4\r\n{\n  \r\n13\r\n\"message\": \"no\\n\"\n}\r\n0\r\n\r\n",
            "400: no",
        ),
        ("HTTP/1.1 400 Bad Request\r\nRetry-After: 100\r\nContent-Length: 8\r\n\r\nbad\x07\nxyz", "400: bad"),
    ] {
        let server = Server::answering([answer, OK]);
        let (mut otlp, mut shop) = (Otlp::http(&server.url).unwrap(), Shop::open());
        let refused = otlp.export(&shop.after(1), soon()).unwrap_err();
        assert_eq!(refused.to_string().trim_end(), format!("{} answered {expected}", host(&server)));
        otlp.export(&shop.after(1), soon()).unwrap();
        assert_eq!([1, 2], [(); 2].map(|()| hits(&server.body())));
    }
}

#[test]
fn a_receiver_that_says_nothing_costs_one_deadline() {
    let server = Server::answering([SILENCE, OK]);
    let (mut otlp, mut shop) = (Otlp::http(&server.url).unwrap(), Shop::open());
    let deadline = Instant::now() + Duration::from_millis(100);
    let error = otlp.export(&shop.after(1), deadline).unwrap_err();
    assert_eq!(error.to_string(), format!("timed out: {} while waiting for the response", host(&server)));
    assert!(Instant::now() < deadline + Duration::from_secs(2));
    otlp.export(&shop.after(1), soon()).unwrap();
}

#[test]
fn a_receiver_that_is_not_there_is_an_error_and_may_come_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = Otlp::http(&format!("http://{address}")).unwrap().export(&Shop::open().after(1), soon());
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with(&format!("{address}: cannot connect: ")), "{error}");
}

#[test]
fn a_receiver_that_does_not_speak_http_is_an_error() {
    for answer in ["220 mail.example ESMTP\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n{"] {
        let server = Server::answering([answer]);
        let error = Otlp::http(&server.url).unwrap().export(&Shop::open().after(1), soon()).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{}: bad response: ", host(&server))), "{error}");
    }
}

#[test]
fn without_points_nothing_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut otlp = Otlp::http(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let delivered = otlp.export(&Registry::new("shop").snapshot(), soon()).unwrap();
    assert_eq!(delivered, Delivered { encode: delivered.encode, ..Delivered::default() });
    assert!(listener.accept().is_err());
}

#[test]
fn each_view_is_an_entry_of_the_same_request() {
    let server = Server::answering([OK]);
    let mut otlp = Otlp::http(&server.url)
        .unwrap()
        .view(View::everything())
        .view(View::table([Rule::new("all", "hits")]).scope("other", ""));
    assert_eq!(otlp.export(&Shop::open().after(1), soon()).unwrap().points, 2);
    let document = server.body();
    let names = document["resourceMetrics"].as_array().unwrap().iter().map(|entry| {
        let scope = &entry["scopeMetrics"][0];
        (scope["scope"]["name"].as_str(), scope["metrics"][0]["name"].as_str().unwrap())
    });
    assert_eq!(names.collect::<Vec<_>>(), [(None, "hits"), (Some("other"), "all")]);
}

#[test]
fn headers_are_sent_once_and_the_bodys_own_are_refused() {
    let server = Server::answering([OK]);
    let otlp = Otlp::http(&server.url).unwrap();
    let otlp = otlp.header("X-Api-Key", "old").unwrap().header("x-api-key", "new").unwrap();
    let mut otlp = otlp.header("user-agent", "mine").unwrap();
    otlp.export(&Shop::open().after(1), soon()).unwrap();
    let head = server.request().head;
    assert!(
        head.contains("\r\nContent-Type: application/json\r\nAccept-Encoding: identity\r\nx-api-key: new\r\nuser-agent: mine\r\n"),
        "{head}"
    );
    assert_eq!(head.matches("gent: ").count() + head.to_lowercase().matches("x-api-key").count(), 2);
    let error = Otlp::http(&server.url).unwrap().header("X", "secret\r\nY: z").unwrap_err();
    let expected = "otlp: the value of header 'X' has a control character (\\r): remove it";
    assert_eq!(error.to_string(), expected);
    for own in ["Content-Type", "content-encoding"] {
        let error = Otlp::http(&server.url).unwrap().header(own, "x").unwrap_err();
        assert_eq!(error.to_string(), format!("otlp: header '{own}' is set by the exporter: leave it out"));
    }
}

#[test]
fn credentials_come_by_the_url_or_as_a_value_and_are_sent() {
    for open in
        [(|url| Otlp::http(&url.replace("://", "://me:s%65cret@")).unwrap()) as fn(&str) -> Otlp, |url| {
            Otlp::http(url).unwrap().auth(Auth::basic("me", "secret").unwrap()).unwrap()
        }]
    {
        let server = Server::answering([OK]);
        let mut otlp = open(&server.url);
        otlp.export(&Shop::open().after(1), soon()).unwrap();
        let head = server.request().head;
        assert!(head.contains("\r\nAuthorization: Basic bWU6c2VjcmV0\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nHost: {}\r\n", host(&server))), "{head}");
        assert!(!format!("{otlp:?}").contains("secret"), "{otlp:?}");
    }
    let auth = || Auth::bearer("secret").unwrap();
    let error = Otlp::http("http://me:secret@h").unwrap().auth(auth()).unwrap_err().to_string();
    assert!(error.starts_with("otlp: the authorization is given twice"), "{error}");
    let error = Otlp::stdout().auth(auth()).unwrap_err().to_string();
    let expected = "otlp: an authorization has no meaning for a file: leave it out, or send to a url";
    assert_eq!(error, expected);
}

#[test]
fn what_a_receiver_says_is_told_in_one_clean_line_without_secrets() {
    let body = r#"{"partialSuccess":{"errorMessage":" slow\u0007 down, secret \nplease"}}"#;
    let warned = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let refused = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nno secret";
    let server = Server::answering([&*warned.leak(), refused]);
    let mut otlp = Otlp::http(&server.url).unwrap().auth(Auth::bearer("secret").unwrap()).unwrap();
    let delivered = otlp.export(&Shop::open().after(1), soon()).unwrap();
    assert_eq!(delivered.message.as_deref(), Some("slow  down, ***"));
    let error = otlp.export(&Shop::open().after(1), soon()).unwrap_err();
    assert_eq!(error, failed(format!("{} answered 401: no ***", host(&server))));
}

#[cfg(feature = "gzip")]
#[test]
fn a_compressed_request_says_so_and_unpacks_to_the_same() {
    let server = Server::answering([OK, OK]);
    let (mut otlp, mut shop) = (Otlp::http(&server.url).unwrap().gzip().gzip(), Shop::open());
    for expected in [1, 2] {
        otlp.export(&shop.after(1), soon()).unwrap();
        let request = server.request();
        assert!(request.head.contains("\r\nContent-Encoding: gzip\r\n"));
        assert_eq!(request.head.matches("Content-Encoding").count(), 1);
        let body = flate2::read::GzDecoder::new(&request.body[..]);
        assert_eq!(hits(&serde_json::from_reader(body).unwrap()), expected);
    }
}

#[test]
fn a_file_is_of_one_run_and_has_one_document_a_line() {
    let path = scratch_file("run");
    let destination = format!("file:{}", path.display());
    for run in 1..=2 {
        let (mut otlp, mut shop) = (Otlp::open(&destination).unwrap(), Shop::open());
        let bytes: u64 = (0..3).map(|_| otlp.export(&shop.after(run), soon()).unwrap().bytes).sum();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with('\n'));
        assert_eq!(text.len() as u64, bytes);
        let lines = text.lines().map(|line| hits(&serde_json::from_str(line).unwrap()));
        assert_eq!(lines.collect::<Vec<_>>(), [run, 2 * run, 3 * run]);
    }
    fs::remove_file(path).unwrap();
}

#[test]
fn a_destination_that_cannot_be_is_refused_with_a_remedy() {
    let nowhere = scratch_file("nowhere").join("x");
    for (destination, expected) in [
        ("localhost", "otlp destination: 'localhost': the url has to begin with http:// or https://".to_owned()),
        ("http://h/a b", "otlp destination: 'http://h/a b': the url has a character that cannot be sent (' ' at byte 10): percent-encode it".to_owned()),
        ("file:", "otlp destination: 'file:' has no path: write it as file:PATH".to_owned()),
        (
            &format!("file:{}", nowhere.display()),
            format!(
                "otlp destination: cannot create '{}': No such file or directory (os error 2): name a file that can be written",
                nowhere.display()
            ),
        ),
    ] {
        assert_eq!(Otlp::open(destination).unwrap_err().to_string(), expected);
    }
    let error = Otlp::stdout().header("a", "b").unwrap_err();
    assert_eq!(
        error.to_string(),
        "otlp: header 'a' has no meaning for a file: leave it out, or send to a url"
    );
}

#[cfg(not(feature = "tls"))]
#[test]
fn https_without_its_feature_is_refused() {
    let error = Otlp::http("https://h").unwrap_err().to_string();
    let expected = "h:443: https needs the feature 'tls', which is off: turn it on, or use http";
    assert_eq!(error, format!("otlp destination: {expected}"));
}

#[test]
fn debug_shows_where_and_no_secret() {
    let otlp = Otlp::http("http://h:1/a?token=secret").unwrap();
    assert_eq!(format!("{otlp:?}"), "Otlp(http://h:1/a/v1/metrics?…)");
    assert_eq!(format!("{:?}", Otlp::stdout()), "Otlp(standard output)");
}
