//! The node's own secrets, made once and kept in the data folder where only its owner may read them: the
//! Ed25519 key that signs statuses and seals, and the operator's key.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};
use tribune_core::door::{Earlier, KeyRing};
use tribune_core::room::Key;

use crate::world::World;

/// The file of the signing key: 32 bytes, as in RFC 8032.
const NODE_KEY_FILE: &str = "node.key";
/// What the key of tickets is made with besides the node's own.
const TICKETS_DOMAIN: &[u8] = b"tribune tickets\0";
/// Where an operator puts the signing key aside that is to be replaced.
const NODE_KEY_OLD_FILE: &str = "node.key.old";
/// The file of the operator's key: one line.
const OPERATOR_KEY_FILE: &str = "operator.key";
/// The file of the key by which the guard's audit is drawn, in the guard's folder: 32 bytes.
const AUDIT_KEY_FILE: &str = "audit.key";
/// Largest secret that is read, in bytes.
const SECRET_BYTES_MAX: u64 = 1_024;
/// Only the owner reads and writes.
const MODE: u32 = 0o600;

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file can be neither read nor made.
    #[error("{path} can be neither read nor made: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file holds something else.
    #[error("{path} is damaged: it should hold {expected}; restore it from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
}

/// The node's signing key, made the first time. Losing it ends the chains that were signed with it.
///
/// # Errors
/// When the file can be neither read nor made, or holds something else.
pub fn node_key(data: &Path, world: World) -> Result<SigningKey, SecretError> {
    let path = data.join(NODE_KEY_FILE);
    signing_key(read_or_make(&path, &world.entropy::<32>())?, path)
}

/// What tickets are sealed with, made from the signing key. Tickets made under one that was put aside have
/// expired.
///
/// # Errors
/// When one was put aside and cannot be read, or its file holds something else.
pub fn ticket_keys(data: &Path, key: &SigningKey) -> Result<KeyRing, SecretError> {
    let secret = |key: &SigningKey| -> [u8; 32] {
        Sha256::new_with_prefix(TICKETS_DOMAIN).chain_update(key.to_bytes()).finalize().into()
    };
    let ring = KeyRing::new(&secret(key));
    let path = data.join(NODE_KEY_OLD_FILE);
    match read(&path) {
        Ok(bytes) => Ok(ring.with_earlier(&secret(&signing_key(bytes, path)?), Earlier::Expired)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(ring),
        Err(error) => Err(SecretError::File { path, error }),
    }
}

fn signing_key(bytes: Vec<u8>, path: PathBuf) -> Result<SigningKey, SecretError> {
    let seed: [u8; 32] = bytes.try_into().map_err(|_| SecretError::Damaged { path, expected: "32 bytes" })?;
    Ok(SigningKey::from_bytes(&seed))
}

/// The operator's key: the one that was configured, else the one that is kept, made the first time.
///
/// # Errors
/// When the file can be neither read nor made, or holds something else.
pub fn operator_key(data: &Path, configured: Option<&Key>, world: World) -> Result<Key, SecretError> {
    if let Some(key) = configured {
        return Ok(key.clone());
    }
    let path = data.join(OPERATOR_KEY_FILE);
    let bytes = read_or_make(&path, Key::generate(world.entropy()).reveal().as_bytes())?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    Key::parse(text.trim()).map_err(|_| SecretError::Damaged { path, expected: "one key" })
}

/// The key of the guard's audit that was in force last; `None` where none can be read.
pub fn audit_key(folder: &Path) -> Option<[u8; 32]> {
    read(&folder.join(AUDIT_KEY_FILE)).ok()?.try_into().ok()
}

/// Keeps the key of the guard's audit, so that it can be told also when the node stops in between. One that
/// was cut off by a crash is none.
///
/// # Errors
/// The disk does not take it.
pub fn keep_audit_key(folder: &Path, key: &[u8; 32]) -> std::io::Result<()> {
    write(&folder.join(AUDIT_KEY_FILE), key)
}

/// Two starts at once agree on one secret: only one can link a finished file to the name, and then both read
/// that.
fn read_or_make(path: &Path, fresh: &[u8]) -> Result<Vec<u8>, SecretError> {
    let failed = |error| SecretError::File { path: path.to_owned(), error };
    match read(path) {
        Ok(bytes) => return Ok(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let part = path.with_extension(format!("part-{}", std::process::id()));
    write(&part, fresh).map_err(failed)?;
    let linked = fs::hard_link(&part, path);
    fs::remove_file(&part).map_err(failed)?;
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    read(path).map_err(failed)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(SECRET_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_only_their_owner_reads_them() {
        let data = tempfile::tempdir().unwrap();
        let world = World::begin();
        let first = (node_key(data.path(), world).unwrap(), operator_key(data.path(), None, world).unwrap());
        let second = (node_key(data.path(), world).unwrap(), operator_key(data.path(), None, world).unwrap());
        assert_eq!(first, second);
        let mut files: Vec<_> = fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap()).collect();
        files.sort_by_key(|entry| entry.file_name());
        assert_eq!(
            files.iter().map(fs::DirEntry::file_name).collect::<Vec<_>>(),
            [NODE_KEY_FILE, OPERATOR_KEY_FILE]
        );
        for file in files {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, MODE);
        }
    }

    #[test]
    fn a_configured_key_is_used_and_not_kept() {
        let data = tempfile::tempdir().unwrap();
        let key = Key::generate([3; 24]);
        assert_eq!(operator_key(data.path(), Some(&key), World::begin()).unwrap(), key);
        assert!(!data.path().join(OPERATOR_KEY_FILE).exists());
    }

    #[test]
    fn a_damaged_secret_is_named_and_not_replaced() {
        let data = tempfile::tempdir().unwrap();
        let key = SigningKey::from_bytes(&[1; 32]);
        fs::write(data.path().join(NODE_KEY_OLD_FILE), b"short").unwrap();
        let error = ticket_keys(data.path(), &key).unwrap_err().to_string();
        assert!(error.contains("node.key.old is damaged"), "{error}");
        for name in [NODE_KEY_FILE, OPERATOR_KEY_FILE] {
            fs::write(data.path().join(name), "short").unwrap();
        }
        let world = World::begin();
        assert!(node_key(data.path(), world).unwrap_err().to_string().contains("node.key is damaged"));
        let error = operator_key(data.path(), None, world).unwrap_err().to_string();
        assert!(error.contains("operator.key is damaged"), "{error}");
        assert_eq!(fs::read(data.path().join(NODE_KEY_FILE)).unwrap(), b"short");
    }
}
