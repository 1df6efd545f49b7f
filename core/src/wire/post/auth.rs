//! Who asks: credentials, and where they are kept.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{AUTHORIZATION, base64::push_base64};
use crate::{
    Error,
    wire::{
        file,
        http::{Header, Url, UrlError},
    },
};

/// The longest secret that is read from a file.
pub const MAX_SECRET_BYTES: usize = 16 * 1024;

/// The field `Authorization` of every request, from a secret that may be rotated in its file.
///
/// `Debug` shows the scheme only.
///
/// ```
/// use barewire::wire::post::Auth;
///
/// let auth = Auth::basic("me", "secret")?;
/// assert_eq!(format!("{auth:?}"), "Auth(Basic …)");
/// # Ok::<(), barewire::Error>(())
/// ```
#[derive(Clone)]
pub struct Auth {
    scheme: Scheme,
    secret: Secret,
}

#[derive(Clone)]
enum Scheme {
    Basic { user: String },
    Bearer,
    Token,
}

/// A password or a token, never empty and without control characters, given as it is or kept in a file.
///
/// `Debug` does not show it.
///
/// ```no_run
/// use barewire::wire::post::{Auth, Secret};
///
/// let auth = Auth::bearer(Secret::file("/run/secrets/token")?)?;
/// # Ok::<(), barewire::Error>(())
/// ```
#[derive(Clone)]
pub struct Secret {
    text: String,
    file: Option<File>,
}

/// Where a secret is kept, and how that looked when it was read.
#[derive(Clone)]
struct File {
    path: PathBuf,
    stamp: Option<Stamp>,
}

/// What tells one state of a file from another, as a rule: its length, and when it was written.
type Stamp = (u64, Option<SystemTime>);

impl Auth {
    /// `Basic` (RFC 7617): a user, who may be nobody, and a password.
    ///
    /// # Errors
    /// A user with a colon or a control character. A password given as it is may be empty, and only that.
    pub fn basic(user: &str, password: impl Into<Secret>) -> Result<Self, Error> {
        if user.contains(|c: char| c == ':' || c.is_control()) {
            return Err(refused("a user", "has a colon or a control character, which Basic cannot carry"));
        }
        let password = password.into();
        match check(&password.text) {
            Ok(()) | Err("is empty") => {}
            Err(why) => return Err(refused("the password", why)),
        }
        Ok(Auth { scheme: Scheme::Basic { user: user.to_owned() }, secret: password })
    }

    /// `Bearer` (RFC 6750).
    ///
    /// # Errors
    /// A token that is empty or has a control character.
    pub fn bearer(token: impl Into<Secret>) -> Result<Self, Error> {
        Self::of(Scheme::Bearer, token.into())
    }

    /// `Token`, as InfluxDB 2 calls it.
    ///
    /// # Errors
    /// As for [`Auth::bearer`].
    pub fn token(token: impl Into<Secret>) -> Result<Self, Error> {
        Self::of(Scheme::Token, token.into())
    }

    fn of(scheme: Scheme, secret: Secret) -> Result<Self, Error> {
        check(&secret.text).map_err(|why| refused("the token", why))?;
        Ok(Auth { scheme, secret })
    }

    /// The field, as it is sent.
    pub(super) fn header(&self) -> Header {
        let mut value = format!("{} ", self.scheme.name());
        match &self.scheme {
            Scheme::Basic { user } => {
                push_base64(&mut value, format!("{user}:{}", self.secret.text).as_bytes());
            }
            Scheme::Bearer | Scheme::Token => value.push_str(&self.secret.text),
        }
        Header::new(AUTHORIZATION, &value).expect("a secret without control characters")
    }

    /// Reads the file of the secret again if it looks different, and says whether it says something else. What
    /// cannot be read, as a file that is just being written, leaves the secret as it is.
    pub(super) fn renew(&mut self) -> bool {
        let file = self.secret.file.as_ref();
        file.is_some_and(|file| file.stamp != stamp(&file.path)) && self.reread()
    }

    /// As if the file had been looked at.
    #[cfg(test)]
    pub(super) fn pretend_to_have_looked(&mut self) {
        let file = self.secret.file.as_mut().expect("a file");
        file.stamp = stamp(&file.path);
    }

    /// Reads the file of the secret again, however it looks.
    pub(super) fn reread(&mut self) -> bool {
        let Some(path) = self.secret.file.as_ref().map(|file| &file.path) else { return false };
        match Secret::file(path) {
            Ok(secret) => {
                let is_new = secret.text != self.secret.text;
                self.secret = secret;
                is_new
            }
            Err(_) => false,
        }
    }
}

impl Scheme {
    fn name(&self) -> &'static str {
        match self {
            Scheme::Basic { .. } => "Basic",
            Scheme::Bearer => "Bearer",
            Scheme::Token => "Token",
        }
    }
}

impl Secret {
    /// What the file at `path` says, without the newline at its end. It is read now, whenever it has changed, and when
    /// a receiver answers 401.
    ///
    /// # Errors
    /// A file that cannot be read, or is none but a folder, a pipe or a device, is empty, is longer than [`MAX_SECRET_BYTES`], is not UTF-8, or has a control
    /// character. The text names the file, and repeats nothing of it.
    pub fn file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        // Before it is read: what is written meanwhile looks new the next time.
        let stamp = stamp(path);
        let text = read(path).map_err(|why| refused(format_args!("the file '{}'", path.display()), why))?;
        Ok(Secret { text, file: Some(File { path: path.to_owned(), stamp }) })
    }

    /// The secret itself: for a place that keeps it, such as a header.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret { text, file: None }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Auth({} …)", self.scheme.name())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "Secret(in '{}')", file.path.display()),
            None => f.write_str("Secret(…)"),
        }
    }
}

/// Reads a URL that may have credentials in it, `http://user:password@host/`, as most clients understand them: they
/// become [`Auth::basic`], and are no part of the URL.
///
/// ```
/// use barewire::wire::post::read_url;
///
/// let (url, auth) = read_url("http://me:s%40cret@h:8086/write")?;
/// assert_eq!(url.to_string(), "http://h:8086/write");
/// assert!(auth.is_some());
/// # Ok::<(), barewire::wire::http::UrlError>(())
/// ```
///
/// # Errors
/// A URL that cannot be sent as it stands, and credentials that are no text once the percent-encoding is undone.
pub fn read_url(text: &str) -> Result<(Url, Option<Auth>), UrlError> {
    match Url::parse(text) {
        Err(UrlError::Credentials) => {}
        read => return Ok((read?, None)),
    }
    let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
    let authority_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (credentials, _host) = rest[..authority_ends].rsplit_once('@').ok_or(UrlError::Malformed)?;
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let decoded = |text| from_percent(text).ok_or(UrlError::BadCredentials);
    let auth = Auth::basic(&decoded(user)?, decoded(password)?).map_err(|_| UrlError::BadCredentials)?;
    let url = Url::parse(&format!("{scheme}://{}", &rest[credentials.len() + 1..]))?;
    Ok((url, Some(auth)))
}

/// The text that `text` spells with `%` and two hexadecimal digits for a byte (RFC 3986, section 2.1), if it does.
pub(super) fn from_percent(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        if byte == b'%' {
            let digit = |at: usize| char::from(*behind.get(at)?).to_digit(16);
            bytes.push(u8::try_from(digit(0)? << 4 | digit(1)?).ok()?);
            rest = &behind[2..];
        } else {
            bytes.push(byte);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

fn read(path: &Path) -> Result<String, String> {
    let mut text = String::from_utf8(file::read(path, MAX_SECRET_BYTES)?).map_err(|_| "is not utf-8")?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    check(&text)?;
    Ok(text)
}

fn check(secret: &str) -> Result<(), &'static str> {
    match secret {
        "" => Err("is empty"),
        _ if secret.contains(char::is_control) => Err("has a control character in it"),
        _ => Ok(()),
    }
}

fn refused(what: impl fmt::Display, why: impl fmt::Display) -> Error {
    Error::Config(format!("{what} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(auth: &Auth) -> String {
        format!("{}: {}", auth.header().name(), auth.header().value())
    }

    /// A file of its own in the directory of the tests, gone when the test is over.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, text: impl AsRef<[u8]>) -> Self {
            let path = std::env::temp_dir().join(format!("barewire-{name}-{}", std::process::id()));
            fs::write(&path, text).unwrap();
            Scratch(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            drop(fs::remove_file(&self.0));
        }
    }

    #[test]
    fn each_scheme_is_spelled_as_its_receivers_read_it() {
        for (auth, expected) in [
            // The example of RFC 7617.
            (Auth::basic("Aladdin", "open sesame"), "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            (Auth::basic("test", "123£"), "Authorization: Basic dGVzdDoxMjPCow=="),
            (Auth::basic("", ""), "Authorization: Basic Og=="),
            (Auth::bearer("a.b-c=="), "Authorization: Bearer a.b-c=="),
            (Auth::token("t"), "Authorization: Token t"),
        ] {
            assert_eq!(header(&auth.unwrap()), expected);
        }
    }

    #[test]
    fn credentials_that_cannot_be_sent_are_refused_without_being_repeated() {
        let colon = "a user has a colon or a control character, which Basic cannot carry";
        for (auth, expected) in [
            (Auth::basic("me:secret", "x"), colon),
            (Auth::basic("me\n", "x"), colon),
            (Auth::basic("me", "secret\n"), "the password has a control character in it"),
            (Auth::bearer(""), "the token is empty"),
            (Auth::bearer("secret\r\nX: y"), "the token has a control character in it"),
            (Auth::token("secret\u{85}"), "the token has a control character in it"),
        ] {
            assert_eq!(auth.unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let file = Scratch::new("debug", "hunter2");
        for (secret, expected) in [
            (Secret::from("hunter2"), "Secret(…)".to_owned()),
            (Secret::file(&file.0).unwrap(), format!("Secret(in '{}')", file.0.display())),
        ] {
            assert_eq!(format!("{secret:?}"), expected);
            assert_eq!(format!("{:?}", Auth::basic("me", secret)), "Ok(Auth(Basic …))");
        }
    }

    #[test]
    fn a_file_is_a_secret_without_the_newline_at_its_end() {
        for (text, expected) in [("a", "a"), ("a b\n", "a b"), ("a\r\n\n", "a"), ("é", "é")] {
            assert_eq!(Secret::file(&Scratch::new("newline", text).0).unwrap().expose(), expected);
        }
        let longest = "x".repeat(MAX_SECRET_BYTES);
        assert_eq!(Secret::file(&Scratch::new("longest", &longest).0).unwrap().expose(), longest);
    }

    #[test]
    fn a_file_that_is_no_secret_is_refused_by_name() {
        for (text, expected) in [
            (b"".to_vec(), "is empty"),
            (b"\n".to_vec(), "is empty"),
            (b"hunter2\nX: y\n".to_vec(), "has a control character in it"),
            (b"hunter2\0".to_vec(), "has a control character in it"),
            (b"hunter2\xff".to_vec(), "is not utf-8"),
            (vec![b'x'; MAX_SECRET_BYTES + 1], "is longer than 16384 bytes"),
        ] {
            let file = Scratch::new("refused", text);
            let error = Secret::file(&file.0).unwrap_err().to_string();
            assert_eq!(error, format!("the file '{}' {expected}", file.0.display()));
        }
        let error = Secret::file("/nowhere/token").unwrap_err().to_string();
        assert!(error.starts_with("the file '/nowhere/token' cannot be read: "), "{error}");
    }

    #[test]
    fn a_secret_that_has_changed_in_its_file_is_taken_over_and_one_that_is_spoilt_is_not() {
        let file = Scratch::new("rotated", "old\n");
        let mut auth = Auth::bearer(Secret::file(&file.0).unwrap()).unwrap();
        assert!(!auth.renew() && !auth.reread());
        fs::write(&file.0, "newer\n").unwrap();
        assert!(auth.renew());
        assert_eq!(header(&auth), "Authorization: Bearer newer");
        for spoilt in ["", "newer\nstill"] {
            fs::write(&file.0, spoilt).unwrap();
            assert!(!auth.renew() && !auth.reread());
        }
        fs::remove_file(&file.0).unwrap();
        assert!(!auth.renew() && !auth.reread());
        assert_eq!(header(&auth), "Authorization: Bearer newer");
        // As long as the one before, and perhaps within the same tick of the file system's clock.
        fs::write(&file.0, "other\n").unwrap();
        assert!(auth.renew() || auth.reread());
        assert_eq!(header(&auth), "Authorization: Bearer other");
    }

    #[test]
    fn credentials_of_a_url_are_decoded_and_no_part_of_it() {
        for (text, url, expected) in [
            ("http://h/a@b", "http://h/a@b", None),
            (
                "http://Aladdin:open%20sesame@h:8086/a",
                "http://h:8086/a",
                Some("QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ),
            ("https://me@[::1]/", "https://[::1]/", Some("bWU6")),
            ("http://:pw@h?a=b@c", "http://h/?…", Some("OnB3")),
            ("http://a:b%3A%40c:d@h/", "http://h/", Some("YTpiOkBjOmQ=")),
        ] {
            let (read, auth) = read_url(text).unwrap();
            assert_eq!((read.to_string().as_str(), read.host().contains('@')), (url, false));
            let expected = expected.map(|pair| format!("Authorization: Basic {pair}"));
            assert_eq!(auth.as_ref().map(header), expected, "{text}");
        }
    }

    #[test]
    fn credentials_of_a_url_that_are_no_text_are_refused() {
        for (text, expected) in [
            ("http://a:%@h/", UrlError::BadCredentials),
            ("http://a:%4@h/", UrlError::BadCredentials),
            ("http://a:%zz@h/", UrlError::BadCredentials),
            ("http://a:%+1@h/", UrlError::BadCredentials),
            ("http://a:%ff@h/", UrlError::BadCredentials),
            ("http://a:%0a@h/", UrlError::BadCredentials),
            ("http://a%3Ab:c@h/", UrlError::BadCredentials),
            ("http://a:b@:80/", UrlError::Host),
            ("http://a:b@h:0/", UrlError::Port),
            ("ftp://a:b@h/", UrlError::Scheme),
        ] {
            assert_eq!(read_url(text).unwrap_err(), expected, "{text}");
        }
    }
}
