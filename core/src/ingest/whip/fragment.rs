//! `application/trickle-ice-sdpfrag` (RFC 8840): what a sender tells of its addresses after the offer.

use super::Error;
use super::sdp::{Credentials, attribute, lines};

/// Bytes of a fragment that are read.
pub const FRAGMENT_BYTES_MAX: usize = 16_384;
/// Candidates that are kept of one fragment.
pub const CANDIDATES_MAX: usize = 32;
/// Bytes of one candidate.
pub const CANDIDATE_BYTES_MAX: usize = 512;

/// One fragment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// Whose addresses these are; a new name begins ICE anew.
    pub credentials: Option<Credentials>,
    /// Addresses, each as it stands after `a=`.
    pub candidates: Vec<String>,
}

impl Fragment {
    /// Reads a fragment. What it does not know it lets go, as the format asks.
    ///
    /// # Errors
    /// `TooLong`, `TooManyLines`, `Line`, `Credentials`, `Candidates`.
    pub fn read(text: &str) -> Result<Self, Error> {
        if text.len() > FRAGMENT_BYTES_MAX {
            return Err(Error::TooLong);
        }
        let (mut ufrag, mut pwd, mut candidates) = (None, None, Vec::new());
        for line in lines(text) {
            let (letter, value) = line?;
            if letter != b'a' {
                continue;
            }
            match attribute(value) {
                ("ice-ufrag", name) => ufrag = Some(name),
                ("ice-pwd", word) => pwd = Some(word),
                ("candidate", _) => candidates.push(value.to_owned()),
                _ => {}
            }
        }
        let too_long = candidates.iter().any(|candidate| candidate.len() > CANDIDATE_BYTES_MAX);
        if too_long || candidates.len() > CANDIDATES_MAX {
            return Err(Error::Candidates);
        }
        let credentials = match (ufrag, pwd) {
            (None, None) => None,
            (ufrag, pwd) => Some(Credentials::read(ufrag, pwd)?),
        };
        Ok(Self { credentials, candidates })
    }

    /// What a side that began ICE anew is told: our new name, and where we are. `mid` is the audio's.
    pub fn write(credentials: &Credentials, mid: &str, candidates: &[String]) -> String {
        let Credentials { ufrag, pwd } = credentials;
        let mut text = format!("a=ice-lite\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n");
        text.push_str(&format!("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\n"));
        for candidate in candidates {
            text.push_str(&format!("a={candidate}\r\n"));
        }
        text.push_str("a=end-of-candidates\r\n");
        text
    }
}
