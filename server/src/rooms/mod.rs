//! All rooms of this node: each has one task that owns it; everybody else sends it commands and reads what it
//! last said.

pub mod floor;
mod handle;
mod owner;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use tokio::sync::Semaphore;
use tribune_core::door::KeyRing;
use tribune_core::reason::Refusal;
use tribune_core::room::{CAP_MAX, Facts, Key, Moment, Name, Refused, Role, SHARE_MAX, State, is_title};
use tribune_core::time::WallTime;

use crate::capacity::Capacity;
use crate::config::Config;
use crate::door::Scribe;
use crate::guard::{Published, Watch};
use crate::program::Env;
use crate::recording::Health;
use crate::store::{Found, Kept, RoomKeys, Store, StoreError};
use crate::webhook::Webhooks;
use crate::world::World;

pub use floor::{Floor, Shown};
pub use handle::{Handle, StatusBytes, View};

#[cfg(test)]
mod tests;

/// Names that are drawn before giving up on a free one.
const NAME_TRIES_MAX: usize = 16;
/// The folder of rooms in the data folder.
const FOLDER: &str = "rooms";
/// The folder of their entry lists: a recording that is deleted takes nothing of the line with it.
const DOORS: &str = "doors";

/// What rooms need of the node.
#[derive(Clone)]
pub struct Setup {
    /// The configuration.
    pub config: Arc<Config>,
    /// Where rooms are kept.
    pub store: Store,
    /// What statuses are signed with.
    pub key: Arc<SigningKey>,
    /// What tickets are sealed with.
    pub ticket_keys: KeyRing,
    /// Who is told of events.
    pub webhooks: Webhooks,
    /// Who writes the rooms' entry lists.
    pub scribe: Scribe,
    /// What the node carries, and which room gets how much of it.
    pub capacity: Arc<Capacity>,
    /// What programs are opened with.
    pub programs: Env,
    /// What the guard is told, and what it says.
    pub watch: Watch,
    /// Reports of evenings that everybody may read.
    pub reports: Published,
    /// The clock and the entropy.
    pub world: World,
}

/// All rooms of this node; copies are the same.
#[derive(Clone)]
pub struct Rooms(Arc<Inner>);

struct Inner {
    node: Arc<Node>,
    by_name: ArcSwap<BTreeMap<Name, Arc<Handle>>>,
}

/// What the rooms' tasks share.
struct Node {
    setup: Setup,
    /// One permit for each room that plays the hold sound before it is live.
    holds: Arc<Semaphore>,
}

/// What a room is made from.
#[derive(Clone, Debug, Default)]
pub struct New {
    /// Its name; drawn when none is asked for.
    pub name: Option<Name>,
    /// What it is called.
    pub title: String,
    /// When it starts.
    pub starts_at: Option<WallTime>,
    /// Most seats.
    pub cap: Option<u32>,
    /// Its share of the node's seats, relative to the other rooms'; 1 when none is said.
    pub share: Option<u32>,
}

/// A room just made, with the keys that are shown this once.
pub struct Made {
    /// The room.
    pub room: Arc<Handle>,
    /// Its keys.
    pub keys: Vec<(Role, Key)>,
}

impl Rooms {
    /// Finds every room as it was kept and sets its task going on the present runtime.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(setup: Setup) -> Result<Self, StoreError> {
        let holds = Arc::new(Semaphore::new(setup.config.rooms_open_max as usize));
        let node = Arc::new(Node { setup, holds });
        let mut by_name = BTreeMap::new();
        for kept in node.setup.store.rooms().await? {
            by_name.insert(kept.facts.name.clone(), owner::start(&node, kept).await);
        }
        Ok(Self(Arc::new(Inner { node, by_name: ArcSwap::from_pointee(by_name) })))
    }

    /// The room of this name.
    pub fn get(&self, name: &str) -> Option<Arc<Handle>> {
        let name = Name::parse(name).ok()?;
        self.0.by_name.load().get(&name).cloned()
    }

    /// All rooms, in order of name.
    pub fn list(&self) -> Vec<Arc<Handle>> {
        self.0.by_name.load().values().cloned().collect()
    }

    /// Makes a room and its keys.
    ///
    /// # Errors
    /// `Malformed`, `NameTaken`, `RoomsFull`, or `OurFault` when the store cannot.
    pub async fn create(&self, new: New) -> Result<Made, Refused> {
        if !is_title(&new.title) {
            let detail = "title has 1 to 200 characters and no control characters";
            return Err(Refused { reason: Refusal::Malformed, detail });
        }
        if new.cap.is_some_and(|cap| cap > CAP_MAX) {
            return Err(Refused { reason: Refusal::Malformed, detail: "cap is at most 10,000,000 seats" });
        }
        if new.share.is_some_and(|share| !(1..=SHARE_MAX).contains(&share)) {
            return Err(Refused { reason: Refusal::Malformed, detail: "share is 1 to 1,000" });
        }
        let world = self.0.node.setup.world;
        let keys: Vec<_> = Role::KEYED.map(|role| (role, Key::generate(world.entropy()))).to_vec();
        for _ in 0..NAME_TRIES_MAX {
            let name = new.name.clone().unwrap_or_else(|| Name::generate(world.entropy()));
            let facts = facts_of(name, &new);
            match self.keep(facts, &keys).await {
                Ok(room) => return Ok(Made { room, keys }),
                Err(StoreError::NameTaken) if new.name.is_none() => {}
                Err(error) => return Err(refusal_of(&error)),
            }
        }
        Err(refusal_of(&StoreError::NameTaken))
    }

    /// Removes a room that is not live, with everything that was recorded in it.
    ///
    /// # Errors
    /// `WrongState` while it is live or still closing its chain, `OurFault` when it could not be removed.
    pub async fn remove(&self, room: &Handle) -> Result<(), Refused> {
        if room.view().facts.state == State::Live || !room.stop().await {
            let detail = "the room is live or its chain is still being closed; end it first";
            return Err(Refused { reason: Refusal::WrongState, detail });
        }
        let name = room.name().clone();
        for folder in [self.0.node.folder(&name), self.0.node.door_folder(&name)] {
            let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
            match removed {
                Ok(Ok(())) => {}
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
                Ok(Err(error)) => tracing::warn!(room = %name, %error, "room_folder_not_removed"),
                Err(error) => tracing::error!(room = %name, %error, "room_folder_not_removed"),
            }
        }
        let (reports, of) = (self.0.node.setup.reports.clone(), name.clone());
        match tokio::task::spawn_blocking(move || reports.take_back(&of)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(room = %name, %error, "report_not_taken_back"),
            Err(error) => tracing::error!(room = %name, %error, "report_not_taken_back"),
        }
        self.0.node.setup.store.remove(name.clone()).await.map_err(|error| refusal_of(&error))?;
        self.0.by_name.rcu(|rooms| {
            let mut rooms = BTreeMap::clone(rooms);
            rooms.remove(&name);
            rooms
        });
        Ok(())
    }

    /// A room's status of this number, from memory or from the disk.
    ///
    /// # Errors
    /// `StatusGone` for one that is no longer kept, `NoSuchPage` for one that never was, `Busy` when too
    /// many ask at once.
    pub async fn status(&self, room: &Handle, seq: u64) -> Result<Bytes, Refusal> {
        let newest = room.view().status.seq;
        match room.status_at(seq) {
            Some(bytes) => return Ok(bytes),
            None if seq > newest => return Err(Refusal::NoSuchPage),
            None => {}
        }
        match self.0.node.setup.store.status(room.name().clone(), seq).await {
            Ok(Found::Status(bytes)) => Ok(bytes),
            Ok(Found::TooOld) => Err(Refusal::StatusGone),
            Ok(Found::Nothing) => Err(Refusal::NoSuchPage),
            Err(error) => Err(refusal_of(&error).reason),
        }
    }

    /// Lets every room's task finish what it is doing; their programs stop and go on after the restart.
    pub async fn shut_down(&self) {
        let rooms = self.list();
        futures_util::future::join_all(rooms.iter().map(|room| room.stop_for_restart())).await;
    }

    /// What the system said about the disk, when a live program is not being recorded.
    pub fn failing_disk(&self) -> Option<String> {
        self.list().iter().find_map(|room| match room.view().program.as_ref()?.health() {
            Health::Failing { why, .. } => Some(why),
            Health::Healthy => None,
        })
    }

    /// What the rooms were made with.
    pub fn setup(&self) -> &Setup {
        &self.0.node.setup
    }

    /// The folder in which a room's recording lies.
    pub fn folder(&self, name: &Name) -> PathBuf {
        self.0.node.folder(name)
    }

    async fn keep(&self, facts: Facts, keys: &[(Role, Key)]) -> Result<Arc<Handle>, StoreError> {
        let node = &self.0.node;
        let hashes = RoomKeys(keys.iter().map(|(role, key)| (*role, key.hash())).collect());
        let rooms_max = node.setup.config.rooms_max;
        let chain = node.setup.store.create(facts.clone(), hashes.clone(), rooms_max).await?;
        let (webhooks, invitations, floor) = (Vec::new(), Vec::new(), Vec::new());
        let kept = Kept { facts, keys: hashes, chain, webhooks, invitations, floor };
        let room = owner::start(node, kept).await;
        self.0.by_name.rcu(|rooms| {
            let mut rooms = BTreeMap::clone(rooms);
            rooms.insert(room.name().clone(), Arc::clone(&room));
            rooms
        });
        Ok(room)
    }
}

impl Node {
    fn now(&self) -> Moment {
        Moment { time: self.setup.world.now(), wall: self.setup.world.wall() }
    }

    fn folder(&self, name: &Name) -> PathBuf {
        self.setup.config.data.join(FOLDER).join(name.as_str())
    }

    fn door_folder(&self, name: &Name) -> PathBuf {
        self.setup.config.data.join(DOORS).join(name.as_str())
    }
}

fn facts_of(name: Name, new: &New) -> Facts {
    let mut facts = Facts::new(name, new.title.clone());
    facts.starts_at = new.starts_at;
    facts.cap = new.cap;
    facts.share = new.share.unwrap_or(facts.share);
    facts
}

/// What somebody is told when the store could not.
pub fn refusal_of(error: &StoreError) -> Refused {
    match error {
        StoreError::NameTaken => Refused { reason: Refusal::NameTaken, detail: "choose another name" },
        StoreError::RoomsFull => {
            Refused { reason: Refusal::RoomsFull, detail: "delete rooms that are over, or raise rooms_max" }
        }
        StoreError::PasskeysFull => Refused {
            reason: Refusal::WrongState,
            detail: "as many passkeys as may be are kept: delete one that is not used",
        },
        StoreError::Closed => Refused { reason: Refusal::GoingDown, detail: "the node is shutting down" },
        StoreError::Busy => {
            Refused { reason: Refusal::Busy, detail: "the store has as many readers as it takes" }
        }
        StoreError::Sqlite(_)
        | StoreError::Damaged(_)
        | StoreError::Refused(_)
        | StoreError::Late
        | StoreError::TooNew { .. } => {
            tracing::error!(%error, "store_failed");
            Refused { reason: Refusal::OurFault, detail: "the store could not keep this; see the log" }
        }
    }
}
