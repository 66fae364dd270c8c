//! Takes the answers on a connection apart (RFC 9112), however they are cut, several in a row.

use std::collections::VecDeque;
use std::time::Duration;

use crate::crowd::chunks::Chunks;

/// A longer head is none of ours.
const HEAD_BYTES_MAX: usize = 16_384;
/// Of a body that is kept, no more than this: a page, or a playlist.
const BODY_BYTES_MAX: usize = 1 << 20;

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its HTTP status.
    pub status: u16,
    /// When it says to come again.
    pub retry_after: Option<Duration>,
    /// Whether the connection ends with it.
    pub is_last: bool,
    /// What was in it, where that was wanted.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text; what is no text is left out.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A string in a flat JSON object, of letters that are written as they are.
    pub(crate) fn string(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("\"{name}\":\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    }

    /// A number in a flat JSON object.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("\"{name}\":"))?;
        let digits = rest.trim_start().split(|one: char| !one.is_ascii_digit()).next()?;
        digits.parse().ok()
    }
}

/// What a request asks of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// There is none: it was a `HEAD`.
    None,
    /// It is thrown away.
    Dropped,
    /// It is kept.
    Kept,
}

/// The other side does not speak HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoHttp;

/// Where the answers of one connection are.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    asked: VecDeque<Body>,
    head: Vec<u8>,
    now: Answer,
    state: State,
    is_kept: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Fixed(usize),
    Chunked(Chunks),
    UntilEnd,
}

impl Reader {
    /// A request was sent.
    pub fn asked(&mut self, body: Body) {
        self.asked.push_back(body);
    }

    /// Requests whose answers have not come whole.
    pub fn due(&self) -> usize {
        self.asked.len()
    }

    /// Whether part of an answer has come.
    pub fn has_begun(&self) -> bool {
        !self.head.is_empty() || !matches!(self.state, State::Head)
    }

    /// The next bytes; gives each answer that they finish.
    pub fn take(&mut self, mut bytes: &[u8], mut each: impl FnMut(Answer)) -> Result<(), NoHttp> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Head => {
                    let Some(left) = self.head(bytes)? else { return Ok(()) };
                    bytes = left;
                }
                State::Fixed(left) => {
                    let here = (*left).min(bytes.len());
                    *left -= here;
                    let is_over = *left == 0;
                    self.keep(&bytes[..here]);
                    bytes = &bytes[here..];
                    if is_over {
                        each(self.finish());
                    }
                    continue;
                }
                State::Chunked(chunks) => {
                    let (mut data, mut used) = (Vec::new(), 0);
                    // One byte at a time, so that the first of the next answer is not lost.
                    while used < bytes.len() && !chunks.is_over() {
                        chunks.take(&bytes[used..=used], |some| data.extend_from_slice(some));
                        used += 1;
                    }
                    let is_over = chunks.is_over();
                    self.keep(&data);
                    bytes = &bytes[used..];
                    if is_over {
                        each(self.finish());
                    }
                    continue;
                }
                State::UntilEnd => {
                    self.keep(bytes);
                    return Ok(());
                }
            }
            if matches!(self.state, State::Fixed(0)) {
                each(self.finish());
            }
        }
        Ok(())
    }

    /// The connection has ended; gives the answer whose end that is.
    pub fn end(&mut self) -> Option<Answer> {
        matches!(self.state, State::UntilEnd).then(|| self.finish())
    }

    /// Bytes of a head; what is left when it is whole.
    fn head<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, NoHttp> {
        let bytes = if self.head.is_empty() { skip_empty_line(bytes) } else { bytes };
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let from = before.saturating_sub(3);
        let Some(end) = self.head[from..].windows(4).position(|four| four == b"\r\n\r\n") else {
            return if self.head.len() > HEAD_BYTES_MAX { Err(NoHttp) } else { Ok(None) };
        };
        let left = &bytes[from + end + 4 - before..];
        self.head.truncate(from + end);
        let read = read_head(&self.head).ok_or(NoHttp)?;
        self.head.clear();
        if read.answer.status / 100 == 1 {
            return Ok(Some(left));
        }
        let asked = self.asked.front().copied().unwrap_or(Body::Dropped);
        self.is_kept = asked == Body::Kept;
        let has_none = asked == Body::None || matches!(read.answer.status, 204 | 304);
        self.now = read.answer;
        self.state = match read.length {
            _ if has_none => State::Fixed(0),
            Length::Fixed(bytes) => State::Fixed(bytes),
            Length::Chunked => State::Chunked(Chunks::default()),
            Length::Unknown => State::UntilEnd,
        };
        Ok(Some(left))
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.is_kept && self.now.body.len() + bytes.len() <= BODY_BYTES_MAX {
            self.now.body.extend_from_slice(bytes);
        }
    }

    fn finish(&mut self) -> Answer {
        self.asked.pop_front();
        self.state = State::Head;
        std::mem::take(&mut self.now)
    }
}

enum Length {
    Fixed(usize),
    Chunked,
    Unknown,
}

struct Head {
    answer: Answer,
    length: Length,
}

fn skip_empty_line(mut bytes: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

fn read_head(head: &[u8]) -> Option<Head> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let (version, rest) = lines.next()?.split_once(' ')?;
    if !version.starts_with("HTTP/1.") {
        return None;
    }
    let status = rest.split(' ').next()?.parse().ok()?;
    let mut answer = Answer { status, is_last: version == "HTTP/1.0", ..Answer::default() };
    let mut length = Length::Unknown;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Length::Fixed(value.parse().ok()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            length = Length::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            answer.is_last |= value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("retry-after") {
            answer.retry_after = value.parse().ok().map(Duration::from_secs);
        }
    }
    Some(Head { answer, length })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\
        HTTP/1.1 503 Busy\r\nretry-after: 7\r\nconnection: close\r\ncontent-length: 0\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n\
        HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
        3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nto the end";

    #[test]
    fn answers_are_taken_apart_however_they_are_cut() {
        for cut in [1, 2, 7, 64, STREAM.len()] {
            let mut reader = Reader::default();
            for body in [Body::Kept, Body::Dropped, Body::None, Body::Kept, Body::Kept] {
                reader.asked(body);
            }
            let mut found = Vec::new();
            for bytes in STREAM.chunks(cut) {
                reader.take(bytes, |answer| found.push(answer)).expect("it is HTTP");
            }
            assert!(reader.has_begun());
            found.extend(reader.end());
            let told: Vec<_> = found.iter().map(|one| (one.status, one.text())).collect();
            let said = |status, text: &str| (status, text.to_owned());
            assert_eq!(
                told,
                [
                    said(200, "hello"),
                    said(503, ""),
                    said(200, ""),
                    said(200, "abcde"),
                    said(200, "to the end")
                ],
                "{cut}"
            );
            assert_eq!((found[1].retry_after, found[1].is_last), (Some(Duration::from_secs(7)), true));
            assert_eq!(reader.due(), 0);
        }
    }

    #[test]
    fn what_is_no_http_is_said_and_not_kept() {
        let mut reader = Reader::default();
        assert_eq!(reader.take(b"SSH-2.0-x\r\n\r\n", |_| {}), Err(NoHttp));
        let mut reader = Reader::default();
        assert_eq!(reader.take(&[b'x'; HEAD_BYTES_MAX + 1], |_| {}), Err(NoHttp));
        let wrong = b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n";
        assert_eq!(Reader::default().take(wrong, |_| {}), Err(NoHttp));
    }

    #[test]
    fn members_of_a_flat_object_are_found() {
        let answer =
            Answer { body: br#"{"ticket":"AX_-","retry_after_ms":822}"#.to_vec(), ..Answer::default() };
        assert_eq!(answer.string("ticket").as_deref(), Some("AX_-"));
        assert_eq!((answer.number("retry_after_ms"), answer.number("none")), (Some(822), None));
    }
}
