//! What is kept, and how it becomes rows and back.

use std::collections::VecDeque;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use tribune_core::room::floor;
use tribune_core::room::{Caller, Facts, KeyHash, Name, Notice, PersonId, PersonName, Replay, Role};
use tribune_core::status;
use tribune_core::time::WallTime;

use super::{Store, StoreError, invitations, statuses};

/// Lines of the audit kept for one room of those who run it, and of speakers and listeners; of each the
/// oldest go, so that no guest pushes out what a host did.
const AUDIT_LINES_MAX: i64 = 10_000;
const AUDIT_LINES_OF_GUESTS_MAX: i64 = 5_000;
/// The oldest are looked for once in so many lines.
const AUDIT_SWEPT_EVERY: i64 = 64;

/// A room with all that belongs to it.
#[derive(Debug)]
pub struct Kept {
    /// The room.
    pub facts: Facts,
    /// Its keys.
    pub keys: RoomKeys,
    /// Its chain of statuses.
    pub chain: status::Kept,
    /// Who is told of events.
    pub webhooks: Vec<Webhook>,
    /// Who was known on its stage.
    pub floor: Vec<floor::Kept>,
    /// The invitations that were made and not taken back.
    pub invitations: Vec<Invitation>,
}

/// The hashes of a room's keys.
#[derive(Clone, Debug, Default)]
pub struct RoomKeys(pub Vec<(Role, KeyHash)>);

/// Who is told of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its number.
    pub id: i64,
    /// Where it is posted to.
    pub url: String,
    /// What it is signed with.
    pub secret: String,
}

/// A key of its own for one guest or a few.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Names it in lists; opens nothing.
    pub id: String,
    /// What whoever has it is.
    pub role: Role,
    /// For whom it was made, in the words of whoever made it.
    pub label: Option<String>,
    /// The hash of its key.
    pub key: KeyHash,
    /// When it was made.
    pub made_at: WallTime,
}

/// One line of the audit, as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// When.
    pub at: WallTime,
    /// In which role.
    pub caller: String,
    /// Who, by id and by name, when it was somebody in particular.
    pub person: Option<String>,
    /// Their name then.
    pub name: Option<String>,
    /// What.
    pub act: String,
    /// To whom, or to what of theirs.
    pub whom: Option<Whom>,
    /// `done`, or the code of the refusal.
    pub outcome: String,
}

/// To whom something was done: a person, or an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whom {
    /// Their id.
    pub id: String,
    /// Their name then, or the invitation's label.
    pub name: Option<String>,
}

/// Who did what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// When.
    pub at: WallTime,
    /// In which role.
    pub caller: Caller,
    /// Who, when it was somebody in particular.
    pub person: Option<(PersonId, PersonName)>,
    /// What.
    pub act: &'static str,
    /// To whom, or to what of theirs.
    pub whom: Option<Whom>,
    /// `done`, or the code of the refusal.
    pub outcome: &'static str,
}

impl Store {
    /// Every room, in order of name.
    ///
    /// # Errors
    /// When SQLite cannot, or a row is damaged.
    pub async fn rooms(&self) -> Result<Vec<Kept>, StoreError> {
        self.run(|connection| {
            let mut query = connection.prepare("SELECT * FROM room ORDER BY name")?;
            let rows: Vec<Facts> = query
                .query_map([], |row| Ok(read_facts(row)))?
                .map(|row| row?)
                .collect::<Result<_, StoreError>>()?;
            drop(query);
            rows.into_iter().map(|facts| read_rest(connection, facts)).collect()
        })
        .await
    }

    /// Keeps a new room, unless its name is taken or `rooms_max` exist. What is known of the statuses of an
    /// earlier room of that name comes back: their numbers are used.
    ///
    /// # Errors
    /// `NameTaken`, `RoomsFull`, or SQLite's.
    pub async fn create(
        &self,
        facts: Facts,
        keys: RoomKeys,
        rooms_max: u32,
    ) -> Result<status::Kept, StoreError> {
        self.run(move |connection| {
            let work = connection.transaction()?;
            let name = facts.name.as_str();
            let taken =
                work.query_row("SELECT 1 FROM room WHERE name = ?1", [name], |_| Ok(())).optional()?;
            if taken.is_some() {
                return Err(StoreError::NameTaken);
            }
            let count: i64 = work.query_row("SELECT count(*) FROM room", [], |row| row.get(0))?;
            if count >= i64::from(rooms_max) {
                return Err(StoreError::RoomsFull);
            }
            write_facts(&work, &facts)?;
            write_keys(&work, name, &keys)?;
            let chain = statuses::kept(&work, name)?;
            work.commit()?;
            Ok(chain)
        })
        .await
    }

    /// Keeps what a room has become.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn put_facts(&self, facts: Facts) -> Result<(), StoreError> {
        self.run(move |connection| {
            let work = connection.transaction()?;
            write_facts(&work, &facts)?;
            Ok(work.commit()?)
        })
        .await
    }

    /// Replaces the keys of the roles given.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn put_keys(&self, room: Name, keys: RoomKeys) -> Result<(), StoreError> {
        self.run(move |connection| {
            let work = connection.transaction()?;
            write_keys(&work, room.as_str(), &keys)?;
            Ok(work.commit()?)
        })
        .await
    }

    /// Keeps a webhook; its number.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn add_webhook(&self, room: Name, url: String, secret: String) -> Result<i64, StoreError> {
        self.run(move |connection| {
            let text = "INSERT INTO webhook (room, url, secret) VALUES (?1, ?2, ?3)";
            connection.execute(text, params![room.as_str(), url, secret])?;
            Ok(connection.last_insert_rowid())
        })
        .await
    }

    /// Forgets a webhook.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn remove_webhook(&self, room: Name, id: i64) -> Result<(), StoreError> {
        self.run(move |connection| {
            let text = "DELETE FROM webhook WHERE room = ?1 AND id = ?2";
            connection.execute(text, params![room.as_str(), id])?;
            Ok(())
        })
        .await
    }

    /// Forgets a room and all that belongs to it but the audit.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn remove(&self, room: Name) -> Result<(), StoreError> {
        self.run(move |connection| {
            connection.execute("DELETE FROM room WHERE name = ?1", [room.as_str()])?;
            Ok(())
        })
        .await
    }

    /// Writes down who did what.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn audit(&self, room: Name, line: Audit) -> Result<(), StoreError> {
        self.run(move |connection| {
            let work = connection.transaction()?;
            let person = line.person.as_ref().map(|(id, name)| (id.as_str(), name.as_str()));
            work.execute(
                "INSERT INTO audit (at, room, caller, act, outcome, person, name, whom, whom_name) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    line.at.0,
                    room.as_str(),
                    line.caller.word(),
                    line.act,
                    line.outcome,
                    person.map(|(id, _)| id),
                    person.map(|(_, name)| name),
                    line.whom.as_ref().map(|whom| &whom.id),
                    line.whom.as_ref().and_then(|whom| whom.name.as_ref()),
                ],
            )?;
            if work.last_insert_rowid() % AUDIT_SWEPT_EVERY == 0 {
                sweep_audit(&work, room.as_str())?;
            }
            Ok(work.commit()?)
        })
        .await
    }

    /// The last lines of a room's audit, newest first.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn audit_lines(&self, room: Name, most: u32) -> Result<Vec<AuditLine>, StoreError> {
        self.run(move |connection| {
            let mut query = connection.prepare(
                "SELECT at, caller, person, name, act, outcome, whom, whom_name FROM audit WHERE room = ?1 \
                 ORDER BY id DESC LIMIT ?2",
            )?;
            let lines = query.query_map(params![room.as_str(), most], |row| {
                let (whom, whom_name): (Option<String>, Option<String>) = (row.get(6)?, row.get(7)?);
                Ok(AuditLine {
                    whom: whom.map(|id| Whom { id, name: whom_name }),
                    at: WallTime(row.get(0)?),
                    caller: row.get(1)?,
                    person: row.get(2)?,
                    name: row.get(3)?,
                    act: row.get(4)?,
                    outcome: row.get(5)?,
                })
            })?;
            Ok(lines.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn sweep_audit(work: &Transaction<'_>, room: &str) -> Result<(), StoreError> {
    for (of_guests, most) in [(true, AUDIT_LINES_OF_GUESTS_MAX), (false, AUDIT_LINES_MAX)] {
        work.execute(
            "DELETE FROM audit WHERE room = ?1 AND (caller IN ('speaker', 'listener')) = ?2 AND id <= \
             (SELECT id FROM audit WHERE room = ?1 AND (caller IN ('speaker', 'listener')) = ?2 \
              ORDER BY id DESC LIMIT 1 OFFSET ?3)",
            params![room, of_guests, most],
        )?;
    }
    Ok(())
}

fn read_facts(row: &Row<'_>) -> Result<Facts, StoreError> {
    let name: String = row.get("name")?;
    let wall = |column| row.get::<_, Option<i64>>(column).map(|at| at.map(WallTime));
    Ok(Facts {
        name: Name::parse(&name).map_err(|error| StoreError::Damaged(format!("room {name:?}: {error}")))?,
        title: row.get("title")?,
        state: word(row, "state")?,
        starts_at: wall("starts_at")?,
        started_at: wall("started_at")?,
        ended_at: wall("ended_at")?,
        cap: row.get("cap")?,
        cap_overrides: row.get("cap_overrides")?,
        share: row.get("share")?,
        notices: VecDeque::new(),
        replay: word(row, "replay")?,
    })
}

/// Reads an enum by the word that serde gives it.
fn word<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T, StoreError> {
    let word: String = row.get(column)?;
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|error| StoreError::Damaged(format!("{column}: {error}")))
}

fn read_rest(connection: &Connection, mut facts: Facts) -> Result<Kept, StoreError> {
    let name = facts.name.as_str().to_owned();
    let mut query = connection.prepare("SELECT at, text FROM notice WHERE room = ?1 ORDER BY place")?;
    let notices =
        query.query_map([&name], |row| Ok(Notice { at: WallTime(row.get(0)?), text: row.get(1)? }))?;
    facts.notices = notices.collect::<Result<_, _>>()?;
    let mut query = connection.prepare("SELECT id, url, secret FROM webhook WHERE room = ?1 ORDER BY id")?;
    let webhooks = query
        .query_map([&name], |row| Ok(Webhook { id: row.get(0)?, url: row.get(1)?, secret: row.get(2)? }))?;
    let webhooks = webhooks.collect::<Result<_, _>>()?;
    let mut query = connection.prepare("SELECT role, sha256 FROM room_key WHERE room = ?1")?;
    let keys = query.query_map([&name], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let keys = keys.map(|row| read_key(&row?)).collect::<Result<_, _>>()?;
    let chain = statuses::kept(connection, &name)?;
    let floor = super::floor::read(connection, &name)?;
    let invitations = invitations::of_room(connection, &name)?;
    Ok(Kept { facts, keys: RoomKeys(keys), chain, webhooks, invitations, floor })
}

fn read_key((role, hash): &(String, Vec<u8>)) -> Result<(Role, KeyHash), StoreError> {
    Ok((read_role(role)?, read_hash(hash)?))
}

pub(super) fn read_role(word: &str) -> Result<Role, StoreError> {
    Role::from_word(word).ok_or_else(|| StoreError::Damaged(format!("role {word:?}")))
}

pub(super) fn read_hash(bytes: &[u8]) -> Result<KeyHash, StoreError> {
    bytes.try_into().map(KeyHash).map_err(|_| StoreError::Damaged("a key's hash".into()))
}

fn write_facts(work: &Transaction<'_>, facts: &Facts) -> Result<(), StoreError> {
    let name = facts.name.as_str();
    let wall = |at: Option<WallTime>| at.map(|at| at.0);
    work.execute(
        "INSERT INTO room VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (name) DO UPDATE SET \
         title = ?2, state = ?3, starts_at = ?4, started_at = ?5, ended_at = ?6, cap = ?7, replay = ?8, \
         cap_overrides = ?9, share = ?10",
        params![
            name,
            facts.title,
            facts.state.word(),
            wall(facts.starts_at),
            wall(facts.started_at),
            wall(facts.ended_at),
            facts.cap,
            replay_word(facts.replay),
            facts.cap_overrides,
            facts.share,
        ],
    )?;
    work.execute("DELETE FROM notice WHERE room = ?1", [name])?;
    for (place, notice) in facts.notices.iter().enumerate() {
        work.execute(
            "INSERT INTO notice VALUES (?1, ?2, ?3, ?4)",
            params![name, place as i64, notice.at.0, notice.text],
        )?;
    }
    Ok(())
}

fn write_keys(work: &Transaction<'_>, room: &str, keys: &RoomKeys) -> Result<(), StoreError> {
    for (role, hash) in &keys.0 {
        let text =
            "INSERT INTO room_key VALUES (?1, ?2, ?3) ON CONFLICT (room, role) DO UPDATE SET sha256 = ?3";
        work.execute(text, params![room, role.word(), &hash.0[..]])?;
    }
    Ok(())
}

const fn replay_word(replay: Replay) -> &'static str {
    match replay {
        Replay::NotYet => "not_yet",
        Replay::Ready => "ready",
        Replay::Absent => "absent",
    }
}
