//! What one listener of the delayed tier costs: a connection, a playlist and a segment, every 5.76 s.

use std::io::{self, Read, Write};
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::Version;
use tribune_core::egress::late::{LATE_PARTS, LATE_SEGMENT_MS, listener_bytes_s};
use tribune_core::program::PART_MS;

use super::crowd::Socket;
use super::{
    Costs, Hall, PACKET_BYTES_MAX, PACKET_HEAD_BYTES, SOCKET_WAIT, Served, TIER_WAIT, TrialError, middle,
};
use crate::answer::{Failure, Path};
use crate::egress::late;

/// The share of time for which a player has a connection open: of a line that carries ten times the sound.
const OPEN_SHARE: f64 = 0.1;
/// Bytes of a playlist, and of the heads of two answers and two requests, about.
const TALK_BYTES: f64 = 1_800.0;
/// Blocks of parts until a playlist names the first.
const BLOCKS: u64 = 6;
const BUG: TrialError = TrialError::Bug("the delayed tier has no segment");

impl Costs {
    /// Memory: a connection and what it was given, while it is open.
    pub(super) fn late_bytes(&self) -> f64 {
        let segment = listener_bytes_s() * LATE_SEGMENT_MS as f64 / 1e3;
        (self.process_bytes + self.kernel_bytes + segment) * OPEN_SHARE
    }
}

impl Hall {
    /// Milliseconds of processor and bytes on the wire, a second, for one listener.
    pub(super) fn late(&mut self, listeners: u64) -> Result<(f64, f64), TrialError> {
        self.feed(BLOCKS * LATE_PARTS)?;
        self.settle()?;
        let newest = self.live.late.borrow().newest().map(|segment| (segment.number, segment.bytes.len()));
        let (number, bytes) = newest.ok_or(BUG)?;
        let (began, mut took_ms) = (self.world.now(), Vec::new());
        while took_ms.is_empty() || self.world.now().since(began) < TIER_WAIT {
            let before_ms = self.threads.processor_ms()?;
            for _ in 0..listeners {
                self.fetch(number, bytes)?;
            }
            took_ms.push(self.threads.processor_ms()? - before_ms);
        }
        let seconds = (LATE_PARTS * PART_MS) as f64 / 1e3;
        let bytes = bytes as f64 + TALK_BYTES;
        let packets = (bytes / PACKET_BYTES_MAX).ceil();
        Ok((middle(took_ms) / seconds / listeners as f64, (bytes + packets * PACKET_HEAD_BYTES) / seconds))
    }

    /// Somebody comes, is told of a segment, takes it and goes.
    fn fetch(&self, number: u64, bytes: usize) -> io::Result<()> {
        let mut socket = Socket::open(self.at, self.client.as_ref(), SOCKET_WAIT)?;
        let ask = |file: &str| format!("GET /self-test/late/{file} HTTP/1.1\r\nHost: self-test\r\n\r\n");
        socket.write_all(ask("aac.m3u8").as_bytes())?;
        let mut said = [0; 4_096];
        if socket.read(&mut said)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        socket.write_all(ask(&format!("{number}.mp4")).as_bytes())?;
        let mut answer = Vec::with_capacity(bytes + said.len());
        socket.read_to_end(&mut answer)?;
        if answer.len() < bytes { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

/// What the public listener answers, by the same code; nothing is left out but the budget.
pub(super) async fn answer(
    State(served): State<Arc<Served>>,
    Path((_, file)): Path<(String, String)>,
    version: Version,
) -> Result<Response, Failure> {
    let live = &served.live;
    let answered = match file.strip_suffix(".mp4").and_then(|number| number.parse().ok()) {
        Some(number) => late::segment(live, number).map(|segment| late::sound(segment, version)),
        None => late::playlist(live),
    };
    std::future::ready(answered.map_err(Failure::from)).await
}
