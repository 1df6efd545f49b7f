//! Every line of every page is one that Prometheus reads.

use barewire::view::{Frame, Value};
use barewire_promtext::{Encoder, Escaping, Format};

const SCHEMES: [Escaping; 4] = [Escaping::Underscores, Escaping::Dots, Escaping::Values, Escaping::AllowUtf8];

/// Writes the page of `frames` twice in each format, under each escaping, and reads its lines; then that of the first frame, with
/// its values in other places.
///
/// # Panics
/// When one breaks the format, when points are missing, when the two differ, or when a page that was filled says something else
/// than one from scratch.
pub fn check(frames: &[Frame]) {
    let formats = [Format::Text004, Format::OpenMetrics].into_iter();
    for (format, escaping) in formats.flat_map(|format| SCHEMES.map(|escaping| (format, escaping))) {
        let mut encoder = Encoder::new(format).escaping(escaping);
        let (mut page, mut again) = (Vec::new(), Vec::new());
        let encoded = encoder.push(frames, &mut page);
        let points = frames.iter().flat_map(|frame| &frame.points);
        let present = points.filter(|point| point.value != Value::Absent).count() as u64;
        assert_eq!(encoded.points + encoded.left_out, present);
        check_page(&String::from_utf8(page.clone()).expect("UTF-8"), format, escaping);
        assert_eq!(encoder.push(frames, &mut again), encoded);
        assert_eq!(again, page);
        if let Some(frame) = frames.first() {
            check_filled(frame.clone(), format, escaping);
        }
    }
}

fn check_filled(mut frame: Frame, format: Format, escaping: Escaping) {
    let [mut filled, mut from_scratch] = [0; 2].map(|_| Encoder::new(format).escaping(escaping));
    for _ in 0..4 {
        let (page, encoded) = filled.page([&frame]);
        // Those of two frames are never filled.
        let (expected, as_many) = from_scratch.page([&frame, &Frame::default()]);
        assert_eq!((trimmed(page), encoded), (trimmed(expected), as_many));
        let values: Vec<Value> = frame.points.iter().map(|point| point.value.clone()).collect();
        let others = values.iter().cycle().skip(1);
        frame.points.iter_mut().zip(others).for_each(|(point, other)| point.value.clone_from(other));
    }
}

/// Without the zeros that values end in behind the point.
fn trimmed(page: &[u8]) -> String {
    let page = str::from_utf8(page).expect("UTF-8");
    let trim = |line: &str| match line.rsplit_once(' ') {
        Some((series, value)) if !line.starts_with('#') && value.contains('.') && !value.contains('e') => {
            format!("{series} {}", value.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => line.to_owned(),
    };
    page.split('\n').map(trim).collect::<Vec<_>>().join("\n")
}

fn check_page(page: &str, format: Format, escaping: Escaping) {
    assert!(page.is_empty() || page.ends_with('\n'));
    let page = match format {
        Format::Text004 => page,
        Format::OpenMetrics => page.strip_suffix("# EOF\n").expect("an end"),
    };
    for line in page.split_terminator('\n') {
        assert!(is_head(line, format) || is_sample(line), "{line:?}");
        assert!(escaping == Escaping::AllowUtf8 || !line.starts_with('{'), "{line:?}");
    }
}

/// `# HELP name text`, `# TYPE name kind` or, in OpenMetrics, `# UNIT name unit`.
fn is_head(line: &str, format: Format) -> bool {
    let Some((word, rest)) = line.strip_prefix("# ").and_then(|rest| rest.split_once(' ')) else {
        return false;
    };
    let Some((name, text)) = name_at(rest) else { return false };
    let Some(text) = text.strip_prefix(' ') else { return false };
    match word {
        "HELP" => format == Format::Text004 || unescape(text, &['\\', 'n', '"']) == Some(""),
        "TYPE" => ["counter", "gauge", "histogram"].contains(&text),
        "UNIT" => format == Format::OpenMetrics && name.ends_with(text),
        _ => false,
    }
}

/// The name at the front, without the quotes that it has unless it needs none, and what follows it.
fn name_at(text: &str) -> Option<(&str, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '{', '='])?;
        return Some(text.split_at(end)).filter(|(name, _)| is_name(name));
    };
    let after = unescape(quoted, &['\\', 'n', '"'])?.strip_prefix('"')?;
    let name = &quoted[..quoted.len() - after.len() - 1];
    (!is_name(name) || name.contains(':')).then_some((name, after))
}

/// `name{label="value",…} number` or `{"name",label="value",…} number`, the braces only around something.
fn is_sample(line: &str) -> bool {
    let mut rest = line;
    let (mut opening, mut has_name) = ('{', false);
    if !line.starts_with('{') {
        let Some((_, behind)) = name_at(line) else { return false };
        (rest, has_name) = (behind, true);
    }
    while let Some(label) = rest.strip_prefix(opening) {
        let Some((key, after)) = name_at(label) else { return false };
        let after = match after.strip_prefix("=\"") {
            None if has_name => return false,
            None => {
                has_name = true;
                after
            }
            Some(_) if key.contains(':') && !label.starts_with('"') => return false,
            Some(value) => match unescape(value, &['\\', 'n', '"']).and_then(|after| after.strip_prefix('"'))
            {
                Some(after) => after,
                None => return false,
            },
        };
        opening = ',';
        rest = after.strip_prefix('}').unwrap_or(after);
    }
    has_name && rest.strip_prefix(' ').is_some_and(|number| number.parse::<f64>().is_ok())
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
