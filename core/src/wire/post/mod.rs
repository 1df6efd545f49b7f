//! One document a request: what every exporter over HTTP does alike.
//!
//! A [`Post`] speaks to one receiver. It compresses, authenticates, keeps the pause that a receiver asks for, and
//! holds all of it to one deadline. What an answer means is the exporter's to say, and so is the document.
//!
//! ```text
//!  document ──gzip──▶ Post ──▶ head ▸ body ──▶ receiver
//!                      ▲                          │ 429, 502, 503, 504 with Retry-After: a pause, then again
//!                      │                          │ 401 and another token in the file: again
//!                      └── Answer ◀───────────────┘ any other status
//! ```
//!
//! Secrets leave by the socket alone: no header value, credential or query is in `Debug`, `Display` or an error, and
//! where a receiver repeats one, its message has `***` in that place.

mod auth;
mod base64;
mod message;
mod pause;
mod secrets;

use std::{borrow::Cow, fmt, time::Instant};

pub use self::auth::{Auth, MAX_SECRET_BYTES, Secret, read_url};
#[cfg(fuzzing)]
pub use self::secrets::redacted;
use self::{
    pause::{Pause, is_retryable},
    secrets::Secrets,
};
#[cfg(feature = "tls")]
use super::net::Tls;
#[cfg(feature = "gzip")]
use super::{
    gzip::{self, Gzip},
    net::MAX_BODY_BYTES,
};
use super::{
    http::{Header, Url, push_request_head},
    net::{Client, NetError, NetErrorKind, Notes, OnStale},
};
use crate::{Error, ExportError};

/// How much of what a receiver says is repeated, in characters.
pub const MAX_MESSAGE_CHARS: usize = 200;

const USER_AGENT: &str = concat!("barewire/", env!("CARGO_PKG_VERSION"));
const AUTHORIZATION: &str = "Authorization";
/// How much of what a receiver says is looked at: characters of four bytes, and blanks before the first.
const MAX_LOOKED_AT_BYTES: usize = 8 * MAX_MESSAGE_CHARS;
/// How much of a body is searched for the sentence in it.
const MAX_SEARCHED_BYTES: usize = 64 * 1024;

/// A receiver that is posted to, one document a request, over one connection that is kept.
///
/// ```no_run
/// use barewire::{ExportError, wire::{net::{DEADLINE, OnStale}, post::{Auth, Post, read_url}}};
/// use std::time::Instant;
///
/// let (url, credentials) = read_url("http://me:secret@127.0.0.1:8086/write?db=load")?;
/// let mut post = Post::new("influx", url, "text/plain; charset=utf-8")?;
/// if let Some(auth) = credentials {
///     post.set_auth(auth)?;
/// }
/// let answer = post.send(b"hits count=1i\n", OnStale::Fail, Instant::now() + DEADLINE)?;
/// if !answer.is_success() {
///     return Err(answer.refusal().into());
/// }
/// println!("{} bytes were taken", answer.bytes);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Post {
    exporter: &'static str,
    client: Client,
    request: Request,
    head: Vec<u8>,
    #[cfg(feature = "gzip")]
    gzip: Option<Gzip>,
    /// The last answer's body, where it came packed.
    unpacked: Vec<u8>,
    pause: Pause,
}

/// What is the same in every request, secrets among it.
struct Request {
    url: Url,
    headers: Vec<Header>,
    auth: Option<Auth>,
}

/// What a receiver answered in the end, of whatever status.
pub struct Answer<'p> {
    /// 200 to 999.
    pub status: u16,
    /// What the request had, head and body: what was handed to the transport, and what left compressed.
    pub bytes: u64,
    /// Unpacked, where it came in gzip. It may repeat a secret: what is shown of it goes through [`Answer::line`].
    pub body: &'p [u8],
    notes: &'p Notes,
    /// Why the body cannot be read.
    unreadable: Option<String>,
    request: &'p Request,
}

impl Post {
    /// Posts documents of the type `content_type` to `url`. Errors begin with the name of the `exporter`, such as
    /// `otlp`. Nothing is connected before the first request.
    ///
    /// # Errors
    /// A URL of a scheme that is not supported.
    ///
    /// # Panics
    /// If `content_type` has a control character.
    pub fn new(exporter: &'static str, url: Url, content_type: &str) -> Result<Self, Error> {
        let header = |name, value| Header::new(name, value).expect("a header that can be sent");
        let client =
            Client::new(&url).map_err(|error| Error::Config(format!("{exporter} destination: {error}")))?;
        let headers = vec![
            header("Content-Type", content_type),
            header("User-Agent", USER_AGENT),
            header("Accept-Encoding", "identity"),
        ];
        Ok(Post {
            exporter,
            client,
            request: Request { url, headers, auth: None },
            head: Vec::new(),
            #[cfg(feature = "gzip")]
            gzip: None,
            unpacked: Vec::new(),
            pause: Pause::default(),
        })
    }

    /// Sends the header `name: value` with every request, in place of one of the same name.
    ///
    /// # Errors
    /// A header that cannot be sent as it stands, one that says what the body is, and `Authorization` beside an
    /// [`Auth`].
    pub fn set_header(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let header = Header::new(name, value).map_err(|error| self.refused(error))?;
        if ["content-type", "content-encoding"].iter().any(|own| name.eq_ignore_ascii_case(own)) {
            return Err(self.refused(format_args!("header '{name}' is set by the exporter: leave it out")));
        }
        if self.request.auth.is_some() && name.eq_ignore_ascii_case(AUTHORIZATION) {
            return Err(self.authorized_twice());
        }
        self.request.set(header);
        Ok(())
    }

    /// Sends `auth` with every request.
    ///
    /// # Errors
    /// There is one already, or a header `Authorization`.
    pub fn set_auth(&mut self, auth: Auth) -> Result<(), Error> {
        if self.request.headers.iter().any(|header| header.name().eq_ignore_ascii_case(AUTHORIZATION)) {
            return Err(self.authorized_twice());
        }
        self.request.set(auth.header());
        self.request.auth = Some(auth);
        Ok(())
    }

    /// Compresses every document.
    #[cfg(feature = "gzip")]
    pub fn set_gzip(&mut self) {
        if self.gzip.is_none() {
            self.gzip = Some(Gzip::new());
            self.request.set(Header::new("Content-Encoding", "gzip").expect("a constant header"));
        }
    }

    /// Speaks TLS in this way. It has no meaning for a URL of `http`.
    #[cfg(feature = "tls")]
    pub fn set_tls(&mut self, tls: &Tls) {
        self.client.set_tls(tls);
    }

    /// Where documents go.
    pub fn url(&self) -> &Url {
        &self.request.url
    }

    /// Sends `document`, and once more after a pause that the receiver asks for if it ends before `deadline`, or with
    /// a token that has changed in its file.
    ///
    /// # Errors
    /// There was no answer in time, or none that could be read; or the receiver asked for a pause that is not over,
    /// and nothing was sent.
    pub fn send(
        &mut self,
        document: &[u8],
        on_stale: OnStale,
        deadline: Instant,
    ) -> Result<Answer<'_>, ExportError> {
        self.exchange(None, document, on_stale, deadline)
    }

    /// As [`Post::send`], to another `url` of the same receiver: over the same connection, with the same pause.
    ///
    /// # Errors
    /// As for [`Post::send`].
    pub fn send_to(
        &mut self,
        url: &Url,
        document: &[u8],
        on_stale: OnStale,
        deadline: Instant,
    ) -> Result<Answer<'_>, ExportError> {
        debug_assert_eq!(url.authority(), self.request.url.authority());
        self.exchange(Some(url), document, on_stale, deadline)
    }

    fn exchange(
        &mut self,
        url: Option<&Url>,
        document: &[u8],
        on_stale: OnStale,
        deadline: Instant,
    ) -> Result<Answer<'_>, ExportError> {
        #[cfg(feature = "gzip")]
        let document = self.gzip.as_mut().map_or(document, |gzip| gzip.pack(document));
        self.request.renew();
        let mut last = None;
        while self.pause.wait_before(deadline) {
            let length = document.len() as u64;
            self.request.head_into(url.unwrap_or(&self.request.url), length, &mut self.head);
            let response = self.client.send(&self.head, document, on_stale, deadline).map_err(failed)?;
            let (status, retry_after) = (response.status, response.retry_after);
            last = Some((status, self.head.len() as u64 + length));
            match retry_after.filter(|_| is_retryable(status)) {
                Some(pause) => self.pause.begin(pause, Instant::now()),
                None if status == 401 && self.request.reread() => {}
                None => break,
            }
        }
        let (status, bytes) = last.ok_or(ExportError::Throttled)?;
        let (body, unreadable): (&[u8], _) = match self.unpack() {
            Ok(false) => (self.client.last_body(), None),
            Ok(true) => (&self.unpacked, None),
            Err(why) => (&[], Some(why)),
        };
        Ok(Answer {
            status,
            bytes,
            body,
            notes: self.client.last_notes(),
            unreadable,
            request: &self.request,
        })
    }

    /// Unpacks the body of the last answer, and returns `true` if it came packed: `identity` was asked for, and some
    /// receivers pack nevertheless.
    fn unpack(&mut self) -> Result<bool, String> {
        self.unpacked.clear();
        let encoding = &self.client.last_notes().content_encoding;
        let is = |name: &str| encoding.eq_ignore_ascii_case(name.as_bytes());
        if self.client.last_body().is_empty() || is("") || is("identity") {
            return Ok(false);
        }
        #[cfg(feature = "gzip")]
        if is("gzip") || is("x-gzip") {
            let unpacked = gzip::unpack(self.client.last_body(), MAX_BODY_BYTES, &mut self.unpacked);
            return unpacked
                .map(|()| true)
                .map_err(|error| format!("a body in gzip that cannot be unpacked: {error}"));
        }
        Err(format!("a body packed as '{}', which was not asked for", String::from_utf8_lossy(encoding)))
    }

    fn authorized_twice(&self) -> Error {
        self.refused("the authorization is given twice, by a header, an option or the url: leave one out")
    }

    fn refused(&self, why: impl fmt::Display) -> Error {
        Error::Config(format!("{}: {why}", self.exporter))
    }
}

impl Request {
    /// Puts `header` in the place of one of the same name.
    fn set(&mut self, header: Header) {
        self.headers.retain(|known| !known.name().eq_ignore_ascii_case(header.name()));
        self.headers.push(header);
    }

    fn head_into(&self, url: &Url, length: u64, head: &mut Vec<u8>) {
        head.clear();
        push_request_head(head, "POST", url.target(), url.authority(), &self.headers, Some(length));
    }

    /// Takes over a secret whose file looks different from when it was read.
    fn renew(&mut self) {
        if self.auth.as_mut().is_some_and(Auth::renew) {
            self.authorize();
        }
    }

    /// Takes over a secret whose file says something else than when it was read, and says whether it does.
    fn reread(&mut self) -> bool {
        let is_new = self.auth.as_mut().is_some_and(Auth::reread);
        if is_new {
            self.authorize();
        }
        is_new
    }

    fn authorize(&mut self) {
        if let Some(header) = self.auth.as_ref().map(Auth::header) {
            self.set(header);
        }
    }

    fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add_query(self.url.target());
        self.headers.iter().for_each(|header| secrets.add_header(header));
        secrets
    }
}

impl Answer<'_> {
    /// Whether the receiver took the document: a status of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the same document may be taken later: a status of 429, 502, 503 or 504.
    pub fn is_retryable(&self) -> bool {
        is_retryable(self.status)
    }

    /// Returns `true` if the answer is a page for a browser: by its type or by its first tag.
    pub fn is_html(&self) -> bool {
        let typed = media_type(&self.notes.content_type);
        let is_page =
            ["text/html", "application/xhtml+xml"].iter().any(|html| typed.eq_ignore_ascii_case(html));
        !self.body.is_empty() && (is_page || message::is_html(&self.searched().0))
    }

    /// Why the body cannot be read: it is packed in a way that was not asked for and is not understood.
    pub fn unreadable(&self) -> Option<String> {
        self.unreadable.as_deref().map(|why| self.line(why))
    }

    /// The receiver's own sentence, in one line that may be shown: `X-Influxdb-Error`, a message in JSON, the title of
    /// an HTML page, or the first line of the body.
    pub fn said(&self) -> String {
        if let Some(why) = self.unreadable() {
            return why;
        }
        match self.notes.influxdb_error.trim_ascii() {
            [] => {
                let (searched, is_cut) = self.searched();
                // Secrets are looked for in the sentence, because JSON has spellings of its own.
                self.line_of(message::sentence(&searched, self.is_html()).as_bytes(), is_cut)
            }
            error => self.line_of(error, false),
        }
    }

    /// What may be shown of a text of the receiver's: its first line, at most [`MAX_MESSAGE_CHARS`] of it, without
    /// control characters, and with `***` in the place of secrets.
    pub fn line(&self, text: &str) -> String {
        self.line_of(text.as_bytes(), false)
    }

    /// That the document was not taken, and what the answer says about it.
    pub fn refusal(&self) -> ExportError {
        self.refusal_in(self.elsewhere().unwrap_or_else(|| self.said()))
    }

    /// Where a redirection points to, which is not followed.
    fn elsewhere(&self) -> Option<String> {
        let location = String::from_utf8_lossy(self.notes.location.trim_ascii());
        let is_redirect = (300..400).contains(&self.status) && !location.is_empty();
        is_redirect.then(|| {
            let place = self.line(&Url::redact(&location));
            format!("it sends to {place}, which is not followed: give that address if it is the right one")
        })
    }

    /// As much of the body as a sentence is looked for in, and whether there is more.
    fn searched(&self) -> (Cow<'_, str>, bool) {
        let (beginning, is_cut) = beginning(self.body.trim_ascii_start(), MAX_SEARCHED_BYTES);
        (String::from_utf8_lossy(beginning), is_cut)
    }

    /// That the document was not taken, and `why`: a text of the receiver's that was found in the body.
    pub fn refusal_saying(&self, why: &str) -> ExportError {
        self.refusal_in(self.line(why))
    }

    fn refusal_in(&self, line: String) -> ExportError {
        let colon = if line.is_empty() { "" } else { ": " };
        let host = self.request.url.authority();
        ExportError::Failed(format!("{host} answered {}{colon}{line}", self.status))
    }

    /// A line of a text that may have been cut off, in the midst of a secret perhaps.
    fn line_of(&self, text: &[u8], is_cut: bool) -> String {
        let (looked_at, is_long) = beginning(text.trim_ascii_start(), MAX_LOOKED_AT_BYTES);
        let shown = self.request.secrets().redact(looked_at, is_cut || is_long);
        first_line(&String::from_utf8_lossy(&shown))
    }
}

/// Names the URL, its query left out.
impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.request.url, f)
    }
}

/// The body is the receiver's, and may repeat a secret.
impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

fn failed(error: NetError) -> ExportError {
    match &error.kind {
        NetErrorKind::TimedOut { during } => ExportError::TimedOut(format!("{} while {during}", error.peer)),
        _ => ExportError::Failed(error.to_string()),
    }
}

/// The first `limit` bytes of `text`, and whether there are more.
fn beginning(text: &[u8], limit: usize) -> (&[u8], bool) {
    text.get(..limit).map_or((text, false), |beginning| (beginning, text.len() > limit))
}

/// A media type without its parameters, such as a charset.
fn media_type(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii())
}

/// The first line of what a receiver says, as much as one cares to read.
fn first_line(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default().trim_end();
    line.chars().take(MAX_MESSAGE_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
