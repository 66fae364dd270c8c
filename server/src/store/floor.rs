//! Who is known on each room's stage, as one document a room: it is written whole whenever it changes and
//! never asked about in parts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use tribune_core::room::floor::{Kept, Last, MutedBy, OnStage, Request, RoleBy, Standing};
use tribune_core::room::{KeyHash, Name, PersonId, PersonName, Role};
use tribune_core::time::{Time, WallTime};

use super::{Store, StoreError};

/// One person, as written.
#[derive(Serialize, Deserialize)]
struct Row {
    id: String,
    name: String,
    role: Role,
    #[serde(default)]
    by_host: bool,
    floor: String,
    /// Of a request: its number, and when it was made, in milliseconds since 1970.
    asked: Option<(u64, i64)>,
    muted: String,
    last: String,
    grant: Option<String>,
    on_stage: bool,
}

impl Store {
    /// Keeps everybody who is known on a room's stage, in place of those before.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn put_floor(&self, room: Name, people: Vec<Kept>) -> Result<(), StoreError> {
        let rows: Vec<Row> = people.iter().map(row_of).collect();
        let document =
            serde_json::to_string(&rows).map_err(|error| StoreError::Damaged(error.to_string()))?;
        self.run(move |connection| {
            let text = "INSERT INTO floor VALUES (?1, ?2) ON CONFLICT (room) DO UPDATE SET people = ?2";
            connection.execute(text, params![room.as_str(), document])?;
            Ok(())
        })
        .await
    }
}

/// Who was known on a room's stage.
pub(super) fn read(connection: &Connection, room: &str) -> Result<Vec<Kept>, StoreError> {
    let mut query = connection.prepare("SELECT people FROM floor WHERE room = ?1")?;
    let document: Option<String> = query.query_row([room], |row| row.get(0)).optional()?;
    let rows: Vec<Row> = match document {
        Some(document) => serde_json::from_str(&document).map_err(|error| damaged(&error.to_string()))?,
        None => Vec::new(),
    };
    rows.into_iter().map(kept_of).collect()
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(format!("the floor: {what}"))
}

fn row_of(kept: &Kept) -> Row {
    let asked = match kept.standing {
        Standing::Asks(request) => Some((request.number, request.since.0)),
        Standing::Out | Standing::Holds => None,
    };
    Row {
        id: kept.id.to_string(),
        name: kept.name.as_str().to_owned(),
        role: kept.role,
        by_host: kept.role_by == RoleBy::Host,
        floor: kept.standing.word().to_owned(),
        asked,
        muted: kept.muted.word().to_owned(),
        last: kept.last.word().to_owned(),
        grant: kept.grant.map(|hash| URL_SAFE_NO_PAD.encode(hash.0)),
        on_stage: kept.on_stage == OnStage::Yes,
    }
}

fn kept_of(row: Row) -> Result<Kept, StoreError> {
    let standing = match (row.floor.as_str(), row.asked) {
        ("none", _) => Standing::Out,
        ("holds", _) => Standing::Holds,
        ("requested", Some((number, since))) => {
            Standing::Asks(Request { number, since: WallTime(since), at: Time::ZERO })
        }
        (word, _) => return Err(damaged(word)),
    };
    let grant = row.grant.map(|text| hash_of(&text).ok_or_else(|| damaged("a key's hash"))).transpose()?;
    let muted = MutedBy::ALL.into_iter().find(|muted| muted.word() == row.muted);
    let last = Last::ALL.into_iter().find(|last| last.word() == row.last);
    Ok(Kept {
        id: PersonId::parse(&row.id).ok_or_else(|| damaged(&row.id))?,
        name: PersonName::parse(&row.name).ok_or_else(|| damaged(&row.name))?,
        role: row.role,
        role_by: if row.by_host { RoleBy::Host } else { RoleBy::Key },
        standing,
        muted: muted.ok_or_else(|| damaged(&row.muted))?,
        last: last.ok_or_else(|| damaged(&row.last))?,
        grant,
        on_stage: if row.on_stage { OnStage::Yes } else { OnStage::No },
    })
}

fn hash_of(text: &str) -> Option<KeyHash> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(KeyHash)
}
