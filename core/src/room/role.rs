//! Who may do what: four ordered roles, the operator beside them, one table.

use serde::{Deserialize, Serialize};

/// A place in a room; each may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Hears the program; needs no key.
    Listener,
    /// Sends sound.
    Speaker,
    /// Helps the host run the evening.
    CoHost,
    /// Whose room it is.
    Host,
}

impl Role {
    /// The roles that have keys, highest first.
    pub const KEYED: [Self; 3] = [Self::Host, Self::CoHost, Self::Speaker];

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Speaker => "speaker",
            Self::CoHost => "cohost",
            Self::Host => "host",
        }
    }

    /// Reads the word on the wire.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Listener, Self::Speaker, Self::CoHost, Self::Host].into_iter().find(|role| role.word() == word)
    }
}

/// Who asks: somebody of the room, or the one who runs the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// By a key of the room, or as a listener without one.
    Of(Role),
    /// By the key of the node. Runs every room and is on no stage: the operator's key never sends sound.
    Operator,
}

impl Caller {
    /// The word in the audit.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Of(role) => role.word(),
            Self::Operator => "operator",
        }
    }
}

/// What can be done to or in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Hear the program, read the status.
    Listen,
    /// Send a source.
    SendSound,
    /// Ask for the floor.
    RequestFloor,
    /// Give one's own floor back, mute oneself, change one's own name.
    RuleOwnFloor,
    /// See who is on the stage, who asks for the floor, and how well each is heard.
    SeeStage,
    /// Give the floor to somebody who asks, or say no.
    GrantFloor,
    /// Take the floor from somebody.
    RevokeFloor,
    /// Mute somebody.
    Mute,
    /// Send somebody away.
    Remove,
    /// Make an invitation for speakers.
    InviteSpeaker,
    /// Make an invitation for co-hosts, make somebody co-host or speaker.
    InviteCoHost,
    /// See who is signed in, and sign somebody out.
    RuleSessions,
    /// Go live.
    GoLive,
    /// Tell everybody something.
    Notice,
    /// Change the title.
    SetTitle,
    /// Choose what is heard on hold.
    SetHold,
    /// Change when it starts.
    Reschedule,
    /// Limit the seats.
    SetCap,
    /// End the room.
    End,
    /// Make new keys.
    RotateKeys,
    /// Say who is told of events.
    SetWebhooks,
    /// Take the recording home.
    ExportRecording,
    /// Take a passage out of the recording, marked in the seal.
    RedactRecording,
    /// Delete the recording for good.
    DeleteRecording,
    /// Remove the room.
    DeleteRoom,
    /// Make a room, see all rooms.
    RunNode,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::Listen,
        Self::SendSound,
        Self::RequestFloor,
        Self::RuleOwnFloor,
        Self::SeeStage,
        Self::GrantFloor,
        Self::RevokeFloor,
        Self::Mute,
        Self::Remove,
        Self::InviteSpeaker,
        Self::InviteCoHost,
        Self::RuleSessions,
        Self::GoLive,
        Self::Notice,
        Self::SetTitle,
        Self::SetHold,
        Self::Reschedule,
        Self::SetCap,
        Self::End,
        Self::RotateKeys,
        Self::SetWebhooks,
        Self::ExportRecording,
        Self::RedactRecording,
        Self::DeleteRecording,
        Self::DeleteRoom,
        Self::RunNode,
    ];

    /// The word in the audit.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::SendSound => "send_sound",
            Self::RequestFloor => "request_floor",
            Self::RuleOwnFloor => "own_floor",
            Self::SeeStage => "see_stage",
            Self::GrantFloor => "grant_floor",
            Self::RevokeFloor => "revoke_floor",
            Self::Mute => "mute",
            Self::Remove => "remove",
            Self::InviteSpeaker => "invite_speaker",
            Self::InviteCoHost => "invite_cohost",
            Self::RuleSessions => "sessions",
            Self::GoLive => "live",
            Self::Notice => "notice",
            Self::SetTitle => "title",
            Self::SetHold => "hold",
            Self::Reschedule => "reschedule",
            Self::SetCap => "cap",
            Self::End => "end",
            Self::RotateKeys => "rotate_keys",
            Self::SetWebhooks => "webhooks",
            Self::ExportRecording => "export",
            Self::RedactRecording => "redact",
            Self::DeleteRecording => "delete_recording",
            Self::DeleteRoom => "delete",
            Self::RunNode => "run_node",
        }
    }
}

/// The whole policy.
pub const fn may(caller: Caller, act: Act) -> bool {
    match act {
        Act::Listen => true,
        Act::RequestFloor => matches!(caller, Caller::Of(_)),
        Act::SendSound | Act::RuleOwnFloor => {
            matches!(caller, Caller::Of(Role::Speaker | Role::CoHost | Role::Host))
        }
        Act::SeeStage => !matches!(caller, Caller::Of(Role::Listener)),
        Act::GrantFloor
        | Act::RevokeFloor
        | Act::Mute
        | Act::Remove
        | Act::InviteSpeaker
        | Act::GoLive
        | Act::Notice
        | Act::SetTitle
        | Act::SetHold => {
            matches!(caller, Caller::Of(Role::CoHost | Role::Host) | Caller::Operator)
        }
        Act::InviteCoHost
        | Act::RuleSessions
        | Act::Reschedule
        | Act::SetCap
        | Act::End
        | Act::RotateKeys
        | Act::SetWebhooks
        | Act::ExportRecording => matches!(caller, Caller::Of(Role::Host) | Caller::Operator),
        Act::RedactRecording | Act::DeleteRecording | Act::DeleteRoom | Act::RunNode => {
            matches!(caller, Caller::Operator)
        }
    }
}

/// Whether `caller` may do to a person of role `whom` what `may` lets them do to people: nobody acts on one
/// of their own rank or above, but a host, whose room it is, on everybody.
pub const fn may_touch(caller: Caller, whom: Role) -> bool {
    match caller {
        Caller::Operator | Caller::Of(Role::Host) => true,
        Caller::Of(Role::CoHost) => matches!(whom, Role::Listener | Role::Speaker),
        Caller::Of(Role::Speaker | Role::Listener) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every case, by hand: listener, speaker, co-host, host, operator.
    const TABLE: [(Act, [u8; 5]); 26] = [
        (Act::Listen, [1, 1, 1, 1, 1]),
        (Act::SendSound, [0, 1, 1, 1, 0]),
        (Act::RequestFloor, [1, 1, 1, 1, 0]),
        (Act::RuleOwnFloor, [0, 1, 1, 1, 0]),
        (Act::SeeStage, [0, 1, 1, 1, 1]),
        (Act::GrantFloor, [0, 0, 1, 1, 1]),
        (Act::RevokeFloor, [0, 0, 1, 1, 1]),
        (Act::Mute, [0, 0, 1, 1, 1]),
        (Act::Remove, [0, 0, 1, 1, 1]),
        (Act::InviteSpeaker, [0, 0, 1, 1, 1]),
        (Act::InviteCoHost, [0, 0, 0, 1, 1]),
        (Act::RuleSessions, [0, 0, 0, 1, 1]),
        (Act::GoLive, [0, 0, 1, 1, 1]),
        (Act::Notice, [0, 0, 1, 1, 1]),
        (Act::SetTitle, [0, 0, 1, 1, 1]),
        (Act::SetHold, [0, 0, 1, 1, 1]),
        (Act::Reschedule, [0, 0, 0, 1, 1]),
        (Act::SetCap, [0, 0, 0, 1, 1]),
        (Act::End, [0, 0, 0, 1, 1]),
        (Act::RotateKeys, [0, 0, 0, 1, 1]),
        (Act::SetWebhooks, [0, 0, 0, 1, 1]),
        (Act::ExportRecording, [0, 0, 0, 1, 1]),
        (Act::RedactRecording, [0, 0, 0, 0, 1]),
        (Act::DeleteRecording, [0, 0, 0, 0, 1]),
        (Act::DeleteRoom, [0, 0, 0, 0, 1]),
        (Act::RunNode, [0, 0, 0, 0, 1]),
    ];

    #[test]
    fn the_table_lists_all_cases() {
        let callers = [
            Caller::Of(Role::Listener),
            Caller::Of(Role::Speaker),
            Caller::Of(Role::CoHost),
            Caller::Of(Role::Host),
            Caller::Operator,
        ];
        assert_eq!(TABLE.map(|(act, _)| act), Act::ALL);
        for (act, row) in TABLE {
            for (caller, expected) in callers.into_iter().zip(row) {
                assert_eq!(may(caller, act), expected == 1, "{caller:?} {act:?}");
            }
        }
    }

    #[test]
    fn nobody_acts_on_their_own_rank_but_the_host() {
        let whom = [Role::Listener, Role::Speaker, Role::CoHost, Role::Host];
        for (caller, row) in [
            (Caller::Of(Role::Listener), [0, 0, 0, 0]),
            (Caller::Of(Role::Speaker), [0, 0, 0, 0]),
            (Caller::Of(Role::CoHost), [1, 1, 0, 0]),
            (Caller::Of(Role::Host), [1, 1, 1, 1]),
            (Caller::Operator, [1, 1, 1, 1]),
        ] {
            for (role, expected) in whom.into_iter().zip(row) {
                assert_eq!(may_touch(caller, role), expected == 1, "{caller:?} {role:?}");
            }
        }
    }

    #[test]
    fn roles_are_ordered_and_have_words() {
        assert!(Role::Listener < Role::Speaker && Role::Speaker < Role::CoHost && Role::CoHost < Role::Host);
        for role in [Role::Listener, Role::Speaker, Role::CoHost, Role::Host] {
            assert_eq!(Role::from_word(role.word()), Some(role));
        }
        assert_eq!(Role::from_word("operator"), None);
    }
}
