//! Points that an encoder is not fond of.

use barewire::{
    Metric, Unit,
    view::{Exponential, ExponentialBuckets, Number, Point, Value},
};
use proptest::prelude::*;

use super::{explicit, point};

/// Names that collide, that are escaped into each other, that mean something to Prometheus; any text; any number.
pub(crate) fn any_point() -> impl Strategy<Value = Point> {
    let name = prop_oneof!["[ab]", "[ab](_total|_sum|_bucket|_seconds|_created)", "\\PC{0,3}", ".{0,4}"];
    let key = prop_oneof!["[ab]", "le", "__name__", ".{0,3}"];
    let labels =
        prop::collection::vec((key, prop_oneof!["", "[xy]", "(?s).{0,5}", "[\\\\\"\n,={}]{1,4}"]), 0..3);
    let unit = prop_oneof![
        Just(Unit::None),
        Just(Unit::One),
        Just(Unit::Seconds),
        "(?s).{0,4}".prop_map(|symbol| Unit::Other(symbol.into())),
    ];
    (name, labels, unit, "(?s).{0,5}", any_value()).prop_map(|(name, labels, unit, help, value)| {
        let metric = Metric::new(name).unit(unit).help(help);
        point(labels.into_iter().fold(metric, |metric, (key, value)| metric.label(key, value)), value)
    })
}

/// Of any kind.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let float = || any::<u64>().prop_map(|bits| Number::Float(f64::from_bits(bits)));
    let decimal = || {
        let digits = (any::<u64>(), 0..64_u32).prop_map(|(wide, shift)| u128::from(wide >> shift));
        (digits, 0..=18_u8).prop_map(|(digits, decimals)| Number::Decimal { digits, decimals })
    };
    let int = || prop_oneof![any::<i64>(), 0..9_i64].prop_map(Number::Int);
    let number = move || prop_oneof![2 => int(), 1 => float(), 1 => decimal()];
    let buckets = || {
        (-20..20_i32, prop::collection::vec(0..3_u64, 0..4))
            .prop_map(|(offset, counts)| ExponentialBuckets { offset, counts })
    };
    let exponential = (-3..9_i32, 0..3_u64, buckets(), buckets(), number());
    let bounds = prop::collection::vec(prop_oneof![0.0..9.0, any::<f64>()], 0..3);
    prop_oneof![
        Just(Value::Absent),
        number().prop_map(Value::Gauge),
        number().prop_map(Value::Counter),
        (bounds, prop::collection::vec(0..9_u64, 1..4), number())
            .prop_map(|(bounds, counts, sum)| explicit(&bounds, &counts, sum)),
        exponential.prop_map(|(scale, zero_count, positive, negative, sum)| {
            let (min, max) = (None, None);
            Value::from(Exponential { scale, zero_count, positive, negative, sum, min, max })
        }),
    ]
}
