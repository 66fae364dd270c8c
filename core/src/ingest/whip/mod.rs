//! What WHIP (RFC 9725) and its SDP ask, read before any WebRTC library sees it: offers, and the fragments by
//! which a sender tells new addresses or begins ICE anew.
//!
//! Everything here is bounded by a constant, so that a hostile text costs one pass over its bytes.

mod fragment;
mod offer;
mod patch;
mod sdp;

pub use fragment::{CANDIDATE_BYTES_MAX, CANDIDATES_MAX, FRAGMENT_BYTES_MAX, Fragment};
pub use offer::{Nack, OFFER_BYTES_MAX, Offer, Wants, answer_for_speech};
pub use patch::{Patch, read_patch};
pub use sdp::{Credentials, SDP_LINES_MAX};

use thiserror::Error;

use crate::reason::Refusal;

#[cfg(test)]
mod tests;

/// Why a text of WHIP cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// More bytes than are read.
    #[error("the SDP is larger than is read here")]
    TooLong,
    /// More lines than are read.
    #[error("the SDP has more than {SDP_LINES_MAX} lines")]
    TooManyLines,
    /// A line that is not `letter=value`.
    #[error("line {0} of the SDP is not of the form letter=value")]
    Line(usize),
    /// It does not begin as an SDP does.
    #[error("an SDP begins with v=0")]
    NotSdp,
    /// No name or no password for ICE, or not of their length and letters (RFC 8839, section 5.4).
    #[error("the SDP has no ice-ufrag and ice-pwd of 4 and 22 or more letters")]
    Credentials,
    /// No certificate to expect.
    #[error("the SDP has no fingerprint")]
    Fingerprint,
    /// No audio, or more than one.
    #[error("offer exactly one m=audio that is in use, this has {0}")]
    AudioLines(usize),
    /// Too many media lines.
    #[error("the SDP has more media lines than a conversation needs")]
    TooManyMedia,
    /// Audio without Opus.
    #[error("offer Opus at 48,000 Hz: a=rtpmap:N opus/48000/2")]
    NoOpus,
    /// An offer that would not send.
    #[error("offer a=sendonly, or a=sendrecv to hear the others")]
    SendsNothing,
    /// An offer that leaves the DTLS client's part to us.
    #[error("offer a=setup:actpass or a=setup:active")]
    Setup,
    /// A PATCH that does not say which ICE session it means.
    #[error("send If-Match with the ETag of the session, or * to begin ICE anew")]
    NoMatch,
    /// A PATCH for an ICE session that is over.
    #[error("the ICE session of this ETag is over")]
    Moved,
    /// More candidates than are kept.
    #[error("a fragment has at most {CANDIDATES_MAX} candidates of {CANDIDATE_BYTES_MAX} bytes")]
    Candidates,
}

impl Error {
    /// The row of the table.
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::TooLong => Refusal::TooLarge,
            Self::TooManyLines
            | Self::Line(_)
            | Self::NotSdp
            | Self::Credentials
            | Self::Fingerprint
            | Self::Candidates => Refusal::Malformed,
            Self::AudioLines(_) | Self::TooManyMedia | Self::NoOpus | Self::SendsNothing | Self::Setup => {
                Refusal::OfferUnfit
            }
            Self::NoMatch => Refusal::MatchMissing,
            Self::Moved => Refusal::SessionMoved,
        }
    }
}
