//! Every refusal, one row each: HTTP answers, counters, logs and the documentation read it from here.
//!
//! A new reason does not compile until it has a row. `docs/refusals.md` is written from this table by a test.

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

const fn row(code: &'static str, status: u16, fault: Fault, retry_after_s: u16, says: &'static str) -> Row {
    Row { code, status, fault, retry_after_s, says }
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
    pub const ALL: [Self; 57] = [
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

    /// Its row.
    pub const fn row(self) -> Row {
        use Fault::{Nobody, Ours, Theirs};
        match self {
            Self::RoomUnknown => {
                row("room_unknown", 404, Theirs, 0, "There is no room of this name. Please check the link.")
            }
            Self::NotOpenYet => row(
                "not_open_yet",
                503,
                Nobody,
                30,
                "This room has not opened yet. The page shows when it will.",
            ),
            Self::RoomEnded => row(
                "room_ended",
                410,
                Nobody,
                0,
                "This conversation has ended. A recording may be available.",
            ),
            Self::NoRecording => row(
                "no_recording",
                404,
                Nobody,
                0,
                "There is no recording to hear: not yet, or not any more.",
            ),
            Self::FullForNow => row(
                "full_for_now",
                503,
                Nobody,
                5,
                "Every seat is taken. Ask again in a few seconds, or wait on the room's page, \
                 which does so by itself.",
            ),
            Self::KeyWrong => row(
                "key_wrong",
                401,
                Theirs,
                0,
                "This needs a key of this room, and the one that came is not.",
            ),
            Self::RoleTooLow => {
                row("role_too_low", 403, Theirs, 0, "This key is real, but its role may not do this.")
            }
            Self::Malformed => row("malformed", 400, Theirs, 0, "The request could not be understood."),
            Self::NameTaken => {
                row("name_taken", 409, Theirs, 0, "A room of this name exists. Please choose another name.")
            }
            Self::WrongState => {
                row("wrong_state", 409, Theirs, 0, "The room is not in a state in which this can be done.")
            }
            Self::InputsFull => row("inputs_full", 503, Nobody, 10, "All inputs of this room are in use."),
            Self::CodecUnknown => row(
                "codec_unknown",
                415,
                Theirs,
                0,
                "Send Ogg Opus, Ogg Vorbis, MP3 or AAC (ADTS); this was none of them.",
            ),
            Self::SourceReplaced => row(
                "source_replaced",
                409,
                Theirs,
                0,
                "Another sender with this key took this source's place.",
            ),
            Self::RangeOutside => {
                row("range_outside", 416, Theirs, 0, "The range asked for lies outside the recording.")
            }
            Self::NoSuchPage => row(
                "no_such_page",
                404,
                Theirs,
                0,
                "There is nothing at this address. Please check the link.",
            ),
            Self::MethodWrong => {
                row("method_wrong", 405, Theirs, 0, "This address does not take this method.")
            }
            Self::TooLarge => {
                row("too_large", 413, Theirs, 0, "The request is larger than this address takes.")
            }
            Self::HeadTooLarge => {
                row("head_too_large", 431, Theirs, 0, "The request's head is larger than is read.")
            }
            Self::AddressTooLong => {
                row("address_too_long", 414, Theirs, 0, "The request's address is longer than is read.")
            }
            Self::PartGone => {
                row("part_gone", 404, Nobody, 1, "This part of the program is not in the live window.")
            }
            Self::StatusGone => {
                row("status_gone", 410, Nobody, 0, "This status is no longer kept. Later ones are.")
            }
            Self::GoingDown => {
                row("going_down", 503, Ours, 5, "This server is restarting. Please come back in a moment.")
            }
            Self::Busy => {
                row("busy", 503, Nobody, 2, "Too many ask for this at once. Please try again in a moment.")
            }
            Self::RoomsFull => row(
                "rooms_full",
                503,
                Ours,
                60,
                "This server keeps as many rooms as it may. Please tell its operator.",
            ),
            Self::KeysGuessed => row(
                "keys_guessed",
                429,
                Theirs,
                60,
                "Too many wrong keys came from this address. Please wait a minute.",
            ),
            Self::SignedOut => row(
                "signed_out",
                401,
                Theirs,
                0,
                "You are not signed in here, or not any longer. Please open your link again.",
            ),
            Self::OriginWrong => row(
                "origin_wrong",
                403,
                Theirs,
                0,
                "This was asked by a page of another address than this server's.",
            ),
            Self::PasskeyWrong => row(
                "passkey_wrong",
                401,
                Theirs,
                0,
                "This passkey is not known here, or its answer does not fit what was asked.",
            ),
            Self::TooOften => {
                row("too_often", 429, Theirs, 60, "This was asked for too often. Please wait a minute.")
            }
            Self::TypeWrong => row(
                "type_wrong",
                415,
                Theirs,
                0,
                "This address takes another media type than the one that came.",
            ),
            Self::OfferUnfit => row(
                "offer_unfit",
                406,
                Theirs,
                0,
                "Offer one audio track in Opus that sends; this offer cannot be answered.",
            ),
            Self::SessionUnknown => row(
                "session_unknown",
                404,
                Theirs,
                0,
                "There is no such session, or it is over. Please offer anew.",
            ),
            Self::SessionMoved => row(
                "session_moved",
                412,
                Theirs,
                0,
                "ICE has begun anew since; this was for the session before.",
            ),
            Self::MatchMissing => row(
                "match_missing",
                428,
                Theirs,
                0,
                "This must say which ICE session it is for: send If-Match.",
            ),
            Self::StageFull => row(
                "stage_full",
                503,
                Ours,
                30,
                "This server has as many speakers as it takes. Please tell its operator.",
            ),
            Self::FloorFull => row(
                "floor_full",
                409,
                Nobody,
                0,
                "Every place on the floor is taken. Take it from somebody first.",
            ),
            Self::RequestsFull => row(
                "requests_full",
                503,
                Nobody,
                30,
                "As many ask to speak as can be asked back. Please try again in a while.",
            ),
            Self::PersonUnknown => {
                row("person_unknown", 404, Theirs, 0, "Nobody of this id is on the stage or asks to be.")
            }
            Self::NobodyNamed => row(
                "nobody_named",
                409,
                Theirs,
                0,
                "This key is nobody on the stage; say whom, or sign in and come on the stage first.",
            ),
            Self::SentAway => row("sent_away", 403, Theirs, 0, "A host has sent you away from this stage."),
            Self::MutedThemselves => row(
                "muted_themselves",
                409,
                Theirs,
                0,
                "They muted themselves; only they can be heard again by their own hand.",
            ),
            Self::TakenOver => row(
                "taken_over",
                409,
                Theirs,
                0,
                "You are on this stage from another window or device by now.",
            ),
            Self::SourceTooBusy => row(
                "source_too_busy",
                429,
                Theirs,
                30,
                "Many requests come from your network. Please wait a moment.",
            ),
            Self::TicketMalformed => row(
                "ticket_malformed",
                400,
                Theirs,
                0,
                "This is no ticket. Please come in through the room's page.",
            ),
            Self::TicketOtherRoom => row(
                "ticket_other_room",
                403,
                Theirs,
                0,
                "This ticket is for another room. Please take one on this room's page.",
            ),
            Self::TicketForged => row(
                "ticket_forged",
                403,
                Theirs,
                0,
                "This ticket was not issued here, or it was altered. Please take one on the room's page.",
            ),
            Self::TicketExpired => row(
                "ticket_expired",
                403,
                Ours,
                0,
                "Tickets of this age are no longer accepted. Please take a new one on the room's page.",
            ),
            Self::TicketNotListed => row(
                "ticket_not_listed",
                403,
                Ours,
                0,
                "This ticket is not on the room's list. Please take a new one on the room's page.",
            ),
            Self::SecretWrong => row(
                "secret_wrong",
                403,
                Theirs,
                0,
                "The secret does not belong to this ticket. A ticket counts only where it was taken.",
            ),
            Self::TicketsFull => row(
                "tickets_full",
                503,
                Ours,
                60,
                "This room has issued as many tickets as it can. What is left open is on its page.",
            ),
            Self::PlaceKept => row(
                "place_kept",
                503,
                Nobody,
                5,
                "It is your turn, and every seat was taken just now. You keep your place: the next free \
                 seat is yours.",
            ),
            Self::TakeATicket => row(
                "take_a_ticket",
                503,
                Nobody,
                5,
                "Others wait for a seat. Please take a ticket on the room's page; it keeps your place.",
            ),
            Self::PassWrong => row(
                "pass_wrong",
                403,
                Theirs,
                0,
                "This pass is none of this room's. Please open the room's page.",
            ),
            Self::PassDisplaced => row(
                "pass_displaced",
                409,
                Theirs,
                0,
                "Your ticket was used on another device since; that one has the seat now.",
            ),
            Self::SeatLapsed => row(
                "seat_lapsed",
                410,
                Nobody,
                1,
                "Your seat was not used for a while and was given on. Your ticket takes the next free one.",
            ),
            Self::DoorBusy => row(
                "door_busy",
                503,
                Nobody,
                5,
                "Very many come at once. You keep your place; please ask again in a moment.",
            ),
            Self::OurFault => {
                row("our_fault", 500, Ours, 5, "Something is wrong on our side; it has been noted.")
            }
        }
    }
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
}

impl Shed {
    /// All of them, for counters and the documentation.
    pub const ALL: [Self; 6] = [
        Self::ConnectionsFull,
        Self::HandshakeFailed,
        Self::HandshakeSlow,
        Self::HeadSlow,
        Self::HeadMalformed,
        Self::ProxyRefused,
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
