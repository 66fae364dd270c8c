//! What ingest tells about a source besides its sound: the format, damage that was survived, and why it gave
//! up.

use thiserror::Error;

use crate::reason::Refusal;

/// Sampling rates taken, in Hz.
pub const RATE_HZ_MIN: u32 = 8_000;
/// Sampling rates taken, in Hz.
pub const RATE_HZ_MAX: u32 = 96_000;

/// How a source is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Ogg Opus (RFC 7845).
    Opus,
    /// Ogg Vorbis (Vorbis I specification).
    Vorbis,
    /// MPEG-1, 2 or 2.5 layer III.
    Mp3,
    /// AAC in ADTS, HE-AAC included (ISO/IEC 14496-3).
    Aac,
}

impl Codec {
    /// The word for logs and counters.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Vorbis => "vorbis",
            Self::Mp3 => "mp3",
            Self::Aac => "aac",
        }
    }
}

/// What a source sends from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// How it is coded.
    pub codec: Codec,
    /// Samples a second of the sound that follows, in Hz.
    pub rate_hz: u32,
    /// Channels it was sent in; the sound that follows is their mono mix.
    pub channels: u8,
}

/// Damage that was survived. The source goes on; the server counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Lost {
    /// Bytes between what could be read.
    #[error("{bytes} bytes were no part of the container and were skipped")]
    Garbage {
        /// How many.
        bytes: u64,
    },
    /// An Ogg page whose checksum is wrong.
    #[error("an Ogg page was damaged: its checksum is wrong")]
    PageDamaged,
    /// A jump in the page numbers.
    #[error("{pages} Ogg pages are missing")]
    PagesMissing {
        /// How many, by their numbers.
        pages: u32,
    },
    /// Pages of a stream whose beginning never came.
    #[error("an Ogg page belongs to a stream whose beginning was not seen")]
    PageOrphaned,
    /// A packet without its beginning or its end, or longer than any packet of sound.
    #[error("a packet was incomplete")]
    PacketCut,
    /// A packet or frame the decoder would not take.
    #[error("a packet could not be decoded")]
    PacketBad,
}

impl Lost {
    /// The stable word for counters.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Garbage { .. } => "garbage",
            Self::PageDamaged => "page_damaged",
            Self::PagesMissing { .. } => "pages_missing",
            Self::PageOrphaned => "page_orphaned",
            Self::PacketCut => "packet_cut",
            Self::PacketBad => "packet_bad",
        }
    }
}

/// Why a source cannot be heard, or not any more.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// It is something else, known by its first bytes.
    #[error("this is {0}, which is not taken; send Ogg Opus, Ogg Vorbis, MP3 or AAC (ADTS)")]
    OtherKind(&'static str),
    /// Nothing in the first bytes is sound of a known kind.
    #[error("nothing in the first {bytes} bytes is Ogg, MP3 or AAC")]
    NoSound {
        /// How many were looked at.
        bytes: usize,
    },
    /// A header that makes decoding impossible.
    #[error("the {header} header is wrong: {why}")]
    HeaderWrong {
        /// Which one.
        header: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A sampling rate outside `RATE_HZ_MIN..=RATE_HZ_MAX`.
    #[error("a sampling rate of {rate_hz} Hz is not taken; send {RATE_HZ_MIN} to {RATE_HZ_MAX} Hz")]
    RateOutside {
        /// The rate, in Hz.
        rate_hz: u32,
    },
    /// The container was lost and did not come back.
    #[error("the {container} broke off and was not found again in {bytes} bytes")]
    Lost {
        /// What it had been.
        container: &'static str,
        /// How many bytes were searched.
        bytes: u64,
    },
    /// The source ended before any sound.
    #[error("the source ended before any sound came")]
    Empty,
    /// Nothing came for too long.
    #[error("nothing came from the source for {seconds} s")]
    Idle {
        /// How long, in seconds.
        seconds: u64,
    },
    /// A decoder could not be made, which is a fault of ours.
    #[error("a decoder could not be made: {0}")]
    Decoder(String),
}

impl Error {
    /// The row of the table this is answered and counted with.
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::OtherKind(_) | Self::NoSound { .. } | Self::RateOutside { .. } => Refusal::CodecUnknown,
            Self::HeaderWrong { .. } | Self::Lost { .. } | Self::Empty | Self::Idle { .. } => {
                Refusal::Malformed
            }
            Self::Decoder(_) => Refusal::OurFault,
        }
    }
}

/// The rate if it is one that is taken.
pub fn rate_taken(rate_hz: u32) -> Result<u32, Error> {
    if (RATE_HZ_MIN..=RATE_HZ_MAX).contains(&rate_hz) {
        Ok(rate_hz)
    } else {
        Err(Error::RateOutside { rate_hz })
    }
}
