//! The self-test: what does one listener cost here?
//!
//! A program of made-up sound is served over real sockets on loopback, by the code that serves every
//! listener, on threads of its own whose processor time is read from the kernel. The crowd that listens is on
//! another thread, so that its own work is not counted. A part is sent when everybody has had the one before,
//! so that the machine's other work makes the test longer; what it takes of caches and of halves of cores
//! makes the result larger all the same.

mod costs;
mod crowd;
mod late;
mod listener;
mod tls;
mod used;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use axum::Router;
use axum::extract::{Extension, State};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, Method};
use rustls::ClientConfig;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tribune_core::door::KeyRing;
use tribune_core::door::capacity::{TIERS, Tier};
use tribune_core::egress::Window;
use tribune_core::mix::Kind;
use tribune_core::program::{
    self, Codec, Edition, Joint, PART_MS, Part, PartNo, Rendition, Renditions, SEGMENT_PARTS, TrackPart,
    Units, ogg,
};
use tribune_core::room::{Facts, Name};
use tribune_core::time::WallTime;

use super::{Quota, Serving, machine};
use crate::answer::Failure;
use crate::descriptors;
use crate::door::{self, Audience, Desk, Scribe};
use crate::egress::live::{self, Ask, Form};
use crate::fanout::Taker;
use crate::net::{self, Bound};
use crate::ops::{Metrics, OutputMetrics, open_descriptors};
use crate::program::Titles;
use crate::shutdown;
use crate::window::{self, Crossing, Live};
use crate::world::World;
pub use costs::{Channel, Costs};
use crowd::Crowd;
use used::{Threads, middle, process_bytes};

/// Of the listeners, one of so many comes first: what the first ones cost is not what one more does.
const FIRST_OF: u64 = 3;
/// Listeners in the test, as far as descriptors go.
const LISTENERS_MAX: u64 = 1_000;
/// Listeners who come to be weighed: the allocator takes megabytes at once, so that fewer say little. By TLS
/// their handshakes would take longer than all the rest.
const WEIGHED_MAX: u64 = 3_000;
/// With fewer, what does not belong to listeners weighs too much.
const LISTENERS_MIN: u64 = 16;
/// Descriptors left to the node during the test.
const DESCRIPTORS_LEFT: u64 = 128;
/// Parts sent to everybody for each way of being served, whole segments.
const PARTS: u64 = 48;
/// No part is begun after this, for each way of being served.
const TIER_WAIT: Duration = Duration::from_millis(1_500);
/// How long a socket of the crowd waits for its bytes: on a machine that has other work, which comes first.
const SOCKET_WAIT: Duration = Duration::from_secs(60);
/// How long the test's own threads may take to end.
const END_WAIT: Duration = Duration::from_secs(5);
/// Ethernet, IPv4 and TCP with timestamps, around what fits in an ordinary packet, in bytes.
const PACKET_HEAD_BYTES: f64 = 66.0;
const PACKET_BYTES_MAX: f64 = 1_448.0;
/// What is said around a part in HTTP/1.1's chunked coding, in bytes.
const CHUNK_HEAD_BYTES: f64 = 7.0;
/// What this process keeps for one listener at least, in bytes. Measured with thousands it is a quarter of
/// that; the rest is for those whom the HTTP library serves, and for moments in which many come.
const PROCESS_BYTES: f64 = 4_000.0;
/// Plausible values of the same.
const PROCESS_BYTES_PLAUSIBLE: std::ops::Range<f64> = PROCESS_BYTES..400_000.0;
/// What the kernel keeps for one of our sockets when its own count does not say, in bytes.
const SOCKET_BYTES: f64 = 5_000.0;
/// Plausible values of the same.
const SOCKET_BYTES_PLAUSIBLE: std::ops::Range<f64> = 2_000.0..40_000.0;
/// How often is looked how far the audience is.
const LOOK: Duration = Duration::from_micros(500);
const FOLDER: &str = "self-test";

/// What the test is made with.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The clock and the entropy.
    pub world: World,
    /// A folder it may make a folder of its own in.
    pub data: PathBuf,
    /// How listeners come.
    pub by: Channel,
    /// Descriptors that are free.
    pub descriptors: u64,
    /// Threads that serve, as many as the audience has.
    pub threads: usize,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// There are too few descriptors for a crowd.
    #[error("only {0} file descriptors are free; raise the limit (ulimit -n)")]
    Descriptors(u64),
    /// A certificate for itself.
    #[error("{0}")]
    Tls(String),
    /// A socket, a file or a thread.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The program of made-up sound.
    #[error("{0}")]
    Program(#[from] program::Error),
    /// Something that cannot be.
    #[error("{0}")]
    Bug(&'static str),
}

impl Trial {
    /// With what is free now.
    pub fn on(world: World, data: PathBuf, by: Channel) -> Self {
        let open = open_descriptors().unwrap_or_default();
        Self {
            world,
            data,
            by,
            descriptors: descriptors::most().unwrap_or_default().saturating_sub(open),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// Takes some seconds; holds the calling thread up.
    ///
    /// # Errors
    /// Nothing could be measured, and why.
    pub fn run(self) -> Result<Costs, TrialError> {
        let fit = self.descriptors.saturating_sub(DESCRIPTORS_LEFT) / 2;
        if fit < LISTENERS_MIN {
            return Err(TrialError::Descriptors(self.descriptors));
        }
        let weighed = match self.by {
            Channel::Clear => fit.min(WEIGHED_MAX),
            Channel::Tls => fit.min(LISTENERS_MAX),
        };
        let folder = self.data.join(FOLDER);
        let hall = Hall::open(&self, &folder, weighed);
        let costs = hall.and_then(|hall| hall.measure(self.by, weighed));
        // It is made anew each time; what is left of it harms nobody.
        let _ = fs::remove_dir_all(&folder);
        costs
    }
}

/// A program, its seats and a listener's door, all of its own.
struct Hall {
    world: World,
    runtime: Runtime,
    threads: Threads,
    at: SocketAddr,
    client: Option<Arc<ClientConfig>>,
    parts: mpsc::Sender<Crossing>,
    live: Live,
    output: OutputMetrics,
    renditions: Arc<Renditions>,
    serving: Arc<Serving>,
    next: PartNo,
    trigger: shutdown::Trigger,
}

/// What answers the crowd.
struct Served {
    live: Live,
    titles: Titles,
    audience: Arc<Audience>,
    serving: Arc<Serving>,
    metrics: Arc<Metrics>,
    world: World,
}

impl Hall {
    fn open(trial: &Trial, folder: &std::path::Path, weighed: u64) -> Result<Self, TrialError> {
        let Trial { world, threads: count, .. } = *trial;
        let threads = Threads::default();
        let noted = threads.clone();
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(count).thread_name("self-test").enable_all();
        let runtime = runtime.on_thread_start(move || noted.note()).build()?;
        let renditions = Arc::new(Renditions::new(&program::DEFAULT)?);
        let edition = Edition(WallTime(0));
        let (parts, live) = window::cross(runtime.handle(), renditions.clone(), edition);
        let facts = facts()?;
        let desk = desk(world, &facts, folder)?;
        let quota = Quota::new(desk);
        // Who was there for one way of being served may not have left when those for the next come.
        quota.give(weighed * TIERS as u64);
        let serving = Arc::<Serving>::default();
        let metrics = Metrics::new(folder);
        let output = metrics.output(FOLDER, Form::Opus.word());
        let served = Arc::new(Served {
            live: live.clone(),
            titles: Titles::new(facts.title),
            audience: Audience::new(world, quota),
            serving: serving.clone(),
            metrics: metrics.clone(),
            world,
        });
        let (tls, client) = match trial.by {
            Channel::Clear => (None, None),
            Channel::Tls => tls::pair().map(|(server, client)| (Some(server), Some(client)))?,
        };
        let by = listener::Begin { trial, tls, metrics, weighed, threads: &threads };
        let spec = by.on(runtime.handle())?;
        let (trigger, shutdown) = shutdown::pair();
        let _on = runtime.enter();
        let bound = Bound::open(&[SocketAddr::from(([127, 0, 0, 1], 0))]).map_err(io::Error::other)?;
        let at = *bound.addrs().first().ok_or(TrialError::Bug("a listener without an address"))?;
        let app = Router::new()
            .route("/{room}/live.opus", get(answer))
            .route("/{room}/late/{file}", get(late::answer))
            .with_state(served);
        drop(net::serve(bound, spec, app, shutdown));
        drop(_on);
        Ok(Self {
            world,
            runtime,
            threads,
            at,
            client,
            parts,
            live,
            output,
            renditions,
            serving,
            next: PartNo(0),
            trigger,
        })
    }

    fn measure(mut self, by: Channel, weighed: u64) -> Result<Costs, TrialError> {
        self.feed(SEGMENT_PARTS)?;
        self.settle()?;
        let mut crowd = self.crowd();
        let (process_bytes, kernel_bytes) = self.memory(&mut crowd, weighed)?;
        let listeners = weighed.min(LISTENERS_MAX);
        crowd.keep(listeners);
        let mut costs = Costs {
            by,
            listeners,
            processor_ms: [0.0; TIERS],
            process_bytes,
            kernel_bytes,
            egress_bytes: [0.0; TIERS],
            packets: [0.0; TIERS],
            late_processor_ms: 0.0,
            late_egress_bytes: 0.0,
        };
        for tier in Tier::ALL {
            if tier != Tier::Full {
                self.serving.set_next(tier);
                crowd = self.crowd();
                self.welcome(&mut crowd, listeners, tier)?;
            }
            costs.processor_ms[tier as usize] = self.play(&mut crowd, tier)?;
            (costs.egress_bytes[tier as usize], costs.packets[tier as usize]) = self.wire(tier);
        }
        (costs.late_processor_ms, costs.late_egress_bytes) = self.late(listeners)?;
        self.trigger.at_once();
        self.runtime.shutdown_timeout(END_WAIT);
        Ok(costs)
    }

    fn crowd(&self) -> Crowd {
        Crowd::at(self.at, self.client.clone(), SOCKET_WAIT)
    }

    /// So many come, and have what one is given on joining.
    fn welcome(&self, crowd: &mut Crowd, count: u64, tier: Tier) -> Result<(), TrialError> {
        let joins = match tier {
            Tier::Full | Tier::LowBitRate => 1,
            Tier::Segments => SEGMENT_PARTS,
        };
        let head = self.renditions.ogg_headers("Self-test").map_or(0, |head| head.len() as u64);
        Ok(crowd.join(count, head + joins * self.page_bytes(tier))?)
    }

    /// Bytes of this process and of the kernel by which one more listener makes them grow, who hears a whole
    /// segment.
    fn memory(&mut self, crowd: &mut Crowd, listeners: u64) -> Result<(f64, f64), TrialError> {
        let first = listeners / FIRST_OF;
        self.welcome(crowd, first, Tier::Full)?;
        self.hear(crowd)?;
        let (process, kernel) = (process_bytes(), machine::kernel_bytes());
        self.welcome(crowd, listeners - first, Tier::Full)?;
        self.hear(crowd)?;
        let grown = |now: Option<u64>, before: Option<u64>| {
            Some((now?.checked_sub(before?)?) as f64 / (listeners - first) as f64)
        };
        // What the allocator set aside before may carry all of them: then nothing was measured.
        let process = grown(process_bytes(), process).filter(|bytes| PROCESS_BYTES_PLAUSIBLE.contains(bytes));
        // Both ends of a connection are ours here.
        let socket = grown(machine::kernel_bytes(), kernel).map(|both| both / 2.0);
        let plausible = socket.filter(|bytes| SOCKET_BYTES_PLAUSIBLE.contains(bytes));
        Ok((process.unwrap_or(PROCESS_BYTES), plausible.unwrap_or(SOCKET_BYTES)))
    }

    fn hear(&mut self, crowd: &mut Crowd) -> Result<(), TrialError> {
        for _ in 0..SEGMENT_PARTS {
            self.feed(1)?;
            crowd.take(self.page_bytes(Tier::Full))?;
        }
        Ok(())
    }

    /// Milliseconds of processor for one listener and second of sound.
    fn play(&mut self, crowd: &mut Crowd, tier: Tier) -> Result<f64, TrialError> {
        let step = match tier {
            Tier::Full | Tier::LowBitRate => 1,
            Tier::Segments => SEGMENT_PARTS,
        };
        self.until(|output| output.listeners.get() == crowd.len() as i64)?;
        let (began, mut parts, mut took_ms) = (self.world.now(), 0, Vec::new());
        while parts < PARTS && (parts == 0 || self.world.now().since(began) < TIER_WAIT) {
            let before_ms = self.threads.processor_ms()?;
            for _ in 0..SEGMENT_PARTS / step {
                let bytes = step * self.page_bytes(tier);
                let all = self.output.sent_bytes.get() + bytes * crowd.len() as u64;
                self.feed(step)?;
                // Nobody of the crowd waits on a socket meanwhile: to wake them would be the sender's work
                // here, and is a network card's where they are far away.
                self.until(|output| output.sent_bytes.get() >= all)?;
                crowd.take(bytes)?;
            }
            took_ms.push(self.threads.processor_ms()? - before_ms);
            parts += SEGMENT_PARTS;
        }
        // Whoever comes next finds a whole segment.
        let left = (SEGMENT_PARTS - self.next.in_segment()) % SEGMENT_PARTS;
        self.feed(left)?;
        self.settle()?;
        let seconds = (SEGMENT_PARTS * PART_MS) as f64 / 1e3;
        Ok(middle(took_ms) / seconds / crowd.len() as f64)
    }

    /// Waits until the audience is so.
    fn until(&self, is_so: impl Fn(&OutputMetrics) -> bool) -> io::Result<()> {
        let began = self.world.now();
        while !is_so(&self.output) {
            if self.world.now().since(began) > SOCKET_WAIT {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the audience is not as it should be"));
            }
            self.world.rest(LOOK);
        }
        Ok(())
    }

    fn feed(&mut self, parts: u64) -> Result<(), TrialError> {
        for _ in 0..parts {
            let part = Arc::new(self.part());
            let crossing = Crossing::Part(part, self.world.now());
            self.parts.blocking_send(crossing).map_err(|_| TrialError::Bug("nobody takes the parts"))?;
            self.next = self.next.next();
        }
        Ok(())
    }

    /// Until everybody who comes finds the newest part.
    fn settle(&mut self) -> Result<(), TrialError> {
        let fed = self.next;
        let is_there = |window: &Arc<Window>| window.last().is_some_and(|part| part.no.next() == fed);
        let settled = self.runtime.block_on(self.live.window.wait_for(is_there)).map(drop);
        settled.map_err(|_| TrialError::Bug("the window is gone"))
    }

    /// Parts of the size that the program's have; what they say is never looked at.
    fn part(&self) -> Part {
        let track = |rendition: &Rendition| {
            let units = units_of(rendition);
            let stream = ogg::part_page(self.next, &units);
            TrackPart { chunk: stream.clone(), stream, units }
        };
        let tracks = self.renditions.iter().map(track).collect();
        let joint = if self.next.0 == 0 { Joint::AfterGap } else { Joint::Continues };
        Part { no: self.next, kind: Kind::Hold, joint, began_at: WallTime(0), tracks }
    }

    fn rendition(&self, tier: Tier) -> Option<&Rendition> {
        let place = match tier {
            Tier::Full | Tier::Segments => self.renditions.best(Codec::Opus),
            Tier::LowBitRate => self.renditions.lowest(Codec::Opus),
        };
        self.renditions.get(place?)
    }

    fn page_bytes(&self, tier: Tier) -> u64 {
        self.rendition(tier).map_or(0, |one| ogg::part_page(PartNo(0), &units_of(one)).len() as u64)
    }

    /// Bytes and packets a second that one listener takes on the wire.
    fn wire(&self, tier: Tier) -> (f64, f64) {
        let at_once = match tier {
            Tier::Full | Tier::LowBitRate => 1.0,
            Tier::Segments => SEGMENT_PARTS as f64,
        };
        let bytes = at_once * (self.page_bytes(tier) as f64 + CHUNK_HEAD_BYTES);
        let packets = (bytes / PACKET_BYTES_MAX).ceil();
        let seconds = at_once * PART_MS as f64 / 1e3;
        ((bytes + packets * PACKET_HEAD_BYTES) / seconds, packets / seconds)
    }
}

async fn answer(
    State(served): State<Arc<Served>>,
    taker: Option<Extension<Taker>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let listener = live::Listener {
        live: &served.live,
        titles: &served.titles,
        audience: &served.audience,
        serving: &served.serving,
        heard: None,
        pass: None,
        method: &method,
        headers: &headers,
        taker: taker.as_deref(),
        world: served.world,
        output: served.metrics.output("self-test", Form::Opus.word()),
    };
    let title = served.titles.now();
    let ask = Ask { form: Form::Opus, rendition: None, from_s: None, title: &title };
    live::answer(listener, &ask).map_err(Failure::from)
}

fn units_of(rendition: &Rendition) -> Units {
    let units = rendition.codec.units_per_part();
    let bytes = rendition.bit_rate as usize * PART_MS as usize / 8_000 / units;
    let unit = vec![0x55; bytes];
    Units::join((0..units).map(|_| unit.as_slice()))
}

fn facts() -> Result<Facts, TrialError> {
    let name = Name::parse(FOLDER).map_err(|_| TrialError::Bug("the name of the room is none"))?;
    Ok(Facts::new(name, "Self-test".to_owned()))
}

fn desk(world: World, facts: &Facts, folder: &std::path::Path) -> io::Result<Arc<Desk>> {
    Ok(Desk::open(door::Begin {
        world,
        facts,
        folder,
        scribe: Scribe::start(world)?,
        keys: KeyRing::new(&world.entropy()),
        now_serving: 0,
        cap: 0,
    }))
}
