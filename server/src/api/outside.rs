//! What a body of the API asks for once it is read: every form of body, tried on the same bytes.

use http::HeaderMap;
use tribune_core::room::{Command, Key, PersonName, Role};

use super::{
    Failure, auth, body, commands, invitations, keys, manage, passkeys, recording, sign_in, webhooks,
};
use crate::rooms::New;

/// What somebody asks in a body.
#[derive(Debug)]
pub enum Asked {
    /// A new room.
    New(New),
    /// Something of a room.
    Command(Command),
    /// New keys.
    Keys(Vec<Role>),
    /// An invitation: as what, and its label.
    Invitation(Role, Option<String>),
    /// A key for a cookie: the room's name as it came, or none for the operator's, and the key.
    SignIn(Option<String>, Key),
    /// A name of one's own.
    Name(PersonName),
    /// A passkey: in which room, and its label.
    Passkey(Option<String>, Option<String>),
    /// A webhook's address.
    Webhook(String),
    /// From when to when a passage is taken out, in seconds, and why.
    Passage((f64, f64), String),
}

/// The bytes as each form of body in turn.
pub fn bodies(bytes: &[u8]) -> Vec<Result<Asked, Failure>> {
    vec![
        body::read::<manage::NewRoom>(bytes).and_then(manage::NewRoom::asked).map(Asked::New),
        body::read::<commands::Changes>(bytes).and_then(commands::Changes::command).map(Asked::Command),
        body::read::<commands::Cap>(bytes).and_then(|cap| cap.command(None)).map(Asked::Command),
        body::read::<commands::Text>(bytes).map(|text| Asked::Command(text.command())),
        body::read::<keys::Roles>(bytes).and_then(|body| body.roles()).map(Asked::Keys),
        body::read::<invitations::Guest>(bytes)
            .and_then(invitations::Guest::read)
            .map(|(role, label)| Asked::Invitation(role, label)),
        body::read::<sign_in::Exchange>(bytes).and_then(sign_in::Exchange::asked).map(|asked| match asked {
            sign_in::Asked::Node(key) => Asked::SignIn(None, key),
            sign_in::Asked::Room(room, key, _) => Asked::SignIn(Some(room), key),
        }),
        body::read::<sign_in::OwnName>(bytes).and_then(sign_in::OwnName::read).map(Asked::Name),
        body::read::<passkeys::Wanted>(bytes)
            .and_then(passkeys::Wanted::read)
            .map(|(room, label)| Asked::Passkey(room, label)),
        body::read::<webhooks::Receiver>(bytes).and_then(webhooks::Receiver::url).map(Asked::Webhook),
        body::read::<recording::Passage>(bytes)
            .and_then(recording::Passage::seconds)
            .map(|(seconds, why)| Asked::Passage(seconds, why)),
    ]
}

/// The key in `Authorization`.
pub fn key(headers: &HeaderMap) -> Result<Option<Key>, Failure> {
    auth::bearer(headers)
}
