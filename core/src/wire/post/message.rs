//! The sentence in what a receiver answered, whatever it wrapped it in.
//!
//! Receivers answer in JSON of many shapes, pretty-printed or not, in plain text and in HTML. Each shape has one text for
//! people; a person is shown that text and not the bytes around it. Pure, and bounded by the length of the input.

/// Keys whose value is a text for people, the best first. A key nearer to the root comes before a better one.
const KEYS: [&str; 7] = ["message", "errorMessage", "error_message", "error", "errors", "detail", "title"];

/// The text for people in `body`: that of JSON, the title of an HTML page, or the body as it is. A page is one by its
/// first tag or by its type.
pub(super) fn sentence(body: &str, is_page: bool) -> String {
    let body = body.trim_start_matches('\u{feff}').trim();
    if is_page || is_html(body) {
        return html_title(body)
            .map_or_else(|| "an HTML page".to_owned(), |title| format!("an HTML page, '{title}'"));
    }
    if body.starts_with(['{', '[']) {
        return json_sentence(body).unwrap_or_else(|| one_line(body));
    }
    body.to_owned()
}

/// Returns `true` if `body` begins as an HTML page does.
pub(super) fn is_html(body: &str) -> bool {
    let body = body.trim_start_matches('\u{feff}').trim_start();
    ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| begins_with(body, tag))
}

fn begins_with(text: &str, beginning: &str) -> bool {
    text.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
}

fn html_title(page: &str) -> Option<String> {
    // As many bytes as in the page, so that a place in the one is a place in the other.
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    Some(one_line(&page[start..end])).filter(|title| !title.is_empty())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The value of the best key: the least deep, and of those the first of [`KEYS`].
fn json_sentence(json: &str) -> Option<String> {
    let mut best: Option<((usize, usize), String)> = None;
    let (mut depth, mut key, mut rest) = (0_usize, None, json);
    while let Some(first) = rest.chars().next() {
        let mut next = &rest[first.len_utf8()..];
        match first {
            '{' => (depth, key) = (depth + 1, None),
            // A list of texts has the rank of its key.
            '[' => depth += 1,
            '}' | ']' => (depth, key) = (depth.saturating_sub(1), None),
            '"' => {
                let (text, behind) = string(next);
                next = behind;
                if behind.trim_start().starts_with(':') {
                    key = KEYS.iter().position(|known| *known == text);
                } else if let Some(rank) = key.take().filter(|_| !text.trim().is_empty())
                    && best.as_ref().is_none_or(|(known, _)| (depth, rank) < *known)
                {
                    best = Some(((depth, rank), text));
                }
            }
            _ => {}
        }
        rest = next;
    }
    best.map(|(_, text)| text)
}

/// The string whose quotation mark was read, and what is behind it. One that is cut off ends with the text.
fn string(text: &str) -> (String, &str) {
    let (mut string, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (string, &text[at + 1..]),
            '\\' => match chars.next() {
                Some((_, 'u')) => string.push(unit(&mut chars)),
                Some((_, escaped)) => string.push(unescaped(escaped)),
                None => break,
            },
            c => string.push(c),
        }
    }
    (string, "")
}

fn unescaped(escaped: char) -> char {
    match escaped {
        'n' | 'r' | 'b' | 'f' => '\n',
        't' => ' ',
        other => other,
    }
}

/// The character of four hexadecimal digits; halves of pairs are shown as what cannot be shown.
fn unit(chars: &mut std::str::CharIndices<'_>) -> char {
    let digits: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
    let code = u32::from_str_radix(&digits, 16).ok();
    code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_sentence_is_found_in_whatever_it_is_wrapped_in() {
        for (body, expected) in [
            ("", ""),
            ("  no such bucket\n", "no such bucket"),
            ("{\n  \"code\": 3,\n  \"message\": \"too old\"\n}\n", "too old"),
            ("\u{feff}{\"message\":\"too old\"}", "too old"),
            (r#"{"error":"database not found: \"load\""}"#, r#"database not found: "load""#),
            (r#"{"error":{"code":401,"message":"no key"}}"#, "no key"),
            (r#"{"status":{"code":16,"message":"who are you?"}}"#, "who are you?"),
            (r#"{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"no"}}"#, "no"),
            (r#"{"errors":["first","second"]}"#, "first"),
            (r#"{"data":[{"error_message":"deep"}],"error":"shallow"}"#, "shallow"),
            (r#"{"code":"invalid","error":"b","message":"a"}"#, "a"),
            (r#"{"message":"","error":"said"}"#, "said"),
            (r#"{"message":null,"error":"said"}"#, "said"),
            (r#"{"message":5,"error":"said"}"#, "said"),
            (r#"{"a":"message","error":"said"}"#, "said"),
            (r#"{"message":"caf\u00e9 \ud83d\/"}"#, "café \u{fffd}/"),
            (r#"{"message":"cut o"#, "cut o"),
            ("{\n  \"status\": 400\n}", "{ \"status\": 400 }"),
            ("[\n 1,\n 2]", "[ 1, 2]"),
            ("<!DOCTYPE html>\n<html><head><TITLE>413 Too\n Large</title>", "an HTML page, '413 Too Large'"),
            ("<html><body>no</body></html>", "an HTML page"),
        ] {
            assert_eq!(sentence(body, false), expected, "{body}");
        }
        assert_eq!(sentence("<p>hello", true), "an HTML page");
    }

    proptest! {
        #[test]
        fn no_body_is_too_bad_and_none_grows(body in r#"(\{|\[|"|:|,|\\|u|d8|message|error|<html|<title>|é|\n| |\}|\]){0,60}"#) {
            prop_assert!(sentence(&body, false).len() <= body.len().max(4) * 3 + 20);
        }
    }
}
