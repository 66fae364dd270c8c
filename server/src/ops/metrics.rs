//! Every metric there is, in one place, with the sentence that explains it. `docs/grafana/tribune.json` shows
//! them; a test keeps the two together.
//!
//! Names follow Prometheus: base units, the unit in the name, `_total` on what only grows. Whoever counts
//! keeps the counter it was handed; no label is looked up on a path that runs per part or per byte.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::Ledger;
use super::capacity::CapacityMetrics;
use super::guard::GuardMetrics;
use super::lateness::Lateness;
use super::observed::{BooksCollector, HostCollector};
use super::stage::{StageFamilies, StageMetrics};

/// A counter of whole things.
pub type Count = Counter<u64, AtomicU64>;

/// Every metric, and the books.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// The books of the node.
    pub ledger: Ledger,
    /// What the node carries.
    pub capacity: CapacityMetrics,
    /// What the guard says.
    pub guard: GuardMetrics,
    families: Families,
}

/// The metrics of one listener.
#[derive(Clone, Debug)]
pub struct ListenerMetrics {
    /// Connections open now.
    pub open: Gauge,
    /// Connections accepted.
    pub accepted: Count,
    /// Connections refused because the listener was full.
    pub refused: Count,
    /// Bytes sent, heads and TLS included.
    pub sent_bytes: Count,
    /// TLS handshakes that succeeded.
    pub handshakes_done: Count,
    /// TLS handshakes that failed or took too long.
    pub handshakes_failed: Count,
    /// Most connections at a time.
    pub connections_max: Gauge,
    name: &'static str,
    requests: Family<Request, Count>,
}

/// The metrics of one room's stage half.
#[derive(Clone, Debug)]
pub struct RoomMetrics {
    /// How late each frame of the program began.
    pub lateness: Lateness,
    /// Parts cut.
    pub parts: Count,
    /// Frames that began more than a frame late.
    pub frames_late: Count,
    /// Times it stood still for too long to be caught up.
    pub stalls: Count,
    /// Inlets of the mix that are open.
    pub inlets_open: Gauge,
    /// Bytes of sound received from sources.
    pub source_bytes: Count,
    /// Frames for which an open source had no sound ready.
    pub underruns: Count,
    /// Packets of sound received from speakers.
    pub speaker_packets: Count,
    /// Packets of speakers that the clock had no time to take.
    pub speaker_packets_dropped: Count,
    /// Frames for the stage that the media thread had no time to take.
    pub stage_frames_dropped: Count,
    /// The recorder: 0 off, 1 writing, 2 behind, 3 stopped by an error.
    pub recorder_state: Gauge,
    /// Parts cut and not yet on disk.
    pub recorder_lag_parts: Gauge,
    /// Parts that never reached the disk.
    pub recorder_lost: Count,
}

/// The metrics of the media thread.
#[derive(Clone, Debug)]
pub struct MediaMetrics {
    /// Speakers who were answered and have not left.
    pub answered: Gauge,
    /// Speakers who are connected.
    pub connected: Gauge,
    /// Datagrams received.
    pub received: Count,
    /// Datagrams sent.
    pub sent: Count,
    /// Connections lost because the library broke over them.
    pub broken: Count,
    dropped: [Count; Dropped::ALL.len()],
}

/// Why a datagram went nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// It is none of WebRTC's.
    Malformed,
    /// It is nobody's.
    Unknown,
    /// The socket did not take it.
    NotSent,
    /// A TCP connection was one too many.
    ConnectionsFull,
}

impl Dropped {
    const ALL: [Self; 4] = [Self::Malformed, Self::Unknown, Self::NotSent, Self::ConnectionsFull];

    const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::NotSent => "not_sent",
            Self::ConnectionsFull => "connections_full",
        }
    }
}

impl MediaMetrics {
    /// Counts a datagram that went nowhere.
    pub fn drop(&self, why: Dropped) {
        self.dropped[why as usize].inc();
    }
}

/// The metrics of one room's output.
#[derive(Clone, Debug)]
pub struct OutputMetrics {
    /// Connections that take this output now.
    pub listeners: Gauge,
    /// Bytes of program handed to the sockets.
    pub sent_bytes: Count,
    /// Parts skipped because a listener fell behind.
    pub skipped: Count,
    /// How late parts were handed to the sockets; the node's.
    pub late: Lateness,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Listener {
    listener: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Handshake {
    listener: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    listener: &'static str,
    route: String,
    status: u16,
}

/// Which room.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Room {
    pub(super) room: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RoomOutput {
    room: String,
    output: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Why {
    why: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

#[derive(Debug)]
struct Families {
    open: Family<Listener, Gauge>,
    connections_max: Family<Listener, Gauge>,
    accepted: Family<Listener, Count>,
    refused: Family<Listener, Count>,
    sent_bytes: Family<Listener, Count>,
    handshakes: Family<Handshake, Count>,
    certificate_expires: Gauge,
    requests: Family<Request, Count>,
    lateness: Family<Room, Lateness>,
    parts: Family<Room, Count>,
    frames_late: Family<Room, Count>,
    stalls: Family<Room, Count>,
    inlets_open: Family<Room, Gauge>,
    source_bytes: Family<Room, Count>,
    underruns: Family<Room, Count>,
    speaker_packets: Family<Room, Count>,
    speaker_packets_dropped: Family<Room, Count>,
    stage_frames_dropped: Family<Room, Count>,
    stage: StageFamilies,
    speakers_answered: Gauge,
    speakers_connected: Gauge,
    media_received: Count,
    media_sent: Count,
    media_broken: Count,
    media_dropped: Family<Why, Count>,
    recorder_state: Family<Room, Gauge>,
    recorder_lag: Family<Room, Gauge>,
    recorder_lost: Family<Room, Count>,
    listeners: Family<RoomOutput, Gauge>,
    program_bytes: Family<RoomOutput, Count>,
    skipped: Family<RoomOutput, Count>,
}

impl Metrics {
    /// All of them at zero. `data` is the folder whose disk is watched.
    pub fn new(data: &Path) -> Arc<Self> {
        let ledger = Ledger::default();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(BooksCollector(ledger.clone())));
        registry.register_collector(Box::new(HostCollector { data: data.to_owned() }));
        let tribune = registry.sub_registry_with_prefix("tribune");
        let mut families = Families::new();
        families.register_net(tribune);
        families.register_program(tribune);
        families.register_stage(tribune);
        families.register_outputs(tribune);
        let capacity = CapacityMetrics::default();
        capacity.register(tribune);
        let guard = GuardMetrics::default();
        guard.register(tribune);
        let build = Family::<Build, Gauge>::default();
        build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
        tribune.register("build_info", "Always 1; the label says which version runs", build);
        Arc::new(Self { registry, ledger, capacity, guard, families })
    }

    /// A scrape in OpenMetrics text, as of one moment where it matters.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }

    /// The metrics of the listener of this name.
    pub fn listener(&self, name: &'static str) -> ListenerMetrics {
        let (families, key) = (&self.families, Listener { listener: name });
        let handshakes =
            |result| families.handshakes.get_or_create_owned(&Handshake { listener: name, result });
        ListenerMetrics {
            open: families.open.get_or_create_owned(&key),
            accepted: families.accepted.get_or_create_owned(&key),
            refused: families.refused.get_or_create_owned(&key),
            sent_bytes: families.sent_bytes.get_or_create_owned(&key),
            handshakes_done: handshakes("done"),
            handshakes_failed: handshakes("failed"),
            connections_max: families.connections_max.get_or_create_owned(&key),
            name,
            requests: families.requests.clone(),
        }
    }

    /// The metrics of the room of this name, from zero if it is new.
    pub fn room(&self, name: &str) -> RoomMetrics {
        let (families, key) = (&self.families, Room { room: name.to_owned() });
        RoomMetrics {
            lateness: families.lateness.get_or_create_owned(&key),
            parts: families.parts.get_or_create_owned(&key),
            frames_late: families.frames_late.get_or_create_owned(&key),
            stalls: families.stalls.get_or_create_owned(&key),
            inlets_open: families.inlets_open.get_or_create_owned(&key),
            source_bytes: families.source_bytes.get_or_create_owned(&key),
            underruns: families.underruns.get_or_create_owned(&key),
            speaker_packets: families.speaker_packets.get_or_create_owned(&key),
            speaker_packets_dropped: families.speaker_packets_dropped.get_or_create_owned(&key),
            stage_frames_dropped: families.stage_frames_dropped.get_or_create_owned(&key),
            recorder_state: families.recorder_state.get_or_create_owned(&key),
            recorder_lag_parts: families.recorder_lag.get_or_create_owned(&key),
            recorder_lost: families.recorder_lost.get_or_create_owned(&key),
        }
    }

    /// The metrics of the stage of the room of this name.
    pub fn stage(&self, room: &str) -> StageMetrics {
        self.families.stage.of(&Room { room: room.to_owned() })
    }

    /// Nobody is on a room's stage any more: its lines disappear from the scrape.
    pub fn forget_stage(&self, room: &str) {
        self.families.stage.forget(&Room { room: room.to_owned() });
    }

    /// The metrics of the media thread.
    pub fn media(&self) -> MediaMetrics {
        let families = &self.families;
        MediaMetrics {
            answered: families.speakers_answered.clone(),
            connected: families.speakers_connected.clone(),
            received: families.media_received.clone(),
            sent: families.media_sent.clone(),
            broken: families.media_broken.clone(),
            dropped: Dropped::ALL
                .map(|why| families.media_dropped.get_or_create_owned(&Why { why: why.word() })),
        }
    }

    /// The metrics of one output (`opus`, `aac`, `mp4`, `hls`) of a room.
    pub fn output(&self, room: &str, output: &'static str) -> OutputMetrics {
        let (families, key) = (&self.families, RoomOutput { room: room.to_owned(), output });
        OutputMetrics {
            listeners: families.listeners.get_or_create_owned(&key),
            sent_bytes: families.program_bytes.get_or_create_owned(&key),
            skipped: families.skipped.get_or_create_owned(&key),
            late: self.capacity.send_late.clone(),
        }
    }

    /// A room is over: its lines disappear from the scrape. `outputs` are those it had.
    pub fn forget_room(&self, name: &str, outputs: &[&'static str]) {
        let (families, key) = (&self.families, Room { room: name.to_owned() });
        families.lateness.remove(&key);
        for counts in [
            &families.parts,
            &families.frames_late,
            &families.stalls,
            &families.source_bytes,
            &families.underruns,
            &families.speaker_packets,
            &families.speaker_packets_dropped,
            &families.stage_frames_dropped,
            &families.recorder_lost,
        ] {
            counts.remove(&key);
        }
        for gauges in [&families.inlets_open, &families.recorder_state, &families.recorder_lag] {
            gauges.remove(&key);
        }
        for output in outputs {
            let key = RoomOutput { room: name.to_owned(), output };
            families.listeners.remove(&key);
            families.program_bytes.remove(&key);
            families.skipped.remove(&key);
        }
    }

    /// When the TLS certificate in use expires, in seconds since 1970.
    pub fn certificate_expires(&self, at_s: i64) {
        self.families.certificate_expires.set(at_s);
    }
}

impl ListenerMetrics {
    /// An answer went out. `route` is the pattern that matched, never the path that was asked for.
    pub fn answered(&self, route: &str, status: u16) {
        let key = Request { listener: self.name, route: route.to_owned(), status };
        self.requests.get_or_create(&key).inc();
    }
}

impl Families {
    fn new() -> Self {
        Self {
            open: Family::default(),
            connections_max: Family::default(),
            accepted: Family::default(),
            refused: Family::default(),
            sent_bytes: Family::default(),
            handshakes: Family::default(),
            certificate_expires: Gauge::default(),
            requests: Family::default(),
            lateness: Family::default(),
            parts: Family::default(),
            frames_late: Family::default(),
            stalls: Family::default(),
            inlets_open: Family::default(),
            source_bytes: Family::default(),
            underruns: Family::default(),
            speaker_packets: Family::default(),
            speaker_packets_dropped: Family::default(),
            stage_frames_dropped: Family::default(),
            stage: StageFamilies::default(),
            speakers_answered: Gauge::default(),
            speakers_connected: Gauge::default(),
            media_received: Count::default(),
            media_sent: Count::default(),
            media_broken: Count::default(),
            media_dropped: Family::default(),
            recorder_state: Family::default(),
            recorder_lag: Family::default(),
            recorder_lost: Family::default(),
            listeners: Family::default(),
            program_bytes: Family::default(),
            skipped: Family::default(),
        }
    }

    fn register_net(&mut self, to: &mut Registry) {
        to.register("connections_open", "Connections open now", self.open.clone());
        to.register("connections_max", "Most connections at a time", self.connections_max.clone());
        to.register("connections_accepted", "Connections accepted", self.accepted.clone());
        to.register(
            "connections_refused",
            "Connections refused: the listener was full",
            self.refused.clone(),
        );
        to.register_with_unit(
            "sent",
            "Bytes sent, heads and TLS included",
            Unit::Bytes,
            self.sent_bytes.clone(),
        );
        to.register("tls_handshakes", "TLS handshakes by result", self.handshakes.clone());
        to.register_with_unit(
            "tls_certificate_expires_timestamp",
            "When the certificate in use expires, since 1970; 0: none",
            Unit::Seconds,
            self.certificate_expires.clone(),
        );
        to.register("http_requests", "Requests answered, by matched route and status", self.requests.clone());
    }

    fn register_program(&mut self, to: &mut Registry) {
        to.register_with_unit(
            "program_clock_lateness",
            "How late each 20 ms frame of the program began",
            Unit::Seconds,
            self.lateness.clone(),
        );
        to.register("program_parts", "Parts of the program cut", self.parts.clone());
        to.register("program_frames_late", "Frames that began over 20 ms late", self.frames_late.clone());
        to.register("program_stalls", "Gaps, for it stood still for over two seconds", self.stalls.clone());
        to.register("inlets_open", "Open inlets of the mix", self.inlets_open.clone());
        to.register_with_unit(
            "source_received",
            "Bytes received from sources",
            Unit::Bytes,
            self.source_bytes.clone(),
        );
        to.register("source_underruns", "Frames an open source had no sound for", self.underruns.clone());
        to.register(
            "recorder_state",
            "0 off, 1 writing, 2 behind, 3 stopped by an error",
            self.recorder_state.clone(),
        );
        to.register("recorder_lag_parts", "Parts cut and not yet on disk", self.recorder_lag.clone());
        to.register("recorder_parts_lost", "Parts that never reached the disk", self.recorder_lost.clone());
    }

    fn register_stage(&mut self, to: &mut Registry) {
        to.register("speaker_packets", "Packets of sound from speakers", self.speaker_packets.clone());
        to.register(
            "speaker_packets_dropped",
            "Packets of speakers the clock had no time for",
            self.speaker_packets_dropped.clone(),
        );
        to.register(
            "stage_frames_dropped",
            "Frames of the mix that speakers were not sent: the media thread was behind",
            self.stage_frames_dropped.clone(),
        );
        self.stage.register(to);
        to.register("speakers_answered", "Speakers answered and not gone", self.speakers_answered.clone());
        to.register("speakers_connected", "Speakers connected", self.speakers_connected.clone());
        to.register("media_datagrams_received", "Datagrams of WebRTC received", self.media_received.clone());
        to.register("media_datagrams_sent", "Datagrams of WebRTC sent", self.media_sent.clone());
        to.register("media_datagrams_dropped", "Datagrams that went nowhere", self.media_dropped.clone());
        to.register(
            "media_broken",
            "Speakers lost to a bug in the WebRTC library",
            self.media_broken.clone(),
        );
    }

    fn register_outputs(&mut self, to: &mut Registry) {
        to.register("listeners", "Connections taking the program, by output", self.listeners.clone());
        to.register_with_unit(
            "program_sent",
            "Bytes of program handed to the sockets, by output",
            Unit::Bytes,
            self.program_bytes.clone(),
        );
        to.register("parts_skipped", "Parts skipped for listeners who fell behind", self.skipped.clone());
    }
}
