//! Several rooms on one node's seats: each has a stated share that is its own, and lends what it does not
//! use.
//!
//! Nobody is sent out, so a seat that was lent comes back when its listener leaves; until then the lender
//! waits. All caps together never let in more than the node carries.

#[cfg(test)]
mod tests;

/// What one room has and wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claimant {
    /// Its share, relative to the others'.
    pub share: u32,
    /// Seats taken.
    pub taken: u64,
    /// People inside and people who want in.
    pub wanted: u64,
    /// The most its host wants.
    pub at_most: u64,
}

/// The cap of each room. Every room may fill its own share; what a room does not want goes to those who want
/// more, by their shares; what nobody wants is left open to all, by their shares.
pub fn caps(node_seats: u64, rooms: &[Claimant]) -> Vec<u64> {
    let taken: u64 = rooms.iter().map(|room| room.taken).sum();
    let mut free = node_seats.saturating_sub(taken);
    let mut caps: Vec<u64> = rooms.iter().map(|room| room.taken.min(room.at_most)).collect();
    let own = guaranteed(node_seats, rooms);
    for want in [Want::OfItsOwn, Want::More, Want::Open] {
        free = give(free, &mut caps, rooms, |place| match want {
            Want::OfItsOwn => rooms[place].wanted.min(own[place]),
            Want::More => rooms[place].wanted,
            Want::Open => u64::MAX,
        });
    }
    caps
}

/// Seats that are each room's own: its share of them, rounded down.
pub fn guaranteed(node_seats: u64, rooms: &[Claimant]) -> Vec<u64> {
    let all: u64 = rooms.iter().map(|room| u64::from(room.share)).sum();
    rooms.iter().map(|room| node_seats.saturating_mul(u64::from(room.share)) / all.max(1)).collect()
}

#[derive(Clone, Copy)]
enum Want {
    OfItsOwn,
    More,
    Open,
}

/// Gives free seats to the rooms below what they may have, by their shares, until there is none or nobody is
/// below; says how many are left.
fn give(mut free: u64, caps: &mut [u64], rooms: &[Claimant], may_have: impl Fn(usize) -> u64) -> u64 {
    loop {
        let lacks = |caps: &[u64], place: usize| {
            may_have(place).min(rooms[place].at_most).saturating_sub(caps[place].max(rooms[place].taken))
        };
        let open: Vec<usize> = (0..rooms.len()).filter(|place| lacks(caps, *place) > 0).collect();
        let shares: u64 = open.iter().map(|place| u64::from(rooms[*place].share.max(1))).sum();
        if free == 0 || open.is_empty() {
            return free;
        }
        let before = free;
        for place in &open {
            let part = before * u64::from(rooms[*place].share.max(1)) / shares;
            // Where shares are too small for a whole seat, the first in line gets one.
            let given = part.max(u64::from(before < open.len() as u64)).min(lacks(caps, *place)).min(free);
            caps[*place] += given;
            free -= given;
        }
        if free == before {
            let first = open[0];
            caps[first] += 1;
            free -= 1;
        }
    }
}
