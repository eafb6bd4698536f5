//! The certificates that a server's own must lead to. What the clients do without any is to panic, or to
//! fail at each call; here they are looked at before.

use std::{fmt, fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The variable that names the file of the machine's certificates.
const FILE: &str = "SSL_CERT_FILE";

/// The machine has no certificate that can be used.
#[derive(Debug)]
pub(crate) struct NoRoots {
    /// What could not be read, where a variable names it.
    unread: Option<String>,
}

impl fmt::Display for NoRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no CA certificates: ")?;
        if let Some(unread) = &self.unread {
            write!(f, "{unread}; ")?;
        }
        f.write_str("install ca-certificates or set SSL_CERT_FILE")
    }
}

impl std::error::Error for NoRoots {}

/// The machine's certificates, where `SSL_CERT_FILE` and `SSL_CERT_DIR` say or in the system's
/// usual places.
pub(crate) fn system() -> Result<RootCertStore, NoRoots> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(roots);
    }
    let named = [FILE, "SSL_CERT_DIR"]
        .into_iter()
        .find_map(|name| Some((name, std::env::var_os(name)?)));
    let unread = named.map(|(name, path)| {
        let path = Path::new(&path).display().to_string();
        match found.errors.first().map(|error| &error.kind) {
            Some(rustls_native_certs::ErrorKind::Io { inner, .. }) => {
                format!("{name} is `{path}`, which cannot be read: {inner}")
            }
            _ => format!("{name} is `{path}`, which holds none"),
        }
    });
    Err(NoRoots { unread })
}

/// The certificates of a [`bundle`].
pub(crate) fn roots(pem: &[u8]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).flatten());
    roots
}

/// The certificates of a file that can be used, as PEM. What is wrong with it follows the file's name.
pub(crate) fn bundle(file: &Path) -> Result<Vec<u8>, String> {
    let text = fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    let mut usable = String::new();
    for certificate in CertificateDer::pem_slice_iter(&text).flatten() {
        // What one client ignores makes another panic.
        if RootCertStore::empty().add(certificate.clone()).is_ok() {
            usable.push_str(&pem(&certificate));
        }
    }
    if usable.is_empty() {
        return Err("holds no certificate in PEM".to_owned());
    }
    Ok(usable.into_bytes())
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for (at, char) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(char);
    }
    pem.push_str("\n-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_gives_its_usable_certificates_alone() {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let good = made.cert.pem();
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        fs::write(&file, format!("a comment\n{bad}{good}{bad}")).unwrap();
        let given = bundle(&file).unwrap();
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&given).collect();
        assert_eq!(certificates.len(), 1);
        assert_eq!(
            certificates[0].as_ref().unwrap().as_ref(),
            made.cert.der().as_ref()
        );
        for text in ["", "no PEM", bad] {
            fs::write(&file, text).unwrap();
            assert_eq!(bundle(&file).unwrap_err(), "holds no certificate in PEM");
        }
        let missing = bundle(&directory.path().join("none")).unwrap_err();
        assert!(missing.starts_with("cannot be read: "), "{missing}");
    }
}
