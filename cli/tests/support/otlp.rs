//! What an OTLP/JSON document says, whoever wrote it down.

use serde_json::Value;

/// The entries of an array; none of what is no array.
pub(crate) fn items(array: &Value) -> impl Iterator<Item = &Value> {
    array.as_array().into_iter().flatten()
}

/// The documents of a text of one a line, of any signal; a line that is still being written is left out.
pub(crate) fn all_documents(text: &str) -> impl Iterator<Item = Value> {
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).expect("a JSON document a line"))
}

/// The documents with metrics.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    all_documents(text).filter(|document| document.get("resourceMetrics").is_some()).collect()
}

/// The log records of all documents.
pub(crate) fn log_records(text: &str) -> Vec<Value> {
    items_of(text, ["resourceLogs", "scopeLogs", "logRecords"])
}

/// The spans of all documents.
pub(crate) fn spans(text: &str) -> Vec<Value> {
    items_of(text, ["resourceSpans", "scopeSpans", "spans"])
}

fn items_of(text: &str, [resources, scopes, leaves]: [&str; 3]) -> Vec<Value> {
    let leaves_of = |document: Value| {
        let scopes = items(&document[resources]).flat_map(|resource| items(&resource[scopes]));
        scopes.flat_map(|scope| items(&scope[leaves])).cloned().collect::<Vec<_>>()
    };
    all_documents(text).flat_map(leaves_of).collect()
}

/// The metrics of that name, in all resources and scopes.
pub(crate) fn metrics<'a>(document: &'a Value, name: &'a str) -> impl Iterator<Item = &'a Value> {
    let scopes = items(&document["resourceMetrics"]).flat_map(|resource| items(&resource["scopeMetrics"]));
    scopes.flat_map(|scope| items(&scope["metrics"])).filter(move |each| each["name"] == name)
}

/// The cumulative sum of that name, added up over its data points.
pub(crate) fn cumulative_sum(document: &Value, name: &str) -> Option<f64> {
    const CUMULATIVE: u64 = 2;
    let sums = metrics(document, name).map(|each| &each["sum"]);
    let sums = sums.filter(|sum| sum["aggregationTemporality"] == CUMULATIVE);
    sums.flat_map(|sum| items(&sum["dataPoints"])).map(number).reduce(|total, each| total + each)
}

/// The value of an attribute of a resource or a data point.
pub(crate) fn attribute<'a>(of: &'a Value, key: &str) -> Option<&'a str> {
    items(&of["attributes"]).find(|each| each["key"] == key)?["value"]["stringValue"].as_str()
}

/// The data point of an exponential histogram.
#[derive(Debug)]
pub(crate) struct Exponential {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    scale: i32,
    offset: i32,
    zeros: u64,
    buckets: Vec<u64>,
}

impl Exponential {
    /// The only point of the metric of that name.
    pub(crate) fn only(document: &Value, name: &str) -> Self {
        let points: Vec<_> = metrics(document, name)
            .flat_map(|each| items(&each["exponentialHistogram"]["dataPoints"]))
            .collect();
        let [point] = points[..] else { panic!("{name}: {} points", points.len()) };
        let small = |value: &Value| i32::try_from(value.as_i64().unwrap_or(0)).expect("a small number");
        let positive = &point["positive"];
        Self {
            count: integer(&point["count"]),
            sum: point["sum"].as_f64().expect("a sum"),
            scale: small(&point["scale"]),
            offset: small(&positive["offset"]),
            zeros: point.get("zeroCount").map_or(0, integer),
            buckets: items(&positive["bucketCounts"]).map(integer).collect(),
        }
    }

    /// The count by the buckets alone.
    pub(crate) fn bucketed(&self) -> u64 {
        self.zeros + self.buckets.iter().sum::<u64>()
    }

    /// The bounds of the bucket that the quantile is in.
    pub(crate) fn quantile(&self, q: f64) -> (f64, f64) {
        let rank = q * self.count as f64;
        let mut below = self.zeros;
        for (index, bucket) in (self.offset..).zip(&self.buckets) {
            below += bucket;
            if below as f64 >= rank {
                let bound = |index: i32| 2f64.powf(f64::from(index) * 2f64.powi(-self.scale));
                return (bound(index), bound(index + 1));
            }
        }
        panic!("no bucket holds quantile {q}: {self:?}");
    }
}

/// A 64-bit integer is a string in OTLP/JSON.
pub(crate) fn integer(value: &Value) -> u64 {
    let digits = value.as_str().map(|digits| digits.parse().expect("an integer"));
    digits.or(value.as_u64()).expect("an integer")
}

/// The value of a data point of a sum or a gauge.
pub(crate) fn number(point: &Value) -> f64 {
    let integer = point["asInt"].as_str().map(|digits| digits.parse().expect("an integer"));
    integer.or(point["asDouble"].as_f64()).expect("asInt or asDouble")
}
