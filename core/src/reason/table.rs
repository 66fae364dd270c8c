//! The table: one row for each refusal.

use super::{Fault, Refusal, Row};

impl Refusal {
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
            Self::CapOverMeasured => row(
                "cap_over_measured",
                409,
                Theirs,
                0,
                "This node was measured to carry fewer listeners than that. Lower the cap, or say that you \
                 mean it (override): then it is logged, and everybody is told.",
            ),
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
            Self::LateNotYet => row(
                "late_not_yet",
                503,
                Nobody,
                6,
                "The delayed program begins half a minute after the program does. Please ask again in a \
                 moment.",
            ),
            Self::LateFull => row(
                "late_full",
                503,
                Nobody,
                10,
                "The delayed program takes all that this server has left for it: those who hear it live come \
                 first. Please ask again in a moment.",
            ),
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
            Self::RefusedForNow => row(
                "refused_for_now",
                429,
                Theirs,
                60,
                "Requests from this network broke the rules again and again, so none is answered for a \
                 while. If that was not you, please tell whoever runs this server.",
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

const fn row(code: &'static str, status: u16, fault: Fault, retry_after_s: u16, says: &'static str) -> Row {
    Row { code, status, fault, retry_after_s, says }
}
