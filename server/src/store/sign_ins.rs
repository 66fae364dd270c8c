//! Who is signed in: written when it changes, read when the node starts. Secrets are kept as hashes only.
//!
//! On the disk a time is the wall clock's; in memory it is how long ago something was.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, Row, Transaction, params};
use tribune_core::room::{Ago, Badge, Moment, Name, Opened, PersonId, PersonName, SignIn, SignInId};
use tribune_core::time::WallTime;

use super::rows::{read_hash, read_role};
use super::{Store, StoreError};

/// Sign-ins that are not on the disk as they are; `None`: it is to be forgotten.
pub type Unkept = BTreeMap<SignInId, Option<SignIn>>;

impl Store {
    /// Every sign-in. Rows that this version did not write are left out: their browsers sign in again.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn sign_ins(&self, now: Moment) -> Result<Vec<SignIn>, StoreError> {
        self.run(move |connection| {
            let mut all = BTreeMap::new();
            let mut query = connection.prepare("SELECT * FROM sign_in")?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                match read(now, row) {
                    Ok(sign_in) => drop(all.insert(sign_in.id.as_str().to_owned(), sign_in)),
                    Err(error) => tracing::warn!(%error, "sign_in_not_read"),
                }
            }
            read_badges(now, connection, &mut all)?;
            Ok(all.into_values().collect())
        })
        .await
    }

    /// Keeps and forgets sign-ins, all or none.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn put_sign_ins(&self, now: Moment, unkept: Unkept) -> Result<(), StoreError> {
        self.run(move |connection| {
            let work = connection.transaction()?;
            for (id, sign_in) in &unkept {
                work.execute("DELETE FROM badge WHERE sign_in = ?1", [id.as_str()])?;
                match sign_in {
                    Some(sign_in) => write(now, &work, sign_in)?,
                    None => drop(work.execute("DELETE FROM sign_in WHERE id = ?1", [id.as_str()])?),
                }
            }
            Ok(work.commit()?)
        })
        .await
    }
}

fn read(now: Moment, row: &Row<'_>) -> Result<SignIn, StoreError> {
    let id: String = row.get("id")?;
    let operator: Option<Vec<u8>> = row.get("operator_by")?;
    let operator = operator.map(|by| Ok::<_, StoreError>((read_hash(&by)?, row.get("operator_at")?)));
    Ok(SignIn {
        id: SignInId::parse(&id).ok_or_else(|| StoreError::Damaged("the id of a sign-in".into()))?,
        secret: read_hash(&row.get::<_, Vec<u8>>("sha256")?)?,
        agent: row.get("agent")?,
        seen: ago(now, row.get("seen_at")?),
        operator: operator.transpose()?.map(|(by, at)| Opened { by, began: ago(now, at) }),
        badges: BTreeMap::new(),
    })
}

fn read_badges(
    now: Moment,
    connection: &Connection,
    all: &mut BTreeMap<String, SignIn>,
) -> Result<(), StoreError> {
    let mut query = connection.prepare("SELECT * FROM badge")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let Some(sign_in) = all.get_mut(&row.get::<_, String>("sign_in")?) else { continue };
        match read_badge(now, row) {
            Ok((room, badge)) => drop(sign_in.badges.insert(room, badge)),
            Err(error) => tracing::warn!(%error, "badge_not_read"),
        }
    }
    Ok(())
}

fn read_badge(now: Moment, row: &Row<'_>) -> Result<(Name, Badge), StoreError> {
    let damaged = |what: &str| StoreError::Damaged(format!("a badge's {what}"));
    let text = |column: &str| row.get::<_, String>(column);
    let badge = Badge {
        id: text("id")?,
        role: read_role(&text("role")?)?,
        person: PersonId::parse(&text("person")?).ok_or_else(|| damaged("person"))?,
        name: PersonName::parse(&text("name")?).ok_or_else(|| damaged("name"))?,
        opened: Opened {
            by: read_hash(&row.get::<_, Vec<u8>>("opened_by")?)?,
            began: ago(now, row.get("opened_at")?),
        },
    };
    let room = Name::parse(&text("room")?).map_err(|_| damaged("room"))?;
    Ok((room, badge))
}

fn write(now: Moment, work: &Transaction<'_>, sign_in: &SignIn) -> Result<(), StoreError> {
    let id = sign_in.id.as_str();
    let operator = sign_in.operator.as_ref();
    work.prepare_cached(
        "INSERT INTO sign_in VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET \
         sha256 = ?2, agent = ?3, seen_at = ?4, operator_by = ?5, operator_at = ?6",
    )?
    .execute(params![
        id,
        &sign_in.secret.0[..],
        sign_in.agent,
        wall(now, sign_in.seen).0,
        operator.map(|opened| opened.by.0.to_vec()),
        operator.map(|opened| wall(now, opened.began).0),
    ])?;
    for (room, badge) in &sign_in.badges {
        // A room that was removed just now has no badges.
        work.prepare_cached(
            "INSERT INTO badge SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM room WHERE name = ?2",
        )?
        .execute(params![
            id,
            room.as_str(),
            badge.id,
            badge.role.word(),
            badge.person.as_str(),
            badge.name.as_str(),
            &badge.opened.by.0[..],
            wall(now, badge.opened.began).0,
        ])?;
    }
    Ok(())
}

/// A clock that was set back makes nothing older than it is.
fn ago(now: Moment, at_ms: i64) -> Ago {
    let ms = now.wall.millis_since(WallTime(at_ms));
    Ago::long(now.time, Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}

/// What the wall clock says of a time.
pub fn wall(now: Moment, ago: Ago) -> WallTime {
    let ms = i64::try_from(ago.since(now.time).as_millis()).unwrap_or(i64::MAX);
    WallTime(now.wall.0.saturating_sub(ms))
}
