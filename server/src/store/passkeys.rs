//! Passkeys: what a browser's authenticator can open, and the public key that proves it.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tribune_core::room::{KeyHash, Name, PersonId, PersonName, Role};
use tribune_core::time::WallTime;

use super::rows::{read_hash, read_role};
use super::{Store, StoreError};

/// Passkeys of one room, and of the operator.
pub const PASSKEYS_MAX: u32 = 64;

/// One passkey.
#[derive(Clone, Debug)]
pub struct Passkey {
    /// The credential's id in base64url.
    pub id: String,
    /// What it opens.
    pub opens: PasskeyOpens,
    /// What its owner calls it.
    pub label: String,
    /// The hash of the key by which it was made: it lasts as long.
    pub opened_by: KeyHash,
    /// When it was made.
    pub made_at: WallTime,
    /// When it was last used.
    pub used_at: WallTime,
    /// Its public key and counter, as the library writes them.
    pub credential: String,
}

/// What a passkey opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasskeyOpens {
    /// The node, as its operator.
    Node,
    /// A room.
    Room {
        /// Which.
        room: Name,
        /// As what.
        role: Role,
        /// As whom.
        person: PersonId,
        /// By what name.
        name: PersonName,
    },
}

/// What stands for a passkey where a key's hash stands for a key.
#[derive(Clone, Debug)]
pub struct PasskeyMark {
    /// The room it opens; none: the node.
    pub room: Option<Name>,
    /// The mark.
    pub mark: KeyHash,
    /// The hash of the key by which it was made.
    pub opened_by: KeyHash,
}

impl PasskeyOpens {
    /// The room, if it is one.
    pub const fn room(&self) -> Option<&Name> {
        match self {
            Self::Node => None,
            Self::Room { room, .. } => Some(room),
        }
    }
}

impl Passkey {
    /// What stands for it where a key's hash stands for a key.
    pub fn mark(&self) -> KeyHash {
        mark(&self.id)
    }
}

impl Store {
    /// Keeps a passkey, unless as many as may be are kept for the same room or for the operator.
    ///
    /// # Errors
    /// `PasskeysFull`, or SQLite's.
    pub async fn add_passkey(&self, passkey: Passkey) -> Result<(), StoreError> {
        self.run(move |connection| {
            let room = passkey.opens.room().map(Name::as_str);
            let count = "SELECT count(*) FROM passkey WHERE room IS ?1";
            let count: u32 = connection.query_row(count, [room], |row| row.get(0))?;
            if count >= PASSKEYS_MAX {
                return Err(StoreError::PasskeysFull);
            }
            let (role, person, name) = match &passkey.opens {
                PasskeyOpens::Node => (None, None, None),
                PasskeyOpens::Room { role, person, name, .. } => (Some(*role), Some(person), Some(name)),
            };
            connection.execute(
                "INSERT INTO passkey VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    passkey.id,
                    room,
                    role.map(Role::word),
                    person.map(PersonId::as_str),
                    name.map(PersonName::as_str),
                    passkey.label,
                    &passkey.opened_by.0[..],
                    passkey.made_at.0,
                    passkey.used_at.0,
                    passkey.credential,
                ],
            )?;
            Ok(())
        })
        .await
    }

    /// The passkey of this id.
    ///
    /// # Errors
    /// SQLite's, or a damaged row.
    pub async fn passkey(&self, id: String) -> Result<Option<Passkey>, StoreError> {
        self.run(move |connection| {
            let found = connection
                .query_row("SELECT * FROM passkey WHERE id = ?1", [id], |row| Ok(read(row)))
                .optional()?;
            found.transpose()
        })
        .await
    }

    /// The passkeys of a room, or without one the operator's; oldest first.
    ///
    /// # Errors
    /// SQLite's, or a damaged row.
    pub async fn passkeys(&self, room: Option<Name>) -> Result<Vec<Passkey>, StoreError> {
        self.run(move |connection| of(connection, room.as_ref())).await
    }

    /// What stands for each passkey, what it opens and what it was made by.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn passkey_marks(&self) -> Result<Vec<PasskeyMark>, StoreError> {
        self.run(|connection| {
            let mut query = connection.prepare("SELECT room, id, opened_by FROM passkey")?;
            let mut rows = query.query([])?;
            let mut marks = Vec::new();
            while let Some(row) = rows.next()? {
                let room = row.get::<_, Option<String>>(0)?.map(|room| Name::parse(&room)).transpose();
                marks.push(PasskeyMark {
                    room: room.map_err(|error| StoreError::Damaged(error.to_string()))?,
                    mark: mark(&row.get::<_, String>(1)?),
                    opened_by: read_hash(&row.get::<_, Vec<u8>>(2)?)?,
                });
            }
            Ok(marks)
        })
        .await
    }

    /// A passkey was used: its counter went on.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn passkey_used(&self, id: String, credential: String, at: WallTime) -> Result<(), StoreError> {
        self.run(move |connection| {
            let text = "UPDATE passkey SET credential = ?2, used_at = ?3 WHERE id = ?1";
            connection.execute(text, params![id, credential, at.0])?;
            Ok(())
        })
        .await
    }

    /// Forgets a passkey.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn remove_passkey(&self, id: String) -> Result<(), StoreError> {
        self.run(move |connection| {
            connection.execute("DELETE FROM passkey WHERE id = ?1", [id])?;
            Ok(())
        })
        .await
    }

    /// Somebody has another role in a room, or is gone from it. Only hosts and co-hosts have passkeys; those
    /// that are gone.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn set_passkeys(
        &self,
        room: Name,
        person: PersonId,
        role: Option<Role>,
    ) -> Result<Vec<Passkey>, StoreError> {
        self.run(move |connection| {
            let work = connection.transaction()?;
            let mut gone = Vec::new();
            match role.filter(|role| *role >= Role::CoHost) {
                Some(role) => {
                    let text = "UPDATE passkey SET role = ?3 WHERE room = ?1 AND person = ?2";
                    work.execute(text, params![room.as_str(), person.as_str(), role.word()])?;
                }
                None => {
                    gone = of(&work, Some(&room))?;
                    gone.retain(|passkey| is_of(passkey, &person));
                    let text = "DELETE FROM passkey WHERE room = ?1 AND person = ?2";
                    work.execute(text, params![room.as_str(), person.as_str()])?;
                }
            }
            work.commit()?;
            Ok(gone)
        })
        .await
    }

    /// A key is worth nothing any longer. Passkeys that were made by it are gone, but those of who `stays`:
    /// they hold by the key that took its place. The marks of those that are gone.
    ///
    /// # Errors
    /// SQLite's, or a damaged row.
    pub async fn close_passkeys(
        &self,
        room: Name,
        (old, new): (KeyHash, Option<KeyHash>),
        stays: Option<PersonId>,
    ) -> Result<Vec<KeyHash>, StoreError> {
        self.run(move |connection| {
            let work = connection.transaction()?;
            let mut gone = Vec::new();
            for passkey in of(&work, Some(&room))?.iter().filter(|passkey| passkey.opened_by.is(&old)) {
                let stays = stays.as_ref().is_some_and(|person| is_of(passkey, person));
                match new.filter(|_| stays) {
                    Some(new) => {
                        let text = "UPDATE passkey SET opened_by = ?2 WHERE id = ?1";
                        work.execute(text, params![passkey.id, &new.0[..]])?;
                    }
                    None => {
                        work.execute("DELETE FROM passkey WHERE id = ?1", [&passkey.id])?;
                        gone.push(passkey.mark());
                    }
                }
            }
            work.commit()?;
            Ok(gone)
        })
        .await
    }
}

fn is_of(passkey: &Passkey, whom: &PersonId) -> bool {
    match &passkey.opens {
        PasskeyOpens::Room { person, .. } => person == whom,
        PasskeyOpens::Node => false,
    }
}

fn of(connection: &Connection, room: Option<&Name>) -> Result<Vec<Passkey>, StoreError> {
    let mut query = connection.prepare("SELECT * FROM passkey WHERE room IS ?1 ORDER BY made_at, id")?;
    let rows = query.query_map([room.map(Name::as_str)], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

fn read(row: &Row<'_>) -> Result<Passkey, StoreError> {
    let damaged = |what: &str| StoreError::Damaged(format!("a passkey's {what}"));
    let word = |column: &str| row.get::<_, Option<String>>(column).map(Option::unwrap_or_default);
    let opens = match row.get::<_, Option<String>>("room")? {
        None => PasskeyOpens::Node,
        Some(room) => PasskeyOpens::Room {
            room: Name::parse(&room).map_err(|_| damaged("room"))?,
            role: read_role(&word("role")?)?,
            person: PersonId::parse(&word("person")?).ok_or_else(|| damaged("person"))?,
            name: PersonName::parse(&word("name")?).ok_or_else(|| damaged("name"))?,
        },
    };
    Ok(Passkey {
        id: row.get("id")?,
        opens,
        label: row.get("label")?,
        opened_by: read_hash(&row.get::<_, Vec<u8>>("opened_by")?)?,
        made_at: WallTime(row.get("made_at")?),
        used_at: WallTime(row.get("used_at")?),
        credential: row.get("credential")?,
    })
}

fn mark(id: &str) -> KeyHash {
    KeyHash::of(&format!("passkey {id}"))
}
