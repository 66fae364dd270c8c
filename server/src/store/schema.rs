//! The tables, and how an older file becomes the present one.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// One script for each version; a script is never changed once released.
pub(super) const VERSIONS: [&str; 6] = [
    "
    CREATE TABLE room (
        name TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        state TEXT NOT NULL,
        starts_at INTEGER,
        started_at INTEGER,
        ended_at INTEGER,
        cap INTEGER,
        replay TEXT NOT NULL
    ) STRICT;
    CREATE TABLE notice (
        room TEXT NOT NULL REFERENCES room(name) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        at INTEGER NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (room, place)
    ) STRICT;
    CREATE TABLE room_key (
        room TEXT NOT NULL REFERENCES room(name) ON DELETE CASCADE,
        role TEXT NOT NULL,
        sha256 BLOB NOT NULL,
        PRIMARY KEY (room, role)
    ) STRICT;
    CREATE TABLE webhook (
        id INTEGER PRIMARY KEY,
        room TEXT NOT NULL REFERENCES room(name) ON DELETE CASCADE,
        url TEXT NOT NULL,
        secret TEXT NOT NULL
    ) STRICT;
    CREATE TABLE status (
        room TEXT PRIMARY KEY REFERENCES room(name) ON DELETE CASCADE,
        document BLOB NOT NULL
    ) STRICT;
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        room TEXT NOT NULL,
        caller TEXT NOT NULL,
        act TEXT NOT NULL,
        outcome TEXT NOT NULL
    ) STRICT;
    CREATE INDEX audit_by_room ON audit (room, id);
",
    "
    CREATE TABLE status_kept (
        room TEXT NOT NULL REFERENCES room(name) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        document BLOB NOT NULL,
        PRIMARY KEY (room, seq)
    ) STRICT;
    INSERT INTO status_kept
        SELECT room, json_extract(CAST(document AS TEXT), '$.seq'), document FROM status
        WHERE json_valid(CAST(document AS TEXT));
    -- Outlives its room: a room of the same name never repeats a number.
    CREATE TABLE status_used (
        room TEXT PRIMARY KEY,
        seq INTEGER NOT NULL
    ) STRICT;
    INSERT INTO status_used SELECT room, seq FROM status_kept;
    DROP TABLE status;
",
    "
    CREATE TABLE sign_in (
        id TEXT PRIMARY KEY,
        sha256 BLOB NOT NULL,
        agent TEXT NOT NULL,
        seen_at INTEGER NOT NULL,
        operator_by BLOB,
        operator_at INTEGER
    ) STRICT;
    CREATE TABLE badge (
        sign_in TEXT NOT NULL REFERENCES sign_in(id) ON DELETE CASCADE,
        room TEXT NOT NULL REFERENCES room(name) ON DELETE CASCADE,
        id TEXT NOT NULL,
        role TEXT NOT NULL,
        person TEXT NOT NULL,
        name TEXT NOT NULL,
        opened_by BLOB NOT NULL,
        opened_at INTEGER NOT NULL,
        PRIMARY KEY (sign_in, room)
    ) STRICT;
    CREATE INDEX badge_by_room ON badge (room);
    CREATE TABLE invitation (
        id TEXT PRIMARY KEY,
        room TEXT NOT NULL REFERENCES room(name) ON DELETE CASCADE,
        role TEXT NOT NULL,
        label TEXT,
        sha256 BLOB NOT NULL,
        made_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX invitation_by_room ON invitation (room);
    -- Without a room it is the operator's.
    CREATE TABLE passkey (
        id TEXT PRIMARY KEY,
        room TEXT REFERENCES room(name) ON DELETE CASCADE,
        role TEXT,
        person TEXT,
        name TEXT,
        label TEXT NOT NULL,
        opened_by BLOB NOT NULL,
        made_at INTEGER NOT NULL,
        used_at INTEGER NOT NULL,
        credential TEXT NOT NULL
    ) STRICT;
    CREATE INDEX passkey_by_room ON passkey (room);
    ALTER TABLE audit ADD COLUMN person TEXT;
    ALTER TABLE audit ADD COLUMN name TEXT;
",
    "
    CREATE TABLE floor (
        room TEXT PRIMARY KEY REFERENCES room(name) ON DELETE CASCADE,
        people TEXT NOT NULL
    ) STRICT;
",
    "
    ALTER TABLE audit ADD COLUMN whom TEXT;
    ALTER TABLE audit ADD COLUMN whom_name TEXT;
",
    "
    ALTER TABLE room ADD COLUMN cap_overrides INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE room ADD COLUMN share INTEGER NOT NULL DEFAULT 1;
",
];

/// Sets the connection up and runs the scripts that the file has not seen.
pub fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    let work = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = work.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = VERSIONS.len() as i64;
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    for script in VERSIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        work.execute_batch(script)?;
    }
    work.pragma_update(None, "user_version", known)?;
    work.commit()?;
    Ok(())
}
