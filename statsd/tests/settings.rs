//! Destinations and tags: what is refused, and what is warned of.

#![cfg(unix)]

use barewire_statsd::Statsd;

#[test]
fn a_destination_names_its_way_or_is_refused_with_the_remedy() {
    let long = format!("unix:/{}", "x".repeat(200));
    for (destination, why) in [
        ("udp://localhost", "address 'localhost' has no port: write HOST:PORT"),
        ("udp://h:8125/path", "address 'h:8125/path' has a path, and udp knows none: write HOST:PORT"),
        ("udp://u:secret@h:1", "address 'h:1' has no host: write HOST:PORT"),
        ("unix:", "socket path '' is empty: name the file of a socket"),
        ("unixgram:/a\0b", "socket path '/a_b' has a zero in it: leave it out"),
        (&long, "use a shorter one"),
        ("tcp://u:secret@h:1", "'h:1' is of no known kind: write udp://HOST:PORT, unix:PATH for a stream"),
        ("", "'' is of no known kind"),
    ] {
        let error = Statsd::open(destination).unwrap_err().to_string();
        assert!(error.starts_with("statsd destination: ") && error.contains(why), "{error}");
        assert!(!error.contains("secret"));
    }
    for (destination, shown) in [
        ("udp://localhost:8125", "Statsd(udp localhost:8125)"),
        ("udp://localhost:8125/", "Statsd(udp localhost:8125)"),
        ("udp://[::1]:8125", "Statsd(udp [::1]:8125)"),
        ("udp://[::1]:8125/", "Statsd(udp [::1]:8125)"),
        ("unix:/run/a.socket", "Statsd(uds-stream /run/a.socket)"),
        ("unixgram:/run/a.socket", "Statsd(uds /run/a.socket)"),
    ] {
        assert_eq!(format!("{:?}", Statsd::open(destination).unwrap()), shown);
    }
}

#[test]
fn a_tag_that_the_agent_takes_for_itself_gives_a_warning() {
    let statsd = Statsd::udp("h:1").unwrap().tag("region", "eu");
    assert!(statsd.warnings().is_empty());
    let statsd = statsd.tag("host", "a").tag("dd.internal.x", "b").tag("hostess", "c");
    let remedy = "is reserved: the Agent takes it for itself, and it may not arrive as a tag: choose another";
    let expected = ["host", "dd.internal.x"].map(|key| format!("statsd: tag key '{key}' {remedy}"));
    assert_eq!(statsd.warnings(), expected);
}
