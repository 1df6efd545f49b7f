//! Certificates made for the test.

use std::{fs, path::PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

use super::Tls;

/// A certificate authority, and the directory of what it made.
pub(super) struct Authority {
    pub(super) issuer: CertifiedIssuer<'static, KeyPair>,
    pub(super) directory: PathBuf,
}

/// The files of a certificate and of its key.
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = std::env::temp_dir().join(format!("barewire-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let authority = Authority { issuer, directory };
        authority.write("ca.pem", &authority.issuer.pem());
        authority
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub(super) fn file(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    pub(super) fn tls(&self) -> Tls {
        Tls::trusting([self.file()]).unwrap()
    }

    /// A certificate for `host`, valid until the year.
    pub(super) fn certify(&self, host: &str, until: i32) -> Files {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Files {
            certificate: self.write(&format!("{host}-{until}.pem"), &certificate.pem()),
            key: self.write(&format!("{host}-{until}.key"), &key.serialize_pem()),
        }
    }

    /// A certificate that signed its own and may sign others, as `openssl req -x509` makes them.
    pub(super) fn self_signed(&self, names: &[&str], until: i32) -> Files {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "localhost");
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let number = fs::read_dir(&self.directory).unwrap().count();
        Files {
            certificate: self.write(&format!("self-{number}.pem"), &certificate.pem()),
            key: self.write(&format!("self-{number}.key"), &key.serialize_pem()),
        }
    }

    /// A certificate for `host` that is not valid before the year.
    pub(super) fn certify_from(&self, host: &str, from: i32) -> Files {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Files {
            certificate: self.write(&format!("{host}-from-{from}.pem"), &certificate.pem()),
            key: self.write(&format!("{host}-from-{from}.key"), &key.serialize_pem()),
        }
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.directory));
    }
}
