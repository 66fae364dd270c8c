//! The streams of an Ogg source, side by side and one after another (RFC 3533, section 4): the one that is
//! heard is chosen, and where it ends and another begins, the sound goes on without a gap.
//!
//! Source clients begin a new stream for each new title; the codec, the rate and the channels may change with
//! it.

use super::opus::{self, Head};
use super::packet::Packets;
use super::page::{Found, Page, Pages};
use super::vorbis;
use crate::ingest::outcome::{Error, Lost};
use crate::ingest::track::Outputs;

/// Pages without a beginning before the source counts as unreadable.
pub const ORPHAN_PAGES_MAX: u32 = 64;
/// Streams remembered that run beside the one that is heard.
const BESIDE_MAX: usize = 16;
/// Kinds of streams that are recognised and not taken, by their first bytes.
const OTHERS: [(&[u8], &str); 6] = [
    (b"\x7fFLAC", "Ogg FLAC"),
    (b"fLaC", "Ogg FLAC"),
    (b"Speex   ", "Ogg Speex"),
    (b"\x80theora", "Ogg Theora"),
    (b"PCM     ", "Ogg PCM"),
    (b"OVP80", "Ogg VP8"),
];

/// Reads a whole Ogg source.
#[derive(Debug, Default)]
pub struct Chain {
    pages: Pages,
    stream: Option<Stream>,
    /// Beginnings seen of which none could be heard.
    unheard: Option<&'static str>,
    /// Streams that began beside the one that is heard.
    beside: Vec<u32>,
    orphans: u32,
}

#[derive(Debug)]
struct Stream {
    serial: u32,
    packets: Packets,
    track: Track,
    /// Whether a page after the first has come: from then on a beginning is the next link of the chain.
    under_way: bool,
}

#[derive(Debug)]
enum Track {
    Opus(Box<opus::Track>),
    Vorbis(Box<vorbis::Track>),
}

impl Chain {
    /// Takes more bytes; `step` looks at them.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pages.push(bytes);
    }

    /// One packet or one page further; `false` when more bytes are needed.
    pub fn step(&mut self, out: &mut Outputs) -> Result<bool, Error> {
        if let Some(stream) = &mut self.stream
            && stream.track.step(out)
        {
            return Ok(true);
        }
        match self.pages.poll() {
            None => Ok(false),
            Some(Found::Gone(bytes)) => Err(Error::Lost { container: "Ogg stream", bytes }),
            Some(Found::Lost(lost)) => {
                out.lost(lost);
                Ok(true)
            }
            Some(Found::Page(page)) => self.page(&page, out).map(|()| true),
        }
    }

    fn page(&mut self, page: &Page, out: &mut Outputs) -> Result<(), Error> {
        if page.begins {
            return self.begin(page, out);
        }
        match &mut self.stream {
            Some(stream) if stream.serial == page.serial => {
                self.orphans = 0;
                stream.page(page, out)
            }
            Some(_) if self.beside.contains(&page.serial) => Ok(()),
            Some(_) | None => self.orphan(out),
        }
    }

    /// A stream begins: beside the one that just began, or after the one that was heard.
    fn begin(&mut self, page: &Page, out: &mut Outputs) -> Result<(), Error> {
        if self.stream.as_ref().is_some_and(|stream| !stream.under_way && stream.serial != page.serial) {
            if self.beside.len() < BESIDE_MAX {
                self.beside.push(page.serial);
            }
            return Ok(());
        }
        if self.stream.take().is_some() {
            self.beside.clear();
        }
        let mut packets = Packets::default();
        let first = packets.page(page).packets.pop_front().map(|packet| packet.bytes).unwrap_or_default();
        let track = if first.starts_with(b"OpusHead") {
            Track::Opus(Box::new(opus::Track::new(Head::parse(&first)?)?))
        } else if first.starts_with(b"\x01vorbis") {
            Track::Vorbis(Box::new(vorbis::Track::new(first)))
        } else {
            let other = OTHERS.iter().find(|(magic, _)| first.starts_with(magic));
            self.unheard = Some(other.map_or("Ogg with an unknown codec", |(_, name)| name));
            if self.beside.len() < BESIDE_MAX {
                self.beside.push(page.serial);
            }
            return Ok(());
        };
        self.unheard = None;
        out.seam();
        self.stream = Some(Stream { serial: page.serial, packets, track, under_way: false });
        Ok(())
    }

    /// A page whose stream's beginning was not seen, or was of another kind and nothing else began beside it.
    fn orphan(&mut self, out: &mut Outputs) -> Result<(), Error> {
        if let Some(kind) = self.unheard {
            return Err(Error::OtherKind(kind));
        }
        self.orphans += 1;
        if self.orphans > ORPHAN_PAGES_MAX {
            return Err(Error::HeaderWrong {
                header: "Ogg",
                why: format!("{ORPHAN_PAGES_MAX} pages came and none begins a stream"),
            });
        }
        out.lost(Lost::PageOrphaned);
        Ok(())
    }
}

impl Stream {
    fn page(&mut self, page: &Page, out: &mut Outputs) -> Result<(), Error> {
        self.under_way = true;
        let batch = self.packets.page(page);
        if let Some(lost) = batch.lost {
            out.lost(lost);
        }
        match &mut self.track {
            Track::Opus(track) => {
                track.page(batch, out);
                Ok(())
            }
            Track::Vorbis(track) => track.page(batch, out),
        }
    }
}

impl Track {
    fn step(&mut self, out: &mut Outputs) -> bool {
        match self {
            Self::Opus(track) => track.step(out),
            Self::Vorbis(track) => track.step(out),
        }
    }
}
