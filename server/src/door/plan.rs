//! What a door keeps of its draw: when it opened, the operator's number, when the list closes and whether
//! lots were drawn. Kept whole or not at all, and never while the door's lock is held.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tribune_core::room::Facts;
use tribune_core::time::WallTime;

/// The draw is held this long before the start, in milliseconds.
const DRAW_BEFORE_MS: i64 = 60_000;
/// A second, in milliseconds.
pub const SECOND_MS: i64 = 1_000;
const DRAW: &str = "draw.json";

/// What is kept of a door besides its tickets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// When the door opened, in milliseconds since 1970: seconds are counted from here.
    pub opened_at_ms: i64,
    /// The operator's number, in hexadecimal: secret until the draw.
    pub number: String,
    /// The first second whose tickets are not drawn.
    pub closes_before: u32,
    /// When the draw is, or was, in milliseconds since 1970.
    pub draw_at_ms: i64,
    /// Whether it was held.
    pub held: bool,
}

impl Plan {
    /// For a door that opens at `wall`.
    pub fn first(wall: WallTime, facts: &Facts, number: [u8; 32]) -> Self {
        let opened_at_ms = wall.0.div_euclid(SECOND_MS) * SECOND_MS;
        let draw_at = facts.starts_at.map_or(WallTime(opened_at_ms), draw_at);
        Self {
            opened_at_ms,
            number: number.iter().map(|byte| format!("{byte:02x}")).collect(),
            closes_before: second(draw_at, WallTime(opened_at_ms)),
            draw_at_ms: draw_at.0.max(opened_at_ms),
            held: false,
        }
    }

    /// The plan that is kept in a folder, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        match fs::read(folder.join(DRAW)) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps it in a folder. Waits for the disk.
    ///
    /// # Errors
    /// The disk does not take it; then the one before is there.
    pub fn keep(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let (path, fresh) = (folder.join(DRAW), folder.join("draw.json.new"));
        let mut file = File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_data()?;
        fs::rename(fresh, path)
    }

    /// When the door opened.
    pub fn opened_at(&self) -> WallTime {
        WallTime(self.opened_at_ms)
    }

    /// The operator's number. A plan that was damaged draws by another than it was committed to, which the
    /// page shows.
    pub fn number(&self) -> [u8; 32] {
        let digit = |at: usize| u8::from_str_radix(self.number.get(2 * at..2 * at + 2).unwrap_or("00"), 16);
        std::array::from_fn(|at| digit(at).unwrap_or_default())
    }
}

/// When lots are drawn for a room that starts at `start`.
pub fn draw_at(start: WallTime) -> WallTime {
    WallTime(start.0 - DRAW_BEFORE_MS)
}

/// The second of a door that opened at `opened_at`.
pub fn second(at: WallTime, opened_at: WallTime) -> u32 {
    u32::try_from((at.0 - opened_at.0).div_euclid(SECOND_MS).max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("made when it is needed");
        assert_eq!(Plan::read(&folder).unwrap(), None);
        let number = format!("00ff{}", "07".repeat(30));
        let plan = Plan { opened_at_ms: 5, number, closes_before: 9, draw_at_ms: 7, held: true };
        plan.keep(&folder).unwrap();
        assert_eq!(Plan::read(&folder).unwrap().as_ref(), Some(&plan));
        assert_eq!(plan.number()[..3], [0, 255, 7]);
        fs::write(folder.join(DRAW), "no plan").unwrap();
        assert!(Plan::read(&folder).is_err());
    }
}
