//! No secret of a request is left in what a receiver says of it.

use arbitrary::Arbitrary;
use barewire::wire::{
    http::{Header, Url},
    post::redacted,
};

/// The shortest text that is taken for a secret.
const MIN_SECRET_BYTES: usize = 4;

/// A request, and what its receiver says.
#[derive(Debug, Arbitrary)]
pub struct Told {
    key: String,
    token: String,
    query: Vec<String>,
    said: Vec<Word>,
    is_cut: bool,
}

/// A part of a text.
#[derive(Debug, Arbitrary)]
enum Word {
    Noise(String),
    /// One of the secrets, as it is or as a JSON library spells it.
    Secret(u8, Spelling),
}

#[derive(Debug, Arbitrary, Clone, Copy)]
enum Spelling {
    Plain,
    Json,
    /// With what stands in HTML, and what is not ASCII, as `\u003c`.
    AsciiJson,
}

/// Says it without the secrets.
///
/// # Panics
/// When one of them is left, in any of the spellings.
pub fn check(told: &Told) {
    let bearer = format!("Bearer {}", told.token);
    let headers: Vec<Header> = [("X-Key", told.key.as_str()), ("Authorization", &bearer)]
        .iter()
        .filter_map(|(name, value)| Header::new(name, value).ok())
        .collect();
    let query: Vec<String> = told.query.iter().map(|value| format!("key={}", percent(value))).collect();
    let url = Url::parse(&format!("http://h/write?{}", query.join("&"))).expect("a URL");
    let mut secrets: Vec<String> = headers.iter().map(|header| header.value().to_owned()).collect();
    secrets.extend(told.query.iter().flat_map(|value| [value.clone(), percent(value)]));
    if headers.iter().any(|header| header.name() == "Authorization") {
        secrets.push(told.token.trim().to_owned());
    }
    // What stands in the place of a secret may stand beside what looks like the rest of one.
    secrets.retain(|secret| secret.len() >= MIN_SECRET_BYTES && !secret.contains('*'));
    let said: Vec<String> = told.said.iter().map(|word| word.text(&secrets)).collect();
    let said = said.concat();
    let left = redacted(&headers, url.target(), said.as_bytes(), told.is_cut);
    let left = String::from_utf8_lossy(&left);
    for secret in &secrets {
        for spelling in [Spelling::Plain, Spelling::Json, Spelling::AsciiJson] {
            let spelled = spelling.of(secret);
            assert!(!left.contains(&spelled), "{spelled:?} is left in {left:?} of {said:?}");
        }
    }
}

impl Word {
    fn text(&self, secrets: &[String]) -> String {
        match self {
            Word::Noise(text) => text.clone(),
            Word::Secret(..) if secrets.is_empty() => String::new(),
            Word::Secret(at, spelling) => spelling.of(&secrets[usize::from(*at) % secrets.len()]),
        }
    }
}

impl Spelling {
    fn of(self, text: &str) -> String {
        let json = || {
            let quoted = serde_json::to_string(text).expect("a text");
            quoted[1..quoted.len() - 1].to_owned()
        };
        match self {
            Spelling::Plain => text.to_owned(),
            Spelling::Json => json(),
            Spelling::AsciiJson => json().chars().map(ascii).collect(),
        }
    }
}

fn ascii(c: char) -> String {
    if c.is_ascii() && !"<>&".contains(c) {
        return c.to_string();
    }
    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
