//! A recorded case of HTTP traffic, labelled, played again at its own pace against a node of this machine.
//!
//! Two kinds of people come, and are played differently. Those who attack are an open loop: their lines are
//! sent when they were sent in the case, each from the address and on the connection it had there, whatever
//! was answered. Those who want to listen are a closed loop: from an address's first line on somebody comes,
//! waits for each answer, draws a ticket, claims a seat and hears one segment after the other until the
//! address's last line. So what is measured of them is what this node did to them, not what another server
//! did to somebody else. Behind an address may be several: as many as have connections open at once.
//!
//! What differs from the case, and why:
//! - Addresses of the case's server become those of the room that stand for the same ([`Ask`]). The room's
//!   page has its style in itself; for the style sheet the page's worker is fetched.
//! - A listener asks for more than in the case: a claim, which waits until the second is over in which their
//!   ticket was drawn, and two playlists to begin with instead of one.
//! - HTTP/2 is played as HTTP/1.1 with several requests under way on a connection: there is no client for it
//!   among our dependencies. Of a case with multiplexed streams the rate and the connections are therefore
//!   right, the frames are not.
//! - A connection has one request under way, and with HTTP/2 at most [`flood::STREAMS_MAX`]: tools that
//!   attack wait for their answers too, and what lies unread in the kernel is seen by nobody. A line that
//!   would be sent more than [`flood::LATE_MAX`] late is not sent, and counted.
//! - Somebody who was refused comes again when they did in the case, but not before they were answered: where
//!   a node takes two seconds to say no, they come less often than where another said so at once.
//!
//! Only a node in 127.0.0.0/8 is ever visited; there is no way to ask for another.

pub(crate) mod answers;
mod attackers;
mod audience;
pub mod flood;
mod line;
mod listener;
mod map;
mod people;
mod requests;
mod site;
mod tally;
mod visitor;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use answers::Answer;
pub use attackers::{Attacker, Pace, Step, attackers};
pub use line::{Line, Version};
pub use map::Ask;
pub use people::{Attempt, Comer, Stay, arriving, people};
pub use site::Site;
pub use tally::{Heard, Side, WINDOW, Window};
pub use visitor::Visitor;

/// After the last line this long is waited for answers.
const AFTER: Duration = Duration::from_secs(5);
/// Nothing longer than this is played.
const LASTING_MAX: Duration = Duration::from_secs(600);
/// The newest segment is looked up so often.
const LOOK: Duration = Duration::from_millis(960);

/// What is to be played.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Connections that attack, in any order.
    pub attackers: Vec<Attacker>,
    /// Who comes to listen.
    pub people: Vec<Comer>,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Requests of those who attacked.
    pub attack: Side,
    /// Requests of those who came to listen.
    pub honest: Side,
    /// What each of those heard, in the order of the script.
    pub heard: Vec<Heard>,
}

impl Script {
    /// What the lines of a case ask for.
    pub fn of(lines: &[Line]) -> Self {
        Self { attackers: attackers(lines), people: people(lines) }
    }

    /// When the last of it is over, since it began.
    pub fn lasting(&self) -> Duration {
        let attacks = self.attackers.iter().flat_map(|one| &one.steps).map(|step| step.at + step.lasting());
        let stays = self.people.iter().flat_map(|one| &one.stays).map(|stay| stay.until);
        attacks.chain(stays).max().unwrap_or_default()
    }

    /// Plays it against the room of `site`; what happens at 0 happens at `began`.
    ///
    /// # Errors
    /// The node is not on this machine, the script is longer than ten minutes, or nothing can be waited for.
    pub fn play(&self, site: &Site, began: Instant) -> anyhow::Result<Played> {
        let lasting = self.lasting();
        anyhow::ensure!(lasting <= LASTING_MAX, "A case lasts ten minutes at most; this one {lasting:?}.");
        let until = lasting + AFTER;
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let attack = scope.spawn(|| flood::play(&self.attackers, site, began, until));
            let scout = scope.spawn(|| watch(site, &is_over));
            let honest = audience::play(&self.people, site, began, until);
            let attack = attack.join().map_err(|_| anyhow::anyhow!("the thread that attacks died"));
            is_over.store(true, Ordering::Relaxed);
            scout.join().map_err(|_| anyhow::anyhow!("the thread that looks for segments died"))?;
            let (honest, heard) = honest?;
            Ok(Played { attack: attack??, honest, heard })
        })
    }
}

/// Looks for the newest segment as long as somebody may ask for it. A node that does not answer is looked at
/// again: it may be what the case is about.
fn watch(site: &Site, is_over: &AtomicBool) {
    let mut scout = site.scout();
    while !is_over.load(Ordering::Relaxed) {
        let _ = site.look_again(&mut scout);
        std::thread::sleep(LOOK);
    }
}

/// Refuses whatever is not this machine.
fn own(node: SocketAddr) -> anyhow::Result<SocketAddr> {
    crate::crowd::sockets::own(node)
}
