//! One Ogg Vorbis stream (Vorbis I specification, section A): three headers, then packets; beginning and end
//! cut where it says.

use std::collections::VecDeque;

use super::packet::{Batch, Packet};
use crate::codec::vorbis::Decoder;
use crate::ingest::comment;
use crate::ingest::outcome::{Codec, Error, Format, Lost, rate_taken};
use crate::ingest::track::Outputs;

/// Silence put where pages are missing at most, in milliseconds. More than that stays a gap.
pub const FILL_MS_MAX: u64 = 1_000;

/// Where the stream is.
#[derive(Debug)]
enum State {
    /// The comment header comes next.
    Comment,
    /// The setup header comes next.
    Setup,
    /// Sound.
    Sound(Box<Decoder>),
}

/// How the page being decoded is laid down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placing {
    /// Packet by packet, up to `ends_at`.
    Onward,
    /// As a whole, so that it ends at its position: the first page of sound, and the first after a loss.
    Backward,
}

/// Decodes one stream.
#[derive(Debug)]
pub struct Track {
    ident: Vec<u8>,
    state: State,
    /// Where the decoded sound ends, on the scale of the granule positions; unknown before the first page of
    /// sound.
    position: Option<u64>,
    placing: Placing,
    page_ends_at: Option<u64>,
    ends_at: Option<u64>,
    packets: VecDeque<Packet>,
}

impl Track {
    /// A stream that begins with this identification header.
    pub fn new(ident: Vec<u8>) -> Self {
        Self {
            ident,
            state: State::Comment,
            position: None,
            placing: Placing::Onward,
            page_ends_at: None,
            ends_at: None,
            packets: VecDeque::new(),
        }
    }

    /// Takes the packets that end on the next page.
    pub fn page(&mut self, batch: Batch, out: &mut Outputs) -> Result<(), Error> {
        let mut packets = batch.packets;
        while !matches!(self.state, State::Sound(_)) {
            let Some(packet) = packets.pop_front() else {
                return Ok(());
            };
            self.header(&packet, out)?;
        }
        if let State::Sound(decoder) = &mut self.state
            && batch.lost.is_some()
        {
            decoder.reset();
        }
        if !packets.is_empty() {
            let starts = self.position.is_none() && !batch.ends;
            let backward = batch.granule.is_some() && (starts || batch.lost.is_some());
            self.placing = if backward { Placing::Backward } else { Placing::Onward };
            self.page_ends_at = batch.granule;
            let position = self.position.unwrap_or(0);
            self.ends_at = batch.granule.filter(|&granule| batch.ends && granule >= position);
        }
        self.packets = packets;
        Ok(())
    }

    /// Decodes one packet, or a whole page where its place must be found first; `false` when the page is
    /// done.
    pub fn step(&mut self, out: &mut Outputs) -> bool {
        if self.packets.is_empty() {
            return false;
        }
        let mut sound = Vec::new();
        match self.placing {
            Placing::Onward => {
                self.decode_one(&mut sound, out);
                let position = self.position.unwrap_or(0);
                self.position = Some(position.saturating_add(sound.len() as u64));
                if let Some(ends_at) = self.ends_at {
                    sound.truncate(ends_at.saturating_sub(position) as usize);
                }
            }
            Placing::Backward => {
                while !self.packets.is_empty() {
                    self.decode_one(&mut sound, out);
                }
                self.place(&mut sound);
            }
        }
        if self.packets.is_empty() && self.page_ends_at.is_some() {
            self.position = self.page_ends_at.take();
        }
        out.sound(sound);
        true
    }

    fn header(&mut self, packet: &Packet, out: &mut Outputs) -> Result<(), Error> {
        let wrong = |why: &str| Error::HeaderWrong { header: "Vorbis", why: why.to_owned() };
        match self.state {
            State::Comment => {
                let body = packet.bytes.strip_prefix(b"\x03vorbis");
                out.title(comment::title(body.ok_or_else(|| wrong("the comment header is missing"))?));
                self.state = State::Setup;
            }
            State::Setup => {
                if packet.cut {
                    return Err(wrong("the setup header is longer than any encoder makes"));
                }
                let decoder =
                    Decoder::new(&self.ident, &packet.bytes).map_err(|why| wrong(&why.to_string()))?;
                let rate_hz = rate_taken(decoder.rate_hz())?;
                out.format(Format { codec: Codec::Vorbis, rate_hz, channels: decoder.channels() });
                self.state = State::Sound(Box::new(decoder));
            }
            State::Sound(_) => {}
        }
        Ok(())
    }

    fn decode_one(&mut self, sound: &mut Vec<f32>, out: &mut Outputs) {
        let (Some(packet), State::Sound(decoder)) = (self.packets.pop_front(), &mut self.state) else {
            return;
        };
        if packet.cut {
            out.lost(Lost::PacketCut);
        } else if !packet.bytes.is_empty() && decoder.decode(&packet.bytes, sound).is_err() {
            out.lost(Lost::PacketBad);
        }
    }

    /// Makes a whole page end at its position: what lies before the stream's beginning is cut, what is
    /// missing is silence.
    fn place(&mut self, sound: &mut Vec<f32>) {
        let (Some(ends_at), State::Sound(decoder)) = (self.page_ends_at, &self.state) else {
            return;
        };
        let starts_at = i128::from(ends_at) - sound.len() as i128;
        match self.position {
            None => {
                let before = usize::try_from(-starts_at).unwrap_or(0);
                sound.drain(..before.min(sound.len()));
            }
            Some(position) => {
                let fill_max = i128::from(FILL_MS_MAX * u64::from(decoder.rate_hz()) / 1_000);
                let missing = (starts_at - i128::from(position)).clamp(0, fill_max);
                sound.splice(..0, std::iter::repeat_n(0.0, missing as usize));
            }
        }
    }
}
