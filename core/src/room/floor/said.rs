//! What the floor is told, and what it says.

use std::net::IpAddr;

use super::person::{Lasting, Visit};
use crate::reason::Refusal;
use crate::room::{Act, Caller, KeyHash, PersonId, PersonName, Refused, Role, State};

/// Who asks, and which person of the stage that is, if it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// In which role.
    pub caller: Caller,
    /// Who.
    pub person: Option<PersonId>,
}

/// What can be asked of the floor.
#[derive(Clone, Debug)]
pub enum Command {
    /// A listener asks to speak.
    Ask {
        /// What others read.
        name: PersonName,
        /// The hash of the key that will open the stage to them.
        grant: KeyHash,
        /// Their network: an address, or of IPv6 its first half.
        from: IpAddr,
    },
    /// Somebody on the stage asks for the floor back.
    Request,
    /// One gives one's own floor back, or asks no more.
    Release,
    /// Give the floor.
    Grant(PersonId),
    /// Say no to a request.
    Decline(PersonId),
    /// Take the floor.
    Revoke(PersonId),
    /// Mute oneself, or no more.
    MuteSelf(Mute),
    /// Mute somebody, or no more.
    Mute(PersonId, Mute),
    /// Send somebody away.
    Remove(PersonId),
    /// Make somebody speaker or co-host.
    Appoint(PersonId, Role),
    /// Change one's own name.
    Rename(PersonName),
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mute {
    /// Not heard from now on.
    On,
    /// Heard again.
    Off,
}

impl Command {
    /// What `caller` must be allowed to do to ask for it. What listeners do about their own request is
    /// asking.
    pub const fn act(&self, caller: Caller) -> Act {
        match self {
            Self::Ask { .. } | Self::Request => Act::RequestFloor,
            Self::Release => match caller {
                Caller::Of(Role::Listener) => Act::RequestFloor,
                Caller::Of(Role::Speaker | Role::CoHost | Role::Host) | Caller::Operator => Act::RuleOwnFloor,
            },
            Self::MuteSelf(_) | Self::Rename(_) => Act::RuleOwnFloor,
            Self::Grant(_) | Self::Decline(_) => Act::GrantFloor,
            Self::Revoke(_) => Act::RevokeFloor,
            Self::Mute(..) => Act::Mute,
            Self::Remove(_) => Act::Remove,
            Self::Appoint(..) => Act::InviteCoHost,
        }
    }

    /// The word in the audit.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ask { .. } | Self::Request => "request_floor",
            Self::Release => "release_floor",
            Self::Grant(_) => "grant_floor",
            Self::Decline(_) => "decline_floor",
            Self::Revoke(_) => "revoke_floor",
            Self::MuteSelf(Mute::On) | Self::Mute(_, Mute::On) => "mute",
            Self::MuteSelf(Mute::Off) | Self::Mute(_, Mute::Off) => "unmute",
            Self::Remove(_) => "remove",
            Self::Appoint(..) => "appoint",
            Self::Rename(_) => "rename",
        }
    }

    /// On whom it acts, when that is somebody else.
    pub const fn whom(&self) -> Option<&PersonId> {
        match self {
            Self::Grant(whom)
            | Self::Decline(whom)
            | Self::Revoke(whom)
            | Self::Mute(whom, _)
            | Self::Remove(whom)
            | Self::Appoint(whom, _) => Some(whom),
            Self::Ask { .. } | Self::Request | Self::Release | Self::MuteSelf(_) | Self::Rename(_) => None,
        }
    }
}

/// Somebody comes on the stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coming {
    /// Who.
    pub id: PersonId,
    /// What others read.
    pub name: PersonName,
    /// What their key says they are.
    pub role: Role,
    /// Whether they can come back as the same person.
    pub lasting: Lasting,
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Packets come and go.
    Connected,
    /// The network is gone for now.
    Lost,
    /// It is over.
    Gone,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Input {
    /// Somebody asks for something; exactly one `Output::Answer` follows.
    Command {
        /// Who asks.
        by: By,
        /// For what.
        command: Command,
    },
    /// Somebody comes; exactly one `Output::Answer` follows, with the visit if they may.
    Come(Coming),
    /// Something about a connection. Of one that is not somebody's newest it is ignored.
    Reach(Visit, Reach),
    /// The room's state. At its end everybody goes and nothing is remembered.
    Room(State),
    /// The deadline of `poll_timeout` has passed.
    Timeout,
}

/// What the node must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The mix takes the sound of this connection, or no more.
    Sound(Visit, Sound),
    /// End this connection.
    Disconnect(Visit),
    /// Somebody was sent away: whatever else is open for them ends too.
    Removed(PersonId),
    /// What everybody sees has changed, and must be kept.
    Changed,
    /// To the command or the coming just given.
    Answer(Result<Answer, Refused>),
}

/// Whether a person's sound is in the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// It is.
    Heard,
    /// It is not.
    LeftOut,
}

/// What was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It happened.
    Done,
    /// It had happened before.
    AlreadySo,
    /// They may come; this is their connection's number.
    Admitted(Visit),
}

/// Why a deadline exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Somebody has been away for as long as a place is kept.
    AwayTooLong,
    /// Nobody has answered a request for as long as it stands.
    RequestLapses,
}

pub(super) const fn no(reason: Refusal, detail: &'static str) -> Refused {
    Refused { reason, detail }
}
