//! TLS as a client speaks it: whom it trusts, and who it is.

mod broken;
mod session;
#[cfg(test)]
mod tests;
mod trust;

use std::{fmt, path::Path, sync::Arc};

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore,
    client::WantsClientCert,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
};

use self::trust::Trust;
pub(super) use self::{
    broken::is_broken,
    session::{Secure, Session},
};
use crate::{Error, wire::file};

/// The largest file of certificates that is read: ten times what a system trusts.
const MAX_PEM_BYTES: usize = 4 * 1024 * 1024;
const CUT_OFF: &str = "is malformed: what is between its marks is cut off or no PEM; have it made anew";
/// The one protocol that is spoken inside (RFC 7301).
const ALPN: &[u8] = b"http/1.1";

/// How `https` is spoken: whom one trusts, and who one is if a peer asks.
///
/// TLS 1.2 and 1.3 are spoken. `Debug` shows nothing of it.
///
/// ```no_run
/// use barewire::wire::{http::Url, net::{Client, Tls}};
///
/// let url: Url = "https://collector.example:4318/v1/metrics".parse()?;
/// let mut client = Client::new(&url)?;
/// client.set_tls(&Tls::trusting(["ca.pem"])?.identity("client.pem", "client.key")?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Tls {
    roots: Arc<RootCertStore>,
    /// Certificates that were named by their files, and are trusted as they are.
    named: Arc<[CertificateDer<'static>]>,
    config: Arc<ClientConfig>,
    has_identity: bool,
}

impl Tls {
    /// Trusts whom the system trusts; the environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR` say who that is in
    /// place of the system.
    ///
    /// # Errors
    /// The system trusts nobody.
    pub fn system() -> Result<Self, Error> {
        let (mut roots, found) = (RootCertStore::empty(), rustls_native_certs::load_native_certs());
        // A system's store has certificates that nobody reads any more.
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
            return Err(Error::Config(format!(
                "this system trusts no certificate authority{why}: trust one by its file"
            )));
        }
        Ok(Self::of(roots, [].into()))
    }

    /// Trusts the certificate authorities in these PEM files, and no others; a peer may also show one of these very certificates,
    /// as one that signed its own does. That has to be valid, and for the name that was asked for if it has names in it.
    ///
    /// # Errors
    /// A file that cannot be read, has no certificate in it, or one that is malformed.
    pub fn trusting(files: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<Self, Error> {
        let (mut roots, mut named) = (RootCertStore::empty(), Vec::new());
        for file in files {
            let file = file.as_ref();
            for certificate in certificates(file)? {
                named.push(certificate.clone());
                roots.add(certificate).map_err(|_| {
                    refused(
                        file,
                        "is malformed: a certificate in it is none of X.509, version 3; have it made anew",
                    )
                })?;
            }
        }
        if roots.is_empty() {
            return Err(Error::Config("no certificate is trusted: name the file of one".to_owned()));
        }
        Ok(Self::of(roots, named.into()))
    }

    /// Shows the certificate in the PEM file `certificate`, with those between it and an authority behind it, to peers
    /// that ask for one. Its private key is in the PEM file `key`, unencrypted.
    ///
    /// # Errors
    /// A file that cannot be read or has not in it what it should, and a key that is not that of the certificate.
    pub fn identity(self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, Error> {
        let (chain, key_file) = (certificates(certificate.as_ref())?, key.as_ref());
        let key = PrivateKeyDer::from_pem_slice(&read(key_file)?).map_err(|error| match error {
            pem::Error::NoItemsFound => refused(key_file, "has no private key in it that is unencrypted PEM"),
            _ => refused(key_file, CUT_OFF),
        })?;
        let config = builder(&self.roots, &self.named).with_client_auth_cert(chain, key).map_err(
            |error| match error {
                rustls::Error::InconsistentKeys(_) => refused(
                    key_file,
                    format_args!("is not the key of the certificate in '{}'", certificate.as_ref().display()),
                ),
                error => refused(key_file, format_args!("cannot be used: {error}")),
            },
        )?;
        Ok(Tls { config: Arc::new(spoken(config)), has_identity: true, ..self })
    }

    fn of(roots: RootCertStore, named: Arc<[CertificateDer<'static>]>) -> Self {
        let roots = Arc::new(roots);
        let config = Arc::new(spoken(builder(&roots, &named).with_no_client_auth()));
        Tls { roots, named, config, has_identity: false }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

fn builder(
    roots: &Arc<RootCertStore>,
    named: &Arc<[CertificateDer<'static>]>,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let provider = Arc::new(ring::default_provider());
    let trust = Trust::new(roots, named, &provider);
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows both versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust))
}

fn spoken(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = read(file)?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if found.is_empty() => Err(refused(
            file,
            "has no certificate in it that is PEM: one begins with -----BEGIN CERTIFICATE-----",
        )),
        Ok(found) => Ok(found),
        Err(_) => Err(refused(file, CUT_OFF)),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    file::read(file, MAX_PEM_BYTES).map_err(|why| refused(file, why))
}

fn refused(file: &Path, why: impl fmt::Display) -> Error {
    Error::Config(format!("the file '{}' {why}", file.display()))
}
