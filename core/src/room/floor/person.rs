//! One person as the floor knows them: what is kept of them, and where they are now.

use std::net::IpAddr;

use crate::room::{KeyHash, PersonId, PersonName, Role};
use crate::time::{Time, WallTime};

/// Whether somebody has the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Neither has it nor asks for it.
    Out,
    /// Asks for it.
    Asks(Request),
    /// Has it: they are in the mix, unless they are muted.
    Holds,
}

impl Standing {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Out => "none",
            Self::Asks(_) => "requested",
            Self::Holds => "holds",
        }
    }
}

/// When somebody asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Lower was earlier.
    pub number: u64,
    /// For people to read.
    pub since: WallTime,
    /// For the rule that lets it lapse.
    pub at: Time,
}

/// Who muted somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MutedBy {
    /// Nobody.
    #[default]
    Nobody,
    /// They themselves: only they lift it.
    Themselves,
    /// A host: they or a host lift it.
    Host,
}

impl MutedBy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Nobody, Self::Themselves, Self::Host];

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nobody => "no",
            Self::Themselves => "self",
            Self::Host => "host",
        }
    }
}

/// What happened last between somebody and the floor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Last {
    /// Nothing to remember.
    #[default]
    Nothing,
    /// They gave it back.
    Released,
    /// They asked, and the answer was no.
    Declined,
    /// It was taken from them.
    Revoked,
    /// They were sent away.
    Removed,
}

impl Last {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Nothing, Self::Released, Self::Declined, Self::Revoked, Self::Removed];

    /// The word that is kept.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Released => "released",
            Self::Declined => "declined",
            Self::Revoked => "revoked",
            Self::Removed => "removed",
        }
    }
}

/// Whose word a person's role is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoleBy {
    /// The key's they came with.
    #[default]
    Key,
    /// The host's, whatever key they come with.
    Host,
}

/// One connection of somebody's; a later one has a higher number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Visit(pub u64);

/// Where somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Connected.
    Here(Visit),
    /// Answered and on the way, since then; or lost for a moment.
    Between(Visit, Time, Stay),
    /// Gone since then; their place is kept for a while.
    Away(Time),
    /// Not on the stage: asks from outside, or is only remembered.
    Outside,
}

/// Whether a place is kept for somebody whose connection comes to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    /// They had one before.
    Yes,
    /// They were never here.
    No,
}

/// What is kept of one person, and all that a restart needs.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Who.
    pub id: PersonId,
    /// What others read.
    pub name: PersonName,
    /// What they are; a listener who was given the floor stays one.
    pub role: Role,
    /// Whose word that is.
    pub role_by: RoleBy,
    /// Whether they have the floor.
    pub standing: Standing,
    /// Who muted them.
    pub muted: MutedBy,
    /// What happened last.
    pub last: Last,
    /// Of a listener: the hash of the key that opens the stage to them while they have the floor.
    pub grant: Option<KeyHash>,
    /// Whether a place on the stage was theirs.
    pub on_stage: OnStage,
}

/// Whether a place on the stage is somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStage {
    /// It is, also while they are away for a moment.
    Yes,
    /// It is not.
    No,
}

/// Whether somebody who has gone can come back as the same person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// They can, so their place is kept.
    Yes,
    /// A program without a name: whoever comes next is somebody else.
    No,
}

/// One person.
#[derive(Clone, Debug)]
pub struct Person {
    pub(super) kept: Kept,
    pub(super) place: Place,
    pub(super) lasting: Lasting,
    /// Of a listener who asks: their network. A restart forgets it.
    pub(super) from: Option<IpAddr>,
}

impl Person {
    /// Who.
    pub const fn id(&self) -> &PersonId {
        &self.kept.id
    }

    /// What others read.
    pub const fn name(&self) -> &PersonName {
        &self.kept.name
    }

    /// What they are on the stage: a listener who was given the floor speaks as any speaker.
    pub const fn rank(&self) -> Role {
        match self.kept.role {
            Role::Listener | Role::Speaker => Role::Speaker,
            Role::CoHost => Role::CoHost,
            Role::Host => Role::Host,
        }
    }

    /// Whether they have the floor.
    pub const fn standing(&self) -> Standing {
        self.kept.standing
    }

    /// Who muted them.
    pub const fn muted(&self) -> MutedBy {
        self.kept.muted
    }

    /// What happened last.
    pub const fn last(&self) -> Last {
        self.kept.last
    }

    /// Of a listener: the hash of the key that opens the stage to them while they have the floor.
    pub const fn grant(&self) -> Option<&KeyHash> {
        self.kept.grant.as_ref()
    }

    /// The role a host gave them, whatever key they come with.
    pub const fn appointed(&self) -> Option<Role> {
        match self.kept.role_by {
            RoleBy::Key => None,
            RoleBy::Host => Some(self.kept.role),
        }
    }

    /// Whether they are connected now.
    pub const fn is_here(&self) -> bool {
        matches!(self.place, Place::Here(_))
    }

    /// Whether a place on the stage is theirs.
    pub const fn is_on_stage(&self) -> bool {
        !matches!(self.place, Place::Outside)
    }

    /// Whether they were sent away.
    pub const fn is_removed(&self) -> bool {
        matches!(self.kept.last, Last::Removed)
    }

    /// Whether they came from the audience.
    pub const fn is_guest(&self) -> bool {
        matches!(self.kept.role, Role::Listener)
    }

    /// Whether the mix takes their sound.
    pub const fn is_heard(&self) -> bool {
        matches!(self.kept.standing, Standing::Holds) && matches!(self.kept.muted, MutedBy::Nobody)
    }

    pub(super) const fn visit(&self) -> Option<Visit> {
        match self.place {
            Place::Here(visit) | Place::Between(visit, ..) => Some(visit),
            Place::Away(_) | Place::Outside => None,
        }
    }

    /// Since when nobody has been there, while a place is kept.
    pub(super) const fn gone_since(&self) -> Option<Time> {
        match self.place {
            Place::Between(_, since, _) | Place::Away(since) => Some(since),
            Place::Here(_) | Place::Outside => None,
        }
    }

    /// Their request.
    pub const fn request(&self) -> Option<Request> {
        match self.kept.standing {
            Standing::Asks(request) => Some(request),
            Standing::Out | Standing::Holds => None,
        }
    }

    /// Whether they must be known when they come again, also much later.
    pub(super) const fn is_memorable(&self) -> bool {
        let said = matches!(self.kept.last, Last::Declined | Last::Revoked | Last::Removed);
        said || matches!(self.kept.muted, MutedBy::Host) || matches!(self.kept.role_by, RoleBy::Host)
    }
}
