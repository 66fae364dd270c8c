//! What a node tells its guard: small facts, each with who and when.

use std::net::IpAddr;

use super::account::Unit;
use crate::reason::{Fault, Refusal};

/// What was asked for, by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A room's page.
    Page,
    /// What a page needs.
    Asset,
    /// What is small and the same for all: status, arrivals, who speaks.
    Told,
    /// A new ticket.
    Ticket,
    /// Where a ticket stands.
    Place,
    /// A seat for a called ticket.
    Claim,
    /// The program, from its beginning: one long answer, or the first playlist.
    Begin,
    /// A playlist.
    List,
    /// A part or a segment of the program.
    Sound,
    /// A recording.
    Replay,
    /// Anything else.
    Other,
}

impl What {
    /// Of a request for `path`, which begins with `/`.
    pub fn of(method: &str, path: &str) -> Self {
        let mut names = path.split('/').skip(1);
        let (first, second, third) = (names.next().unwrap_or(""), names.next(), names.next());
        let is_list = |name: &str| name.ends_with(".m3u8");
        match (second, third) {
            (None, _) if !first.is_empty() => Self::Page,
            (None, _) => Self::Other,
            (Some(_), _) if first == "assets" => Self::Asset,
            (Some("worker.js" | "event.ics"), None) => Self::Asset,
            (Some("ticket"), None) if method == "POST" => Self::Ticket,
            (Some("place"), None) => Self::Place,
            (Some("claim"), None) if method == "POST" => Self::Claim,
            (Some("status" | "arrivals" | "floor"), _) => Self::Told,
            (Some("hls" | "late"), Some(file)) if is_list(file) => Self::List,
            (Some("hls" | "late"), Some(_)) => Self::Sound,
            (Some("late.m3u8"), None) => Self::Begin,
            (Some("late"), None) => Self::Other,
            (Some(name), None) if name.starts_with("live.") => Self::Begin,
            (Some(name), None) if name.starts_with("replay.") => Self::Replay,
            (Some(_), _) => Self::Other,
        }
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Served,
    /// They are to wait: in line, for a seat, for the beginning.
    Waits,
    /// Put off before anybody looked at it: more came than could be answered.
    PutOff,
    /// Not answered, because who asks is refused for a while.
    Refused,
    /// They left before it was answered.
    Left,
    /// An error of ours.
    OurError,
    /// Refused for something of theirs that people get wrong.
    Theirs,
    /// It breaks the rules.
    Wrong,
}

impl Outcome {
    /// Of an answer's status, and the row of the refusal if it is one.
    pub fn of(status: u16, refusal: Option<Refusal>) -> Self {
        use Refusal::{AddressTooLong, HeadTooLarge, Malformed, SourceTooBusy, TooLarge, TooOften};
        match refusal {
            None if status == 202 => Self::Waits,
            None if status < 400 => Self::Served,
            None if status >= 500 => Self::OurError,
            None => Self::Theirs,
            Some(Malformed | HeadTooLarge | AddressTooLong | TooLarge) => Self::Wrong,
            Some(Refusal::TicketForged | Refusal::TicketMalformed) => Self::Wrong,
            Some(TooOften | SourceTooBusy) => Self::Waits,
            Some(reason) => match reason.row() {
                row if row.fault == Fault::Ours => Self::OurError,
                row if row.status == 503 => Self::Waits,
                row if row.fault == Fault::Nobody => Self::Served,
                _ => Self::Theirs,
            },
        }
    }
}

/// Whether a room can be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAir {
    /// It can.
    Yes,
    /// There is nothing to hear, or the request is about no room: who comes looks around.
    No,
}

/// A request that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// What for.
    pub what: What,
    /// What became of it.
    pub outcome: Outcome,
    /// A hash of the address asked for.
    pub target: u32,
    /// A hash of what the program calls itself.
    pub agent: u32,
    /// A hash of whom it says it asks for, when it came through a proxy that is not trusted.
    pub forwarded: Option<u32>,
    /// Whether it is about a room that can be heard.
    pub on_air: OnAir,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Happened {
    /// A connection was accepted.
    Opened,
    /// A connection of a trusted proxy was accepted: it may speak for anybody.
    OpenedByProxy,
    /// A connection was accepted and ended at once: there was no room for it, or it is refused for a while.
    TurnedAway,
    /// A handshake came to an end.
    Handshake,
    /// A handshake failed.
    HandshakeFailed,
    /// A connection is still without a whole request.
    HalfOpen,
    /// A connection that was half open is so no more.
    NotHalfOpen,
    /// A connection's bytes were no requests, or it read none of its answer, or it broke HTTP/2's rules.
    BrokeRules,
    /// A request.
    Asked(Asked),
    /// Of the program without end one listener's kernel has acknowledged so many parts since the last such
    /// fact.
    Heard(u16),
    /// A piece of the program that was asked for is acknowledged.
    Arrived,
    /// A listener's own page showed that it holds the end of a part.
    Proved,
    /// Somebody showed a receipt for a part, and it is none.
    ProvedFalsely,
    /// Somebody began to take the program as one long answer.
    StreamBegan,
    /// And ended.
    StreamEnded,
    /// A connection is over.
    Closed,
    /// A connection of a trusted proxy is over.
    ClosedByProxy,
    /// Something that a trusted proxy did itself: whose doing it is nobody knows.
    OfProxy(Unit),
}

impl Happened {
    /// Whether it says by itself what its source did, without the connection it is of.
    pub(super) const fn is_of_one(&self) -> bool {
        matches!(
            self,
            Self::HandshakeFailed
                | Self::BrokeRules
                | Self::Asked(_)
                | Self::Heard(_)
                | Self::Arrived
                | Self::Proved
                | Self::ProvedFalsely
        )
    }
}

/// What happened, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Fact {
    /// When, in milliseconds of the node's clock.
    pub at_ms: u64,
    /// Whose: the visitor's address, where it is known, else the connection's.
    pub from: IpAddr,
    /// What.
    pub happened: Happened,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_known_by_its_address() {
        for (method, path, what) in [
            ("GET", "/debate", What::Page),
            ("GET", "/", What::Other),
            ("GET", "/assets/page.js", What::Asset),
            ("POST", "/debate/ticket", What::Ticket),
            ("GET", "/debate/ticket", What::Other),
            ("GET", "/debate/status/7", What::Told),
            ("GET", "/debate/live.m3u8", What::Begin),
            ("GET", "/debate/live.opus", What::Begin),
            ("GET", "/debate/hls/opus96.m3u8", What::List),
            ("GET", "/debate/hls/opus96/1/7.mp4", What::Sound),
            ("GET", "/debate/late/opus96.m3u8", What::List),
            ("GET", "/debate/late/opus96/1/7.mp4", What::Sound),
            ("GET", "/debate/replay.opus", What::Replay),
            ("GET", "/debate/wp-login.php", What::Other),
            ("GET", "*", What::Other),
        ] {
            assert_eq!(What::of(method, path), what, "{method} {path}");
        }
    }

    #[test]
    fn what_became_of_it_is_known_by_its_row() {
        for (status, refusal, outcome) in [
            (200, None, Outcome::Served),
            (202, None, Outcome::Waits),
            (304, None, Outcome::Served),
            (500, None, Outcome::OurError),
            (503, Some(Refusal::FullForNow), Outcome::Waits),
            (503, Some(Refusal::NotOpenYet), Outcome::Waits),
            (500, Some(Refusal::OurFault), Outcome::OurError),
            (404, Some(Refusal::PartGone), Outcome::Served),
            (404, Some(Refusal::NoSuchPage), Outcome::Theirs),
            (400, Some(Refusal::Malformed), Outcome::Wrong),
            (403, Some(Refusal::TicketForged), Outcome::Wrong),
            (403, Some(Refusal::TicketExpired), Outcome::OurError),
        ] {
            assert_eq!(Outcome::of(status, refusal), outcome, "{status} {refusal:?}");
        }
    }
}
