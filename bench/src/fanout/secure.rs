//! TLS for the measurement: a certificate that is nobody's, both sides' settings, and records sealed with
//! nothing around them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, ConnectionTrafficSecrets, RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What the certificate is for.
pub const NAME: &str = "localhost";
/// Of application data in TLS 1.2's clothes (RFC 8446, section 5.2).
const HEAD: [u8; 3] = [0x17, 0x03, 0x03];
const HEAD_BYTES: usize = 5;
/// What is sealed says that it is application data.
const KIND: u8 = 0x17;

/// A certificate and its key as files, as a node reads them.
pub struct Files {
    /// `cert.pem`
    pub cert: PathBuf,
    /// `key.pem`
    pub key: PathBuf,
}

impl Files {
    /// Makes both in a folder.
    ///
    /// # Errors
    /// The folder takes nothing.
    pub fn make(folder: &Path) -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
        let files = Self::at(folder);
        std::fs::create_dir_all(folder)?;
        std::fs::write(&files.cert, made.cert.pem())?;
        std::fs::write(&files.key, made.signing_key.serialize_pem())?;
        Ok(files)
    }

    /// Where they are in a folder.
    pub fn at(folder: &Path) -> Self {
        Self { cert: folder.join("cert.pem"), key: folder.join("key.pem") }
    }

    /// For a server whose keys can be taken out.
    ///
    /// # Errors
    /// The files are not there.
    pub fn server(&self) -> anyhow::Result<Arc<ServerConfig>> {
        let (chain, key) =
            (CertificateDer::from_pem_file(&self.cert)?, PrivateKeyDer::from_pem_file(&self.key)?);
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)?;
        config.enable_secret_extraction = true;
        Ok(Arc::new(config))
    }

    /// For who believes it, and speaks HTTP/1.1.
    ///
    /// # Errors
    /// The files are not there.
    pub fn client(&self) -> anyhow::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.cert)?)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// Seals records of one connection, and nothing else.
pub struct Sealer {
    key: LessSafeKey,
    iv: [u8; 12],
    number: u64,
}

impl Sealer {
    /// With the keys of a connection whose handshake is done.
    ///
    /// # Errors
    /// It speaks something else than TLS 1.3.
    pub fn of(connection: ServerConnection) -> anyhow::Result<Self> {
        let (number, secrets) = connection.dangerous_extract_secrets()?.tx;
        let (algorithm, key, iv) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => bail!("a cipher that is not known here"),
        };
        let key = UnboundKey::new(algorithm, key.as_ref()).ok().context("a key of the right length")?;
        Ok(Self { key: LessSafeKey::new(key), iv: iv.as_ref().try_into()?, number })
    }

    /// One record of what is in `plain`, into `record` (RFC 8446, section 5.2 and 5.3).
    ///
    /// # Errors
    /// It is too long for one.
    pub fn seal(&mut self, plain: &[u8], record: &mut Vec<u8>) -> anyhow::Result<()> {
        record.clear();
        let sealed = plain.len() + 1 + self.key.algorithm().tag_len();
        ensure!(plain.len() <= 16_384, "a record holds 16 KiB");
        record.extend_from_slice(&HEAD);
        record.extend_from_slice(&(sealed as u16).to_be_bytes());
        let head: [u8; HEAD_BYTES] = record[..].try_into()?;
        record.extend_from_slice(plain);
        record.push(KIND);
        let mut nonce = self.iv;
        for (byte, of) in nonce[4..].iter_mut().zip(self.number.to_be_bytes()) {
            *byte ^= of;
        }
        self.number += 1;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let body = &mut record[HEAD_BYTES..];
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(head), body);
        record.extend_from_slice(tag.ok().context("it is sealed")?.as_ref());
        Ok(())
    }
}
