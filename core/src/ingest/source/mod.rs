//! One source, from the bytes it sends to its sound.
//!
//! Bytes go in, and nothing is decoded until it is asked for: `poll_output` decodes one packet or frame at a
//! time, so that what is held is never more than the bytes given and one packet's sound, however much sound
//! the bytes hold.

use std::time::Duration;

use super::Hint;
use super::buffer::Buffer;
use super::ogg::Chain;
use super::outcome::Error;
use super::sniff::{Container, Sniffer};
use super::sound;
use super::track::{Output, Outputs};
use crate::time::Time;

/// A source that sends nothing for so long is given up, in seconds.
pub const IDLE_S_MAX: u64 = 10;

/// What a source is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// The next bytes of its body, however they were cut. Drain `poll_output` before giving more: it holds
    /// them until then.
    Bytes(&'a [u8]),
    /// The connection ended; what came is still decoded.
    Ended,
    /// A deadline of `poll_timeout` has come.
    Timeout,
}

/// Why a source wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// To be given up if nothing came by then.
    Idle,
}

/// Decodes one source. Never panics on any bytes; after `Failed` it is silent.
#[derive(Debug)]
pub struct Source {
    state: State,
    outputs: Outputs,
    heard_at: Option<Time>,
}

#[derive(Debug)]
enum State {
    /// Finding out what comes.
    Sniffing { sniffer: Sniffer, buffer: Buffer },
    /// Decoding.
    Decoding(Body),
    /// The connection ended; what came is being decoded.
    Ending(Body),
    /// Nothing comes any more.
    Over,
}

#[derive(Debug)]
enum Body {
    Ogg(Box<Chain>),
    Frames(Box<sound::Track>),
}

impl Source {
    /// A source of which only its announced kind is known.
    pub fn new(hint: Hint) -> Self {
        let state = State::Sniffing { sniffer: Sniffer::new(hint), buffer: Buffer::default() };
        Self { state, outputs: Outputs::default(), heard_at: None }
    }

    /// Takes one input; then `poll_output` until `None`.
    pub fn handle_input(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => {
                if !bytes.is_empty() {
                    self.heard_at = Some(now);
                    self.push(bytes);
                }
            }
            Input::Ended => self.end(),
            Input::Timeout => {
                if self.poll_timeout().is_some_and(|(at, Why::Idle)| at <= now) {
                    self.fail(Error::Idle { seconds: IDLE_S_MAX });
                }
            }
        }
        self.heard_at.get_or_insert(now);
    }

    /// What comes of the inputs so far, in order; decodes as it goes.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.outputs.pop() {
                return Some(output);
            }
            match self.step() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => self.fail(error),
            }
        }
    }

    /// When to give `Input::Timeout`, and why.
    pub fn poll_timeout(&self) -> Option<(Time, Why)> {
        match self.state {
            State::Sniffing { .. } | State::Decoding(_) => {
                self.heard_at.map(|at| (at + Duration::from_secs(IDLE_S_MAX), Why::Idle))
            }
            State::Ending(_) | State::Over => None,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sniffing { buffer, .. } => buffer.push(bytes),
            State::Decoding(body) => body.push(bytes),
            State::Ending(_) | State::Over => {}
        }
    }

    fn end(&mut self) {
        while matches!(self.state, State::Sniffing { .. }) {
            match self.step() {
                Ok(true) => {}
                Ok(false) => self.fail(Error::Empty),
                Err(error) => self.fail(error),
            }
        }
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Decoding(body) | State::Ending(body) => State::Ending(body),
            State::Sniffing { .. } | State::Over => State::Over,
        };
    }

    fn fail(&mut self, error: Error) {
        self.outputs.failed(error);
        self.state = State::Over;
    }

    /// One step further; `false` when there is nothing to do before the next input.
    fn step(&mut self) -> Result<bool, Error> {
        match &mut self.state {
            State::Sniffing { sniffer, buffer } => {
                let thrown = sniffer.tag_bytes(buffer.waiting());
                buffer.consume(thrown);
                if thrown > 0 {
                    return Ok(true);
                }
                let Some(container) = sniffer.look(buffer.waiting())? else {
                    return Ok(false);
                };
                let mut body = Body::new(container)?;
                body.push(buffer.waiting());
                self.state = State::Decoding(body);
                Ok(true)
            }
            State::Decoding(body) => body.step(&mut self.outputs),
            State::Ending(body) => {
                let more = body.step(&mut self.outputs)?;
                if !more {
                    self.state = State::Over;
                    if !self.outputs.heard() {
                        return Err(Error::Empty);
                    }
                }
                Ok(more)
            }
            State::Over => Ok(false),
        }
    }
}

impl Body {
    fn new(container: Container) -> Result<Self, Error> {
        Ok(match container {
            Container::Ogg => Self::Ogg(Box::default()),
            Container::Frames(kind) => Self::Frames(Box::new(sound::Track::new(kind)?)),
        })
    }

    fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Ogg(chain) => chain.push(bytes),
            Self::Frames(track) => track.push(bytes),
        }
    }

    fn step(&mut self, out: &mut Outputs) -> Result<bool, Error> {
        match self {
            Self::Ogg(chain) => chain.step(out),
            Self::Frames(track) => track.step(out),
        }
    }
}

#[cfg(test)]
mod tests;
