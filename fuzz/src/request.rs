//! Every OTLP/JSON request is JSON, and loses no point uncounted.

use barewire::view::{Frame, Value};
use barewire_otlp_json::Encoder;
use serde_json::Value as Json;

/// Encodes `frames` twice and reads the document.
///
/// # Panics
/// When that is no JSON, when points are missing, or when the two differ.
pub fn check(frames: &[Frame]) {
    let mut encoder = Encoder::new();
    let (mut document, mut again) = (Vec::new(), Vec::new());
    let encoded = encoder.push_request(frames, &mut document);
    let points = frames.iter().flat_map(|frame| &frame.points);
    let present = points.filter(|point| point.value != Value::Absent).count() as u64;
    assert_eq!(encoded.points + encoded.left_out, present);
    assert_eq!(document.is_empty(), encoded.points == 0);
    if !document.is_empty() {
        let json = serde_json::from_slice(&document).expect("JSON");
        assert_eq!(data_points(&json), encoded.points);
    }
    assert_eq!(encoder.push_request(frames, &mut again), encoded);
    assert_eq!(again, document);
}

/// How many elements the lists of that name have.
fn data_points(json: &Json) -> u64 {
    match json {
        Json::Array(items) => items.iter().map(data_points).sum(),
        Json::Object(fields) => fields
            .iter()
            .map(|(name, field)| match field {
                Json::Array(items) if name == "dataPoints" => items.len() as u64,
                _ => data_points(field),
            })
            .sum(),
        _ => 0,
    }
}
