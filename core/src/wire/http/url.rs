//! Where to send, read once from the configuration.

use std::{error::Error, fmt, net::Ipv6Addr, str::FromStr};

use http::{Uri, uri::Authority};

/// An `http` or `https` URL that can be sent as it stands.
///
/// `Display` and `Debug` leave out the query: it may hold a token.
///
/// ```
/// use barewire::wire::http::Url;
///
/// let url: Url = "http://[::1]:4318/otel/?token=secret".parse()?;
/// assert_eq!((url.host(), url.port(), url.authority()), ("::1", 4318, "[::1]:4318"));
/// assert_eq!(url.join_path("/v1/metrics").target(), "/otel/v1/metrics?token=secret");
/// assert_eq!(url.to_string(), "http://[::1]:4318/otel/?…");
/// # Ok::<(), barewire::wire::http::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    scheme: Scheme,
    host: String,
    port: u16,
    authority: String,
    target: String,
}

/// How a URL is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Url {
    /// Reads a URL; a fragment is dropped. The same as [`FromStr`].
    ///
    /// # Errors
    /// [`UrlError`] says what is wrong and what to do, and does not repeat the URL.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        check_characters(text)?;
        let text = text.split_once('#').map_or(text, |(url, _fragment)| url);
        let scheme = parse_scheme(text)?;
        let uri: Uri = text.parse().map_err(|_| UrlError::Malformed)?;
        let authority = uri.authority().ok_or(UrlError::Host)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::Credentials);
        }
        let host = parse_host(authority.host())?;
        let port = parse_port(authority)?;
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port: port.unwrap_or(scheme.default_port()),
            authority: match port.filter(|&port| port != scheme.default_port()) {
                Some(port) => format!("{}:{port}", authority.host()),
                None => authority.host().to_owned(),
            },
            target: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }

    /// A text that was refused, as far as an error may repeat it: in quotes, without the query, and not at all where
    /// it may hold credentials.
    ///
    /// ```
    /// use barewire::wire::http::Url;
    ///
    /// assert_eq!(Url::redact("ftp://h/a?token=secret"), "'ftp://h/a'");
    /// assert_eq!(Url::redact("http://me:secret@h/"), "(not shown)");
    /// ```
    pub fn redact(text: &str) -> String {
        if text.contains('@') {
            return "(not shown)".to_owned();
        }
        format!("'{}'", text.split('?').next().unwrap_or_default().escape_debug())
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host without brackets, as a socket address wants it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 80 or 443 when the URL names none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What belongs into the `Host` header: the brackets kept, the default port left out.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query as they are sent; begins with `/`.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The URL with `suffix`, which begins with `/`, behind its path. No slash is doubled, and a query stays.
    pub fn join_path(&self, suffix: &str) -> Url {
        debug_assert!(suffix.starts_with('/'));
        let (path, query) = split_query(&self.target);
        let target = format!("{}{suffix}{query}", path.trim_end_matches('/'));
        Url { target, ..self.clone() }
    }

    /// The URL without `suffix`, which begins with `/`, at the end of its path; `None` if its path ends otherwise. Slashes
    /// behind the path do not count, and a query stays.
    pub fn strip_path(&self, suffix: &str) -> Option<Url> {
        let (path, query) = split_query(&self.target);
        let rest = path.trim_end_matches('/').strip_suffix(suffix)?;
        let slash = if rest.is_empty() { "/" } else { "" };
        Some(Url { target: format!("{rest}{slash}{query}"), ..self.clone() })
    }
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let (path, query) = split_query(&self.target);
        write!(f, "{scheme}://{}{path}{}", self.authority, if query.is_empty() { "" } else { "?…" })
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The path, and the query with its question mark.
fn split_query(target: &str) -> (&str, &str) {
    target.split_at(target.find('?').unwrap_or(target.len()))
}

fn check_characters(text: &str) -> Result<(), UrlError> {
    match text.char_indices().find(|(_, c)| !c.is_ascii_graphic()) {
        Some((at, character)) => Err(UrlError::Character { character, at }),
        None => Ok(()),
    }
}

fn parse_scheme(text: &str) -> Result<Scheme, UrlError> {
    let (scheme, _) = text.split_once("://").ok_or(UrlError::Scheme)?;
    match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => Ok(Scheme::Http),
        _ if scheme.eq_ignore_ascii_case("https") => Ok(Scheme::Https),
        _ => Err(UrlError::Scheme),
    }
}

/// A name, an IPv4 address, or an IPv6 address without its brackets.
fn parse_host(host: &str) -> Result<&str, UrlError> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) if address.parse::<Ipv6Addr>().is_ok() => Ok(address),
        None if !host.is_empty()
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)) =>
        {
            Ok(host)
        }
        _ => Err(UrlError::Host),
    }
}

/// `None` without a port, and with an empty one.
fn parse_port(authority: &Authority) -> Result<Option<u16>, UrlError> {
    let digits = authority.as_str()[authority.host().len()..].trim_start_matches(':');
    match digits.parse() {
        _ if digits.is_empty() => Ok(None),
        Ok(0) | Err(_) => Err(UrlError::Port),
        Ok(port) => Ok(Some(port)),
    }
}

/// Why a URL was refused. The text never repeats the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UrlError {
    /// A blank, a control character or one beyond ASCII.
    Character {
        /// The first one.
        character: char,
        /// Its place in the text, in bytes.
        at: usize,
    },
    /// Neither `http://` nor `https://`.
    Scheme,
    /// `user:password@` before the host.
    Credentials,
    /// `user:password@` before the host of a URL that may have it, but not as it is.
    BadCredentials,
    /// No host, or one that is neither a name nor an address.
    Host,
    /// Not within 1 to 65535.
    Port,
    /// Something else.
    Malformed,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UrlError::Character { character, at } => write!(
                f,
                "the url has a character that cannot be sent ('{}' at byte {at}): percent-encode it",
                character.escape_default()
            ),
            UrlError::Scheme => f.write_str("the url has to begin with http:// or https://"),
            UrlError::Credentials => f.write_str(
                "the url has credentials in it, which would end up in logs: \
                 take them out and use a header or an option for credentials",
            ),
            UrlError::BadCredentials => f.write_str(
                "the url's credentials cannot be sent: write USER:PASSWORD, specials percent-encoded, \
                 without a colon in the user and without control characters",
            ),
            UrlError::Host => f.write_str(
                "the url has no valid host: write a name, an ipv4 address or an ipv6 address in brackets",
            ),
            UrlError::Port => f.write_str("the url's port has to be a number from 1 to 65535"),
            UrlError::Malformed => f.write_str(
                "the url is malformed: write it as http://host:port/path, specials percent-encoded",
            ),
        }
    }
}

impl Error for UrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_url_falls_into_what_the_socket_and_what_the_head_want() {
        for (text, host, port, authority, target) in [
            ("http://h", "h", 80, "h", "/"),
            ("http://h:80/", "h", 80, "h", "/"),
            ("http://h:/", "h", 80, "h", "/"),
            ("https://h:443/", "h", 443, "h", "/"),
            ("https://h:80/", "h", 80, "h:80", "/"),
            ("HTTPS://h/a", "h", 443, "h", "/a"),
            ("http://127.0.0.1:4318/v1/metrics", "127.0.0.1", 4318, "127.0.0.1:4318", "/v1/metrics"),
            ("http://[::1]:8080/a", "::1", 8080, "[::1]:8080", "/a"),
            ("http://[::1]/a", "::1", 80, "[::1]", "/a"),
            ("http://[::1]:80", "::1", 80, "[::1]", "/"),
            ("http://h?q=1", "h", 80, "h", "/?q=1"),
            ("http://h/a?q=http://x:y@z/#frag?ment", "h", 80, "h", "/a?q=http://x:y@z/"),
            ("http://h#f", "h", 80, "h", "/"),
            ("http://h/%20%C3%A9", "h", 80, "h", "/%20%C3%A9"),
            ("http://h//a//", "h", 80, "h", "//a//"),
            ("http://a-b.c_d.example.:1", "a-b.c_d.example.", 1, "a-b.c_d.example.:1", "/"),
        ] {
            let url = url(text);
            assert_eq!(
                (url.host(), url.port(), url.authority(), url.target()),
                (host, port, authority, target),
                "{text}"
            );
        }
        assert_eq!((url("http://h").scheme(), url("https://h").scheme()), (Scheme::Http, Scheme::Https));
    }

    #[test]
    fn a_path_is_appended_without_doubling_the_slash() {
        for (base, expected) in [
            ("http://h", "/v1/metrics"),
            ("http://h/", "/v1/metrics"),
            ("http://h/api/otel/", "/api/otel/v1/metrics"),
            ("http://h/api/otel", "/api/otel/v1/metrics"),
            ("http://h/a//", "/a/v1/metrics"),
            ("http://h?key=1/", "/v1/metrics?key=1/"),
            ("http://h/a/?key=1", "/a/v1/metrics?key=1"),
        ] {
            assert_eq!(url(base).join_path("/v1/metrics").target(), expected, "{base}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_sent_is_refused() {
        let character = |character, at| UrlError::Character { character, at };
        for (text, expected) in [
            ("http://h/a b", character(' ', 10)),
            ("http://h/\r\nX: y", character('\r', 9)),
            ("http://h/\t", character('\t', 9)),
            ("http://h/\u{7f}", character('\u{7f}', 9)),
            ("http://hé/", character('é', 8)),
            (" http://h/", character(' ', 0)),
            ("", UrlError::Scheme),
            ("localhost:4318", UrlError::Scheme),
            ("ftp://h/", UrlError::Scheme),
            ("http:/h", UrlError::Scheme),
            ("http://user:secret@h/", UrlError::Credentials),
            ("http://user@h/", UrlError::Credentials),
            ("http://@h/", UrlError::Credentials),
            ("http://:80/", UrlError::Host),
            ("http://[::1%25eth0]/", UrlError::Host),
            ("http://[v1.a]/", UrlError::Host),
            ("http://a*b/", UrlError::Host),
            ("http://h:0/", UrlError::Port),
            ("http://h:65536/", UrlError::Port),
            ("http:///path", UrlError::Malformed),
            ("http://h/a\\b<", UrlError::Malformed),
        ] {
            assert_eq!(Url::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do_and_repeats_no_secret() {
        for (text, expected) in [
            (
                "http://h/a b",
                "the url has a character that cannot be sent (' ' at byte 10): percent-encode it",
            ),
            ("h", "the url has to begin with http:// or https://"),
            (
                "http://user:secret@h/",
                "the url has credentials in it, which would end up in logs: \
                 take them out and use a header or an option for credentials",
            ),
            (
                "http://[1]/",
                "the url has no valid host: write a name, an ipv4 address or an ipv6 address in brackets",
            ),
            ("http://h:99999", "the url's port has to be a number from 1 to 65535"),
            ("http://", "the url is malformed: write it as http://host:port/path, specials percent-encoded"),
        ] {
            assert_eq!(Url::parse(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn neither_display_nor_debug_shows_the_query() {
        let url = url("http://h:81/write?u=me&p=secret");
        assert_eq!(format!("{url} {url:?}"), "http://h:81/write?… http://h:81/write?…");
    }
}
