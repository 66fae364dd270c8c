//! The program's coded forms: which there are, and what a player needs before the first part of each.

use bytes::Bytes;

use super::mp4::{self, Track};
use super::ogg;
use super::part::{Codec, PartNo, Rendition};
use crate::codec::{aac, opus};

/// The most renditions one program has.
pub const RENDITIONS_MAX: usize = 8;

/// One rendition as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// How it is coded.
    pub codec: Codec,
    /// Bits a second.
    pub bit_rate: u32,
}

/// What a program is coded as unless configured: the first Opus is the one recorded, and so is the AAC.
pub const DEFAULT: [Spec; 4] = [
    Spec { codec: Codec::Opus, bit_rate: 64_000 },
    Spec { codec: Codec::Opus, bit_rate: 32_000 },
    Spec { codec: Codec::Opus, bit_rate: 16_000 },
    Spec { codec: Codec::AacLc, bit_rate: 64_000 },
];

/// Why a program cannot be coded as asked, or stopped being coded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No rendition at all, or more than the limit.
    #[error("a program has 1 to {RENDITIONS_MAX} renditions, not {0}")]
    Count(usize),
    /// Two renditions whose names are the same.
    #[error("two renditions are called {0}; their bit rates must differ by whole kbit/s")]
    Twice(String),
    /// A codec whose priming is longer than the program's presentation delay.
    #[error("the priming of {0} is longer than the presentation delay")]
    Priming(String),
    /// Opus failed.
    #[error(transparent)]
    Opus(#[from] opus::Error),
    /// AAC failed.
    #[error(transparent)]
    Aac(#[from] aac::Error),
}

/// The list of renditions, in the order of `Part::tracks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renditions {
    tracks: Vec<Track>,
}

impl Renditions {
    /// Checks the list by opening each encoder once, which also tells its priming and configuration.
    pub fn new(specs: &[Spec]) -> Result<Self, Error> {
        if specs.is_empty() || specs.len() > RENDITIONS_MAX {
            return Err(Error::Count(specs.len()));
        }
        let mut tracks: Vec<Track> = Vec::with_capacity(specs.len());
        for spec in specs {
            let track = describe(*spec)?;
            let name = track.rendition.name();
            if tracks.iter().any(|other| other.rendition.name() == name) {
                return Err(Error::Twice(name));
            }
            if track.rendition.priming_samples > mp4::DELAY_SAMPLES {
                return Err(Error::Priming(name));
            }
            tracks.push(track);
        }
        Ok(Self { tracks })
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Rendition> + Clone {
        self.tracks.iter().map(|track| &track.rendition)
    }

    /// One by its place in the list.
    pub fn get(&self, index: usize) -> Option<&Rendition> {
        self.tracks.get(index).map(|track| &track.rendition)
    }

    /// The place in the list of the one called `name`, as in a URL.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.iter().position(|rendition| rendition.name() == name)
    }

    /// The place in the list of the best of a codec.
    pub fn best(&self, codec: Codec) -> Option<usize> {
        let of_codec = self.iter().enumerate().filter(|(_, rendition)| rendition.codec == codec);
        of_codec.max_by_key(|(_, rendition)| rendition.bit_rate).map(|(index, _)| index)
    }

    /// The place in the list of the one of a codec with the lowest bit rate.
    pub fn lowest(&self, codec: Codec) -> Option<usize> {
        let of_codec = self.iter().enumerate().filter(|(_, rendition)| rendition.codec == codec);
        of_codec.min_by_key(|(_, rendition)| rendition.bit_rate).map(|(index, _)| index)
    }

    /// What an MP4 file says about one of them.
    pub fn track(&self, index: usize) -> Option<&Track> {
        self.tracks.get(index)
    }

    /// The Ogg header pages of every Opus rendition; `None` without Opus.
    pub fn ogg_headers(&self, title: &str) -> Option<Vec<u8>> {
        let pre_skip = self.opus_priming()?;
        Some(ogg::headers(ogg::Headers { pre_skip, title }))
    }

    /// The Ogg page that ends a stream whose last part was `last`; `None` without Opus.
    pub fn ogg_end(&self, last: PartNo) -> Option<Vec<u8>> {
        Some(ogg::end_page(last, self.opus_priming()?))
    }

    /// The init segment of one of them.
    pub fn init_segment(&self, index: usize) -> Option<Bytes> {
        self.tracks.get(index).map(|track| mp4::init_segment(std::slice::from_ref(track)))
    }

    fn opus_priming(&self) -> Option<u32> {
        self.iter()
            .find(|rendition| rendition.codec == Codec::Opus)
            .map(|rendition| rendition.priming_samples)
    }
}

impl Codec {
    /// Its word in `CODECS` of a playlist and in a MIME type (RFC 6381).
    pub const fn rfc6381(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::AacLc => "mp4a.40.2",
        }
    }
}

fn describe(spec: Spec) -> Result<Track, Error> {
    let (priming_samples, config) = match spec.codec {
        Codec::Opus => (opus::Encoder::new(spec.bit_rate)?.lookahead_samples(), Vec::new()),
        Codec::AacLc => {
            let encoder = aac::Encoder::new(spec.bit_rate)?;
            (encoder.delay_samples(), encoder.audio_specific_config())
        }
    };
    let Spec { codec, bit_rate } = spec;
    Ok(Track { rendition: Rendition { codec, bit_rate, channels: 1, priming_samples }, config })
}
