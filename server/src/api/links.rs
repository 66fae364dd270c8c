//! The addresses that belong to a room.

use serde::Serialize;
use serde_json::{Map, Value};
use tribune_core::room::{Key, Name, Role};

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

    /// For each key, the link by which its holder comes to the stage, by role.
    pub fn enter(room: &Name, keys: &[(Role, Key)], config: &Config) -> Map<String, Value> {
        let link = |(role, key): &(Role, Key)| (role.word().to_owned(), with_key(room, key, config).into());
        keys.iter().map(link).collect()
    }
}

/// The page of the stage with a key. It stands behind the `#`, which no browser sends and no proxy logs.
pub fn with_key(room: &Name, key: &Key, config: &Config) -> String {
    format!("{}/{room}/stage#key={}", config.stage_base(), key.reveal())
}
