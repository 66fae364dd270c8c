//! The certificate and its key: read from PEM files, checked before they are used, replaced without a
//! restart.
//!
//! rustls with ring; HTTP/2 and HTTP/1.1 are offered (ALPN). A certificate that cannot be used never replaces
//! one that can.

pub(crate) mod expiry;
pub(crate) mod records;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tribune_core::time::WallTime;

use crate::ops::Metrics;
use crate::shutdown::Shutdown;
use crate::world;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Bytes of a PEM file: a chain of a few certificates has under twenty thousand.
const PEM_BYTES_MAX: u64 = 1_048_576;

/// What a listener with TLS presents. It can be replaced while connections come in.
#[derive(Debug)]
pub struct Certificates {
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

/// What is wrong with a certificate or its key. `file` is the file's path, or where else the text came from.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It cannot be read.
    #[error("cannot read {file}: {why}")]
    Unreadable {
        /// Which file.
        file: String,
        /// What the system says.
        why: String,
    },
    /// No certificate in it.
    #[error(
        "{file} holds no certificate: it must be PEM text with a line -----BEGIN CERTIFICATE-----, the \
         server's own certificate first, then those that lead to the authority's"
    )]
    NoCertificate {
        /// Which file.
        file: String,
    },
    /// No key in it.
    #[error(
        "{file} holds no private key: it must be PEM text with a line -----BEGIN PRIVATE KEY----- (or RSA \
         or EC PRIVATE KEY), and not be encrypted"
    )]
    NoKey {
        /// Which file.
        file: String,
    },
    /// The key is of a kind that is not known.
    #[error(
        "the private key in {file} cannot be used: {why}; use ECDSA P-256 or P-384, Ed25519, or RSA \
         of 2048 bits or more"
    )]
    KeyUnknown {
        /// Which file.
        file: String,
        /// What the library says.
        why: String,
    },
    /// They do not belong together.
    #[error("the private key in {key} does not belong to the first certificate in {cert}")]
    Mismatch {
        /// The certificate's file.
        cert: String,
        /// The key's file.
        key: String,
    },
    /// The certificate is no certificate.
    #[error("the first certificate in {file} cannot be read: {why}")]
    Damaged {
        /// Which file.
        file: String,
        /// What the library says.
        why: String,
    },
}

/// The two PEM files of `--tls-cert` and `--tls-key`.
#[derive(Clone, Debug)]
pub struct Files {
    /// The server's certificate, then those that lead to the authority's.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// PEM text and the name it goes by in errors.
struct Pem {
    name: String,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Current(ArcSwapOption<Presented>);

#[derive(Debug)]
struct Presented {
    key: Arc<CertifiedKey>,
    expires: Option<WallTime>,
}

impl Certificates {
    /// None yet: handshakes fail until one is installed.
    pub fn empty() -> Arc<Self> {
        let current = Arc::new(Current::default());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the suites of TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Tickets spare a returning crowd the costly half of the handshake, and us the memory of a session
        // cache.
        config.ticketer = ring::Ticketer::new().expect("the operating system has entropy");
        // Whoever hears the program is encrypted for by its threads, with the library's keys.
        config.enable_secret_extraction = true;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Arc::new(Self { current, config: Arc::new(config) })
    }

    /// Reads and checks both files.
    ///
    /// # Errors
    /// One sentence for each way in which they can be wrong.
    pub fn from_files(files: &Files) -> Result<Arc<Self>, TlsError> {
        let certificates = Self::empty();
        certificates.read(files)?;
        Ok(certificates)
    }

    /// Reads and checks both files again; what is in use stays if they cannot be used.
    ///
    /// # Errors
    /// As for [`Certificates::from_files`].
    pub fn read(&self, files: &Files) -> Result<(), TlsError> {
        self.install(Pem::read(&files.cert)?, Pem::read(&files.key)?)
    }

    /// Presents this certificate from now on, given as PEM text.
    ///
    /// # Errors
    /// As for [`Certificates::from_files`].
    pub fn present(&self, cert: &str, key: &str) -> Result<(), TlsError> {
        let pem = |name: &str, text: &str| Pem { name: name.to_owned(), bytes: text.as_bytes().to_vec() };
        self.install(pem("the new certificate", cert), pem("the new key", key))
    }

    /// When the certificate in use expires, if there is one and it says so.
    pub fn expires(&self) -> Option<WallTime> {
        self.current.0.load().as_ref().and_then(|presented| presented.expires)
    }

    /// Whether there is a certificate to present.
    pub fn is_ready(&self) -> bool {
        self.current.0.load().is_some()
    }

    /// Reads the files again at SIGHUP and when they have changed, until the shutdown begins.
    ///
    /// # Errors
    /// The operating system refuses to tell us about signals.
    pub fn watch(
        self: Arc<Self>,
        files: Files,
        metrics: Arc<Metrics>,
        shutdown: Shutdown,
    ) -> std::io::Result<JoinHandle<()>> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut look = tokio::time::interval(LOOK_EVERY);
        self.tell_expiry(&metrics);
        Ok(tokio::spawn(async move {
            let mut seen = files.state();
            loop {
                let asked = tokio::select! {
                    _ = hangup.recv() => true,
                    _ = look.tick() => false,
                    () = shutdown.draining() => return,
                };
                let state = files.state();
                if asked || state != seen {
                    match self.read(&files) {
                        Ok(()) => {
                            seen = state;
                            self.tell_expiry(&metrics);
                            tracing::info!("certificate_replaced");
                        }
                        Err(error) => tracing::warn!(%error, "certificate_kept"),
                    }
                }
            }
        }))
    }

    pub(in crate::net) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    pub(super) fn tell_expiry(&self, metrics: &Metrics) {
        metrics.certificate_expires(self.expires().map_or(0, |at| at.0 / 1_000));
    }

    fn install(&self, cert: Pem, key: Pem) -> Result<(), TlsError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&cert.bytes).filter_map(Result::ok).collect();
        let Some(first) = chain.first() else { return Err(TlsError::NoCertificate { file: cert.name }) };
        let expires = expiry::not_after(first);
        let private = PrivateKeyDer::from_pem_slice(&key.bytes)
            .map_err(|_| TlsError::NoKey { file: key.name.clone() })?;
        let provider = ring::default_provider();
        let private = provider
            .key_provider
            .load_private_key(private)
            .map_err(|error| TlsError::KeyUnknown { file: key.name.clone(), why: error.to_string() })?;
        let certified = CertifiedKey::new(chain, private);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(TlsError::Mismatch { cert: cert.name, key: key.name });
            }
            Err(error) => return Err(TlsError::Damaged { file: cert.name, why: error.to_string() }),
        }
        warn_if_expired(expires);
        self.current.0.store(Some(Arc::new(Presented { key: Arc::new(certified), expires })));
        Ok(())
    }
}

/// It is presented all the same: browsers let people go on at their own risk, and a closed port lets nobody.
fn warn_if_expired(expires: Option<WallTime>) {
    if let Some(at) = expires.filter(|at| at.millis_since(world::wall()) <= 0) {
        tracing::warn!(expired_at = at.rfc3339(), "certificate_expired");
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().as_ref().map(|presented| presented.key.clone())
    }
}

impl Files {
    /// What changes when somebody replaces a file; a missing file is a state too.
    fn state(&self) -> [Option<(SystemTime, u64)>; 2] {
        [&self.cert, &self.key].map(|path| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        })
    }
}

impl Pem {
    fn read(path: &Path) -> Result<Self, TlsError> {
        let name = path.display().to_string();
        let unreadable = |why: String| TlsError::Unreadable { file: name.clone(), why };
        let length = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if length > PEM_BYTES_MAX {
            return Err(unreadable(format!("it has {length} bytes, and at most {PEM_BYTES_MAX} are read")));
        }
        let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        Ok(Self { name, bytes })
    }
}

#[cfg(test)]
mod tests;
