//! The metrics of a room's stage: how many, and how well the worst of them is heard.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::metrics::{Count, Room};

/// A gauge that is no whole number.
pub type Real = Gauge<f64, AtomicU64>;

/// The metrics of one room's stage.
#[derive(Clone, Debug)]
pub struct StageMetrics {
    /// People who are connected.
    pub people: Gauge,
    /// People who have the floor.
    pub holders: Gauge,
    /// People who ask for it.
    pub requests: Gauge,
    /// Packets of theirs that had not come when their turn was over.
    pub lost: Count,
    /// Sound made up in their place, in samples.
    pub concealed_samples: Count,
    /// Times that the program came back through a microphone.
    pub echoes: Count,
    /// Times that a microphone was turned up too far.
    pub clippings: Count,
    /// How long the sound of the one with the worst way is held back, in seconds.
    pub held_back: Real,
    /// The share of packets that the one with the worst way loses.
    pub lost_share: Real,
}

/// The same of every room.
#[derive(Debug, Default)]
pub(super) struct StageFamilies {
    people: Family<Room, Gauge>,
    holders: Family<Room, Gauge>,
    requests: Family<Room, Gauge>,
    lost: Family<Room, Count>,
    concealed_samples: Family<Room, Count>,
    echoes: Family<Room, Count>,
    clippings: Family<Room, Count>,
    held_back: Family<Room, Real>,
    lost_share: Family<Room, Real>,
}

impl StageFamilies {
    pub(super) fn of(&self, room: &Room) -> StageMetrics {
        StageMetrics {
            people: self.people.get_or_create_owned(room),
            holders: self.holders.get_or_create_owned(room),
            requests: self.requests.get_or_create_owned(room),
            lost: self.lost.get_or_create_owned(room),
            concealed_samples: self.concealed_samples.get_or_create_owned(room),
            echoes: self.echoes.get_or_create_owned(room),
            clippings: self.clippings.get_or_create_owned(room),
            held_back: self.held_back.get_or_create_owned(room),
            lost_share: self.lost_share.get_or_create_owned(room),
        }
    }

    /// The room is gone.
    pub(super) fn forget(&self, room: &Room) {
        for gauges in [&self.people, &self.holders, &self.requests] {
            gauges.remove(room);
        }
        for counts in [&self.lost, &self.concealed_samples, &self.echoes, &self.clippings] {
            counts.remove(room);
        }
        for gauges in [&self.held_back, &self.lost_share] {
            gauges.remove(room);
        }
    }

    pub(super) fn register(&self, to: &mut Registry) {
        to.register("stage_people", "People connected on the stage", self.people.clone());
        to.register("floor_holders", "People who have the floor", self.holders.clone());
        to.register("floor_requests", "People who ask for the floor", self.requests.clone());
        to.register("speaker_packets_lost", "Packets of speakers that never came in time", self.lost.clone());
        to.register(
            "speaker_concealed_samples",
            "Samples of speakers' sound made up for what did not come",
            self.concealed_samples.clone(),
        );
        to.register(
            "speaker_echoes",
            "Times the program came back through a microphone",
            self.echoes.clone(),
        );
        to.register("speaker_clippings", "Times a microphone was turned up too far", self.clippings.clone());
        to.register_with_unit(
            "speaker_held_back",
            "How long the sound of the speaker with the worst way is held back",
            Unit::Seconds,
            self.held_back.clone(),
        );
        to.register(
            "speaker_lost_share",
            "Share of packets that the speaker with the worst way loses",
            self.lost_share.clone(),
        );
    }
}
