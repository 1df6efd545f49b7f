//! What must not be repeated, and a text without it.

use super::{
    AUTHORIZATION,
    auth::from_percent,
    base64::{from_base64, push_base64},
};
use crate::wire::http::Header;

/// What stands in the place of a secret.
const STARS: &[u8] = b"***";
/// Below this many bytes, the value of a header or of a query is no secret: `1` is in nearly every message.
const MIN_SECRET_BYTES: usize = 4;
/// Headers that hold no secret.
const PUBLIC_HEADERS: [&str; 6] =
    ["accept", "accept-encoding", "content-encoding", "content-type", "host", "user-agent"];
/// Parameters of a query that hold no secret, and that a message had better name: those that say where to write to.
const PUBLIC_PARAMETERS: [&str; 9] =
    ["bucket", "consistency", "db", "org", "orgID", "precision", "rp", "u", "user"];

/// Secrets, in each spelling that a receiver may make of them, but for that of JSON.
#[derive(Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Adds `secret` as it is, as a URL spells it, and as base64 does, also that of a longer text that has it in it.
    pub(super) fn add(&mut self, secret: &str) {
        self.0.extend([secret.to_owned(), to_percent(secret, false), to_percent(secret, true)]);
        if secret.len() >= MIN_SECRET_BYTES {
            for before in 0..3 {
                let spelled = base64_within(secret.as_bytes(), before);
                self.0.extend([spelled.replace('+', "-").replace('/', "_"), spelled]);
            }
        }
    }

    /// Adds the value of a header; without the word that says what it is, as in `Bearer secret`; and what it spells.
    pub(super) fn add_header(&mut self, header: &Header) {
        let is = |name: &str| header.name().eq_ignore_ascii_case(name);
        let value = header.value();
        if PUBLIC_HEADERS.iter().any(|name| is(name)) || !is(AUTHORIZATION) && value.len() < MIN_SECRET_BYTES
        {
            return;
        }
        self.add(value);
        let Some((scheme, credentials)) = value.split_once(' ') else { return };
        self.add(credentials.trim());
        let spelled = from_base64(credentials.trim()).and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(pair) = spelled.filter(|_| scheme.eq_ignore_ascii_case("basic")) {
            self.add(pair.split_once(':').map_or("", |(_user, password)| password));
            self.add(&pair);
        }
    }

    /// Adds the values in the query of `target`, as they are spelled and as they are meant.
    pub(super) fn add_query(&mut self, target: &str) {
        let Some((_path, query)) = target.split_once('?') else { return };
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or(("", parameter));
            if value.len() >= MIN_SECRET_BYTES && !PUBLIC_PARAMETERS.contains(&name) {
                self.add(value);
                self.add(&from_percent(value).unwrap_or_default());
            }
        }
    }

    /// `text` with `***` in the place of every secret, as it is or as JSON, a frequent body, spells it; also where two of
    /// them overlap. Where the text is cut, the beginning of a secret at its end is one too.
    pub(super) fn redact(&self, text: &[u8], is_cut: bool) -> Vec<u8> {
        let mut is_secret = vec![false; text.len()];
        for secret in self.0.iter().filter(|secret| !secret.is_empty()) {
            for at in 0..text.len() {
                let rest = &text[at..];
                for len in [plain(rest, secret, is_cut), spelled(rest, secret, is_cut)].into_iter().flatten()
                {
                    is_secret[at..][..len].fill(true);
                }
            }
        }
        let mut out = Vec::with_capacity(text.len());
        for (at, byte) in text.iter().enumerate() {
            match is_secret[at] {
                false => out.push(*byte),
                true if at == 0 || !is_secret[at - 1] => out.extend_from_slice(STARS),
                true => {}
            }
        }
        out
    }
}

/// How many bytes `secret`, or its beginning where a text that is cut ends with it, has at the front of `text`.
fn plain(text: &[u8], secret: &str, is_cut: bool) -> Option<usize> {
    let is_here = text.starts_with(secret.as_bytes()) || is_cut && secret.as_bytes().starts_with(text);
    is_here.then(|| text.len().min(secret.len()))
}

/// The same for the spellings of JSON (RFC 8259, section 7): libraries differ in what they escape. Go's writes `<`, `>` and
/// `&` as `\u003c`, those of Python and PHP whatever is not ASCII, the latter `/` as `\/` too.
fn spelled(text: &[u8], secret: &str, is_cut: bool) -> Option<usize> {
    let mut rest = text;
    for c in secret.chars() {
        let Some(behind) = spellings(c).iter().find_map(|spelling| behind(rest, spelling)) else {
            let is_torn = spellings(c).iter().any(|spelling| behind(spelling, rest).is_some());
            return (is_cut && is_torn).then_some(text.len());
        };
        rest = behind;
    }
    Some(text.len() - rest.len())
}

/// The escapes first: a backslash by itself may be the beginning of one.
fn spellings(c: char) -> [Vec<u8>; 3] {
    let units = c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
    let text = String::from(c);
    let letter = match c {
        '"' | '\\' | '/' => Some(c),
        '\u{8}' => Some('b'),
        '\t' => Some('t'),
        '\n' => Some('n'),
        '\u{c}' => Some('f'),
        '\r' => Some('r'),
        _ => None,
    };
    let escaped = letter.map_or(text.clone(), |letter| format!("\\{letter}"));
    [units, escaped, text].map(String::into_bytes)
}

/// What follows `spelling` at the front of `text`. The digits of an escape are of either case.
fn behind<'t>(text: &'t [u8], spelling: &[u8]) -> Option<&'t [u8]> {
    let (front, behind) = text.split_at_checked(spelling.len())?;
    let is_same =
        if spelling.starts_with(b"\\u") { front.eq_ignore_ascii_case(spelling) } else { front == spelling };
    is_same.then_some(behind)
}

/// `text` as a URL spells it (RFC 3986, section 2.1), in digits of either case.
fn to_percent(text: &str, is_lower: bool) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            _ if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => out.push(char::from(byte)),
            _ if is_lower => out.push_str(&format!("%{byte:02x}")),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

/// What all base64 has in it whose bytes have `secret` in them, that many bytes behind a group of three.
fn base64_within(secret: &[u8], before: usize) -> String {
    let mut spelled = String::new();
    push_base64(&mut spelled, &[&[0; 2][..before], secret].concat());
    // The first and the last character may have bits of what stands around the secret.
    let known = (before * 8).div_ceil(6)..(before + secret.len()) * 8 / 6;
    spelled[known].to_owned()
}

/// For `fuzz/`: `text` without what a request to `target` with `headers` has of secrets.
#[cfg(fuzzing)]
pub fn redacted(headers: &[Header], target: &str, text: &[u8], is_cut: bool) -> Vec<u8> {
    let mut secrets = Secrets::default();
    headers.iter().for_each(|header| secrets.add_header(header));
    secrets.add_query(target);
    secrets.redact(text, is_cut)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn secrets<const N: usize>(list: [&str; N]) -> Secrets {
        let mut secrets = Secrets::default();
        list.into_iter().for_each(|secret| secrets.add(secret));
        secrets
    }

    fn of_header(text: &str) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add_header(&text.parse().unwrap());
        secrets
    }

    fn redacted(secrets: &Secrets, text: &str) -> String {
        String::from_utf8(secrets.redact(text.as_bytes(), false)).unwrap()
    }

    #[test]
    fn every_secret_is_stars_and_the_longest_is_not_cut_short_by_one_within_it() {
        let secrets = secrets(["hunter2", "hunter", "", "2x"]);
        for (text, expected) in [
            ("", ""),
            ("no secret", "no secret"),
            ("hunter2", "***"),
            ("a hunter2, a hunter, and hunter2x", "a ***, a ***, and ***"),
            ("hunterhunter2é", "***é"),
            ("hunte", "hunte"),
        ] {
            assert_eq!(redacted(&secrets, text), expected);
        }
    }

    #[test]
    fn a_secret_is_known_in_the_spelling_of_json() {
        let secrets = secrets([r#"a"b\c"#, "p<&é🎈>/w", "tab\tand\nline"]);
        for (text, expected) in [
            (r#"{"error":"no a\"b\\c"}"#, r#"{"error":"no ***"}"#),
            (r#"a"b\c a\u0022b\u005cc a\u0022b\u005Cd"#, r#"*** *** a\u0022b\u005Cd"#),
            ("p<&é🎈>/w", "***"),
            (r"p\u003c\u0026é🎈\u003e/w", "***"),
            (r"p\u003C\u0026\u00e9\ud83c\udf88\u003E\/w.", "***."),
            ("tab\tand\nline", "***"),
            (r"tab\tand\u000aline, tab\u0009and\nline", "***, ***"),
            (r"p\u003c\u0026\u00e8", r"p\u003c\u0026\u00e8"),
        ] {
            assert_eq!(redacted(&secrets, text), expected, "{text}");
        }
        assert_eq!(secrets.redact(br"it is p\u003c\u00", true), b"it is ***");
        assert_eq!(secrets.redact(br"it is p\u003c\u00", false), br"it is p\u003c\u00");
    }

    #[test]
    fn a_secret_is_known_in_the_spelling_of_a_url() {
        let secrets = secrets(["a b/é+~"]);
        for text in ["a b/é+~", "a%20b%2F%C3%A9%2B~", "a%20b%2f%c3%a9%2b~"] {
            assert_eq!(redacted(&secrets, &format!("no {text}!")), "no ***!");
        }
    }

    #[test]
    fn a_secret_is_known_in_base64_wherever_it_stands_in_what_that_spells() {
        let secrets = secrets(["hunter2?>"]);
        // The digits that it shares with what stands around it are left.
        for (text, expected) in [
            ("aHVudGVyMj8+", "***"),
            ("eGh1bnRlcjI/Png=", "eG***ng="),
            ("eHhodW50ZXIyPz54", "eHh***54"),
            ("eHh4aHVudGVyMj8+eHg=", "eHh4***eHg="),
            ("aHVudGVyMj8-", "***"),
            ("eHhodW50ZXIyPz54eA", "eHh***54eA"),
        ] {
            assert_eq!(redacted(&secrets, text), expected);
        }
    }

    #[test]
    fn the_beginning_of_a_secret_at_a_cut_is_one() {
        let secrets = secrets(["hunter2"]);
        assert_eq!(secrets.redact(b"it is hunt", true), b"it is ***");
        assert_eq!(secrets.redact(b"it is hunt", false), b"it is hunt");
        assert_eq!(secrets.redact(b"hunter1 hunter2", true), b"hunter1 ***");
    }

    #[test]
    fn a_header_is_secret_as_a_whole_and_in_its_parts() {
        for (header, text, expected) in [
            ("X-Key: secret", "no secret", "no ***"),
            ("X-Key: abc", "abc", "abc"),
            ("Authorization: x", "axa", "a***a"),
            ("Authorization: Bearer secret", "Bearer secret; secret; Bearer", "***; ***; Bearer"),
            ("X: Basic bWU6c2VjcmV0", "me:secret; secret; bWU6c2VjcmV0; me", "***; ***; ***; me"),
            ("authorization: basic bWU6c2VjcmV0", "secret", "***"),
            ("User-Agent: load test", "load test", "load test"),
        ] {
            assert_eq!(redacted(&of_header(header), text), expected, "{header}");
        }
    }

    #[test]
    fn a_query_is_secret_but_for_what_says_where() {
        let mut secrets = Secrets::default();
        secrets.add_query("/write?db=load&u=user&p=pass%20word&x&rp=&k=123&token=a=bcd&bare-token");
        for (text, expected) in [
            ("no database load for user", "no database load for user"),
            ("pass%20word, pass word", "***, ***"),
            ("123", "123"),
            ("a=bcd bare-token", "*** ***"),
        ] {
            assert_eq!(redacted(&secrets, text), expected);
        }
    }

    /// Each character as it is, or as JSON may spell it.
    fn in_json(text: &str, manner: u64) -> String {
        text.chars()
            .zip(0..)
            .map(|(c, at)| match manner >> (at % 32 * 2) & 3 {
                0 => format!("\\u{:04x}", u32::from(c)),
                1 => format!("\\u{:04X}", u32::from(c)),
                _ if "\"\\".contains(c) => format!("\\{c}"),
                _ => c.to_string(),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn no_secret_is_left(
            list in vec("[a-c]{1,4}", 1..4),
            text in "[a-d ]{0,40}",
            cut in any::<bool>(),
        ) {
            let mut secrets = Secrets::default();
            list.iter().for_each(|secret| secrets.add(secret));
            let left = String::from_utf8(secrets.redact(text.as_bytes(), cut)).unwrap();
            prop_assert!(list.iter().all(|secret| !left.contains(secret)), "{}", left);
        }

        #[test]
        fn no_spelling_of_a_secret_is_left(
            secret in "[a-c<&é\"\\\\]{4,9}", before in "[xyz ]{0,9}", after in "[xyz ]{0,9}", manner in any::<u64>(),
        ) {
            let mut secrets = Secrets::default();
            secrets.add_header(&Header::new("X-Key", &secret).unwrap());
            let text = format!("{before}{}{after}", in_json(&secret, manner));
            prop_assert_eq!(redacted(&secrets, &text), format!("{before}***{after}"));
        }
    }
}
