//! One live source's connection: its bytes are decoded here, beside the program, and its sound goes to the
//! mix.
//!
//! Decoding happens in the connection's own task on the stage's runtime, so that a source which sends
//! nonsense, or nothing, or everything at once costs its own task time and never the program's.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tribune_core::ingest::{Error, Hint, Input, Output, Source, Why};
use tribune_core::reason::Refusal;

use crate::answer::Failure;
use crate::ops::RoomMetrics;
use crate::program::{Inlet, Program};
use crate::world::World;

/// Bytes decoded at a time, so that a full mix is noticed before a large read has been decoded.
const BITE_BYTES: usize = 4_096;

/// Why a source's connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// The sender finished.
    Ended,
    /// The connection broke.
    Broken(String),
    /// What came, or did not come, cannot be heard.
    Unheard(Error),
    /// Another sender took its place.
    Replaced,
    /// Its key opens nothing any longer.
    KeyGone,
    /// The room's program is over.
    RoomEnded,
}

impl Over {
    /// What the sender is told; `None` when nothing went wrong.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Ended => None,
            Self::Broken(error) => Some(Failure::new(Refusal::Malformed, error.clone())),
            Self::Unheard(error) => Some(Failure::new(error.refusal(), error.to_string())),
            Self::Replaced => Some(Refusal::SourceReplaced.into()),
            Self::KeyGone => Some(Failure::new(Refusal::KeyWrong, "it was replaced or taken back")),
            Self::RoomEnded => Some(Refusal::RoomEnded.into()),
        }
    }

    /// Says it in the log, which for most is the only place: who had a `200` before the sound is told nothing
    /// more. What was not heard is a warning, because somebody believes to be on air.
    pub(super) fn tell(&self) {
        let says = self.says();
        match self {
            Self::Unheard(_) => tracing::warn!(says, "source_refused"),
            Self::Ended | Self::Broken(_) | Self::Replaced | Self::KeyGone | Self::RoomEnded => {
                tracing::info!(says, "source_over");
            }
        }
    }

    fn says(&self) -> String {
        match self {
            Self::Ended => "The sender ended.".to_owned(),
            Self::Broken(why) => format!("The connection broke: {why}."),
            Self::Unheard(why) => format!("It cannot be heard: {why}."),
            Self::Replaced => "Another sender took its place.".to_owned(),
            Self::KeyGone => "Its key was replaced or taken back.".to_owned(),
            Self::RoomEnded => "The room's program is over.".to_owned(),
        }
    }
}

/// Where a source's sound and titles go.
pub struct Feed<'a> {
    /// Clock.
    pub world: World,
    /// What is counted of its room.
    pub metrics: RoomMetrics,
    /// The open program.
    pub program: &'a Program,
    /// Its input of the mix.
    pub inlet: Inlet,
    /// What its `Content-Type` promised.
    pub hint: Hint,
}

impl Feed<'_> {
    /// Decodes a source's body into the mix until it ends, breaks or fails.
    pub async fn run<S>(self, mut body: S) -> Over
    where
        S: Stream<Item = io::Result<Bytes>> + Unpin,
    {
        let mut source = Source::new(self.hint);
        loop {
            let idle_at = source.poll_timeout().and_then(|(at, Why::Idle)| self.world.instant(at));
            let next = tokio::select! {
                next = body.next() => next,
                () = until(idle_at) => {
                    source.handle_input(self.world.now(), Input::Timeout);
                    match self.hand_on(&mut source).await {
                        Ok(()) => continue,
                        Err(over) => return over,
                    }
                }
            };
            let chunk = match next {
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => return Over::Broken(error.to_string()),
                None => break,
            };
            self.metrics.source_bytes.inc_by(chunk.len() as u64);
            for bite in chunk.chunks(BITE_BYTES) {
                source.handle_input(self.world.now(), Input::Bytes(bite));
                if let Err(over) = self.hand_on(&mut source).await {
                    return over;
                }
            }
        }
        source.handle_input(self.world.now(), Input::Ended);
        match self.hand_on(&mut source).await {
            Ok(()) => Over::Ended,
            Err(over) => over,
        }
    }

    async fn hand_on(&self, source: &mut Source) -> Result<(), Over> {
        while let Some(output) = source.poll_output() {
            match output {
                Output::Format(format) => tracing::info!(?format, "source_format"),
                Output::Sound(pcm) => self.inlet.sound(pcm).await.map_err(|_| Over::RoomEnded)?,
                Output::Title(title) => self.program.titles().set(title.line()),
                Output::Lost(lost) => tracing::debug!(lost = lost.code(), "source_damage"),
                Output::Failed(error) => return Err(Over::Unheard(error)),
            }
        }
        Ok(())
    }
}

/// Ready at the deadline; never when there is none.
async fn until(deadline: Option<std::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_source_is_a_sentence() {
        let flac = "It cannot be heard: this is Ogg FLAC, which is not taken; send Ogg Opus, Ogg Vorbis, MP3 \
            or AAC (ADTS).";
        for (over, says, refusal) in [
            (Over::Ended, "The sender ended.", None),
            (Over::Unheard(Error::OtherKind("Ogg FLAC")), flac, Some(Error::OtherKind("").refusal())),
            (Over::Replaced, "Another sender took its place.", Some(Refusal::SourceReplaced)),
            (Over::KeyGone, "Its key was replaced or taken back.", Some(Refusal::KeyWrong)),
            (Over::RoomEnded, "The room's program is over.", Some(Refusal::RoomEnded)),
        ] {
            let told = (over.says(), over.failure().map(|failure| failure.reason()));
            assert_eq!(told, (says.to_owned(), refusal), "{over:?}");
        }
    }
}
