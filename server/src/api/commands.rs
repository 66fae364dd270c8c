//! What a room is asked to do.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tribune_core::door::capacity::Wish;
use tribune_core::room::{Act, Change, Command};

use super::audit::{self, Asked};
use super::auth::Shown;
use super::body::{self, Json};
use super::manage::status_of;
use super::{Api, Failure};
use crate::answer::Path;

/// The word in the audit for a cap above what was measured.
const CAP_OVERRIDE: &str = "cap_override";
/// How long ending a room waits for its replay.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// What changes; a `null` start takes the schedule away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    title: Option<String>,
    #[serde(default, deserialize_with = "body::present")]
    starts_at: Option<Option<String>>,
}

/// Most seats; `null` takes the limit away. Above what the node was measured to carry only with `override`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    #[serde(deserialize_with = "body::present")]
    cap: Option<Option<u32>>,
    #[serde(default, rename = "override")]
    overrides: bool,
}

/// Something everybody is told.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    text: String,
}

pub async fn live(
    State(api): State<Api>,
    Path(room): Path<String>,
    shown: Shown,
) -> Result<Response, Failure> {
    ask(&api, &room, &shown, Command::GoLive).await
}

/// Answers when the replay can be fetched, when it is known that there is none, or after `SETTLE_MAX` when
/// the disk does not let the recording be closed: then the room has ended all the same, without a replay yet.
pub async fn end(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<Response, Failure> {
    ask(&api, &name, &shown, Command::End).await?;
    let room = api.room(&name)?;
    // Whichever it is, the status says it.
    let _ = tokio::time::timeout(SETTLE_MAX, room.settled()).await;
    Ok(status_of(&room))
}

pub async fn cap(
    State(api): State<Api>,
    Path(room): Path<String>,
    shown: Shown,
    Json(body): Json<Cap>,
) -> Result<Response, Failure> {
    let measured = api.rooms.setup().capacity.measured_seats();
    ask(&api, &room, &shown, body.command(measured)?).await
}

pub async fn notice(
    State(api): State<Api>,
    Path(room): Path<String>,
    shown: Shown,
    Json(body): Json<Text>,
) -> Result<Response, Failure> {
    ask(&api, &room, &shown, body.command()).await
}

pub async fn change(
    State(api): State<Api>,
    Path(room): Path<String>,
    shown: Shown,
    Json(body): Json<Changes>,
) -> Result<Response, Failure> {
    ask(&api, &room, &shown, body.command()?).await
}

impl Changes {
    /// What the room is asked.
    pub fn command(self) -> Result<Command, Failure> {
        if self.title.is_none() && self.starts_at.is_none() {
            return Err(Failure::malformed("give title, starts_at, or both"));
        }
        let starts_at = match self.starts_at {
            Some(Some(text)) => Some(Some(body::time("starts_at", &text)?)),
            Some(None) => Some(None),
            None => None,
        };
        Ok(Command::Change(Change { title: self.title, starts_at }))
    }
}

impl Cap {
    /// What the room is asked, on a node that was measured to carry so many.
    pub fn command(self, measured: Option<u64>) -> Result<Command, Failure> {
        let wish = match (self.cap.flatten().map(u64::from), self.overrides) {
            (Some(seats), true) => Wish::Override(seats),
            (Some(seats), false) => Wish::AtMost(seats),
            (None, false) => Wish::None,
            (None, true) => return Err(Failure::malformed("override needs a cap beside it")),
        };
        Ok(Command::SetCap { wish, measured })
    }
}

impl Text {
    /// What the room is asked.
    pub fn command(self) -> Command {
        Command::Notice(self.text)
    }
}

/// What the audit calls it.
fn words(command: &Command) -> Vec<&'static str> {
    match command {
        Command::SetCap { wish: Wish::Override(_), .. } => vec![CAP_OVERRIDE],
        Command::SetCap { .. } | Command::GoLive | Command::End | Command::Notice(_) | Command::Change(_) => {
            command.acts().map(Act::word).collect()
        }
    }
}

/// Asks the room, writes down who asked and what came of it, and answers with the status.
async fn ask(api: &Api, name: &str, shown: &Shown, command: Command) -> Result<Response, Failure> {
    let room = api.room(name)?;
    let who = api.door.who(shown, Some(&room))?;
    api.door.pace(&who)?;
    let acts = words(&command);
    let result = room.command(who.caller, command).await.map_err(Failure::from);
    for act in acts {
        audit::note(api, &room, Asked::of(&who, act), &result).await;
    }
    result?;
    Ok(status_of(&room))
}
