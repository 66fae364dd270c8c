//! A live source: Ogg Opus in pages of 100 ms, sent when it is told to, as a `PUT`.

use std::io::Write;
use std::net::TcpStream;

use anyhow::Context;
use base64::Engine as _;
use tribune_core::program::ogg::{self, PageHead, Place};
use tribune_core::time::FRAME_SAMPLES;

/// Packets of 20 ms in a page.
pub const PAGE_PACKETS: usize = 5;

/// How a body without a known length is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// In chunks (RFC 9112, section 7.1), as curl sends.
    Chunked,
    /// Bare bytes until the connection closes, as most Icecast clients send; Icecast 2.4 takes no other.
    Bare,
}

/// Where to send.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// `http://127.0.0.1:port` of the stage.
    pub stage: &'a str,
    /// `/room/source/name`, with its query.
    pub path: &'a str,
    /// The speaker's key.
    pub key: &'a str,
    /// How the body is marked.
    pub framing: Framing,
    /// Samples at 48 kHz that players drop at the start: the encoder's look-ahead.
    pub pre_skip: u32,
    /// What it says it plays.
    pub title: &'a str,
}

/// A connection that takes pages.
pub struct Source {
    stream: TcpStream,
    framing: Framing,
    packets: u64,
    pages: u32,
}

impl Source {
    /// Connects and sends the headers.
    ///
    /// # Errors
    /// Nobody listens there, or the connection breaks.
    pub fn connect(target: &Target<'_>) -> anyhow::Result<Self> {
        let host = target.stage.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).with_context(|| format!("nothing listens at {host}"))?;
        stream.set_nodelay(true)?;
        let key = base64::engine::general_purpose::STANDARD.encode(format!("source:{}", target.key));
        let (version, marked) = match target.framing {
            Framing::Chunked => ("1.1", "Transfer-Encoding: chunked\r\n"),
            Framing::Bare => ("1.0", ""),
        };
        write!(
            stream,
            "PUT {} HTTP/{version}\r\nHost: {host}\r\nAuthorization: Basic {key}\r\n\
             Content-Type: audio/ogg\r\n{marked}\r\n",
            target.path
        )?;
        let mut source = Self { stream, framing: target.framing, packets: 0, pages: 0 };
        let headers = ogg::Headers { pre_skip: target.pre_skip, title: target.title };
        source.send(&ogg::headers(headers))?;
        Ok(source)
    }

    /// Sends one page of packets of 20 ms each.
    ///
    /// # Errors
    /// The node hung up: the key is wrong, the room is over, or another sender took this one's place.
    pub fn page<'p>(
        &mut self,
        packets: impl IntoIterator<Item = &'p [u8], IntoIter: ExactSizeIterator + Clone>,
    ) -> anyhow::Result<()> {
        let packets = packets.into_iter();
        self.packets += packets.len() as u64;
        self.pages += 1;
        let granule = self.packets * FRAME_SAMPLES as u64;
        let head = PageHead { place: Place::Middle, granule, sequence: 1 + self.pages };
        let mut page = Vec::new();
        ogg::write_page(head, packets, &mut page).context("these packets do not fit in one page")?;
        self.send(&page)
    }

    /// Says that it is over.
    ///
    /// # Errors
    /// The node hung up before.
    pub fn finish(mut self) -> anyhow::Result<()> {
        match self.framing {
            Framing::Chunked => Ok(self.stream.write_all(b"0\r\n\r\n")?),
            Framing::Bare => Ok(self.stream.shutdown(std::net::Shutdown::Write)?),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let sent = match self.framing {
            Framing::Chunked => {
                let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
                framed.extend_from_slice(bytes);
                framed.extend_from_slice(b"\r\n");
                self.stream.write_all(&framed)
            }
            Framing::Bare => self.stream.write_all(bytes),
        };
        sent.context("the node hung up")
    }
}
