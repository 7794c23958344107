//! Which certificate authorities vouch for the servers that we connect to by TLS: Mozilla's, those of the operating
//! system, and those of the setting `INSULA_CA`, all together. One list for every kind of server.

use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};

use crate::runtime::config::{self, Config};

/// The authorities that are trusted.
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Reads the operating system's store; what cannot be read there is left out, and said in the log.
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
        // Stores hold what no client can use; some clients refuse all of them for one of those.
        all.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
        Self(all)
    }

    /// How to connect: TLS 1.2 or 1.3, with a server that has a certificate of one of them for its name.
    ///
    /// # Errors
    /// Why TLS is not possible.
    pub fn client(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.0.iter().cloned());
        let client = ClientConfig::builder_with_provider(ring::default_provider().into());
        let client = client.with_safe_default_protocol_versions().map_err(|fault| fault.to_string())?;
        Ok(client.with_root_certificates(roots).with_no_client_auth())
    }

    /// All of them as PEM (RFC 7468 §5), for clients that bring their own TLS.
    pub fn pem(&self) -> String {
        config::pem(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;

    use super::*;
    use crate::runtime::config::Sources;

    /// Not one of Mozilla's: made for this test, with a key that nobody has.
    const OURS: &str = include_str!("config/authority.pem");

    #[test]
    fn an_authority_of_ours_is_added_to_those_of_everybody() {
        let count = |values: &[(&str, &str)]| {
            let authorities = Authorities::load(&Config::read(&Sources::only(values)).unwrap());
            assert!(authorities.client().is_ok());
            let pem = authorities.pem();
            let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
            assert_eq!(read.unwrap(), authorities.0);
            authorities.0.len()
        };
        let everybody = count(&[]);
        assert!(everybody > 50, "{everybody}");
        assert_eq!(count(&[("INSULA_CA", OURS)]), everybody + 1);
        assert_eq!(count(&[("INSULA_CA", &OURS.repeat(2))]), everybody + 1);
    }
}
