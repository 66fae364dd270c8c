//! What the listeners of one node share.

use std::sync::Arc;

use crate::config::Config;
use crate::ops::Metrics;
use crate::page::Pages;
use crate::recording::Shelf;
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
    /// The listener's pages of the last second.
    pub pages: Pages,
}

impl Node {
    /// Puts the parts together.
    pub fn new(world: World, parts: Parts) -> Arc<Self> {
        let Parts { config, metrics, rooms, shelf, shutdown } = parts;
        Arc::new(Self { world, config, metrics, rooms, shelf, shutdown, pages: Pages::default() })
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
