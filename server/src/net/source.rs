//! Live sources as Icecast clients send them: a head, then sound until the connection ends.
//!
//! HTTP's rules give such a request no body, so it never reaches the HTTP library: the connection is handed
//! over whole. `tribune_core::ingest::head` says which requests these are.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tribune_core::ingest::head::{Head, Version};
use tribune_core::reason::Refusal;

use super::{ClientAddr, Reached, Stream};

/// How long a sender that was refused is still read, so that it can read why: closing a socket with unread
/// bytes in it resets the connection and takes the answer with it (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(2);
/// Bytes of sound thrown away meanwhile.
const LINGER_BYTES_MAX: usize = 1_048_576;

/// Takes one source for as long as it sends. When the future ends, so does the connection.
pub type TakeSource = Arc<dyn Fn(SourceRequest) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A source at the door. It waits to be told to send, or why not.
pub struct SourceRequest {
    /// Method, target, version and headers.
    pub head: Head,
    /// From where.
    pub client: ClientAddr,
    /// Over what.
    pub reached: Reached,
    stream: Stream,
}

/// A source that sends. Read its sound from `stream`; the first bytes of it may have come with the head.
pub struct Sending {
    /// The sound, to be read until it ends. Nothing is written to it but by [`Sending::done`] and
    /// [`Sending::refuse`].
    pub stream: Stream,
    answer: Answer,
}

#[derive(Clone, Copy)]
enum Answer {
    /// It was given before the sound, as old clients expect.
    Given,
    /// It is due after the sound, as `Expect: 100-continue` has it.
    Due,
}

impl SourceRequest {
    pub(super) fn new(head: Head, stream: Stream, from: (ClientAddr, Reached)) -> Self {
        Self { head, client: from.0, reached: from.1, stream }
    }

    /// The path without its query.
    pub fn path(&self) -> &str {
        self.head.target.split('?').next().unwrap_or_default()
    }

    /// Tells the client to send: `100 Continue` to those who wait for it, `200 OK` to all others.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn accept(mut self) -> io::Result<Sending> {
        let (line, answer) = match (self.head.expects_continue(), self.head.version) {
            (true, Version::Http10 | Version::Http11) => ("HTTP/1.1 100 Continue\r\n\r\n", Answer::Due),
            (false, Version::Http10) => ("HTTP/1.0 200 OK\r\n\r\n", Answer::Given),
            (false, Version::Http11) => ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", Answer::Given),
        };
        self.stream.write_all(line.as_bytes()).await?;
        self.stream.flush().await?;
        Ok(Sending { stream: self.stream, answer })
    }

    /// Says why not, in the sentence `says`, and ends.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn refuse(mut self, why: Refusal, says: &str) -> io::Result<()> {
        end(&mut self.stream, &refusal(why, says)).await
    }
}

impl Sending {
    /// The sound is over: gives the answer that is due, if one is, and ends.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn done(mut self) -> io::Result<()> {
        match self.answer {
            Answer::Given => self.stream.shutdown().await,
            Answer::Due => {
                let ok = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                end(&mut self.stream, ok).await
            }
        }
    }

    /// The sound cannot be taken: says why, in the sentence `says`, to those who have not had their answer,
    /// and ends.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn refuse(mut self, why: Refusal, says: &str) -> io::Result<()> {
        match self.answer {
            Answer::Given => self.stream.shutdown().await,
            Answer::Due => end(&mut self.stream, &refusal(why, says)).await,
        }
    }
}

async fn end(stream: &mut Stream, answer: &str) -> io::Result<()> {
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // Whoever goes on sending after this is cut off; nothing they send is kept.
    let _ = timeout(LINGER, throw_away(stream)).await;
    Ok(())
}

async fn throw_away(stream: &mut Stream) {
    let (mut thrown_bytes, mut bytes) = (0, [0; 4_096]);
    while thrown_bytes < LINGER_BYTES_MAX {
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(read) => thrown_bytes += read,
        }
    }
}

/// HTTP/1.0 in its first line is what the oldest clients look for; newer ones take it too.
fn refusal(why: Refusal, says: &str) -> String {
    let row = why.row();
    let reason = http::StatusCode::from_u16(row.status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Refused");
    let challenge = match row.status {
        401 => "WWW-Authenticate: Basic realm=\"tribune\"\r\n",
        _ => "",
    };
    let retry = match row.retry_after_s {
        0 => String::new(),
        seconds => format!("Retry-After: {seconds}\r\n"),
    };
    format!(
        "HTTP/1.0 {} {reason}\r\n{challenge}{retry}Content-Type: text/plain\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{says}\n",
        row.status,
        says.len() + 1
    )
}
