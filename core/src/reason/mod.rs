//! Every refusal, one row each: HTTP answers, counters, logs and the documentation read it from here.
//!
//! A new reason does not compile until it has a row. `docs/refusals.md` is written from this table by a test.

mod table;

/// Who could have prevented it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The one who asked.
    Theirs,
    /// This node.
    Ours,
    /// Nobody: the world is as it is.
    Nobody,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Stable word for programs.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Who could have prevented it.
    pub fault: Fault,
    /// Seconds until asking again makes sense; 0: do not come back.
    pub retry_after_s: u16,
    /// What a person is told.
    pub says: &'static str,
}

/// Why somebody did not get what they asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// No room of that name.
    RoomUnknown,
    /// The room has not opened yet.
    NotOpenYet,
    /// The room is over.
    RoomEnded,
    /// The recording does not exist yet, or no longer.
    NoRecording,
    /// Every seat is taken.
    FullForNow,
    /// No key came with the request, or it was not one of this room's.
    KeyWrong,
    /// The key is real, but its role may not do this.
    RoleTooLow,
    /// The request's body, query or a header could not be understood.
    Malformed,
    /// A room of that name exists.
    NameTaken,
    /// The act does not fit the room's state.
    WrongState,
    /// More seats than the node was measured to carry, without the word that this is meant.
    CapOverMeasured,
    /// All inputs of the mix are open.
    InputsFull,
    /// A source's container or codec is none that can be decoded.
    CodecUnknown,
    /// Another sender took this source's place.
    SourceReplaced,
    /// A range outside the recording.
    RangeOutside,
    /// No such path.
    NoSuchPage,
    /// The path exists, for another method.
    MethodWrong,
    /// A body larger than its limit.
    TooLarge,
    /// More of a request's head than is read.
    HeadTooLarge,
    /// A longer first line than is read.
    AddressTooLong,
    /// The part asked for is no longer in the window, or too far ahead.
    PartGone,
    /// Too little of the program is there for the delayed tier.
    LateNotYet,
    /// The delayed tier takes as much as live listeners leave.
    LateFull,
    /// A status so old that it is no longer kept.
    StatusGone,
    /// The node is shutting down.
    GoingDown,
    /// As many ask for this at once as are answered.
    Busy,
    /// As many rooms as the node keeps.
    RoomsFull,
    /// Too many wrong keys came from one address.
    KeysGuessed,
    /// A browser shows a cookie that opens nothing, or nothing in this room.
    SignedOut,
    /// A page that is not ours asks in the name of somebody who is signed in.
    OriginWrong,
    /// A passkey that is not known, or an answer of one that does not verify.
    PasskeyWrong,
    /// Signing in was asked for too often.
    TooOften,
    /// The request's body is of another media type than this address takes.
    TypeWrong,
    /// An offer of WebRTC that cannot be answered: no audio, no Opus, or nothing to send.
    OfferUnfit,
    /// No WHIP session of that address.
    SessionUnknown,
    /// The ICE session that is meant is over.
    SessionMoved,
    /// A PATCH that does not say which ICE session it means.
    MatchMissing,
    /// As many speakers as the node takes.
    StageFull,
    /// Every place on the floor is taken.
    FloorFull,
    /// As many listeners ask for the floor as may.
    RequestsFull,
    /// Nobody of this id is on the stage or asks to be.
    PersonUnknown,
    /// An act on oneself by a key that is nobody on the stage.
    NobodyNamed,
    /// Somebody comes whom a host has sent away.
    SentAway,
    /// A host may not open a microphone that its owner closed.
    MutedThemselves,
    /// The same person came on the stage from elsewhere since; one connection does not win it back by itself.
    TakenOver,
    /// One address asks for this too often.
    SourceTooBusy,
    /// It broke the rules again and again, and is refused for a while.
    RefusedForNow,
    /// A text that is no ticket.
    TicketMalformed,
    /// A ticket of another room, or of an earlier one of this name.
    TicketOtherRoom,
    /// A ticket that no key of this node sealed.
    TicketForged,
    /// A ticket whose key counts no longer.
    TicketExpired,
    /// A ticket that is not on the entry list.
    TicketNotListed,
    /// A secret that does not belong to the ticket.
    SecretWrong,
    /// As many tickets as a room has.
    TicketsFull,
    /// A called ticket at a moment in which every seat is taken.
    PlaceKept,
    /// A connection without a ticket while others wait.
    TakeATicket,
    /// A pass of no seat here.
    PassWrong,
    /// A pass whose ticket was claimed again since.
    PassDisplaced,
    /// A pass whose seat was not used for too long.
    SeatLapsed,
    /// The door answers only those who have a place already.
    DoorBusy,
    /// A bug of ours.
    OurFault,
}

impl Refusal {
    /// All of them, for counters and the documentation.
    pub const ALL: [Self; 61] = [
        Self::RoomUnknown,
        Self::NotOpenYet,
        Self::RoomEnded,
        Self::NoRecording,
        Self::FullForNow,
        Self::KeyWrong,
        Self::RoleTooLow,
        Self::Malformed,
        Self::NameTaken,
        Self::WrongState,
        Self::CapOverMeasured,
        Self::InputsFull,
        Self::CodecUnknown,
        Self::SourceReplaced,
        Self::RangeOutside,
        Self::NoSuchPage,
        Self::MethodWrong,
        Self::TooLarge,
        Self::HeadTooLarge,
        Self::AddressTooLong,
        Self::PartGone,
        Self::LateNotYet,
        Self::LateFull,
        Self::StatusGone,
        Self::GoingDown,
        Self::Busy,
        Self::RoomsFull,
        Self::KeysGuessed,
        Self::SignedOut,
        Self::OriginWrong,
        Self::PasskeyWrong,
        Self::TooOften,
        Self::TypeWrong,
        Self::OfferUnfit,
        Self::SessionUnknown,
        Self::SessionMoved,
        Self::MatchMissing,
        Self::StageFull,
        Self::FloorFull,
        Self::RequestsFull,
        Self::PersonUnknown,
        Self::NobodyNamed,
        Self::SentAway,
        Self::MutedThemselves,
        Self::TakenOver,
        Self::SourceTooBusy,
        Self::RefusedForNow,
        Self::TicketMalformed,
        Self::TicketOtherRoom,
        Self::TicketForged,
        Self::TicketExpired,
        Self::TicketNotListed,
        Self::SecretWrong,
        Self::TicketsFull,
        Self::PlaceKept,
        Self::TakeATicket,
        Self::PassWrong,
        Self::PassDisplaced,
        Self::SeatLapsed,
        Self::DoorBusy,
        Self::OurFault,
    ];
}

/// Why a person who was waiting or seated is there no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Departure {
    /// They closed the connection, or it broke.
    HungUp,
    /// They took the program too slowly for too long.
    FellBehind,
    /// The conversation ended while they listened.
    RoomEnded,
    /// This node is shutting down.
    NodeStopped,
    /// They held a ticket to the end and had not come when called.
    NeverClaimed,
    /// They waited to the end and found no seat.
    TurnedAway,
}

impl Departure {
    /// All of them, for counters and the documentation.
    pub const ALL: [Self; 6] = [
        Self::HungUp,
        Self::FellBehind,
        Self::RoomEnded,
        Self::NodeStopped,
        Self::NeverClaimed,
        Self::TurnedAway,
    ];

    /// Stable word for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::HungUp => "hung_up",
            Self::FellBehind => "fell_behind",
            Self::RoomEnded => "room_ended",
            Self::NodeStopped => "node_stopped",
            Self::NeverClaimed => "never_claimed",
            Self::TurnedAway => "turned_away",
        }
    }
}

/// Why a connection or a request was dropped before it became a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shed {
    /// The listener had as many connections as it takes.
    ConnectionsFull,
    /// The TLS handshake failed.
    HandshakeFailed,
    /// The TLS handshake took too long.
    HandshakeSlow,
    /// The request's head took too long.
    HeadSlow,
    /// The first bytes were no request we can read.
    HeadMalformed,
    /// A PROXY header that is wrong, or from somebody who is not a trusted proxy.
    ProxyRefused,
    /// More came than could be answered; who was put off was told that their place is kept.
    PutOff,
}

impl Shed {
    /// All of them, for counters and the documentation.
    pub const ALL: [Self; 7] = [
        Self::ConnectionsFull,
        Self::HandshakeFailed,
        Self::HandshakeSlow,
        Self::HeadSlow,
        Self::HeadMalformed,
        Self::ProxyRefused,
        Self::PutOff,
    ];

    /// Stable word for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ConnectionsFull => "connections_full",
            Self::HandshakeFailed => "handshake_failed",
            Self::HandshakeSlow => "handshake_slow",
            Self::HeadSlow => "head_slow",
            Self::HeadMalformed => "head_malformed",
            Self::ProxyRefused => "proxy_refused",
            Self::PutOff => "put_off",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_is_a_sentence_with_a_code_of_its_own() {
        let codes: BTreeSet<_> = Refusal::ALL.iter().map(|refusal| refusal.row().code).collect();
        assert_eq!(codes.len(), Refusal::ALL.len());
        for refusal in Refusal::ALL {
            let row = refusal.row();
            assert!(row.says.ends_with('.') && row.says.starts_with(char::is_uppercase), "{}", row.code);
            assert!((400..=599).contains(&row.status), "{}", row.code);
        }
    }

    #[test]
    fn departures_and_sheds_have_codes_of_their_own() {
        let left: BTreeSet<_> = Departure::ALL.iter().map(|why| why.code()).collect();
        let shed: BTreeSet<_> = Shed::ALL.iter().map(|why| why.code()).collect();
        assert_eq!((left.len(), shed.len()), (Departure::ALL.len(), Shed::ALL.len()));
    }
}
