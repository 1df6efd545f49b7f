//! Whole pages, as literals.

mod common;

use barewire::{
    Distribution, Metric, Unit,
    view::{Exponential, ExponentialBuckets, Frame, Number, Point, Recorded, Temporality, Value},
};
use barewire_promtext::{Encoded, Encoder, Escaping, Format};
use common::{FORMATS, SCHEMES, counter, explicit, frame, fresh, gauge, page, point};

fn assert_page(format: Format, points: Vec<Point>, expected: &str) {
    let count = points.len() as u64;
    let (page, encoded) = fresh(format, points);
    assert_eq!(page, expected);
    assert_eq!(encoded, Encoded { points: count, left_out: 0 });
}

fn run() -> Vec<Point> {
    let hits = |status: u16| {
        Metric::new("http.client.requests")
            .unit(Unit::One)
            .help("Requests that were answered.")
            .label("http.response.status_code", status)
    };
    let took = Metric::new("http.client.request.duration").unit(Unit::Seconds).label("step", "a");
    let sum = Number::Decimal { digits: 10_250_000_000, decimals: 9 };
    vec![
        point(hits(200), Value::Counter(Number::Int(7))),
        point(took, explicit(&[0.005, 1.0, 2.5], &[1, 0, 2, 3], sum)),
        point(hits(500), Value::Counter(Number::Int(0))),
        point(Metric::new("cpu").unit(Unit::Percent), Value::Gauge(Number::Float(12.5))),
        point(Metric::new("users").unit(Unit::None), Value::Gauge(Number::Int(64))),
    ]
}

#[test]
fn a_page_of_text_groups_families_and_accumulates_buckets() {
    let expected = r#"# HELP http_client_requests_total Requests that were answered.
# TYPE http_client_requests_total counter
http_client_requests_total{http_response_status_code="200"} 7
http_client_requests_total{http_response_status_code="500"} 0
# TYPE http_client_request_duration_seconds histogram
http_client_request_duration_seconds_bucket{step="a",le="0.005"} 1
http_client_request_duration_seconds_bucket{step="a",le="1"} 1
http_client_request_duration_seconds_bucket{step="a",le="2.5"} 3
http_client_request_duration_seconds_bucket{step="a",le="+Inf"} 6
http_client_request_duration_seconds_sum{step="a"} 10.25
http_client_request_duration_seconds_count{step="a"} 6
# TYPE cpu_percent gauge
cpu_percent 12.5
# TYPE users gauge
users 64
"#;
    assert_page(Format::Text004, run(), expected);
}

#[test]
fn a_page_of_openmetrics_has_units_floats_and_an_end() {
    let expected = r#"# HELP http_client_requests Requests that were answered.
# TYPE http_client_requests counter
http_client_requests_total{http_response_status_code="200"} 7.0
http_client_requests_total{http_response_status_code="500"} 0.0
# TYPE http_client_request_duration_seconds histogram
# UNIT http_client_request_duration_seconds seconds
http_client_request_duration_seconds_bucket{step="a",le="0.005"} 1
http_client_request_duration_seconds_bucket{step="a",le="1.0"} 1
http_client_request_duration_seconds_bucket{step="a",le="2.5"} 3
http_client_request_duration_seconds_bucket{step="a",le="+Inf"} 6
http_client_request_duration_seconds_sum{step="a"} 10.25
http_client_request_duration_seconds_count{step="a"} 6
# TYPE cpu_percent gauge
# UNIT cpu_percent percent
cpu_percent 12.5
# TYPE users gauge
users 64.0
# EOF
"#;
    assert_page(Format::OpenMetrics, run(), expected);
}

#[test]
fn an_empty_page_is_empty_and_in_openmetrics_ends() {
    assert_page(Format::Text004, vec![], "");
    assert_page(Format::OpenMetrics, vec![], "# EOF\n");
}

#[test]
fn label_values_escape_backslash_quote_and_line_feed_and_nothing_else() {
    for (value, escaped) in [
        ("a\rb", "a\rb"),
        ("a\tb", "a\tb"),
        ("http://h/?q=\"1\"&x=\\n", "http://h/?q=\\\"1\\\"&x=\\\\n"),
        ("\u{1f36d}", "\u{1f36d}"),
        ("\u{2028}", "\u{2028}"),
        ("", ""),
        ("a\\", "a\\\\"),
        ("a\\nb", "a\\\\nb"),
        ("a\nb", "a\\nb"),
    ] {
        let labelled = || vec![point(Metric::new("m").label("l", value), Value::Gauge(Number::Float(1.0)))];
        let text = format!("# TYPE m gauge\nm{{l=\"{escaped}\"}} 1\n");
        assert_page(Format::Text004, labelled(), &text);
        let openmetrics = format!("# TYPE m gauge\nm{{l=\"{escaped}\"}} 1.0\n# EOF\n");
        assert_page(Format::OpenMetrics, labelled(), &openmetrics);
    }
}

#[test]
fn help_escapes_quotes_in_openmetrics_only() {
    let helped = || vec![point(Metric::new("m").help(" a\\b\n\"c\""), Value::Gauge(Number::Int(1)))];
    assert_page(Format::Text004, helped(), "# HELP m  a\\\\b\\n\"c\"\n# TYPE m gauge\nm 1\n");
    let openmetrics = "# HELP m  a\\\\b\\n\\\"c\\\"\n# TYPE m gauge\nm 1.0\n# EOF\n";
    assert_page(Format::OpenMetrics, helped(), openmetrics);
}

#[test]
fn numbers_are_exact_and_infinities_are_spelled() {
    for (number, text, openmetrics) in [
        (Number::Float(f64::NAN), "NaN", "NaN"),
        (Number::Float(f64::INFINITY), "+Inf", "+Inf"),
        (Number::Float(f64::NEG_INFINITY), "-Inf", "-Inf"),
        (Number::Float(-1.0), "-1", "-1.0"),
        (Number::Float(0.1), "0.1", "0.1"),
        (Number::Float(5e-324), "5e-324", "5e-324"),
        (Number::Int(i64::MIN), "-9223372036854775808", "-9223372036854775808.0"),
        (Number::Int(9_007_199_254_740_993), "9007199254740993", "9007199254740993.0"),
        (Number::Decimal { digits: 1_500_000_001, decimals: 9 }, "1.500000001", "1.500000001"),
        (Number::Decimal { digits: 2_000_000, decimals: 6 }, "2", "2.0"),
    ] {
        let gauge = || vec![point(Metric::new("m"), Value::Gauge(number))];
        assert_page(Format::Text004, gauge(), &format!("# TYPE m gauge\nm {text}\n"));
        assert_page(Format::OpenMetrics, gauge(), &format!("# TYPE m gauge\nm {openmetrics}\n# EOF\n"));
    }
}

#[test]
fn a_counter_that_is_negative_or_not_a_number_is_left_out_with_its_head() {
    for number in
        [Number::Int(-1), Number::Float(f64::NAN), Number::Float(-0.5), Number::Float(f64::NEG_INFINITY)]
    {
        let bad = point(Metric::new("bad").help("h"), Value::Counter(number));
        let (page, encoded) = fresh(Format::Text004, vec![bad, counter("good", 1)]);
        assert_eq!(page, "# TYPE good_total counter\ngood_total 1\n");
        assert_eq!(encoded, Encoded { points: 1, left_out: 1 });
    }
}

#[test]
fn a_family_of_another_kind_is_left_out() {
    let labelled = point(Metric::new("m").label("l", "v"), explicit(&[], &[1], Number::Int(1)));
    let (page, encoded) = fresh(Format::Text004, vec![gauge("m", 1.0), labelled]);
    assert_eq!((page.as_str(), encoded.left_out), ("# TYPE m gauge\nm 1\n", 1));
    let points = || vec![gauge("m", 1.0), counter("m", 2), gauge("m.", 3.0), gauge("m_", 4.0)];
    let (page, encoded) = fresh(Format::Text004, points());
    assert_eq!(page, "# TYPE m gauge\nm 1\n# TYPE m_total counter\nm_total 2\n# TYPE m_ gauge\nm_ 3\n");
    assert_eq!(encoded, Encoded { points: 3, left_out: 1 });
    let (page, encoded) = fresh(Format::OpenMetrics, points());
    assert_eq!(page, "# TYPE m gauge\nm 1.0\n# TYPE m_ gauge\nm_ 3.0\n# EOF\n");
    assert_eq!(encoded, Encoded { points: 2, left_out: 2 });
}

#[test]
fn a_family_named_like_a_sample_of_another_is_left_out() {
    let histogram = || point(Metric::new("h"), explicit(&[], &[2], Number::Int(3)));
    let shown = "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n";
    let (page, encoded) = fresh(Format::Text004, vec![histogram(), gauge("h_sum", 1.0)]);
    assert_eq!((page.as_str(), encoded.left_out), (shown, 1));
    let (page, encoded) = fresh(Format::Text004, vec![gauge("h_count", 1.0), histogram()]);
    assert_eq!((page.as_str(), encoded.left_out), ("# TYPE h_count gauge\nh_count 1\n", 1));
}

#[test]
fn a_malformed_histogram_is_left_out() {
    for (bounds, counts) in [
        (&[1.0, 2.0][..], &[1, 2][..]),
        (&[1.0], &[]),
        (&[], &[]),
        (&[2.0, 1.0], &[1, 2, 3]),
        (&[1.0, 1.0], &[1, 2, 3]),
        (&[f64::NAN], &[1, 2]),
        (&[1.0, f64::INFINITY], &[1, 2, 3]),
        (&[1.0], &[u64::MAX, 1]),
        (&[1.0, 2.0], &[u64::MAX, 1, 1]),
    ] {
        let point = point(Metric::new("h"), explicit(bounds, counts, Number::Int(0)));
        let (page, encoded) = fresh(Format::Text004, vec![point]);
        assert_eq!(
            (page.as_str(), encoded),
            ("", Encoded { points: 0, left_out: 1 }),
            "{bounds:?} {counts:?}"
        );
    }
}

#[test]
fn openmetrics_shows_no_sum_where_it_forbids_one() {
    for (bounds, sum) in [(&[-1.0][..], 5.0), (&[1.0], -5.0), (&[1.0], f64::NAN)] {
        let points = || vec![point(Metric::new("h"), explicit(bounds, &[1, 2], Number::Float(sum)))];
        let le = if bounds[0] < 0.0 { "-1" } else { "1" };
        let expected =
            format!("# TYPE h histogram\nh_bucket{{le=\"{le}.0\"}} 1\nh_bucket{{le=\"+Inf\"}} 3\n# EOF\n");
        assert_page(Format::OpenMetrics, points(), &expected);
        let (text, _) = fresh(Format::Text004, points());
        assert!(text.contains("h_sum ") && text.ends_with("h_count 3\n"), "{text}");
    }
}

fn exponential(scale: i32, positive: (i32, &[u64]), negative: (i32, &[u64]), zero_count: u64) -> Value {
    let buckets = |(offset, counts): (i32, &[u64])| ExponentialBuckets { offset, counts: counts.to_vec() };
    Value::from(Exponential {
        scale,
        zero_count,
        positive: buckets(positive),
        negative: buckets(negative),
        sum: Number::Int(9),
        min: None,
        max: None,
    })
}

#[test]
fn an_exponential_histogram_becomes_a_classic_one() {
    let value = exponential(1, (-2, &[1, 0, 2, 3]), (0, &[4, 0, 5]), 6);
    let expected = r#"# TYPE h histogram
h_bucket{le="-2"} 5
h_bucket{le="-1"} 9
h_bucket{le="0"} 15
h_bucket{le="0.7071067811865476"} 16
h_bucket{le="1.4142135623730951"} 18
h_bucket{le="2"} 21
h_bucket{le="+Inf"} 21
h_sum 9
h_count 21
"#;
    assert_page(Format::Text004, vec![point(Metric::new("h"), value)], expected);
}

#[test]
fn exponential_buckets_at_the_end_of_floats_and_beyond_are_in_the_last_bucket_or_joined() {
    let (low, high) = ("-1.7976931348623157e+308", "8.98846567431158e+307");
    for (value, expected) in [
        // The topmost bucket of floats.
        (exponential(0, (1023, &[1]), (0, &[]), 0), &[("+Inf", 1)][..]),
        (exponential(0, (1022, &[2, 1]), (0, &[]), 0), &[(high, 2), ("+Inf", 3)]),
        (exponential(0, (1024, &[1]), (0, &[]), 0), &[("+Inf", 1)]),
        (exponential(-20, (i32::MAX, &[1]), (0, &[]), 0), &[("+Inf", 1)]),
        (exponential(i32::MIN, (0, &[1]), (0, &[]), 0), &[("+Inf", 1)]),
        (exponential(i32::MIN, (-1, &[1]), (0, &[]), 0), &[("1", 1), ("+Inf", 1)]),
        (exponential(i32::MAX, (0, &[1, 1]), (0, &[]), 0), &[("1", 2), ("+Inf", 2)]),
        (exponential(0, (-2000, &[1]), (-2000, &[1]), 1), &[("0", 3), ("+Inf", 3)]),
        (exponential(0, (0, &[]), (i32::MAX, &[1]), 0), &[(low, 1), ("+Inf", 1)]),
    ] {
        let (page, encoded) = fresh(Format::Text004, vec![point(Metric::new("h"), value)]);
        let buckets = page.lines().filter_map(|line| line.strip_prefix("h_bucket{le=\"")?.split_once("\"} "));
        let buckets: Vec<_> = buckets.collect();
        assert_eq!(buckets.len(), expected.len(), "{page}");
        for ((le, count), (begins, expected)) in buckets.into_iter().zip(expected) {
            assert!(le.starts_with(begins) && count == expected.to_string(), "{page}");
        }
        assert_eq!((encoded.points, encoded.left_out), (1, 0));
    }
    let overflowing = exponential(0, (0, &[u64::MAX, 1]), (0, &[]), 0);
    let (page, encoded) = fresh(Format::OpenMetrics, vec![point(Metric::new("h"), overflowing)]);
    assert_eq!((page.as_str(), encoded.points, encoded.left_out), ("# EOF\n", 0, 1));
}

#[test]
fn deltas_are_left_out_and_gauges_are_not() {
    let histogram = point(Metric::new("h"), explicit(&[], &[2], Number::Int(3)));
    let points = vec![gauge("g", 1.0), counter("c", 1), histogram];
    let frames = [Frame { points, temporality: Temporality::Delta, ..Frame::default() }];
    let (page, encoded) = page(&mut Encoder::new(Format::Text004), &frames);
    assert_eq!((page.as_str(), encoded), ("# TYPE g gauge\ng 1\n", Encoded { points: 1, left_out: 2 }));
}

#[test]
fn a_metric_without_a_name_is_left_out() {
    let (page, encoded) = fresh(Format::Text004, vec![gauge("", 1.0), gauge("1", 2.0)]);
    assert_eq!((page.as_str(), encoded), ("# TYPE _ gauge\n_ 2\n", Encoded { points: 1, left_out: 1 }));
}

#[test]
fn new_points_join_their_families_and_absent_ones_wait() {
    let mut encoder = Encoder::new(Format::Text004);
    let labelled = |step: &str, value| point(Metric::new("m").label("step", step), value);
    let mut frames = [
        frame(vec![labelled("a", Value::Absent), gauge("n", 1.0)]),
        frame(vec![labelled("b", Value::Gauge(Number::Int(2)))]),
    ];
    let (first, encoded) = page(&mut encoder, &frames);
    assert_eq!(first, "# TYPE n gauge\nn 1\n# TYPE m gauge\nm{step=\"b\"} 2\n");
    assert_eq!(encoded, Encoded { points: 2, left_out: 0 });

    frames[0].points[0].value = Value::Gauge(Number::Int(3));
    frames[0].points[1].value = Value::Absent;
    frames[0].points.push(labelled("c", Value::Gauge(Number::Int(4))));
    frames[1].points.push(labelled("a", Value::Gauge(Number::Int(5))));
    let (second, encoded) = page(&mut encoder, &frames);
    assert_eq!(second, "# TYPE m gauge\nm{step=\"a\"} 3\nm{step=\"c\"} 4\nm{step=\"b\"} 2\n");
    assert_eq!(encoded, Encoded { points: 3, left_out: 1 });
}

#[test]
fn a_fraction_keeps_its_width_from_page_to_page() {
    let nanoseconds = |digits| Number::Decimal { digits, decimals: 6 };
    for (format, tail, end) in [(Format::Text004, "", ""), (Format::OpenMetrics, ".0", "# EOF\n")] {
        let mut encoder = Encoder::new(format);
        let named = |name: &str, value| point(Metric::new(name), value);
        let mut frames = [frame(vec![
            named("took", Value::Gauge(nanoseconds(125_731))),
            named("level", Value::Gauge(Number::Float(0.0625))),
            counter("hits", 9),
        ])];
        for (took, level, hits, expected) in [
            (125_731, 0.0625, 9, ["0.125731", "0.0625", "9"]),
            (130_000, 0.5, 10, ["0.130000", "0.5000", "10"]),
            (2_000_000, 3.0, 9, ["2.000000", "3.0000", "9"]),
            (99_999_999, 0.03125, 123, ["99.999999", "0.03125", "123"]),
            (1, -0.5, 321, ["0.0000010", "-0.5000", "321"]),
        ] {
            frames[0].points[0].value = Value::Gauge(nanoseconds(took));
            frames[0].points[1].value = Value::Gauge(Number::Float(level));
            frames[0].points[2].value = Value::Counter(Number::Int(hits));
            let [took, level, hits] = expected;
            let (page, _) = page(&mut encoder, &frames);
            let total = if format == Format::Text004 { "_total" } else { "" };
            let expected = format!(
                "# TYPE took gauge\ntook {took}\n# TYPE level gauge\nlevel {level}\n\
                 # TYPE hits{total} counter\nhits_total {hits}{tail}\n{end}"
            );
            assert_eq!(page, expected);
        }
    }
}

#[test]
fn a_histogram_may_change_its_bounds() {
    let mut encoder = Encoder::new(Format::Text004);
    let mut frames = [frame(vec![point(Metric::new("h"), explicit(&[1.0], &[1, 0], Number::Int(1)))])];
    page(&mut encoder, &frames);
    frames[0].points[0].value = explicit(&[2.0], &[1, 0], Number::Int(1));
    let (second, _) = page(&mut encoder, &frames);
    let expected = "# TYPE h histogram\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n";
    assert_eq!(second, expected);
}

#[test]
fn frames_of_another_view_get_a_right_page() {
    let mut encoder = Encoder::new(Format::Text004);
    for name in ["a", "b"] {
        let (page, _) = page(&mut encoder, &[frame(vec![gauge(name, 1.0)])]);
        assert_eq!(page, format!("# TYPE {name} gauge\n{name} 1\n"));
    }
    let (a, b) = (gauge("a", 1.0), gauge("b", 2.0));
    let both = "# TYPE a gauge\na 1\n# TYPE b gauge\nb 2\n";
    let apart = [frame(vec![a.clone()]), frame(vec![b.clone()])];
    assert_eq!(page(&mut encoder, &apart).0, both);
    assert_eq!(page(&mut encoder, &[frame(vec![a, b])]).0, both);
    assert_eq!(page(&mut encoder, &[]).0, "");
}

#[test]
fn a_point_that_changes_its_kind_is_left_out() {
    let [gauge, counter] = [Value::Gauge, Value::Counter].map(|kind| kind(Number::Int(1)));
    for (value, other) in [(gauge.clone(), counter.clone()), (counter, gauge)] {
        let mut encoder = Encoder::new(Format::Text004);
        let mut frames = [frame(vec![point(Metric::new("m").label("l", "a value of some length"), value)])];
        assert_eq!(page(&mut encoder, &frames).1, Encoded { points: 1, left_out: 0 });
        frames[0].points[0].value = other;
        let (page, encoded) = page(&mut encoder, &frames);
        assert_eq!((page.as_str(), encoded), ("", Encoded { points: 0, left_out: 1 }));
    }
}

fn escaped(format: Format, escaping: Escaping, points: Vec<Point>) -> (String, Encoded) {
    page(&mut Encoder::new(format).escaping(escaping), &[frame(points)])
}

#[test]
fn names_that_need_it_stand_in_quotes_where_utf8_is_allowed() {
    let (page, encoded) = escaped(Format::OpenMetrics, Escaping::AllowUtf8, run());
    let expected = r#"# HELP "http.client.requests" Requests that were answered.
# TYPE "http.client.requests" counter
{"http.client.requests_total","http.response.status_code"="200"} 7.0
{"http.client.requests_total","http.response.status_code"="500"} 0.0
# TYPE "http.client.request.duration_seconds" histogram
# UNIT "http.client.request.duration_seconds" seconds
{"http.client.request.duration_seconds_bucket",step="a",le="0.005"} 1
{"http.client.request.duration_seconds_bucket",step="a",le="1.0"} 1
{"http.client.request.duration_seconds_bucket",step="a",le="2.5"} 3
{"http.client.request.duration_seconds_bucket",step="a",le="+Inf"} 6
{"http.client.request.duration_seconds_sum",step="a"} 10.25
{"http.client.request.duration_seconds_count",step="a"} 6
# TYPE cpu_percent gauge
# UNIT cpu_percent percent
cpu_percent 12.5
# TYPE users gauge
users 64.0
# EOF
"#;
    assert_eq!(page, expected);
    assert_eq!(encoded, Encoded { points: 5, left_out: 0 });
}

#[test]
fn a_name_in_quotes_escapes_what_would_end_it() {
    let metric = Metric::new("a\"b\\c\nd").label("l\"\\\0", "v");
    let points = vec![point(metric, Value::Gauge(Number::Int(1))), gauge("\u{e9}", 2.0)];
    let (page, _) = escaped(Format::Text004, Escaping::AllowUtf8, points);
    let expected = concat!(
        r#"# TYPE "a\"b\\c_d" gauge"#,
        "\n",
        r#"{"a\"b\\c_d","l\"\\_"="v"} 1"#,
        "\n# TYPE \"\u{e9}\" gauge\n{\"\u{e9}\"} 2\n"
    );
    assert_eq!(page, expected);
}

#[test]
fn endings_are_escaped_with_the_name() {
    let points = || {
        let sent = Metric::new("http.sent").unit(Unit::Bytes).label("http.route", "/");
        let took = Metric::new("http.took").unit(Unit::Seconds);
        vec![point(sent, Value::Counter(Number::Int(7))), point(took, explicit(&[], &[2], Number::Int(3)))]
    };
    let (page, _) = escaped(Format::Text004, Escaping::Dots, points());
    let expected = r#"# TYPE http_dot_sent__bytes__total counter
http_dot_sent__bytes__total{http_dot_route="/"} 7
# TYPE http_dot_took__seconds histogram
http_dot_took__seconds_bucket{le="+Inf"} 2
http_dot_took__seconds_sum 3
http_dot_took__seconds_count 2
"#;
    assert_eq!(page, expected);
    // No unit where the family's name, without `_total`, does not end in it.
    let (page, _) = escaped(Format::OpenMetrics, Escaping::Values, points());
    let expected = r#"# TYPE U__http_2e_sent__bytes_ counter
U__http_2e_sent__bytes__total{U__http_2e_route="/"} 7.0
# TYPE U__http_2e_took__seconds histogram
# UNIT U__http_2e_took__seconds seconds
U__http_2e_took__seconds_bucket{le="+Inf"} 2
U__http_2e_took__seconds_sum 3.0
U__http_2e_took__seconds_count 2
# EOF
"#;
    assert_eq!(page, expected);
}

#[test]
fn names_that_become_the_same_are_one_family_and_their_series_stand_once() {
    let labelled = |name: &str, route: &str, value| {
        point(Metric::new(name).label("http.route", route), Value::Gauge(Number::Int(value)))
    };
    let points = || {
        let same = point(Metric::new("a_b").label("http_route", "/"), Value::Gauge(Number::Int(4)));
        vec![labelled("a.b", "/", 1), gauge("c", 2.0), labelled("a_b", "/x", 3), same, counter("a/b", 5)]
    };
    let (page, encoded) = escaped(Format::Text004, Escaping::Underscores, points());
    let merged = "# TYPE a_b gauge\na_b{http_route=\"/\"} 1\na_b{http_route=\"/x\"} 3\n# TYPE c gauge\nc 2\n\
                  # TYPE a_b_total counter\na_b_total 5\n";
    assert_eq!((page.as_str(), encoded), (merged, Encoded { points: 4, left_out: 1 }));
    let (_, encoded) = escaped(Format::Text004, Escaping::Values, points());
    assert_eq!(encoded, Encoded { points: 5, left_out: 0 });
}

#[test]
fn another_escaping_renders_everything_anew() {
    let points = || vec![gauge("a.b", 1.0)];
    let mut encoder = Encoder::new(Format::Text004);
    page(&mut encoder, &[frame(points())]);
    let (page, _) = page(&mut encoder.escaping(Escaping::Dots), &[frame(points())]);
    assert_eq!(page, "# TYPE a_dot_b gauge\na_dot_b 1\n");
}

#[test]
fn a_distribution_is_left_out_in_every_combination() {
    let recorded = Recorded { decimals: 9, run: std::sync::Arc::default(), window: Distribution::default() };
    for (format, escaping) in FORMATS.into_iter().flat_map(|format| SCHEMES.map(|scheme| (format, scheme))) {
        let points = vec![point(Metric::new("h"), recorded.clone().into()), gauge("g", 1.0)];
        let mut encoder = Encoder::new(format).escaping(escaping);
        for _ in 0..2 {
            let (page, encoded) = page(&mut encoder, &[frame(points.clone())]);
            assert_eq!(encoded, Encoded { points: 1, left_out: 1 }, "{page}");
        }
    }
}
