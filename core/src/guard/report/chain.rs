//! How lines follow each other: each names the hash of the bytes of the one before.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::line::{Broken, Line, SEQ_MAX};

/// The end of the ledger, as every status tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// SHA-256 of the last line, in base64url.
    pub head: String,
    /// Lines up to it, from the node's first.
    pub lines: u64,
}

/// Where the next line goes.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    head: Option<Head>,
}

impl Chain {
    /// Goes on after the last whole line that is on the disk. When that is no line, or has a number to which
    /// nobody can have counted, it is named by its hash all the same, and numbers begin anew: what was done
    /// to it is seen by everybody who checks.
    pub fn after(last: Option<&[u8]>) -> (Self, Option<Broken>) {
        let Some(last) = last else { return (Self::default(), None) };
        let (lines, broken) = match Line::read(last) {
            Ok(line) if line.seq > SEQ_MAX / 2 => {
                (0, Some(Broken::Impossible { seq: line.seq, what: "its number" }))
            }
            Ok(line) => (line.seq + 1, None),
            Err(broken) => (0, Some(broken)),
        };
        (Self { head: Some(Head { head: hash(last), lines }) }, broken)
    }

    /// A line as it is to be written, without the line's end, and the head once it is.
    pub fn next(&self, line: Line) -> (Vec<u8>, Head) {
        let seq = self.head.as_ref().map_or(0, |head| head.lines);
        let line = Line { seq, prev: self.head.as_ref().map(|head| head.head.clone()), ..line };
        let bytes = serde_jcs::to_vec(&line).expect("texts and numbers have a canonical form");
        let head = Head { head: hash(&bytes), lines: seq + 1 };
        (bytes, head)
    }

    /// The line of this head is on the disk.
    pub fn kept(&mut self, head: Head) {
        self.head = Some(head);
    }

    /// The end, if there is any line.
    pub const fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }
}

/// The hash of a line's bytes.
pub fn hash(line: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(line))
}

/// So many bytes are whole lines, each with its end; and where the last of them begins, if there is one. What
/// comes after was cut off while it was written.
pub fn whole_lines(bytes: &[u8]) -> (usize, Option<usize>) {
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else { return (0, None) };
    let begin = bytes[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
    (end + 1, Some(begin))
}
