//! A header field that can be sent as it stands.

use std::{error::Error, fmt, str::FromStr};

/// A checked header field, kept as the line that is sent.
///
/// `Debug` shows the name only: the value may be a secret.
///
/// ```
/// use barewire::wire::http::Header;
///
/// let header: Header = "X-Api-Key: secret".parse()?;
/// assert_eq!((header.name(), header.value()), ("X-Api-Key", "secret"));
/// assert_eq!(format!("{header:?}"), "X-Api-Key: …");
/// # Ok::<(), barewire::wire::http::HeaderError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Header {
    /// `Name: value` CR LF.
    line: Box<str>,
    name_len: usize,
}

impl Header {
    /// A field of these two parts. Blanks around the value are left out.
    ///
    /// # Errors
    /// A name that is not a token (RFC 9110, section 5.6.2), a control character in the value, and the two
    /// fields that say where a message ends, `Content-Length` and `Transfer-Encoding`, which the codec writes.
    pub fn new(name: &str, value: &str) -> Result<Self, HeaderError> {
        if !is_token(name) {
            return Err(HeaderError::Name(name.escape_debug().to_string()));
        }
        if name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(HeaderError::Reserved(name.to_owned()));
        }
        let value = value.trim_matches([' ', '\t']);
        if let Some(control) = value.chars().find(|&c| c != '\t' && c.is_ascii_control()) {
            return Err(HeaderError::Value { name: name.to_owned(), control });
        }
        Ok(Self { line: format!("{name}: {value}\r\n").into(), name_len: name.len() })
    }

    /// The name as it was given.
    pub fn name(&self) -> &str {
        &self.line[..self.name_len]
    }

    /// The value without blanks around it.
    pub fn value(&self) -> &str {
        self.line[self.name_len + 2..].trim_end_matches("\r\n")
    }

    /// The field as it is sent, with its end of line.
    pub(super) fn line(&self) -> &[u8] {
        self.line.as_bytes()
    }

    /// Whether this is the field of that name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }
}

/// Reads `Name: value`, as in curl's `-H`.
impl FromStr for Header {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let (name, value) = text.split_once(':').ok_or(HeaderError::NoColon)?;
        Self::new(name, value)
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: …", self.name())
    }
}

/// Whether `text` is a token (RFC 9110, section 5.6.2), as methods and header names have to be.
pub fn is_token(text: &str) -> bool {
    let is_tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(is_tchar)
}

/// Why a header was refused. The text never repeats a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderError {
    /// There is no colon in it. The text is not repeated: it may be a secret without its name.
    NoColon,
    /// The name, its odd characters escaped, is not a token.
    Name(String),
    /// The value holds a control character.
    Value {
        /// Of the field.
        name: String,
        /// The first one.
        control: char,
    },
    /// The field of this name says where a message ends.
    Reserved(String),
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderError::NoColon => f.write_str("a header has no colon: write it as 'Name: value'"),
            HeaderError::Name(name) => write!(
                f,
                "header name '{name}' is not a token: use letters, digits and hyphens, and no blank before the colon"
            ),
            HeaderError::Value { name, control } => write!(
                f,
                "the value of header '{name}' has a control character ({}): remove it",
                control.escape_debug()
            ),
            HeaderError::Reserved(name) => {
                write!(f, "header '{name}' is set from the body itself: leave it out")
            }
        }
    }
}

impl Error for HeaderError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_curl_reads_it() {
        for (text, name, value) in [
            ("X-Api-Key: secret", "X-Api-Key", "secret"),
            ("a:b", "a", "b"),
            ("a: \t b c \t", "a", "b c"),
            ("Empty:", "Empty", ""),
            ("Authorization: Bearer a:b=", "Authorization", "Bearer a:b="),
            ("X: é\tx", "X", "é\tx"),
        ] {
            let header: Header = text.parse().unwrap();
            assert_eq!((header.name(), header.value()), (name, value));
            assert_eq!(header.line(), format!("{name}: {value}\r\n").as_bytes());
        }
    }

    #[test]
    fn a_header_that_would_change_the_message_is_refused_by_name_and_without_its_value() {
        for (text, expected) in [
            ("secret", "a header has no colon: write it as 'Name: value'"),
            (
                "X : secret",
                "header name 'X ' is not a token: use letters, digits and hyphens, and no blank before the colon",
            ),
            (
                ": secret",
                "header name '' is not a token: use letters, digits and hyphens, and no blank before the colon",
            ),
            (
                "a\r\nb: secret",
                "header name 'a\\r\\nb' is not a token: use letters, digits and hyphens, and no blank before the colon",
            ),
            ("X: secret\r\nY: z", "the value of header 'X' has a control character (\\r): remove it"),
            ("X: secret\nY", "the value of header 'X' has a control character (\\n): remove it"),
            ("X: secret\0", "the value of header 'X' has a control character (\\0): remove it"),
            ("X: \u{7f}secret", "the value of header 'X' has a control character (\\u{7f}): remove it"),
            ("X: secret\r\n", "the value of header 'X' has a control character (\\r): remove it"),
            ("content-Length: 5", "header 'content-Length' is set from the body itself: leave it out"),
            (
                "Transfer-Encoding: chunked",
                "header 'Transfer-Encoding' is set from the body itself: leave it out",
            ),
        ] {
            assert_eq!(text.parse::<Header>().unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn debug_does_not_show_the_value() {
        assert_eq!(format!("{:?}", Header::new("X-Api-Key", "secret").unwrap()), "X-Api-Key: …");
    }
}
