//! What the listeners of one node share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Config;
use crate::ops::Metrics;
use crate::page::Pages;
use crate::recording::{self, Form, Replay, Shelf};
use crate::rooms::Rooms;
use crate::shutdown::Shutdown;
use crate::world::World;

/// One running node.
pub struct Node {
    /// Clock and entropy.
    pub world: World,
    /// What it was told.
    pub config: Arc<Config>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The rooms.
    pub rooms: Rooms,
    /// Where recordings lie.
    pub shelf: Shelf,
    /// How far the end has come.
    pub shutdown: Shutdown,
    /// Replays that were opened, by room; a redaction or a deletion takes them out.
    replays: Mutex<BTreeMap<String, Replay>>,
    /// The listener's pages of the last second.
    pub pages: Pages,
}

impl Node {
    /// Puts the parts together.
    pub fn new(world: World, parts: Parts) -> Arc<Self> {
        let Parts { config, metrics, rooms, shelf, shutdown } = parts;
        Arc::new(Self {
            world,
            config,
            metrics,
            rooms,
            shelf,
            shutdown,
            replays: Mutex::default(),
            pages: Pages::default(),
        })
    }

    /// The closed recording of a room, opened once; `None` when there is none to hear. Reads the disk the
    /// first time.
    pub fn replay(&self, room: &str) -> Option<Replay> {
        if let Some(open) = self.lock().get(room) {
            return Some(open.clone());
        }
        let replay = recording::open_replay(&self.shelf, room).ok()?;
        replay.layout(Form::Seal)?;
        self.lock().insert(room.to_owned(), replay.clone());
        Some(replay)
    }

    /// The recording of a room has changed, or is gone.
    pub fn forget_replay(&self, room: &str) {
        self.lock().remove(room);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Replay>> {
        self.replays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a node is made of.
pub struct Parts {
    /// What it was told.
    pub config: Arc<Config>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The rooms.
    pub rooms: Rooms,
    /// Where recordings lie.
    pub shelf: Shelf,
    /// How far the end has come.
    pub shutdown: Shutdown,
}
