//! 2. Who is who: names, keys, roles, the life of a room.
//!
//! `Name` and `Key` are the only two words that people type, `may` is the whole policy, `Room` is the machine
//! that knows which state follows which; `floor::Floor` is the one that knows who is on the stage and who is
//! heard. The server keeps `Facts` on disk and does what `Output` says.

pub mod floor;
mod key;
mod life;
mod name;
mod origin;
mod person;
mod role;
mod sign_in;

pub use key::{Key, KeyError, KeyHash};
pub use life::{
    Answer, Change, Command, Demand, Event, Facts, Hearing, Input, Moment, Notice, Output, Refused, Replay,
    Room, State, Why, is_title,
};
pub use life::{
    BOARDING_BEFORE_S, CAP_MAX, IDLE_S_MAX, NOTICE_CHARS_MAX, NOTICES_MAX, SHARE_MAX, TITLE_CHARS_MAX,
};
pub use name::{NAME_CHARS_MAX, Name, NameError, RESERVED};
pub use origin::{Asks, Told, asks};
pub use person::{PERSON_NAME_CHARS_MAX, PersonId, PersonName};
pub use role::{Act, Caller, Role, may, may_touch};
pub use sign_in::{AGE_MAX, AGENT_CHARS_MAX, BADGES_MAX, BADGES_ROOM_MAX, IDLE_MAX, SIGN_INS_MAX};
pub use sign_in::{
    Ago, Badge, Cookie, Entrance, Entry, Holds, Opened, Opens, Output as SignInOutput, Person, SignIn,
    SignInId, SignIns,
};
