//! A `status` that somebody kept: it was signed and public, so nobody can take back the head it names, not even the operator.

use serde_json::Value;

use super::super::seal::{Hash, Seal, Sealed, from_text, read_key};

/// The largest witness that is read, in bytes.
pub const WITNESS_BYTES_MAX: usize = 4 << 20;

/// What a kept `status` says about the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The room it speaks of.
    pub room: String,
    /// Whose signature it bears.
    pub key: Hash,
    /// The chain as everybody could see it then.
    pub program: Sealed,
}

/// Why a witness cannot be heard.
#[derive(Debug, thiserror::Error)]
pub enum WitnessWrong {
    /// Above `WITNESS_BYTES_MAX`.
    #[error("the witness is {bytes} bytes long; at most {WITNESS_BYTES_MAX} are read")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON.
    #[error("the witness is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A field is missing or not of its form.
    #[error("the witness has no valid `{0}`; a whole `status` is needed, as it was served")]
    Field(&'static str),
    /// Kept before anything was sealed.
    #[error("the witness is from before the first sealed part, so it says nothing about the recording")]
    TooEarly,
    /// Its signature does not hold, so it was changed after it was served.
    #[error(
        "the witness's own signature does not hold: it was changed after it was served, or is not a status"
    )]
    Forged,
}

impl Witness {
    /// Reads a `status` and checks its signature: Ed25519 by `key` over the JSON without `sig`, in the form of RFC 8785.
    pub fn read(bytes: &[u8]) -> Result<Self, WitnessWrong> {
        use WitnessWrong::Field;
        if bytes.len() > WITNESS_BYTES_MAX {
            return Err(WitnessWrong::TooLarge { bytes: bytes.len() });
        }
        let mut status: Value = serde_json::from_slice(bytes)?;
        let fields = status.as_object_mut().ok_or(Field("status"))?;
        let sig = fields.remove("sig").ok_or(Field("sig"))?;
        let sig: [u8; 64] = sig.as_str().and_then(from_text).ok_or(Field("sig"))?;
        let key: Hash = fields.get("key").and_then(Value::as_str).and_then(from_text).ok_or(Field("key"))?;
        let signed = serde_jcs::to_vec(&status)?;
        read_key(&key)
            .ok()
            .and_then(|key| key.verify_strict(&signed, &ed25519_dalek::Signature::from_bytes(&sig)).ok())
            .ok_or(WitnessWrong::Forged)?;
        let program = status.get("program").ok_or(Field("program"))?;
        if program.is_null() || program.get("parts").and_then(Value::as_u64) == Some(0) {
            return Err(WitnessWrong::TooEarly);
        }
        Ok(Self {
            room: status.get("room").and_then(Value::as_str).ok_or(Field("room"))?.to_owned(),
            key,
            program: Sealed {
                head: program
                    .get("head")
                    .and_then(Value::as_str)
                    .and_then(from_text)
                    .ok_or(Field("program"))?,
                parts: program.get("parts").and_then(Value::as_u64).ok_or(Field("program"))?,
            },
        })
    }

    /// What is wrong between this witness and a seal whose chain has these points; `None` when they agree.
    pub(super) fn contradicts(&self, seal: &Seal, points: &[Sealed]) -> Option<String> {
        if self.room != seal.genesis.room {
            return Some(format!(
                "the witness is from room {}, the seal from {}",
                self.room, seal.genesis.room
            ));
        }
        if self.key != seal.genesis.key {
            return Some("the seal is signed by another key than the status that was kept".to_owned());
        }
        let recorded = points.last().map_or(0, |last| last.parts);
        if self.program.parts > recorded {
            return Some(format!(
                "the status that was kept shows {} parts, the seal has only {recorded}",
                self.program.parts
            ));
        }
        let agrees = points.contains(&self.program);
        (!agrees).then(|| {
            "the status that was kept names a head that is not in this chain: the seal was made anew"
                .to_owned()
        })
    }
}
