//! A live source: Ogg Opus in pages of 100 ms, sent when it is told to, as a `PUT` in chunks.

use std::io::Write;
use std::net::TcpStream;

use anyhow::Context;
use base64::Engine as _;
use tribune_core::program::ogg::{self, PageHead, Place};
use tribune_core::time::FRAME_SAMPLES;

/// Packets of 20 ms in a page.
pub const PAGE_PACKETS: usize = 5;

/// Where to send.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// `http://127.0.0.1:port` of the stage.
    pub stage: &'a str,
    /// `/room/source/name`, with its query.
    pub path: &'a str,
    /// The speaker's key.
    pub key: &'a str,
    /// Samples at 48 kHz that players drop at the start: the encoder's look-ahead.
    pub pre_skip: u32,
    /// What it says it plays.
    pub title: &'a str,
}

/// A connection that takes pages.
pub struct Source {
    stream: TcpStream,
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
        write!(
            stream,
            "PUT {} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {key}\r\nContent-Type: audio/ogg\r\n\
             Transfer-Encoding: chunked\r\n\r\n",
            target.path
        )?;
        let mut source = Self { stream, packets: 0, pages: 0 };
        let headers = ogg::Headers { pre_skip: target.pre_skip, title: target.title };
        source.chunk(&ogg::headers(headers))?;
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
        self.chunk(&page)
    }

    /// Says that it is over.
    ///
    /// # Errors
    /// The node hung up before.
    pub fn finish(mut self) -> anyhow::Result<()> {
        Ok(self.stream.write_all(b"0\r\n\r\n")?)
    }

    fn chunk(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
        framed.extend_from_slice(bytes);
        framed.extend_from_slice(b"\r\n");
        self.stream.write_all(&framed).context("the node hung up")
    }
}
