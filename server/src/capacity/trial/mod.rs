//! The self-test: what does one listener cost here?
//!
//! A program of made-up sound is served over real sockets on loopback, by the code that serves every
//! listener, on threads of its own whose processor time is read from the kernel. The crowd that listens is on
//! another thread, so that its own work is not counted. A part is sent when everybody has had the one before,
//! so that the machine's other work makes the test longer; what it takes of caches and of halves of cores
//! makes the result larger all the same, so the cheapest segment counts.

mod crowd;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io};

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tribune_core::door::capacity::{Measured, Resource, TIERS, Tier};
use tribune_core::egress::Window;
use tribune_core::mix::Kind;
use tribune_core::program::{
    self, Codec, Edition, Joint, PART_MS, Part, PartNo, Rendition, Renditions, SEGMENT_PARTS, TrackPart,
    Units, ogg,
};
use tribune_core::room::{Facts, Name};
use tribune_core::time::WallTime;

use super::machine::{self, Memory};
use super::{Quota, Serving};
use crate::answer::Failure;
use crate::descriptors;
use crate::door::{self, Audience, Desk, Scribe};
use crate::egress::live::{self, Ask, Form};
use crate::net::{self, Bound, Gated, Limits, ListenerSpec, Trusted};
use crate::ops::{Metrics, open_descriptors};
use crate::program::Titles;
use crate::shutdown;
use crate::window::{self, Crossing, Live};
use crate::world::World;
use crowd::Crowd;

/// Listeners in the test, as far as descriptors go.
const LISTENERS_MAX: u64 = 500;
/// With fewer, what does not belong to listeners weighs too much.
const LISTENERS_MIN: u64 = 16;
/// Descriptors left to the node during the test.
const DESCRIPTORS_LEFT: u64 = 128;
/// Parts sent to everybody for each way of being served, whole segments.
const PARTS: u64 = 24;
/// No part is begun after this, for each way of being served.
const TIER_WAIT: Duration = Duration::from_millis(600);
/// How long a socket of the crowd waits for its bytes.
const SOCKET_WAIT: Duration = Duration::from_secs(5);
/// Ethernet, IPv4 and TCP with timestamps, around what fits in an ordinary packet, in bytes.
const PACKET_HEAD_BYTES: f64 = 66.0;
const PACKET_BYTES_MAX: f64 = 1_448.0;
/// What is said around a part in HTTP/1.1's chunked coding, in bytes.
const CHUNK_HEAD_BYTES: f64 = 7.0;
/// What the kernel keeps for one of our sockets when its own count does not say, in bytes.
const SOCKET_BYTES: f64 = 5_000.0;
/// Plausible values of the same.
const SOCKET_BYTES_PLAUSIBLE: std::ops::Range<f64> = 2_000.0..40_000.0;
const FOLDER: &str = "self-test";

/// What the test is made with.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The clock and the entropy.
    pub world: World,
    /// A folder it may make a folder of its own in.
    pub data: PathBuf,
    /// Descriptors that are free.
    pub descriptors: u64,
    /// Threads that serve, as many as the audience has.
    pub threads: usize,
}

/// What one listener costs, by how they are served.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Listeners in the test.
    pub listeners: u64,
    /// Milliseconds of processor a second.
    pub processor_ms: [f64; TIERS],
    /// Bytes of this process.
    pub process_bytes: f64,
    /// Bytes of the kernel.
    pub kernel_bytes: f64,
    /// Bytes a second on the wire.
    pub egress_bytes: [f64; TIERS],
    /// Packets a second on the wire.
    pub packets: [f64; TIERS],
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// There are too few descriptors for a crowd.
    #[error("only {0} file descriptors are free; raise the limit (ulimit -n)")]
    Descriptors(u64),
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

impl Costs {
    /// With what this machine has: everything the cap follows from but descriptors. What is not known of the
    /// machine is left out, and so binds nothing.
    pub fn on(&self, egress_mbit: Option<u64>) -> Vec<Measured> {
        let processor = Measured {
            resource: Resource::Processor,
            capacity: machine::cores() * 1e3,
            idle: 0.0,
            each: self.processor_ms,
        };
        let memory = machine::memory().map(|Memory { most, available }| Measured {
            resource: Resource::Memory,
            capacity: most as f64,
            idle: (most - available) as f64,
            each: [self.process_bytes + self.kernel_bytes; TIERS],
        });
        let egress = egress_mbit.map(|mbit| Measured {
            resource: Resource::Egress,
            capacity: mbit as f64 * 1e6 / 8.0,
            idle: 0.0,
            each: self.egress_bytes,
        });
        [Some(processor), memory, egress].into_iter().flatten().collect()
    }
}

impl Trial {
    /// With what is free now.
    pub fn on(world: World, data: PathBuf) -> Self {
        let open = open_descriptors().unwrap_or_default();
        Self {
            world,
            data,
            descriptors: descriptors::most().unwrap_or_default().saturating_sub(open),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// Takes about a second; holds the calling thread up.
    ///
    /// # Errors
    /// Nothing could be measured, and why.
    pub fn run(self) -> Result<Costs, TrialError> {
        let listeners = (self.descriptors.saturating_sub(DESCRIPTORS_LEFT) / 2).min(LISTENERS_MAX);
        if listeners < LISTENERS_MIN {
            return Err(TrialError::Descriptors(self.descriptors));
        }
        let folder = self.data.join(FOLDER);
        let hall = Hall::open(&self, &folder, listeners);
        let costs = hall.and_then(|hall| hall.measure(listeners));
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
    parts: mpsc::Sender<Crossing>,
    window: watch::Receiver<Arc<Window>>,
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
}

impl Hall {
    fn open(trial: &Trial, folder: &std::path::Path, listeners: u64) -> Result<Self, TrialError> {
        let Trial { world, threads: count, .. } = *trial;
        let threads = Threads::default();
        let noted = threads.clone();
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(count).thread_name("self-test").enable_all();
        let runtime = runtime.on_thread_start(move || noted.note()).build()?;
        let renditions = Arc::new(Renditions::new(&program::DEFAULT)?);
        let edition = Edition(WallTime(0));
        let (parts, live) = window::cross(runtime.handle(), renditions.clone(), edition);
        let window = live.window.clone();
        let name = Name::parse("self-test").map_err(|_| TrialError::Bug("the name of the room is none"))?;
        let facts = Facts::new(name, "Self-test".to_owned());
        let desk = Desk::open(door::Begin {
            world,
            facts: &facts,
            folder,
            scribe: Scribe::start(world)?,
            secret: world.entropy(),
            now_serving: 0,
            cap: 0,
        });
        let quota = Quota::new(desk);
        // Who was there for one way of being served may not have left when those for the next come.
        quota.give(listeners * TIERS as u64);
        let serving = Arc::<Serving>::default();
        let metrics = Metrics::new(folder);
        let served = Arc::new(Served {
            live,
            titles: Titles::new(facts.title),
            audience: Audience::new(world, quota),
            serving: serving.clone(),
            metrics: metrics.clone(),
        });
        let limits = Limits {
            connections_max: listeners as u32 * TIERS as u32 + 16,
            ..Limits::public(trial.descriptors)
        };
        let spec = ListenerSpec {
            name: "public",
            tls: None,
            trusted: Trusted::default(),
            limits,
            take_source: None,
            gated: Gated::No,
            metrics,
            world,
        };
        let (trigger, shutdown) = shutdown::pair();
        let _on = runtime.enter();
        let bound = Bound::open(&[SocketAddr::from(([127, 0, 0, 1], 0))]).map_err(io::Error::other)?;
        let at = *bound.addrs().first().ok_or(TrialError::Bug("a listener without an address"))?;
        let app = Router::new().route("/{room}/live.opus", get(answer)).with_state(served);
        drop(net::serve(bound, spec, app, shutdown));
        drop(_on);
        let next = PartNo(0);
        Ok(Self { world, runtime, threads, at, parts, window, renditions, serving, next, trigger })
    }

    fn measure(mut self, listeners: u64) -> Result<Costs, TrialError> {
        self.feed(SEGMENT_PARTS)?;
        self.settle()?;
        let (process, kernel) = (process_bytes(), machine::slab_bytes());
        let mut costs = Costs {
            listeners,
            processor_ms: [0.0; TIERS],
            process_bytes: 0.0,
            kernel_bytes: SOCKET_BYTES,
            egress_bytes: [0.0; TIERS],
            packets: [0.0; TIERS],
        };
        for tier in Tier::ALL {
            self.serving.set_next(tier);
            let mut crowd = self.gather(listeners, tier)?;
            costs.processor_ms[tier as usize] = self.play(&mut crowd, tier)?;
            (costs.egress_bytes[tier as usize], costs.packets[tier as usize]) = self.wire(tier);
            if tier == Tier::Full {
                let grown = |now: Option<u64>, before: Option<u64>| {
                    Some((now?.checked_sub(before?)?) as f64 / listeners as f64)
                };
                costs.process_bytes = grown(process_bytes(), process).unwrap_or_default();
                // Both ends of a connection are ours here.
                let socket = grown(machine::slab_bytes(), kernel).map(|both| both / 2.0);
                let plausible = socket.filter(|bytes| SOCKET_BYTES_PLAUSIBLE.contains(bytes));
                costs.kernel_bytes = plausible.unwrap_or(SOCKET_BYTES);
            }
        }
        self.trigger.at_once();
        self.runtime.shutdown_timeout(SOCKET_WAIT);
        Ok(costs)
    }

    /// Everybody comes, and has what one is given on joining.
    fn gather(&self, listeners: u64, tier: Tier) -> Result<Crowd, TrialError> {
        let joins = match tier {
            Tier::Full | Tier::LowBitRate => 1,
            Tier::Segments => SEGMENT_PARTS,
        };
        let head = self.renditions.ogg_headers("Self-test").map_or(0, |head| head.len() as u64);
        let mut crowd = Crowd::gather(self.at, listeners, SOCKET_WAIT)?;
        crowd.take(head + joins * self.page_bytes(tier))?;
        Ok(crowd)
    }

    /// Milliseconds of processor for one listener and second of sound.
    fn play(&mut self, crowd: &mut Crowd, tier: Tier) -> Result<f64, TrialError> {
        let step = match tier {
            Tier::Full | Tier::LowBitRate => 1,
            Tier::Segments => SEGMENT_PARTS,
        };
        let (began, mut parts, mut least_ms) = (self.world.now(), 0, f64::INFINITY);
        while parts < PARTS && (parts == 0 || self.world.now().since(began) < TIER_WAIT) {
            let before_ms = self.threads.processor_ms()?;
            for _ in 0..SEGMENT_PARTS / step {
                self.feed(step)?;
                crowd.take(step * self.page_bytes(tier))?;
            }
            // Other work takes caches and halves of cores away: a segment is dearer by it, never cheaper.
            least_ms = least_ms.min(self.threads.processor_ms()? - before_ms);
            parts += SEGMENT_PARTS;
        }
        // Whoever comes next finds a whole segment.
        let left = (SEGMENT_PARTS - self.next.in_segment()) % SEGMENT_PARTS;
        self.feed(left)?;
        self.settle()?;
        let seconds = (SEGMENT_PARTS * PART_MS) as f64 / 1e3;
        Ok(least_ms / seconds / crowd.len() as f64)
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
        let settled = self.runtime.block_on(self.window.wait_for(is_there)).map(drop);
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
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let listener = live::Listener {
        live: &served.live,
        titles: &served.titles,
        audience: &served.audience,
        serving: &served.serving,
        pass: None,
        method: &method,
        headers: &headers,
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

fn process_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let field = |n: usize| statm.split(' ').nth(n)?.parse::<u64>().ok();
    field(1)?.checked_mul(4_096)
}

/// The threads that serve, by their folders in `/proc`.
#[derive(Clone, Debug, Default)]
struct Threads(Arc<Mutex<Vec<PathBuf>>>);

impl Threads {
    fn note(&self) {
        if let Ok(place) = fs::read_link("/proc/thread-self") {
            let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            threads.push(PathBuf::from("/proc").join(place).join("schedstat"));
        }
    }

    /// Milliseconds all of them have run: what others run at the same time does not count.
    fn processor_ms(&self) -> io::Result<f64> {
        let threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ran_ns = |place: &PathBuf| {
            let line = fs::read_to_string(place)?;
            let field = line.split_whitespace().next().unwrap_or_default();
            field.parse::<f64>().map_err(io::Error::other)
        };
        Ok(threads.iter().map(ran_ns).sum::<io::Result<f64>>()? / 1e6)
    }
}
