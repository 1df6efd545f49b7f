//! Credentials reach the receiver, and nobody else, however they are given.

mod support;

use std::fs;
use std::process::Command;
use support::{Child, Dir, Ended, PATIENCE, RESULTS, Receiver, barewire_to_end, poll};

/// The secret of every test here. Its middle is in no hexadecimal number, such as the name of a run.
const CANARY: &str = "canary+zqv/b9==";

/// How a secret may be given, and what the receiver is sent for it; CANARY, FILE and URL are filled in.
#[rustfmt::skip]
const WAYS: &[(&[&str], &str)] = &[
    (&["--otlp", "URL", "--auth", "otlp:bearer CANARY"], "\r\nAuthorization: Bearer CANARY\r\n"),
    (&["--otlp", "URL", "--auth", "otlp:bearer @file:FILE"], "\r\nAuthorization: Bearer CANARY\r\n"),
    (&["--otlp", "URL", "--auth", "otlp:token @env:SECRET"], "\r\nAuthorization: Token CANARY\r\n"),
    (&["--otlp", "URL", "--auth", "otlp:basic me:CANARY"], "\r\nAuthorization: Basic BASE64\r\n"),
    (&["--otlp", "URL", "--auth", "otlp:basic me:@env:SECRET"], "\r\nAuthorization: Basic BASE64\r\n"),
    (&["--otlp", "URL", "--header", "otlp:X-Api-Key: CANARY"], "\r\nX-Api-Key: CANARY\r\n"),
    (&["--otlp", "URL", "--header", "otlp:X-Api-Key: @file:FILE"], "\r\nX-Api-Key: CANARY\r\n"),
    (&["--otlp", "URL", "--header", "otlp:Authorization: Basic BASE64"], "\r\nAuthorization: Basic BASE64\r\n"),
    (&["--otlp", "http://me:canary%2Bzqv%2Fb9%3D%3D@RECEIVER"], "\r\nAuthorization: Basic BASE64\r\n"),
    (&["--otlp", "URL?token=canary%2Bzqv%2Fb9%3D%3D"], "token=canary%2Bzqv%2Fb9%3D%3D HTTP/1.1\r\n"),
];

/// `me:` and the canary, in base64.
const BASE64: &str = "bWU6Y2FuYXJ5K3pxdi9iOT09";

/// Starts a run that finds the canary in the file `FILE` and in the variable `SECRET`.
fn start(arguments: &[&str], receiver: &Receiver, duration: &str) -> Child {
    let dir = Dir::new();
    let file = dir.write("token", &format!("{CANARY}\n"));
    let fill = |text: &&str| {
        text.replace("CANARY", CANARY)
            .replace("BASE64", BASE64)
            .replace("FILE", file.to_str().expect("a path of UTF-8"))
            .replace("RECEIVER", receiver.url().trim_start_matches("http://"))
            .replace("URL", receiver.url())
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.args(["run", "-d", duration, "-c", "2", "--interval", "50ms", "--results", RESULTS]);
    command.args(arguments.iter().map(fill)).env("SECRET", CANARY);
    Child::start(command, dir)
}

/// What of it must be nowhere: the middle of the canary, which every spelling but base64 has, and that one.
fn shows_a_secret(text: &str) -> bool {
    ["zqv", BASE64].iter().any(|secret| text.contains(secret))
}

#[test]
fn every_way_to_give_a_secret_brings_it_to_the_receiver() {
    for (arguments, expected) in WAYS {
        let receiver = Receiver::start(|_| (200, String::new()));
        let ended = Ended::of(start(arguments, &receiver, "200ms"));
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{arguments:?}");
        let expected = expected.replace("CANARY", CANARY).replace("BASE64", BASE64);
        let heads = receiver.heads();
        assert!(!heads.is_empty() && heads.iter().all(|head| head.contains(&expected)), "{heads:?}");
        let host = format!("\r\nHost: {}\r\n", receiver.url().trim_start_matches("http://"));
        assert!(heads.iter().all(|head| head.contains(&host)), "{heads:?}");
    }
}

#[test]
fn a_secret_is_nowhere_to_be_seen_not_even_where_the_receiver_repeats_it() {
    for (arguments, _) in WAYS {
        let receiver = Receiver::start(|head| {
            // In each spelling that it was sent or can find out, in one line.
            let spelled =
                if head.contains("Basic ") { format!("me:{CANARY} {BASE64}") } else { String::new() };
            (401, format!("denied: {CANARY} {spelled} {}", head.replace("\r\n", " ")))
        });
        let ended = Ended::of(start(arguments, &receiver, "200ms"));
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(ended.stderr.contains("answered 401: denied: ***"), "{arguments:?}: {}", ended.stderr);
        let results = ended.dir.read(RESULTS);
        assert!(results.contains("\"requests\""), "{results}");
        for shown in [&ended.stdout, &ended.stderr, &results] {
            assert!(!shows_a_secret(shown), "{arguments:?}: {shown}");
        }
    }
}

#[test]
fn a_secret_in_a_file_or_a_variable_is_not_in_the_list_of_processes() {
    for (arguments, _) in WAYS {
        let by_name = arguments.iter().any(|text| text.contains("@file:") || text.contains("@env:"));
        let receiver = Receiver::start(|_| (200, String::new()));
        let mut run = start(arguments, &receiver, "30s");
        poll(PATIENCE, "a request", || (!receiver.heads().is_empty()).then_some(()));
        let line = fs::read_to_string(format!("/proc/{}/cmdline", run.pid())).expect("a running process");
        assert!(line.contains("--otlp"), "{line}");
        // The others show that this one would see it.
        assert_eq!(shows_a_secret(&line), !by_name, "{line}");
        run.terminate();
    }
}

#[test]
fn a_token_that_is_rotated_in_its_file_is_sent_from_then_on() {
    let receiver = Receiver::start(|head| {
        if head.contains("Bearer new") { (200, String::new()) } else { (401, String::new()) }
    });
    let run = start(&["--otlp", "URL", "--auth", "otlp:bearer @file:FILE"], &receiver, "30s");
    poll(PATIENCE, "a refusal", || run.log().contains("answered 401").then_some(()));
    run.dir().write("token", "new\n");
    poll(PATIENCE, "a delivery", || run.log().contains("otlp delivers again").then_some(()));
    assert!(
        receiver
            .heads()
            .iter()
            .all(|head| head.contains(&format!("Bearer {CANARY}\r\n")) || head.contains("Bearer new\r\n"))
    );
}

#[test]
fn an_exporter_has_the_credentials_of_its_own_name_or_else_of_its_kind() {
    let receivers = [(); 2].map(|()| Receiver::start(|_| (200, String::new())));
    let urls = receivers.each_ref().map(Receiver::url);
    let auth = ["--auth", "otlp:bearer all", "--auth", "otlp-2:token two"];
    let ended = barewire_to_end(
        ["run", "-d", "200ms", "-c", "2", "--otlp", urls[0], "--otlp", urls[1]].iter().chain(&auth),
    );
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for (receiver, expected) in
        receivers.iter().zip(["Authorization: Bearer all\r\n", "Authorization: Token two\r\n"])
    {
        assert!(receiver.heads()[0].contains(expected), "{:?}", receiver.heads());
    }
}

#[test]
fn the_help_says_how_to_keep_a_secret_out_of_sight() {
    let help = barewire_to_end(["run", "--help"]).stdout;
    for words in
        ["--auth <EXPORTER:SCHEME SECRET>", "@file:PATH", "@env:NAME", "list of processes", "--ca <FILE.pem>"]
    {
        assert!(help.contains(words), "no {words:?} in: {help}");
    }
}
