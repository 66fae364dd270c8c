//! A certificate that only the self-test's own crowd believes, for a listener that nobody else knows.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use super::TrialError;
use crate::net::tls::Certificates;

/// What the certificate is for.
pub(super) const NAME: &str = "localhost";

/// What the listener presents, and a client that believes it.
pub(super) fn pair() -> Result<(Arc<Certificates>, Arc<ClientConfig>), TrialError> {
    let wrong = |error: String| TrialError::Tls(error);
    let made =
        rcgen::generate_simple_self_signed([NAME.to_owned()]).map_err(|error| wrong(error.to_string()))?;
    let certificates = Certificates::empty();
    let presented = certificates.present(&made.cert.pem(), &made.signing_key.serialize_pem());
    presented.map_err(|error| wrong(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).map_err(|error| wrong(error.to_string()))?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((certificates, Arc::new(config)))
}
