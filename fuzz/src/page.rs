//! Every line of every page is one that Prometheus reads.

use barewire::view::{Frame, Value};
use barewire_promtext::{Encoder, Format};

/// Writes the page of `frames` twice in each format and reads its lines.
///
/// # Panics
/// When one breaks the format, when points are missing, or when the two differ.
pub fn check(frames: &[Frame]) {
    for format in [Format::Text004, Format::OpenMetrics] {
        let mut encoder = Encoder::new(format);
        let (mut page, mut again) = (Vec::new(), Vec::new());
        let encoded = encoder.push(frames, &mut page);
        let points = frames.iter().flat_map(|frame| &frame.points);
        let present = points.filter(|point| point.value != Value::Absent).count() as u64;
        assert_eq!(encoded.points + encoded.left_out, present);
        check_page(&String::from_utf8(page.clone()).expect("UTF-8"), format);
        assert_eq!(encoder.push(frames, &mut again), encoded);
        assert_eq!(again, page);
    }
}

fn check_page(page: &str, format: Format) {
    assert!(page.is_empty() || page.ends_with('\n'));
    let page = match format {
        Format::Text004 => page,
        Format::OpenMetrics => page.strip_suffix("# EOF\n").expect("an end"),
    };
    for line in page.split_terminator('\n') {
        assert!(is_head(line, format) || is_sample(line), "{line:?}");
    }
}

/// `# HELP name text`, `# TYPE name kind` or, in OpenMetrics, `# UNIT name unit`.
fn is_head(line: &str, format: Format) -> bool {
    let Some((word, rest)) = line.strip_prefix("# ").and_then(|rest| rest.split_once(' ')) else {
        return false;
    };
    let Some((name, text)) = rest.split_once(' ') else { return false };
    is_name(name)
        && match word {
            "HELP" => format == Format::Text004 || unescape(text, &['\\', 'n', '"']) == Some(""),
            "TYPE" => ["counter", "gauge", "histogram"].contains(&text),
            "UNIT" => format == Format::OpenMetrics && name.ends_with(text),
            _ => false,
        }
}

/// `name{label="value",…} number`, the braces only around labels.
fn is_sample(line: &str) -> bool {
    let Some(name_len) = line.find(['{', ' ']) else { return false };
    let (name, mut rest) = line.split_at(name_len);
    let mut opening = '{';
    while let Some(label) = rest.strip_prefix(opening) {
        let Some((key, value)) = label.split_once("=\"") else { return false };
        let Some(after) = unescape(value, &['\\', 'n', '"']).and_then(|after| after.strip_prefix('"')) else {
            return false;
        };
        if !is_name(key) || key.contains(':') {
            return false;
        }
        opening = ',';
        rest = after.strip_prefix('}').unwrap_or(after);
    }
    is_name(name) && rest.strip_prefix(' ').is_some_and(|number| number.parse::<f64>().is_ok())
}

/// What follows the text up to a quote that is not escaped, if it escapes nothing but `escapes`.
fn unescape<'t>(text: &'t str, escapes: &[char]) -> Option<&'t str> {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some(&text[at..]),
            '\\' if !escapes.contains(&chars.next()?.1) => return None,
            _ => {}
        }
    }
    Some("")
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || "_:".contains(c))
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c))
}
