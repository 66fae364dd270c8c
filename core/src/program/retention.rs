//! Which recordings have to go: kept too long, or too many bytes in all. One that goes on is never among them.

use crate::time::WallTime;

const DAY_MS: i64 = 86_400_000;

/// How much is kept; 0 means without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Days after its end.
    pub retention_days: u32,
    /// Bytes of all recordings.
    pub quota_bytes: u64,
}

/// One recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// When it ended; `None` while it goes on.
    pub ended_at: Option<WallTime>,
    /// Bytes on the disk.
    pub bytes: u64,
}

/// The places in `items` of those to delete, oldest first.
pub fn expired(now: WallTime, limits: Limits, items: &[Item]) -> Vec<usize> {
    let mut ended: Vec<(WallTime, usize)> =
        items.iter().enumerate().filter_map(|(place, item)| Some((item.ended_at?, place))).collect();
    ended.sort();
    let mut bytes: u64 = items.iter().map(|item| item.bytes).sum();
    let keep_ms = i64::from(limits.retention_days) * DAY_MS;
    let mut expired = Vec::new();
    for (ended_at, place) in ended {
        let is_old = limits.retention_days > 0 && now.millis_since(ended_at) > keep_ms;
        let is_over = limits.quota_bytes > 0 && bytes > limits.quota_bytes;
        if is_old || is_over {
            bytes -= items[place].bytes;
            expired.push(place);
        }
    }
    expired
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_and_the_running_one_never() {
        let day = |day: i64| WallTime(day * DAY_MS);
        let item = |ended_at, bytes| Item { ended_at, bytes };
        let items = [item(Some(day(9)), 10), item(None, 100), item(Some(day(1)), 10), item(Some(day(5)), 10)];
        for (retention_days, quota_bytes, expected) in [
            (0, 0, vec![]),
            (0, 130, vec![]),
            (0, 129, vec![2]),
            (0, 119, vec![2, 3]),
            (0, 1, vec![2, 3, 0]),
            (5, 0, vec![2]),
            (4, 0, vec![2, 3]),
            (9, 120, vec![2]),
        ] {
            let limits = Limits { retention_days, quota_bytes };
            assert_eq!(expired(day(10), limits, &items), expected, "{limits:?}");
        }
    }
}
