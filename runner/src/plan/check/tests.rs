use super::*;

fn workload(json: &str) -> Workload {
    Plan::from_json(json).unwrap().check().unwrap()
}

/// A plan for `http://h` with these fields besides.
fn refusal(fields: &str) -> String {
    let json = format!(r#"{{"target": "http://h"{fields}}}"#);
    Plan::from_json(&json)
        .and_then(|plan| plan.check())
        .map(|_| String::new())
        .unwrap_or_else(|e| e.to_string())
}

#[test]
fn a_url_alone_is_a_closed_load_of_one_get() {
    let workload = Plan::get("http://h:81/a?b").check().unwrap();
    assert_eq!(workload.steps[0].name, "GET /a");
    assert_eq!(&*workload.steps[0].bytes, b"GET /a?b HTTP/1.1\r\nHost: h:81\r\n\r\n");
    assert_eq!((workload.is_open(), workload.connections(), workload.name()), (false, 64, "h:81"));
    assert_eq!(workload.duration(), Some(Duration::from_secs(10)));
}

#[test]
fn steps_become_the_bytes_that_are_sent() {
    let workload = workload(
        r#"{"target": "http://h/api/?key=1", "think_time": "1s", "steps": [
            {"url": "/a?x=1", "headers": {"Accept": "*/*"}},
            {"url": "b", "body": "hi", "think_time": {"min": "1ms", "max": "2ms"}},
            {"url": "http://H:80/c", "method": "DELETE", "name": "drop"},
            {"url": "?q", "method": "POST"}
        ]}"#,
    );
    let sent: Vec<&str> = workload.steps.iter().map(|step| str::from_utf8(&step.bytes).unwrap()).collect();
    assert_eq!(
        sent,
        [
            "GET /api/a?x=1 HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n",
            "POST /api/b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
            "DELETE /c HTTP/1.1\r\nHost: H\r\n\r\n",
            "POST /api/?q HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        ]
    );
    let names: Vec<&str> = workload.steps().collect();
    assert_eq!(names, ["GET /api/a", "POST /api/b", "drop", "POST /api/"]);
    assert_eq!(workload.steps[0].think_ns, (1_000_000_000, 1_000_000_000));
    assert_eq!(workload.steps[1].think_ns, (1_000_000, 2_000_000));
}

#[test]
fn a_kind_gives_what_is_left_out() {
    let load = workload(r#"{"target": "http://h", "type": "load"}"#);
    assert_eq!((load.connections(), load.duration()), (50, Some(Duration::from_secs(120))));
    assert_eq!(load.steps[0].think_ns, (1_000_000_000, 5_000_000_000));
    let soak = workload(
        r#"{"target": "http://h", "type": "soak", "users": 7, "ramp_up": "0s", "think_time": "0s"}"#,
    );
    assert_eq!((soak.connections(), soak.duration()), (7, Some(Duration::from_secs(330))));
    assert_eq!(soak.steps[0].think_ns, (0, 0));
}

#[test]
fn a_rate_holds_its_arrivals_and_its_connections_never_think_after_the_last_step() {
    let open = workload(
        r#"{"target": "http://h", "rate": 10, "connections": 3, "duration": "4s", "ramp_up": "2s", "think_time": "1s",
            "steps": [{"url": "/a"}, {"url": "/b"}]}"#,
    );
    assert_eq!((open.scheduled(), open.connections()), (Some(50), 3));
    assert_eq!([open.steps[0].think_ns.0, open.steps[1].think_ns.0], [1_000_000_000, 0]);
}

#[test]
fn stages_begin_where_the_plan_says() {
    let closed = workload(
        r#"{"target": "http://h", "stages": [{"duration": "1s", "users": 5}, {"duration": "1s", "users": 0}]}"#,
    );
    assert_eq!((closed.connections(), closed.load.curve().level_at(500_000_000)), (5, 3));
    let open = workload(r#"{"target": "http://h", "rate": 10, "stages": [{"duration": "2s", "rate": 0}]}"#);
    assert_eq!(open.scheduled(), Some(10));
}

#[test]
fn iterations_take_the_place_of_a_duration() {
    let counted = workload(r#"{"target": "http://h", "users": 3, "iterations": 4, "threads": 8}"#);
    assert_eq!((counted.scheduled(), counted.duration(), counted.threads()), (Some(12), None, 3));
}

#[test]
fn a_url_of_a_step_is_a_path_unless_it_begins_with_a_scheme_or_a_host() {
    for (url, expected) in [
        ("search?u=http://e.org/", "/base/search?u=http://e.org/"),
        ("/search?u=http://e.org/", "/base/search?u=http://e.org/"),
        ("?u=http://e.org/", "/base/?u=http://e.org/"),
        ("a:b://c", "/base/a:b://c"),
        ("./x", "/base/x"),
        ("x#part", "/base/x"),
        ("http://h/x", "/x"),
        ("HTTP://H:80/x", "/x"),
        ("//h/x", "/x"),
        ("", "/base/"),
    ] {
        let spec = format!(r#"{{"target": "http://h/base/", "steps": [{{"url": "{url}"}}]}}"#);
        assert_eq!(workload(&spec).steps[0].url.target(), expected, "{url}");
    }
}

#[test]
fn a_known_method_may_be_written_in_any_case_and_another_one_stays() {
    for (method, expected) in [("get", "GET"), ("Patch", "PATCH"), ("purge", "purge"), ("PURGE", "PURGE")] {
        let spec = format!(r#"{{"target": "http://h", "steps": [{{"method": "{method}"}}]}}"#);
        let workload = workload(&spec);
        assert!(workload.steps[0].bytes.starts_with(format!("{expected} / HTTP/1.1\r\n").as_bytes()));
    }
}

#[test]
fn a_rate_may_begin_at_nothing_where_stages_raise_it() {
    let spec = r#"{"target": "http://h", "rate": 0, "stages": [{"duration": "10s", "rate": 2}]}"#;
    assert_eq!(workload(spec).scheduled(), Some(10));
    assert_eq!(workload(&format!("\u{feff}{spec}")).scheduled(), Some(10));
}

#[test]
fn a_refusal_names_the_field_the_value_and_the_remedy() {
    let rows = [
        (r#", "users": 0"#, "users: 0 is out of range: give 1 to 1000000"),
        (
            r#", "users": 3, "connections": 4"#,
            "connections: 4 are not the 3 users, who have one each: leave one of them out",
        ),
        (r#", "rate": 0"#, "rate: 0 is out of range: give 0.000001 to 10000000 arrivals per second"),
        (r#", "rate": 5, "iterations": 5"#, "iterations: cannot stand beside 'rate': leave one of them out"),
        (r#", "iterations": 0"#, "iterations: 0 is nothing to do: give at least 1"),
        (
            r#", "iterations": 1, "duration": "1s""#,
            "duration: cannot stand beside 'iterations': leave one of them out",
        ),
        (r#", "duration": "0s""#, "duration: 0s is nothing to do: give at least 1ms"),
        (r#", "timeout": "0s""#, "timeout: 0s leaves no time for an answer: give at least 1ms"),
        (r#", "threads": 0"#, "threads: 0 cannot do anything: give at least 1"),
        (
            r#", "duration": "1s", "stages": [{"duration": "1s", "users": 1}]"#,
            "duration: cannot stand beside 'stages': leave one of them out",
        ),
        (
            r#", "stages": [{"duration": "1s", "users": 1}, {"duration": "1s"}]"#,
            "stages[1].users: is missing: say how many there are at the end of the stage",
        ),
        (
            r#", "users": 2, "rate": 10"#,
            "users: 2 cannot stand beside a rate, whose arrivals wait for nobody: write 'connections' for those that serve them, or leave out the rate for users who wait for their responses",
        ),
        (
            r#", "users": 2, "stages": [{"duration": "1s", "rate": 10}]"#,
            "users: 2 cannot stand beside a rate, whose arrivals wait for nobody: write 'connections' for those that serve them, or leave out the rate for users who wait for their responses",
        ),
        (
            r#", "stages": [{"duration": "1s", "users": 1}, {"duration": "1s", "rate": 1}]"#,
            "stages[0].users: cannot stand beside a rate: use rates in all stages, or users in all",
        ),
        (
            r#", "stages": [{"duration": "1s", "users": 0}]"#,
            "stages: never reach one user: raise one of them",
        ),
        (r#", "stages": [{"duration": "1s", "rate": 0}]"#, "stages: never reach a rate: raise one of them"),
        (
            r#", "steps": [{"url": "/"}, {"url": "/a b"}]"#,
            "steps[1].url: 'http://h/a b': the url has a character that cannot be sent (' ' at byte 10): percent-encode it",
        ),
        (
            r#", "steps": [{"url": "http://other/"}]"#,
            "steps[0].url: 'http://other/' is not on the target 'http://h/': a plan loads one origin",
        ),
        (
            r#", "steps": [{"url": "//other/"}]"#,
            "steps[0].url: 'http://other/' is not on the target 'http://h/': a plan loads one origin",
        ),
        (
            r#", "steps": [{"headers": {"Host": "a", "host": "b"}}]"#,
            "steps[0].headers.host: is the same header as 'Host', in other letters: leave one of them out",
        ),
        (r#", "steps": [{"method": "G T"}]"#, "steps[0].method: 'G T' is not a method: write GET, POST, …"),
        (
            r#", "steps": [{"headers": {"X": "a\r\nb"}}]"#,
            "steps[0].headers.X: the value of header 'X' has a control character (\\r): remove it",
        ),
        (
            r#", "steps": [{"expect_status": [200, 99]}]"#,
            "steps[0].expect_status: 99 is not the status of a response: give 200 to 999",
        ),
    ];
    for (fields, expected) in rows {
        assert_eq!(refusal(fields), expected);
    }
}

#[test]
fn text_that_is_no_plan_is_refused_by_path() {
    let rows = [
        (r#", "step": []"#, "step: there is no field 'step': write 'steps'"),
        (r#", "vus": 5"#, "vus: there is no field 'vus': write 'users'"),
        (
            r#", "bogus": 5"#,
            "bogus: there is no field 'bogus': leave it out, or write one of name, type, target, steps, users, rate, connections, threads, duration, iterations, ramp_up, ramp_down, stages, think_time, timeout, drain, thresholds, max_dropped",
        ),
        (r#", "steps": [{}, {"uri": "/"}]"#, "steps[1].uri: there is no field 'uri': write 'url'"),
        (r#", "stages": [{"target": 5}]"#, "stages[0].target: there is no field 'target': write 'users'"),
        (r#", "stages": [{"users": 5}]"#, "stages[0]: 'duration' is missing: add it"),
        (r#", "users": -1"#, "users: -1 cannot stand here: give a whole number from 0 to 4294967295"),
        (r#", "users": 1.5"#, "users: 1.5 cannot stand here: give a whole number from 0 to 4294967295"),
        (r#", "users": null, "users": 1"#, "'users' is given twice: leave one of them out"),
        (r#", "rate": "fast""#, "rate: \"fast\" cannot stand here: give a number"),
        (r#", "steps": [5]"#, "steps[0]: 5 cannot stand here: give an object in { }"),
        (r#", "steps": {}"#, "steps: an object cannot stand here: give a list in [ ]"),
        (r#", "steps": [{"url": 5}]"#, "steps[0].url: 5 cannot stand here: give text in quotes"),
        (
            r#", "steps": [{"headers": {"X": 5}}]"#,
            "steps[0].headers.X: 5 cannot stand here: give text in quotes",
        ),
        (
            r#", "steps": [{"expect_status": [99999]}]"#,
            "steps[0].expect_status[0]: 99999 cannot stand here: give a whole number from 0 to 65535",
        ),
        (r#", "duration": 10"#, "duration: 10 has no unit: write \"10s\" or \"10ms\""),
        (r#", "duration": 1.5"#, "duration: 1.5 has no unit: write \"1.5s\" or \"1.5ms\""),
        (r#", "duration": -1"#, "duration: -1 cannot stand here: give a duration such as \"10s\""),
        (
            r#", "duration": "90""#,
            "duration: '90' is not a duration: write a number and a unit, such as 10s, 1m30s or 250ms",
        ),
        (r#", "think_time": {"min": "2s", "max": "1s"}"#, "think_time: min is longer than max: swap them"),
        (r#", "think_time": 5"#, "think_time: 5 has no unit: write \"5s\" or \"5ms\""),
        (
            r#", "think_time": true"#,
            "think_time: true cannot stand here: give a duration such as \"1s\", or {\"min\": \"1s\", \"max\": \"5s\"}",
        ),
        (r#", "thresholds": [5]"#, "thresholds[0]: 5 cannot stand here: give text in quotes"),
        (
            r#", "type": "smoke""#,
            "type: 'smoke' is not known: write one of load, stress, spike, soak, custom",
        ),
        (r#"} x"#, "there is more text behind the end of the JSON: leave it out"),
    ];
    for (fields, expected) in rows {
        let refused = refusal(fields);
        assert_eq!(refused.split(" (line ").next(), Some(expected));
    }
    let threshold = refusal(r#", "thresholds": ["p95 < 5", "p96 < 5"]"#);
    assert!(threshold.starts_with("thresholds[1]: 'p96 < 5' is not a threshold: "), "{threshold}");
    assert!(Plan::from_json("").unwrap_err().field().is_empty());
}

#[test]
fn a_target_is_refused_without_repeating_what_may_be_secret() {
    for (target, expected) in [
        ("h:80", "target: 'h:80': the url has to begin with http:// or https://"),
        ("https://h/?a", "target: 'https://h/?…': https is not spoken by the load runner: use http"),
        ("", "target: '': the url has to begin with http:// or https://"),
    ] {
        assert_eq!(Plan::get(target).check().unwrap_err().to_string(), expected);
    }
    let refused = Plan::get("http://user:hunter2@h/").check().unwrap_err().to_string();
    assert!(refused.starts_with("target: (not shown): ") && !refused.contains("hunter2"), "{refused}");
}
