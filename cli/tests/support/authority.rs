//! A certificate authority of the test's own.

use super::Dir;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::PathBuf;

/// An authority that nobody else knows, and the folder of what it made.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: Dir,
}

/// The files of a certificate and of its key, in PEM.
#[derive(Debug)]
pub(crate) struct Certified {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let dir = Dir::new();
        dir.write("ca.pem", &issuer.pem());
        Self { issuer, dir }
    }

    /// Its own certificate: what one trusts who trusts it.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A certificate for a host or a client of that name, in the folder of this value.
    pub(crate) fn certify(&self, name: &str) -> Certified {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Certified {
            certificate: self.dir.write(&format!("{name}.pem"), &certificate.pem()),
            key: self.dir.write(&format!("{name}.key"), &key.serialize_pem()),
        }
    }
}
