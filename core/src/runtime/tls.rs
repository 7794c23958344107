//! The certificate authorities for outgoing TLS connections: Mozilla's, those of the operating system and those of the
//! setting `INSULA_CA` together. All kinds of servers use the same list.

use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};

use crate::runtime::config::{self, Config};

/// The trusted authorities.
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Loads the list. Certificates of the operating system that cannot be read are skipped with a warning.
    pub fn load(config: &Config) -> Self {
        let system = rustls_native_certs::load_native_certs();
        for fault in system.errors {
            tracing::warn!(%fault, "could not read some of the system's certificate authorities");
        }
        let added = config.ca.iter().flat_map(|bundle| bundle.0.iter().cloned());
        let known = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned();
        let mut all: Vec<_> = known.chain(system.certs).chain(added).collect();
        all.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
        all.dedup();
        // Stores can contain certificates that no client can use, and some clients refuse the whole list because of one
        // of them.
        all.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
        Self(all)
    }

    /// The TLS client configuration: TLS 1.2 or 1.3, with a server certificate of one of the authorities for the name
    /// of the server.
    ///
    /// # Errors
    /// The reason why TLS is not possible.
    pub fn client(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.0.iter().cloned());
        let client = ClientConfig::builder_with_provider(ring::default_provider().into());
        let client = client.with_safe_default_protocol_versions().map_err(|fault| fault.to_string())?;
        Ok(client.with_root_certificates(roots).with_no_client_auth())
    }

    /// All certificates as PEM (RFC 7468 §5), for clients with their own TLS.
    pub fn pem(&self) -> String {
        config::pem(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;

    use super::*;
    use crate::runtime::config::Sources;

    /// A certificate authority made for this test. It is not one of Mozilla's, and its private key was discarded.
    const TEST_AUTHORITY: &str = include_str!("config/authority.pem");

    #[test]
    fn a_configured_authority_is_added_to_the_known_ones() {
        let count = |values: &[(&str, &str)]| {
            let authorities = Authorities::load(&Config::read(&Sources::only(values)).unwrap());
            assert!(authorities.client().is_ok());
            let pem = authorities.pem();
            let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
            assert_eq!(read.unwrap(), authorities.0);
            authorities.0.len()
        };
        let known = count(&[]);
        assert!(known > 50, "{known}");
        assert_eq!(count(&[("INSULA_CA", TEST_AUTHORITY)]), known + 1);
        assert_eq!(count(&[("INSULA_CA", &TEST_AUTHORITY.repeat(2))]), known + 1);
    }
}
