//! Other registries with what a frame shows, and how each renders it.

use std::{collections::BTreeMap, fmt, mem, sync::atomic::AtomicU64};

use barewire::view::{Frame, Number, Point, Value};

/// Appends a page.
pub(crate) type Push = Box<dyn Fn(&mut Vec<u8>)>;

/// `prometheus-client`: families of label sets, OpenMetrics text.
pub(crate) fn prometheus_client(frame: &Frame) -> Push {
    use prometheus_client::{
        encoding::text,
        metrics::{counter::Counter, family::Family, gauge::Gauge},
        registry::Registry,
    };

    let mut registry = Registry::default();
    for (name, points) in families(frame) {
        if is_counter(points[0]) {
            let family = Family::<Vec<(String, String)>, Counter>::default();
            registry.register(name.strip_suffix("_total").expect("a counter"), &*name, family.clone());
            for point in points {
                family.get_or_create(&labels(point)).inc_by(count(point));
            }
        } else {
            let family = Family::<Vec<(String, String)>, Gauge<f64, AtomicU64>>::default();
            registry.register(name.clone(), name, family.clone());
            for point in points {
                family.get_or_create(&labels(point)).set(value(point));
            }
        }
    }
    Box::new(move |out| text::encode(&mut Text(out), &registry).expect("memory takes all"))
}

/// `fast-telemetry`: sharded counters and gauges of labels that are known at run time, text 0.0.4.
pub(crate) fn fast_telemetry(frame: &Frame) -> Push {
    use fast_telemetry::{DynamicCounter, DynamicGauge, PrometheusExport};

    let families = families(frame).into_iter().map(|(name, points)| {
        let export: Box<dyn Fn(&mut String)> = if is_counter(points[0]) {
            let counter = DynamicCounter::new(2);
            for point in points {
                counter.add(&borrowed(&labels(point)), count(point).try_into().expect("a small number"));
            }
            Box::new(move |out| counter.export_prometheus(out, &name, &name))
        } else {
            let gauge = DynamicGauge::new(2);
            for point in points {
                gauge.set(&borrowed(&labels(point)), value(point));
            }
            Box::new(move |out| gauge.export_prometheus(out, &name, &name))
        };
        export
    });
    let families: Vec<_> = families.collect();
    Box::new(move |out| {
        // An empty string of the same memory: nothing to check, nothing to allocate.
        let mut page = String::from_utf8(mem::take(out)).expect("nothing is in it yet");
        families.iter().for_each(|export| export(&mut page));
        *out = page.into_bytes();
    })
}

/// `prometheus`: gathers protobuf structures, text 0.0.4.
pub(crate) fn prometheus(frame: &Frame) -> Push {
    use prometheus::{Encoder, GaugeVec, IntCounterVec, Opts, Registry, TextEncoder};

    let registry = Registry::new();
    for (name, points) in families(frame) {
        let opts = Opts::new(name.clone(), name);
        let keys: Vec<_> = points[0].metric.labels.iter().map(|label| &*label.key).collect();
        let values = |point| labels(point).into_iter().map(|(_, value)| value).collect::<Vec<_>>();
        if is_counter(points[0]) {
            let counters = IntCounterVec::new(opts, &keys).expect("a name");
            points.iter().for_each(|point| counters.with_label_values(&values(point)).inc_by(count(point)));
            registry.register(Box::new(counters)).expect("a new name");
        } else {
            let gauges = GaugeVec::new(opts, &keys).expect("a name");
            points.iter().for_each(|point| gauges.with_label_values(&values(point)).set(value(point)));
            registry.register(Box::new(gauges)).expect("a new name");
        }
    }
    Box::new(move |out| TextEncoder::new().encode(&registry.gather(), out).expect("memory takes all"))
}

/// `metrics` with `metrics-exporter-prometheus`, text 0.0.4.
pub(crate) fn metrics_exporter_prometheus(frame: &Frame) -> Push {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        for (name, points) in families(frame) {
            for point in points {
                let labels = labels(point);
                if is_counter(point) {
                    metrics::counter!(name.clone(), &labels).absolute(count(point));
                } else {
                    metrics::gauge!(name.clone(), &labels).set(value(point));
                }
            }
        }
    });
    let handle = recorder.handle();
    Box::new(move |out| handle.render_to_write(out).expect("memory takes all"))
}

/// Under the names that ours has on its page.
fn families(frame: &Frame) -> BTreeMap<String, Vec<&Point>> {
    let mut families: BTreeMap<String, Vec<&Point>> = BTreeMap::new();
    for point in &frame.points {
        let suffix = if is_counter(point) { "total" } else { "milliseconds" };
        let name = format!("{}_{suffix}", point.metric.name.replace('.', "_"));
        families.entry(name).or_default().push(point);
    }
    families
}

fn is_counter(point: &Point) -> bool {
    matches!(point.value, Value::Counter(_))
}

fn count(point: &Point) -> u64 {
    match point.value {
        Value::Counter(Number::Int(count)) => count.try_into().expect("a count"),
        _ => unreachable!("the frame has no other counters"),
    }
}

fn value(point: &Point) -> f64 {
    match point.value {
        Value::Gauge(number) => number.to_f64(),
        _ => unreachable!("the frame has no other values"),
    }
}

fn labels(point: &Point) -> Vec<(String, String)> {
    let labels = point.metric.labels.iter();
    labels.map(|label| (label.key.to_string(), label.value.to_text().into_owned())).collect()
}

fn borrowed(labels: &[(String, String)]) -> Vec<(&str, &str)> {
    labels.iter().map(|(key, value)| (&**key, &**value)).collect()
}

/// Text to bytes.
struct Text<'a>(&'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
