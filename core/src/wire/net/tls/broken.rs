//! Why TLS did not come about, in words for those who set it up.

use std::{
    error::Error,
    fmt,
    io::{self, ErrorKind},
};

use rustls::{AlertDescription, CertificateError, InvalidMessage};

pub(super) const NO_IDENTITY: &str =
    "the peer asked for a client certificate: give one, and its key (--cert and --key)";

/// TLS itself failed, and not the socket below it.
#[derive(Debug)]
struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Broken {}

/// Whether `error` is that of TLS, and not of the socket below it.
pub(in crate::wire::net) fn is_broken(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Broken>())
}

/// What went wrong on the way, where `was_asked` says whether the peer asked for a certificate and got none.
pub(super) fn explained(error: io::Error, was_asked: bool) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(cause) => broken(cause, was_asked),
        None => error,
    }
}

/// As [`explained`], of an error of TLS itself.
pub(super) fn broken(error: &rustls::Error, was_asked: bool) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, Broken(explanation(error, was_asked)))
}

fn explanation(error: &rustls::Error, was_asked: bool) -> String {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage as Invalid};
    match error {
        InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the certificate of the peer is of an issuer that is not trusted: trust it by its file (--ca)"
                .to_owned()
        }
        InvalidCertificate(why) => format!("the certificate of the peer: {why}"),
        // Which alert that is depends on the version, and on who wrote the peer.
        AlertReceived(_) if was_asked => NO_IDENTITY.to_owned(),
        AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::AccessDenied),
        ) => format!("the peer does not accept the client certificate ({alert:?})"),
        AlertReceived(alert) => format!("the peer gave up ({alert:?})"),
        Invalid(InvalidMessage::InvalidContentType) => {
            "the peer does not speak tls: is it one of http://?".to_owned()
        }
        error => error.to_string(),
    }
}
