//! Exporting over https, to whom one trusts and to whom one shows who one is.

mod support;

use support::{Authority, Collector, Ended, PATIENCE, RESULTS, Receiver, barewire_to_end, poll};

/// A short run of the embedded server, with these arguments.
fn run(arguments: &[&str]) -> Ended {
    let base = ["run", "-d", "500ms", "-c", "2", "--interval", "100ms", "--results", RESULTS];
    barewire_to_end(base.iter().chain(arguments))
}

fn path(path: &std::path::Path) -> &str {
    path.to_str().expect("a path of UTF-8")
}

fn sent(ended: &Ended) -> u64 {
    ended.results["exporters"][0]["sent"].as_u64().expect("sent")
}

/// The run went its way, all that was lost is the export, and a warning says why.
fn is_unharmed_but_warned(ended: &Ended, why: &str) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.results["requests"].as_u64() > Some(0), "{:#}", ended.results);
    assert_eq!(sent(ended), 0, "{:#}", ended.results["exporters"]);
    let warned =
        ended.stderr.lines().any(|line| line.contains("otlp does not deliver: ") && line.contains(why));
    assert!(warned, "no {why:?} in: {}", ended.stderr);
}

#[test]
fn a_receiver_whose_authority_is_trusted_gets_the_run() {
    let authority = Authority::new("test");
    let receiver = Receiver::start_tls(&authority, None);
    let ended = run(&["--otlp", receiver.url(), "--ca", path(&authority.file())]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(sent(&ended) > 1);
    let heads = receiver.heads();
    let paths: Vec<_> = heads.iter().filter_map(|head| head.split(' ').nth(1)).collect();
    assert!(paths.iter().all(|path| ["/v1/metrics", "/v1/logs"].contains(path)), "{heads:?}");
    assert!(paths.contains(&"/v1/metrics") && paths.contains(&"/v1/logs"), "{heads:?}");
}

#[test]
fn a_receiver_whose_authority_is_not_trusted_gets_nothing() {
    let (authority, stranger) = (Authority::new("test"), Authority::new("stranger"));
    let receiver = Receiver::start_tls(&authority, None);
    let ended = run(&["--otlp", receiver.url(), "--ca", path(&stranger.file())]);
    is_unharmed_but_warned(&ended, "of an issuer that is not trusted: trust it by its file (--ca)");
    assert!(receiver.heads().is_empty());
}

#[test]
fn a_receiver_that_asks_for_a_certificate_is_shown_it() {
    let (authority, clients) = (Authority::new("test"), Authority::new("clients"));
    let receiver = Receiver::start_tls(&authority, Some(&clients));
    let (ca, me) = (authority.file(), clients.certify("me"));
    let without = run(&["--otlp", receiver.url(), "--ca", path(&ca)]);
    is_unharmed_but_warned(
        &without,
        "the peer asked for a client certificate: give one, and its key (--cert and --key)",
    );
    let (certificate, key) = (path(&me.certificate), path(&me.key));
    let with = run(&["--otlp", receiver.url(), "--ca", path(&ca), "--cert", certificate, "--key", key]);
    assert_eq!((with.code, with.stderr.as_str()), (0, ""));
    assert!(sent(&with) > 1 && !receiver.heads().is_empty());
}

#[test]
fn certificates_that_are_of_no_use_are_refused_before_the_run() {
    let authority = Authority::new("test");
    let (ca, me, other) = (authority.file(), authority.certify("me"), authority.certify("other"));
    let [ca, certificate, key, other] = [&ca, &me.certificate, &me.key, &other.key].map(|file| path(file));
    let https = ["--otlp", "https://127.0.0.1:1", "--ca", ca];
    for (arguments, said) in [
        (
            vec!["--otlp", "http://127.0.0.1:1", "--ca", ca],
            "--ca, --cert: no exporter of this run has a URL of https",
        ),
        ([&https[..], &["--cert", key]].concat(), "--cert, --key: the file "),
        ([&https[..], &["--cert", certificate]].concat(), "has no private key in it"),
        (
            [&https[..], &["--cert", certificate, "--key", other]].concat(),
            "is not the key of the certificate in ",
        ),
    ] {
        let ended = run(&arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{}", ended.stderr);
        assert!(ended.stderr.starts_with("barewire: ") && ended.stderr.contains(said), "{}", ended.stderr);
    }
}

#[test]
fn the_collector_takes_a_run_over_tls_from_those_it_knows() {
    let (authority, clients) = (Authority::new("test"), Authority::new("clients"));
    let collector = Collector::start_tls(&authority, &clients);
    let (ca, me, url) = (authority.file(), clients.certify("me"), collector.otlp_url());
    let without = run(&["--otlp", &url, "--ca", path(&ca)]);
    is_unharmed_but_warned(&without, "the peer asked for a client certificate");
    assert!(collector.documents().is_empty());

    let (certificate, key) = (path(&me.certificate), path(&me.key));
    let with = run(&["--otlp", &url, "--ca", path(&ca), "--cert", certificate, "--key", key]);
    assert_eq!((with.code, with.stderr.as_str()), (0, ""));
    let requests = with.results["requests"].as_u64().expect("requests") as f64;
    poll(PATIENCE, "the last document", || {
        collector.last_sum("http.client.requests").filter(|sum| *sum == requests)
    });
}
