//! Why TLS did not come about, in words for those who set it up.

use std::{
    error::Error,
    fmt,
    io::{self, ErrorKind},
};

use rustls::{AlertDescription, CertificateError, InvalidMessage, OtherError, PeerIncompatible};

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
    if let Some(cause) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return broken(cause, was_asked);
    }
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            io::Error::new(ErrorKind::InvalidData, Broken(hung_up(was_asked)))
        }
        _ => error,
    }
}

/// As [`explained`], of an error of TLS itself.
pub(super) fn broken(error: &rustls::Error, was_asked: bool) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, Broken(explanation(error, was_asked)))
}

/// Whether a certificate was refused because it is that of an authority: the library has no word of its own for it.
pub(super) fn is_of_authority(why: &CertificateError) -> bool {
    matches!(why, CertificateError::Other(OtherError(other)) if other.to_string() == "CaUsedAsEndEntity")
}

fn hung_up(was_asked: bool) -> String {
    if was_asked {
        return format!("the peer closed, perhaps because {NO_IDENTITY}");
    }
    "the peer closed before tls was agreed on: does it speak tls at this port?".to_owned()
}

/// A sentence with a remedy.
fn explanation(error: &rustls::Error, was_asked: bool) -> String {
    use rustls::Error::{
        AlertReceived, InvalidCertificate, InvalidMessage as Invalid, NoApplicationProtocol,
        NoCertificatesPresented, PeerIncompatible as Incompatible,
    };
    match error {
        InvalidCertificate(why) => format!("the certificate of the peer {}", fault(why)),
        // Which alert that is depends on the version, and on who wrote the peer.
        AlertReceived(_) if was_asked => NO_IDENTITY.to_owned(),
        AlertReceived(alert) => meaning(*alert),
        Invalid(InvalidMessage::InvalidContentType) => {
            "the peer does not speak tls: is it one of http://?".to_owned()
        }
        Incompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => OLD.to_owned(),
        Incompatible(_) => {
            "the peer and we have no way of tls in common (TLS 1.2 and 1.3, with ECDHE): update it".to_owned()
        }
        NoApplicationProtocol => NO_HTTP.to_owned(),
        NoCertificatesPresented => "the peer has no certificate: give it one".to_owned(),
        error => format!("the peer breaks the rules of tls ({error}): is there something in between?"),
    }
}

const OLD: &str = "the peer speaks neither TLS 1.2 nor TLS 1.3: update it";
const NO_HTTP: &str = "the peer does not speak HTTP/1.1 at this port: use another";

/// What the peer means by an alert.
fn meaning(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => NO_IDENTITY.to_owned(),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => format!(
            "the peer does not accept the client certificate ({alert:?}): give one that it trusts (--cert and --key)"
        ),
        AlertDescription::ProtocolVersion => OLD.to_owned(),
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            "the peer and we have no cipher in common, or it has no certificate: see its settings of tls"
                .to_owned()
        }
        AlertDescription::UnrecognisedName => {
            "the peer knows no host of this name: use a name that its certificate has".to_owned()
        }
        AlertDescription::NoApplicationProtocol => NO_HTTP.to_owned(),
        alert => format!("the peer gave up ({alert:?}): its log may say why"),
    }
}

/// What is wrong with the certificate of the peer.
fn fault(why: &CertificateError) -> String {
    use CertificateError as Why;
    match why {
        Why::UnknownIssuer => "is of an issuer that is not trusted: trust it by its file (--ca)".to_owned(),
        why if is_of_authority(why) => {
            "signed itself and is not trusted: if it is the right one, trust it by its file (--ca)".to_owned()
        }
        Why::ExpiredContext { time, not_after } => {
            let ago = days(time.as_secs().saturating_sub(not_after.as_secs()));
            format!("expired {ago} ago: have it renewed, or set the clock of this machine")
        }
        Why::Expired => "expired: have it renewed, or set the clock of this machine".to_owned(),
        Why::NotValidYetContext { time, not_before } => {
            let left = days(not_before.as_secs().saturating_sub(time.as_secs()));
            format!("is not valid for another {left}: wait, or set the clock of this machine")
        }
        Why::NotValidYet => "is not valid yet: wait, or set the clock of this machine".to_owned(),
        Why::NotValidForNameContext { expected, presented } => misnamed(&expected.to_str(), presented),
        Why::NotValidForName => "is for another name: use one that it has".to_owned(),
        Why::BadSignature => {
            "has a signature that does not fit, of its authority or of its key: trust the right authority (--ca), or give the peer the right key".to_owned()
        }
        Why::InvalidPurpose | Why::InvalidPurposeContext { .. } => {
            "is not made for servers: have one made for serverAuth".to_owned()
        }
        Why::Revoked => "was revoked: have a new one made".to_owned(),
        Why::BadEncoding => "is malformed: have it made anew, as X.509 of version 3".to_owned(),
        _ => "is none that can be checked: have one made by RSA of 2048 bits or ECDSA P-256, with SHA-256"
            .to_owned(),
    }
}

fn days(seconds: u64) -> String {
    match seconds / 86_400 {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// Names that are told, at most, of those that a peer claims to have, and characters of each.
const NAMES: usize = 4;
const NAME_CHARS: usize = 64;

fn misnamed(expected: &str, presented: &[String]) -> String {
    if presented.is_empty() {
        return format!(
            "has no name in it, and is asked for '{expected}': have one made with a subjectAltName"
        );
    }
    // They come as `DnsName("a")` and `IpAddress(::1)`.
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        let shown = inner.trim_matches('"').chars().filter(|c| !c.is_control()).take(NAME_CHARS);
        format!("'{}'", shown.collect::<String>())
    };
    let names: Vec<_> = presented.iter().take(NAMES).map(bare).collect();
    let more = if presented.len() > NAMES { " and others" } else { "" };
    format!(
        "is for {}{more}, and not for '{expected}': use such a name, or have one made for this",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::{
        Error::{AlertReceived, InvalidCertificate, InvalidMessage as Invalid},
        PeerMisbehaved,
        pki_types::{ServerName, UnixTime},
    };

    use super::*;

    #[test]
    fn every_failure_is_a_sentence_with_a_remedy() {
        let at = |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(days * 86_400 + 1));
        let names = |count: usize| (0..count).map(|at| format!("DnsName(\"h{at}\")")).collect::<Vec<_>>();
        let expected = || ServerName::try_from("h").unwrap();
        let misnamed =
            |presented| CertificateError::NotValidForNameContext { expected: expected(), presented };
        let certificate = |why| InvalidCertificate(why);
        for (error, sentence) in [
            (
                certificate(CertificateError::ExpiredContext { time: at(9), not_after: at(7) }),
                "the certificate of the peer expired 2 days ago: have it renewed, or set the clock of this machine",
            ),
            (
                certificate(CertificateError::NotValidYetContext { time: at(9), not_before: at(10) }),
                "the certificate of the peer is not valid for another 1 day: wait, or set the clock of this machine",
            ),
            (
                certificate(misnamed(vec![
                    "IpAddress(::1)".to_owned(),
                    format!("DnsName(\"a\u{1b}{}\")", "b".repeat(99)),
                ])),
                &format!(
                    "the certificate of the peer is for '::1', 'a{}', and not for 'h': use such a name, or have one made for this",
                    "b".repeat(63)
                ),
            ),
            (
                certificate(misnamed(names(9))),
                "the certificate of the peer is for 'h0', 'h1', 'h2', 'h3' and others, and not for 'h': use such a name, or have one made for this",
            ),
            (
                certificate(misnamed(vec![])),
                "the certificate of the peer has no name in it, and is asked for 'h': have one made with a subjectAltName",
            ),
            (AlertReceived(AlertDescription::ProtocolVersion), OLD),
            (rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13), OLD),
            (AlertReceived(AlertDescription::CertificateRequired), NO_IDENTITY),
            (
                AlertReceived(AlertDescription::InternalError),
                "the peer gave up (InternalError): its log may say why",
            ),
            (
                Invalid(InvalidMessage::InvalidContentType),
                "the peer does not speak tls: is it one of http://?",
            ),
        ] {
            assert_eq!(explanation(&error, false), sentence);
        }
        use CertificateError as Why;
        let certificates = [
            Why::UnknownIssuer,
            Why::BadSignature,
            Why::BadEncoding,
            Why::Revoked,
            Why::InvalidPurpose,
            Why::Expired,
        ];
        let alerts = [
            AlertDescription::HandshakeFailure,
            AlertDescription::UnknownCA,
            AlertDescription::UnrecognisedName,
            AlertDescription::NoApplicationProtocol,
        ];
        let others = [
            rustls::Error::NoApplicationProtocol,
            rustls::Error::NoCertificatesPresented,
            rustls::Error::DecryptError,
            PeerMisbehaved::TooManyKeyUpdateRequests.into(),
        ];
        let all =
            certificates.map(InvalidCertificate).into_iter().chain(alerts.map(AlertReceived)).chain(others);
        for error in all {
            let sentence = explanation(&error, false);
            let (fault, remedy) = sentence.split_once(": ").unwrap_or_default();
            assert!(fault.len() > 20 && remedy.len() > 5 && !sentence.contains("Error("), "{sentence}");
        }
    }
}
