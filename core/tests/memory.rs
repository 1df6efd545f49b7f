//! What a series takes, as docs/performance.md says. (`allocation_counter` is the global allocator of this binary.)

use std::hint::black_box;

use allocation_counter::measure;
use barewire::{Metric, Precision, Registry, Shard};

const SERIES: usize = 1_024;

/// Allocated bytes a series, with its metric of two labels, the part of one shard and a snapshot; each series has moved.
fn bytes_a_series(register: impl Fn(&Registry, Metric, &mut Shard)) -> usize {
    let registry = Registry::with_budget("test", SERIES);
    let mut shard = registry.shard();
    let mut snapshot = None;
    let allocated = measure(|| {
        for n in 0..SERIES {
            let metric = Metric::new("requests").label("route", "/checkout").label("instance", n.to_string());
            register(&registry, metric, &mut shard);
        }
        snapshot = Some(registry.snapshot());
    });
    black_box(snapshot);
    usize::try_from(allocated.bytes_current).expect("more than before") / SERIES
}

#[test]
fn a_counter_and_a_gauge_take_what_is_documented() {
    let counter = bytes_a_series(|registry, metric, shard| {
        let counter = registry.counter(metric);
        shard.add(counter, 1);
    });
    let gauge = bytes_a_series(|registry, metric, shard| {
        let gauge = registry.gauge(metric);
        shard.set(gauge, 1.0);
    });
    assert!(counter <= 700 && gauge <= 700, "counter {counter}, gauge {gauge}");
}

#[test]
fn a_histogram_takes_what_is_documented() {
    // Three octaves.
    let values = || (0..1_000).map(|n| 1_000_000 + n * 7_000_u64);
    for (precision, most) in [(Precision::Two, 25_600), (Precision::Three, 175_000)] {
        let bytes = bytes_a_series(|registry, metric, shard| {
            let took = registry.histogram(metric.precision(precision));
            values().for_each(|value| shard.record(took, value));
        });
        assert!(bytes <= most, "{precision:?}: {bytes}");
    }
}
