//! Labels: which series they tell apart, and what becomes of those whose names become one.

mod common;

use barewire::{
    Metric,
    view::{Number, Point, Value},
};
use barewire_promtext::{Encoded, Encoder, Escaping, Format};
use common::{explicit, frame, fresh, page, point};

fn assert_page(format: Format, points: Vec<Point>, expected: &str) {
    let count = points.len() as u64;
    assert_eq!(fresh(format, points), (expected.to_owned(), Encoded { points: count, left_out: 0 }));
}

#[test]
fn a_series_that_is_there_already_is_left_out() {
    let labelled = |labels: &[(&str, &str)], value| {
        let metric = labels.iter().fold(Metric::new("m"), |metric, (key, text)| metric.label(*key, *text));
        point(metric, Value::Gauge(Number::Int(value)))
    };
    let (page, encoded) = fresh(
        Format::Text004,
        vec![
            labelled(&[("a", "1"), ("b", "2")], 1),
            labelled(&[("b", "2"), ("a", "1")], 2),
            labelled(&[("a", "1"), ("b", "2"), ("c", "")], 3),
            labelled(&[("a", "1")], 4),
        ],
    );
    assert_eq!(page, "# TYPE m gauge\nm{a=\"1\",b=\"2\"} 1\nm{a=\"1\"} 4\n");
    assert_eq!(encoded, Encoded { points: 2, left_out: 2 });
}

#[test]
fn series_are_told_apart_where_name_and_label_meet() {
    let one = point(Metric::new("m").label("ab", "x"), Value::Gauge(Number::Int(1)));
    let other = point(Metric::new("ma").label("b", "x"), Value::Gauge(Number::Int(2)));
    let expected = "# TYPE m gauge\nm{ab=\"x\"} 1\n# TYPE ma gauge\nma{b=\"x\"} 2\n";
    assert_page(Format::Text004, vec![one, other], expected);
}

#[test]
fn labels_that_become_one_have_their_values_joined_in_the_order_of_their_keys() {
    let metric = || {
        Metric::new("m")
            .label("a_b", "fourth")
            .label("x", 1)
            .label("a.b", "fir\"st")
            .label("a:b", 3)
            .label("a/b", "")
    };
    for (escaping, expected) in [
        (Escaping::Underscores, r#"m{a_b="fir\"st;;3;fourth",x="1"} 1"#),
        (Escaping::Dots, r#"m{a__b=";3;fourth",x="1",a_dot_b="fir\"st"} 1"#),
        (Escaping::Values, r#"m{a_b="fourth",x="1",U__a_2e_b="fir\"st",U__a_3a_b="3",U__a_2f_b=""} 1"#),
        (Escaping::AllowUtf8, r#"m{a_b="fourth",x="1","a.b"="fir\"st","a:b"="3","a/b"=""} 1"#),
    ] {
        let points = vec![point(metric(), Value::Gauge(Number::Int(1)))];
        let (page, encoded) = page(&mut Encoder::new(Format::Text004).escaping(escaping), &[frame(points)]);
        assert_eq!(page, format!("# TYPE m gauge\n{expected}\n"));
        assert_eq!(encoded, Encoded { points: 1, left_out: 0 });
    }
}

#[test]
fn a_label_that_prometheus_keeps_for_itself_joins_the_one_whose_name_it_gets() {
    let metric = Metric::new("h").label("le", "x").label("exported_le", "y").label("quantile", "z");
    let (page, _) = fresh(Format::Text004, vec![point(metric, explicit(&[], &[1], Number::Int(4)))]);
    assert!(page.contains("h_bucket{exported_le=\"y;x\",quantile=\"z\",le=\"+Inf\"} 1\n"), "{page}");
}

#[test]
fn series_whose_labels_become_one_are_told_apart_by_all_their_values() {
    let labelled = |a: &str, b: &str, value| {
        point(Metric::new("m").label("a.b", a).label("a_b", b), Value::Gauge(Number::Int(value)))
    };
    let same = point(Metric::new("m").label("a_b", "x;y"), Value::Gauge(Number::Int(3)));
    let (page, encoded) = fresh(Format::Text004, vec![labelled("x", "y", 1), labelled("x", "z", 2), same]);
    assert_eq!(page, "# TYPE m gauge\nm{a_b=\"x;y\"} 1\nm{a_b=\"x;z\"} 2\n");
    assert_eq!(encoded, Encoded { points: 2, left_out: 1 });
}

#[test]
fn a_histogram_keeps_a_label_le_of_its_own() {
    let metric = Metric::new("h").label("le", "x");
    let expected = r#"# TYPE h histogram
h_bucket{exported_le="x",le="1e+06"} 1
h_bucket{exported_le="x",le="+Inf"} 1
h_sum{exported_le="x"} 4
h_count{exported_le="x"} 1
"#;
    let value = explicit(&[1e6], &[1, 0], Number::Int(4));
    assert_page(Format::Text004, vec![point(metric, value)], expected);
}
