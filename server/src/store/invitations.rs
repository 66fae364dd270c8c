//! Invitations: kept until they are taken back, or the room is gone.

use rusqlite::{Connection, params};
use tribune_core::room::Name;
use tribune_core::time::WallTime;

use super::rows::{Invitation, read_hash, read_role};
use super::{Store, StoreError};

impl Store {
    /// Keeps an invitation.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn add_invitation(&self, room: Name, invitation: Invitation) -> Result<(), StoreError> {
        self.run(move |connection| {
            let Invitation { id, role, label, key, made_at } = invitation;
            connection.execute(
                "INSERT INTO invitation (id, room, role, label, sha256, made_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![id, room.as_str(), role.word(), label, &key.0[..], made_at.0],
            )?;
            Ok(())
        })
        .await
    }

    /// Forgets an invitation.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn remove_invitation(&self, room: Name, id: String) -> Result<(), StoreError> {
        self.run(move |connection| {
            let text = "DELETE FROM invitation WHERE room = ?1 AND id = ?2";
            connection.execute(text, params![room.as_str(), id])?;
            Ok(())
        })
        .await
    }
}

/// A room's invitations, oldest first.
pub(super) fn of_room(connection: &Connection, room: &str) -> Result<Vec<Invitation>, StoreError> {
    let mut query = connection.prepare(
        "SELECT id, role, label, sha256, made_at FROM invitation WHERE room = ?1 ORDER BY made_at, id",
    )?;
    let mut rows = query.query([room])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Invitation {
            id: row.get(0)?,
            role: read_role(&row.get::<_, String>(1)?)?,
            label: row.get(2)?,
            key: read_hash(&row.get::<_, Vec<u8>>(3)?)?,
            made_at: WallTime(row.get(4)?),
        });
    }
    Ok(found)
}
