//! What everybody but its task holds of a room: a bounded queue to it, and what it last said.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tribune_core::mix::HoldSound;
use tribune_core::reason::Refusal;
use tribune_core::room::{
    Answer, Caller, Command, Demand, Facts, Hearing, Key, KeyHash, Name, Refused, Replay, Role, State,
};

use super::floor::Floor;
use crate::door::Desk;
use crate::program::Program;
use crate::store::{Invitation, RoomKeys, Webhook};
use crate::window::Live;

/// Messages that may wait for a room's task.
pub(super) const MESSAGES_MAX: usize = 64;
/// Statuses in memory; older ones are in the store.
pub(super) const STATUSES_KEPT: usize = 128;

/// A room, for everybody but its task.
pub struct Handle {
    pub(super) name: Name,
    pub(super) messages: mpsc::Sender<Message>,
    pub(super) view: watch::Receiver<Arc<View>>,
    pub(super) keys: ArcSwap<RoomKeys>,
    pub(super) invitations: ArcSwap<Vec<Invitation>>,
    pub(super) webhooks: Arc<ArcSwap<Vec<Webhook>>>,
    pub(super) tally: Arc<Tally>,
    pub(super) floor: Floor,
    pub(super) desk: Arc<Desk>,
}

/// What the room's task last said; never changes.
#[derive(Clone, Debug)]
pub struct View {
    /// All that is known of the room.
    pub facts: Facts,
    /// The status as it is served.
    pub status: StatusBytes,
    /// Earlier ones, oldest first, at most 128.
    pub earlier: Arc<[StatusBytes]>,
    /// The program, while it runs.
    pub program: Option<Program>,
    /// Whether it opens for somebody who wants to hear it.
    pub hearing: Hearing,
    /// What the audience read of a program that has just ended: players still ask for its last parts and
    /// for the word that it is over.
    pub lingering: Option<Live>,
}

/// One status.
#[derive(Clone, Debug)]
pub struct StatusBytes {
    /// Its number.
    pub seq: u64,
    /// The JSON.
    pub bytes: Bytes,
}

/// Counts that outlive a program, and a sign of life.
#[derive(Debug, Default)]
pub struct Tally {
    /// Somebody asked for the program since the room's task looked last. Players of HLS hold no connection:
    /// this is all that is seen of them.
    pub asked: AtomicBool,
    /// Replays begun.
    pub replays: AtomicU64,
    /// Requests refused because every seat was taken; who asks again counts again.
    pub turned_away: AtomicU64,
}

/// To a room's task.
pub(super) enum Message {
    Command { by: Caller, command: Command, answer: oneshot::Sender<Result<Answer, Refused>> },
    Demand { demand: Demand, answer: oneshot::Sender<Option<Program>> },
    Redacted { answer: oneshot::Sender<()> },
    RecordingDeleted,
    Hold { own: Option<HoldSound>, answer: oneshot::Sender<Result<(), Refused>> },
    Stop { answer: oneshot::Sender<bool>, why: Stop },
}

/// Why a room's task stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The room is removed; not while it is live or closing.
    Removed,
    /// The node shuts down.
    Restart,
}

impl Handle {
    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its door.
    pub fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Its stage.
    pub fn floor(&self) -> &Floor {
        &self.floor
    }

    /// What the room last said.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// A receiver that wakes whenever the room says something new.
    pub fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// The status of this number, while it is in memory.
    pub fn status_at(&self, seq: u64) -> Option<Bytes> {
        let view = self.view();
        let found = view.earlier.iter().chain([&view.status]).find(|status| status.seq == seq);
        found.map(|status| status.bytes.clone())
    }

    /// Asks the room for something; the answer comes when it has happened and is kept.
    ///
    /// # Errors
    /// Why the room refused.
    pub async fn command(&self, by: Caller, command: Command) -> Result<Answer, Refused> {
        let (answer, answered) = oneshot::channel();
        let sent = self.messages.send(Message::Command { by, command, answer }).await;
        sent.map_err(|_| GONE)?;
        answered.await.map_err(|_| GONE)?
    }

    /// Waits until an ended room's replay can be fetched, or is known not to be.
    pub async fn settled(&self) -> Replay {
        let mut view = self.watch();
        match view.wait_for(|view| view.facts.replay != Replay::NotYet).await {
            Ok(view) => view.facts.replay,
            Err(_) => self.view().facts.replay,
        }
    }

    /// Somebody wants to hear or to send: the running program, opened now when need be and when it is time.
    /// `None` when it is too early to hear anything, when the room is over, or when too many rooms play the
    /// hold sound.
    pub async fn demand(&self, demand: Demand) -> Option<Program> {
        self.tally.asked.store(true, Ordering::Relaxed);
        let view = self.view();
        let too_early = demand == Demand::Hear && view.hearing == Hearing::Closed;
        if view.program.is_some() || view.facts.state == State::Ended || too_early {
            return view.program.clone();
        }
        let (answer, answered) = oneshot::channel();
        self.messages.send(Message::Demand { demand, answer }).await.ok()?;
        answered.await.ok().flatten()
    }

    /// The program if it runs; asking opens nothing.
    pub fn running(&self) -> Option<Program> {
        self.view().program.clone()
    }

    /// A passage is out of the recording; returns when the status says so.
    pub async fn redacted(&self) {
        let (answer, told) = oneshot::channel();
        if self.messages.send(Message::Redacted { answer }).await.is_ok() {
            // A room whose task is gone says nothing new; the passage is out and marked all the same.
            let _ = told.await;
        }
    }

    /// The recording is gone for good.
    pub async fn recording_deleted(&self) {
        // A task that is gone needs no telling: its room is removed or the node shuts down.
        let _ = self.messages.send(Message::RecordingDeleted).await;
    }

    /// Gives the room the hold sound that was written beside its place, or takes its own away; who listens
    /// hears it at once.
    ///
    /// # Errors
    /// `OurFault` when the disk cannot, `GoingDown` when the room is being removed.
    pub async fn hold(&self, own: Option<HoldSound>) -> Result<(), Refused> {
        let (answer, answered) = oneshot::channel();
        self.messages.send(Message::Hold { own, answer }).await.map_err(|_| GONE)?;
        answered.await.map_err(|_| GONE)?
    }

    /// The role of a key or an invitation of this room.
    pub fn role_of(&self, key: &Key) -> Option<Role> {
        self.role_by(&key.hash())
    }

    /// The role of what has this hash. Every hash is compared, so that the time tells nothing.
    pub fn role_by(&self, hash: &KeyHash) -> Option<Role> {
        let (keys, invitations) = (self.keys.load(), self.invitations.load());
        let of_keys = keys.0.iter().map(|(role, key)| (*role, key.is(hash)));
        let of_invitations = invitations.iter().map(|made| (made.role, made.key.is(hash)));
        let all = of_keys.chain(of_invitations);
        all.fold(None, |found, (role, matches)| if matches { Some(role) } else { found })
    }

    /// The hash of the key of `role`.
    pub fn key_of(&self, role: Role) -> Option<KeyHash> {
        self.keys.load().0.iter().find(|(of, _)| *of == role).map(|(_, key)| *key)
    }

    /// The invitations that hold, oldest first.
    pub fn invitations(&self) -> Arc<Vec<Invitation>> {
        self.invitations.load_full()
    }

    /// Changes the invitations.
    pub fn set_invitations(&self, change: impl Fn(&mut Vec<Invitation>)) {
        self.invitations.rcu(|invitations| {
            let mut invitations = Vec::clone(invitations);
            change(&mut invitations);
            invitations
        });
    }

    /// Replaces the keys of the roles given; those of others stay.
    pub fn set_keys(&self, fresh: &RoomKeys) {
        self.keys.rcu(|keys| {
            let stay = keys.0.iter().filter(|(role, _)| fresh.0.iter().all(|(new, _)| new != role));
            RoomKeys(stay.chain(&fresh.0).copied().collect())
        });
    }

    /// Who is told of events.
    pub fn webhooks(&self) -> Arc<Vec<Webhook>> {
        self.webhooks.load_full()
    }

    /// Changes who is told of events.
    pub fn set_webhooks(&self, change: impl Fn(&mut Vec<Webhook>)) {
        self.webhooks.rcu(|webhooks| {
            let mut webhooks = Vec::clone(webhooks);
            change(&mut webhooks);
            webhooks
        });
    }

    /// A replay was begun.
    pub fn count_replay(&self) {
        self.tally.replays.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was refused because every seat was taken.
    pub fn count_turned_away(&self) {
        self.tally.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) async fn stop(&self) -> bool {
        self.stop_because(Stop::Removed).await
    }

    pub(super) async fn stop_for_restart(&self) {
        self.stop_because(Stop::Restart).await;
    }

    async fn stop_because(&self, why: Stop) -> bool {
        let (answer, answered) = oneshot::channel();
        match self.messages.send(Message::Stop { answer, why }).await {
            Ok(()) => answered.await.unwrap_or(true),
            Err(_) => true,
        }
    }
}

const GONE: Refused =
    Refused { reason: Refusal::GoingDown, detail: "the room is being removed or the node stops" };
