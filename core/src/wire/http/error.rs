//! What a peer can do wrong.

use std::{error::Error, fmt};

/// How a message breaks the rules of HTTP/1.1. After any of them, the connection is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HttpError {
    /// The first line is not one of HTTP/1.0 or HTTP/1.1.
    StartLine,
    /// A header line is malformed: of a request any; of a response one that may frame the body, or that has a NUL or a
    /// carriage return in it.
    HeaderLine,
    /// A line of a request's head that ends in LF alone.
    LineEnd,
    /// More than [`MAX_HEADERS`](super::MAX_HEADERS) header fields.
    TooManyHeaders,
    /// The head does not end within its limit.
    HeadTooLong,
    /// An HTTP/1.1 request without exactly one `Host`.
    Host,
    /// A `Content-Length` that is no number, or several that differ.
    ContentLength,
    /// A `Transfer-Encoding` in a request that is anything else than `chunked`, or that HTTP/1.0 cannot have.
    TransferEncoding,
    /// A request with both `Transfer-Encoding` and `Content-Length`.
    AmbiguousLength,
    /// `101 Switching Protocols`, which nobody asked for.
    SwitchingProtocols,
    /// Interim (1xx) responses beyond their limit.
    TooManyInterim,
    /// A chunk whose size line is malformed, or whose size is beyond 64 bits.
    ChunkSize,
    /// A chunk whose size line, with its extensions, is beyond its limit.
    ChunkLineTooLong,
    /// A chunk that does not end where its size says.
    ChunkEnd,
    /// Malformed trailers behind the last chunk.
    Trailers,
    /// Trailers beyond their limit.
    TrailersTooLong,
    /// The connection was closed in the middle of the message.
    Truncated,
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HttpError::StartLine => "the first line is not one of http/1.1",
            HttpError::HeaderLine => "malformed header line",
            HttpError::LineEnd => "a line ends without a carriage return",
            HttpError::TooManyHeaders => "too many headers",
            HttpError::HeadTooLong => "the head is too long",
            HttpError::Host => "host header missing or repeated",
            HttpError::ContentLength => "content-length is not a number, or given twice and different",
            HttpError::TransferEncoding => "unsupported transfer-encoding",
            HttpError::AmbiguousLength => "both transfer-encoding and content-length",
            HttpError::SwitchingProtocols => "unexpected switch of protocols (101)",
            HttpError::TooManyInterim => "too many interim (1xx) responses",
            HttpError::ChunkSize => "malformed chunk size",
            HttpError::ChunkLineTooLong => "the line of a chunk size is too long",
            HttpError::ChunkEnd => "a chunk does not end where its size says",
            HttpError::Trailers => "malformed trailers",
            HttpError::TrailersTooLong => "the trailers are too long",
            HttpError::Truncated => "closed in the middle of a message",
        })
    }
}

impl Error for HttpError {}

impl From<httparse::Error> for HttpError {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::HeaderName | httparse::Error::HeaderValue => HttpError::HeaderLine,
            httparse::Error::TooManyHeaders => HttpError::TooManyHeaders,
            httparse::Error::NewLine
            | httparse::Error::Status
            | httparse::Error::Token
            | httparse::Error::Version => HttpError::StartLine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_in_lower_case_what_is_wrong() {
        #[rustfmt::skip]
        let cases = [
            (HttpError::StartLine, "the first line is not one of http/1.1"),
            (HttpError::HeaderLine, "malformed header line"),
            (HttpError::TooManyHeaders, "too many headers"),
            (HttpError::HeadTooLong, "the head is too long"),
            (HttpError::Host, "host header missing or repeated"),
            (HttpError::ContentLength, "content-length is not a number, or given twice and different"),
            (HttpError::TransferEncoding, "unsupported transfer-encoding"),
            (HttpError::AmbiguousLength, "both transfer-encoding and content-length"),
            (HttpError::SwitchingProtocols, "unexpected switch of protocols (101)"),
            (HttpError::TooManyInterim, "too many interim (1xx) responses"),
            (HttpError::ChunkSize, "malformed chunk size"),
            (HttpError::ChunkLineTooLong, "the line of a chunk size is too long"),
            (HttpError::ChunkEnd, "a chunk does not end where its size says"),
            (HttpError::Trailers, "malformed trailers"),
            (HttpError::TrailersTooLong, "the trailers are too long"),
            (HttpError::Truncated, "closed in the middle of a message"),
        ];
        for (error, text) in cases {
            assert_eq!(error.to_string(), text);
        }
    }
}
