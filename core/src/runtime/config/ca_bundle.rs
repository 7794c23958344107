//! Additional certificate authorities.

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::value::Value;

/// The certificates of some authorities, as DER (RFC 5280 §4.1).
#[derive(Clone)]
pub struct CaBundle(pub Vec<CertificateDer<'static>>);

const EXPECTED: &str =
    "one or more PEM certificates, each from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----";

/// Certificates as PEM (RFC 7468 §5).
pub(crate) fn pem(certificates: &[CertificateDer<'_>]) -> String {
    let block = |certificate: &CertificateDer<'_>| {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(certificate))
    };
    certificates.iter().map(block).collect()
}

/// The URL of a database, with these authorities as trusted ones. They matter only if the server certificate is
/// verified (`sslmode=verify-full`). A URL with its own `sslrootcert` stays unchanged, and so does a SQLite URL.
pub(super) fn add_to_url(url: String, bundle: Option<&CaBundle>) -> String {
    let Some(CaBundle(certificates)) = bundle else { return url };
    if !url.starts_with("postgres") || url.contains("sslrootcert=") {
        return url;
    }
    let encode = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    let encoded: String = pem(certificates).trim().bytes().map(encode).collect();
    format!("{url}{}sslrootcert={encoded}", if url.contains('?') { '&' } else { '?' })
}

impl Value for CaBundle {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        let certificates = read.map_err(|_| EXPECTED)?;
        let is_valid =
            |certificate: &CertificateDer<'static>| RootCertStore::empty().add(certificate.clone()).is_ok();
        let is_valid = !certificates.is_empty() && certificates.iter().all(is_valid);
        is_valid.then_some(Self(certificates)).ok_or(EXPECTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = include_str!("authority.pem");

    #[test]
    fn a_bundle_is_one_or_more_certificates() {
        let count = |text: &str| CaBundle::parse(text).map(|bundle| bundle.0.len());
        assert_eq!(count(ONE), Ok(1));
        assert_eq!(count(&format!("# Company Authority\r\n{ONE}\n{ONE}")), Ok(2));
        let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for bad in [" ", "/etc/ssl/ca.pem", &ONE[..200], no_certificate, &format!("{ONE}{no_certificate}")] {
            assert_eq!(count(bad), Err(EXPECTED), "{bad}");
        }
    }

    #[test]
    fn a_postgresql_url_contains_the_bundle() {
        let bundle = CaBundle::parse(ONE).unwrap();
        let with_bundle = |url: &str| add_to_url(url.to_owned(), Some(&bundle));
        for (url, start) in [
            ("postgres://h/d", "postgres://h/d?sslrootcert=%2D%2D%2D%2D%2DBEGIN%20CERTIFICATE%2D"),
            ("postgresql://h/d?sslmode=verify-full", "postgresql://h/d?sslmode=verify-full&sslrootcert=%2D"),
        ] {
            assert!(
                with_bundle(url).starts_with(start) && with_bundle(url).ends_with("%2D"),
                "{}",
                with_bundle(url)
            );
        }
        for url in ["sqlite://data/insula.db", "postgres://h/d?sslrootcert=/own.pem"] {
            assert_eq!(with_bundle(url), url);
        }
        assert_eq!(add_to_url("postgres://h/d".into(), None), "postgres://h/d");
    }
}
