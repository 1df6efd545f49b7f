//! Whose certificates are accepted: those of the authorities that are trusted, and the very ones that were named.
//!
//! A certificate of `openssl req -x509` is that of an authority, and no chain may end in one. Whoever names its file has said
//! all the same that its owner is to be trusted, and so it is with any other: curl takes it so as well. It has to be valid,
//! and if it has names in it, the one that was asked for has to be among them; and as always the peer has to prove that it has
//! the key.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::broken::is_of_authority;

/// Trust in authorities, and in certificates that were named one by one.
#[derive(Debug)]
pub(super) struct Trust {
    authorities: Arc<WebPkiServerVerifier>,
    named: Arc<[CertificateDer<'static>]>,
}

impl Trust {
    pub(super) fn new(
        roots: &Arc<RootCertStore>,
        named: &Arc<[CertificateDer<'static>]>,
        provider: &Arc<CryptoProvider>,
    ) -> Self {
        let authorities =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider)).build();
        Trust { authorities: authorities.expect("there are authorities"), named: Arc::clone(named) }
    }

    /// What a chain that ends nowhere is for a certificate that was named. Its dates were looked at before its issuer was.
    fn is_named(&self, certificate: &CertificateDer<'_>, error: &Error) -> bool {
        let Error::InvalidCertificate(why) = error else { return false };
        let is_of_chain = matches!(why, CertificateError::UnknownIssuer) || is_of_authority(why);
        is_of_chain && self.named.iter().any(|named| **named == **certificate)
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            Err(error) if self.is_named(end_entity, &error) => {
                check_name(end_entity, server_name).map(|()| ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

/// Refuses a certificate for other names. One without any, as `openssl req -x509` makes them unless told otherwise, is for
/// whoever has its key.
fn check_name(certificate: &CertificateDer<'_>, server_name: &ServerName<'_>) -> Result<(), Error> {
    match verify_server_name(&ParsedCertificate::try_from(certificate)?, server_name) {
        Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }))
            if presented.is_empty() =>
        {
            Ok(())
        }
        checked => checked,
    }
}
