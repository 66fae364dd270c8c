//! The addresses that belong to a room.

use serde::Serialize;
use tribune_core::room::Name;

use crate::config::Config;

/// The links of a room, as `tribune room new` prints them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Links {
    /// The page for listeners.
    pub listen: String,
    /// The page for host and speakers.
    pub stage: String,
    /// Where WHIP is offered.
    pub whip: String,
    /// Where Icecast sources send.
    pub source: String,
    /// The status.
    pub status: String,
}

impl Links {
    /// Of `room` on a node with this configuration.
    pub fn of(room: &Name, config: &Config) -> Self {
        let (public, stage) = (config.public_base(), config.stage_base());
        Self {
            listen: format!("{public}/{room}"),
            stage: format!("{stage}/{room}/stage"),
            whip: format!("{stage}/{room}/whip"),
            source: format!("{stage}/{room}/source"),
            status: format!("{public}/{room}/status"),
        }
    }
}
