//! A tribune node: sockets, files, tasks and clocks around the rules in `tribune-core`, in the order of the
//! data path.

/// The only clock and the only entropy of the process.
pub mod world;

/// How many descriptors the process may have.
pub mod descriptors;

/// Which threads go first.
pub mod urgent;

/// Ending well.
pub mod shutdown;

/// What a node is told before it starts.
pub mod config;

/// The node's own secrets.
pub mod keys;

/// Builds every part once, in order, and takes it down in reverse.
pub mod run;

mod runtimes;

/// What the listeners share.
pub mod node;

/// Answers of every listener, refusals first.
pub mod answer;

/// Sockets in, HTTP out.
pub mod net;

/// 1. Who may come in.
pub mod door;

/// 1b. Crowd or attack: what the guard is told, and what it says.
pub mod guard;

/// 1b. How many may come in: what the node was measured to carry, and how its rooms share it.
pub mod capacity;

/// 2. Who is who: all rooms of this node.
pub mod rooms;

/// The rooms' API.
pub mod api;

/// What a restart needs of the rooms.
pub mod store;

/// A room's events, told to whoever asked.
pub mod webhook;

/// 3. Live sources.
pub mod ingest;

/// 3b. Speakers in their browsers: WHIP, WebRTC.
pub mod stage;

/// 4. and 5. The clock: mix, parts.
pub mod program;

/// 5. The sealed recording on disk.
pub mod recording;

/// Between 5. and 6.: parts cross from the stage to the audience.
pub mod window;

/// 6. Everything the audience is served.
pub mod egress;

/// 7. The same bytes to very many sockets.
pub mod fanout;

/// The listener's page.
pub mod page;

/// How the node is seen from outside: health, metrics, logs.
pub mod ops;

/// What the fuzz targets reach of this crate.
#[doc(hidden)]
pub mod outside;

/// A copy of `whole` with up to four pieces changed, taken out, doubled or written over, as `seed` draws.
#[cfg(test)]
pub(crate) fn damage(whole: &[u8], seed: u64) -> Vec<u8> {
    const PIECES: [&[u8]; 8] = [b"\"", b"{", b"[", b"\n", b"\xff", b"\0", b"99999999999999999999", b"null"];
    let mut state = seed;
    let mut draw = |below: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed >> 32) as usize) % below.max(1)
    };
    let mut bytes = whole.to_vec();
    for _ in 0..=draw(4) {
        let from = draw(bytes.len());
        let to = (from + draw(12)).min(bytes.len());
        match draw(4) {
            0 => drop(bytes.drain(from..to)),
            1 => bytes[from..to].iter_mut().for_each(|byte| *byte ^= 1 << draw(8)),
            2 => bytes.extend_from_within(from..to),
            _ => drop(bytes.splice(from..to, PIECES[draw(PIECES.len())].iter().copied())),
        }
    }
    bytes
}
