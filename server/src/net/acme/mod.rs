//! Certificates fetched and renewed by ourselves (ACME, RFC 8555), proved by HTTP-01 on the listener of port
//! 80.
//!
//! Account, key and certificate lie in the data folder, readable by its owner only. A certificate is renewed
//! when a third of a usual life (30 days) is left; a failure waits longer each time, because authorities
//! count failures too.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AccountBuilder, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, LetsEncrypt,
    NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use tokio::task::JoinHandle;
use tribune_core::time::WallTime;

use super::redirect::Challenges;
use super::tls::{Certificates, TlsError};
use crate::ops::Metrics;
use crate::shutdown::Shutdown;
use crate::world;

/// A certificate with less left than this is renewed.
const RENEW_BEFORE_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// How often its age is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(6 * 3_600);
/// The first wait after a failure; it doubles up to [`LOOK_EVERY`].
const RETRY_FIRST: Duration = Duration::from_secs(300);
/// How long the authority is given to look at our answers.
const AUTHORITY_WAIT: Duration = Duration::from_secs(90);

/// What to fetch, from whom, and where to keep it.
#[derive(Clone, Debug)]
pub struct AcmeSpec {
    /// The names the certificate is for; the first one names its files.
    pub domains: Vec<String>,
    /// The authority's directory; [`default_directory`] unless configured.
    pub directory: String,
    /// A PEM file with the root of an authority of one's own; `None`: those the system trusts.
    pub authority_root: Option<PathBuf>,
    /// Where to reach a person, for example `mailto:ops@example.org`.
    pub contact: Option<String>,
    /// Where account, key and certificate are kept.
    pub folder: PathBuf,
}

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// The spec cannot work.
    #[error("a certificate needs at least one domain name; give --acme DOMAIN")]
    NoDomain,
    /// The authority said no, or could not be reached.
    #[error("the certificate authority at {directory}: {why}")]
    Authority {
        /// Its directory.
        directory: String,
        /// What it, or the network, said.
        why: String,
    },
    /// It offers no challenge we can meet.
    #[error("the authority offers no HTTP-01 challenge for {domain}")]
    NoChallenge {
        /// For which name.
        domain: String,
    },
    /// It looked and did not find our answer.
    #[error(
        "the authority could not confirm {domain}: its name must lead to this machine, and port 80 must be \
         reachable from outside"
    )]
    NotConfirmed {
        /// For which names.
        domain: String,
    },
    /// The folder cannot be used.
    #[error("cannot keep the certificate in {folder}: {why}")]
    Folder {
        /// Which folder.
        folder: String,
        /// What the system says.
        why: String,
    },
    /// The key or the request for it could not be made.
    #[error("cannot make a key: {0}")]
    Key(String),
    /// What was fetched cannot be used.
    #[error("the certificate that was fetched cannot be used: {0}")]
    Unusable(#[from] TlsError),
}

/// The directory used when none is configured: Let's Encrypt.
pub fn default_directory() -> String {
    LetsEncrypt::Production.url().to_owned()
}

/// Presents what the folder holds, fetches what is missing, renews what grows old, until the shutdown begins.
/// `challenges` must be those the listener on port 80 answers.
///
/// # Errors
/// The spec names no domain, or the folder cannot be made.
pub fn keep(
    spec: AcmeSpec,
    certificates: Arc<Certificates>,
    (challenges, metrics): (Challenges, Arc<Metrics>),
    shutdown: Shutdown,
) -> Result<JoinHandle<()>, AcmeError> {
    let store = Store::open(&spec)?;
    if let Err(error) = store.present(&certificates) {
        tracing::info!(%error, "certificate_not_kept_yet");
    }
    certificates.tell_expiry(&metrics);
    Ok(tokio::spawn(async move {
        let mut failures = 0;
        loop {
            if store.names() != spec.domains || is_due(certificates.expires(), world::wall()) {
                match renew(&spec, &store, &challenges).await.and_then(|()| store.present(&certificates)) {
                    Ok(()) => {
                        failures = 0;
                        certificates.tell_expiry(&metrics);
                        tracing::info!("certificate_renewed");
                    }
                    Err(error) => {
                        failures += 1;
                        tracing::warn!(%error, failures, "certificate_not_renewed");
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(wait_after(failures)) => {}
                () = shutdown.draining() => return,
            }
        }
    }))
}

fn is_due(expires: Option<WallTime>, now: WallTime) -> bool {
    expires.is_none_or(|at| at.millis_since(now) < RENEW_BEFORE_MS)
}

fn wait_after(failures: u32) -> Duration {
    match failures {
        0 => LOOK_EVERY,
        failures => RETRY_FIRST.saturating_mul(1 << (failures - 1).min(16)).min(LOOK_EVERY),
    }
}

async fn renew(spec: &AcmeSpec, store: &Store, challenges: &Challenges) -> Result<(), AcmeError> {
    let builder = match &spec.authority_root {
        Some(root) => Account::builder_with_root(root),
        None => Account::builder(),
    };
    let fetched = fetch(builder.map_err(|error| spec.authority(&error))?, spec, store, challenges).await;
    challenges.close_all();
    let (chain, key) = fetched?;
    // The key first: if the second write fails, the pair does not match and is fetched again, which is safe.
    store.write(&store.key, key.as_bytes())?;
    store.write(&store.cert, chain.as_bytes())?;
    store.write(&store.names, spec.domains.join("\n").as_bytes())
}

/// A chain and its key, both PEM.
async fn fetch(
    builder: AccountBuilder,
    spec: &AcmeSpec,
    store: &Store,
    challenges: &Challenges,
) -> Result<(String, String), AcmeError> {
    let account = account(builder, spec, store).await?;
    let names: Vec<_> = spec.domains.iter().cloned().map(Identifier::Dns).collect();
    let mut order =
        account.new_order(&NewOrder::new(&names)).await.map_err(|error| spec.authority(&error))?;
    prove(&mut order, spec, challenges).await?;
    let key = KeyPair::generate().map_err(|error| AcmeError::Key(error.to_string()))?;
    let request = request_for(spec, &key).map_err(|error| AcmeError::Key(error.to_string()))?;
    order.finalize_csr(&request).await.map_err(|error| spec.authority(&error))?;
    let chain = order.poll_certificate(&patience()).await.map_err(|error| spec.authority(&error))?;
    Ok((chain, key.serialize_pem()))
}

async fn account(builder: AccountBuilder, spec: &AcmeSpec, store: &Store) -> Result<Account, AcmeError> {
    if let Some(credentials) = store.account_for(&spec.directory) {
        return builder.from_credentials(credentials).await.map_err(|error| spec.authority(&error));
    }
    let contact: Vec<_> = spec.contact.as_deref().into_iter().collect();
    let wanted = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder
        .create(&wanted, spec.directory.clone(), None)
        .await
        .map_err(|error| spec.authority(&error))?;
    store.keep_account(&spec.directory, &credentials)?;
    Ok(account)
}

async fn prove(order: &mut Order, spec: &AcmeSpec, challenges: &Challenges) -> Result<(), AcmeError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(|error| spec.authority(&error))?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            AuthorizationStatus::Invalid
            | AuthorizationStatus::Revoked
            | AuthorizationStatus::Expired
            | AuthorizationStatus::Deactivated => return Err(spec.not_confirmed()),
        }
        let Some(mut challenge) = authorization.challenge(ChallengeType::Http01) else {
            return Err(AcmeError::NoChallenge { domain: spec.domains.join(", ") });
        };
        challenges.open(challenge.token.clone(), challenge.key_authorization().as_str().to_owned());
        challenge.set_ready().await.map_err(|error| spec.authority(&error))?;
    }
    match order.poll_ready(&patience()).await.map_err(|error| spec.authority(&error))? {
        OrderStatus::Ready | OrderStatus::Valid => Ok(()),
        OrderStatus::Pending | OrderStatus::Processing | OrderStatus::Invalid => Err(spec.not_confirmed()),
    }
}

fn patience() -> RetryPolicy {
    RetryPolicy::default().timeout(AUTHORITY_WAIT)
}

fn request_for(spec: &AcmeSpec, key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
    let mut params = CertificateParams::new(spec.domains.clone())?;
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(key)?.der().to_vec())
}

impl AcmeSpec {
    fn authority(&self, error: &instant_acme::Error) -> AcmeError {
        AcmeError::Authority { directory: self.directory.clone(), why: error.to_string() }
    }

    fn not_confirmed(&self) -> AcmeError {
        AcmeError::NotConfirmed { domain: self.domains.join(", ") }
    }
}

/// The files, each readable by its owner only.
struct Store {
    folder: PathBuf,
    account: PathBuf,
    cert: PathBuf,
    key: PathBuf,
    /// What the certificate is for, a name a line.
    names: PathBuf,
}

/// An account belongs to one authority: after a change of directory a new one is made.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept<T> {
    directory: String,
    credentials: T,
}

impl Store {
    fn open(spec: &AcmeSpec) -> Result<Self, AcmeError> {
        let domain = spec.domains.first().ok_or(AcmeError::NoDomain)?;
        let file: String =
            domain.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let at = |end: &str| spec.folder.join(format!("{file}.{end}.pem"));
        let store = Self {
            account: spec.folder.join("account.json"),
            cert: at("cert"),
            key: at("key"),
            names: at("names"),
            folder: spec.folder.clone(),
        };
        fs::create_dir_all(&store.folder).map_err(|error| store.failed(&error))?;
        Ok(store)
    }

    fn present(&self, certificates: &Certificates) -> Result<(), AcmeError> {
        let files = super::tls::Files { cert: self.cert.clone(), key: self.key.clone() };
        Ok(certificates.read(&files)?)
    }

    /// The names of the certificate that is kept. One that is missing, or was not written before a crash, is
    /// fetched again.
    fn names(&self) -> Vec<String> {
        let kept = fs::read_to_string(&self.names).unwrap_or_default();
        kept.lines().map(str::to_owned).collect()
    }

    fn account_for(&self, directory: &str) -> Option<AccountCredentials> {
        let kept: Kept<AccountCredentials> = serde_json::from_slice(&fs::read(&self.account).ok()?).ok()?;
        (kept.directory == directory).then_some(kept.credentials)
    }

    fn keep_account(&self, directory: &str, credentials: &AccountCredentials) -> Result<(), AcmeError> {
        let kept = Kept { directory: directory.to_owned(), credentials };
        let json = serde_json::to_vec(&kept).expect("credentials are JSON");
        self.write(&self.account, &json)
    }

    /// Whole or not at all: a crash leaves the old file.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), AcmeError> {
        let beside = path.with_extension("new");
        let write = || -> io::Result<()> {
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, path)
        };
        write().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> AcmeError {
        AcmeError::Folder { folder: self.folder.display().to_string(), why: error.to_string() }
    }
}

#[cfg(test)]
mod authority;
#[cfg(test)]
mod tests;
