//! Builds every part of a node once, in order, serves until told to stop, and takes it down in reverse.

mod sockets;

use std::fs::{self, DirBuilder, File};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tribune_core::mix::HoldSound;
use tribune_core::program::retention::{self, Belief, Calendar};
use tribune_core::room::Moment;
use tribune_core::time::WallTime;

use crate::api::{self, Api, StageDoor};
use crate::capacity::{self, Capacity, Descriptors};
use crate::config::{Config, LogFormat};
use crate::door::Scribe;
use crate::guard::{self, Kernel, Ledger, Published, Watch};
use crate::net::acme::{self, AcmeSpec};
use crate::net::redirect::{self, Challenges};
use crate::net::tls::{Certificates, Files};
use crate::net::{self, Again, Bound, Gated, Handed, Limits, ListenerSpec, Trusted};
use crate::node::{Node, Parts};
use crate::ops::logs::{self, Format};
use crate::ops::{self, Checks, Metrics};
use crate::program::{self, Env, ToStage, hold};
use crate::recording::{self, Shelf};
use crate::rooms::{Rooms, Setup};
use crate::runtimes::Runtimes;
use crate::shutdown::{self, Shutdown, Times, Trigger, Wish};
use crate::stage::{self, Answering, Stage};
use crate::store::Store;
use crate::webhook::Webhooks;
use crate::world::World;
use crate::{answer, egress, ingest, keys, page};

use sockets::{bind, with_real_ports};

/// Answers in flight get this long to end by themselves.
const DRAIN: Duration = Duration::from_secs(5);
/// How often retention and quota are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// In the data folder: what the wall clock said at the last sweep; one line, RFC 3339.
const LAST_SWEEP_FILE: &str = "last_sweep_at";
/// Held for as long as a node uses the data folder.
const LOCK_FILE: &str = "lock";

/// Where a node listens, once it does.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Everybody.
    pub public: Vec<SocketAddr>,
    /// Hosts, speakers, sources, the API.
    pub stage: Vec<SocketAddr>,
    /// Health and metrics.
    pub ops: Vec<SocketAddr>,
    /// Speakers' sound, UDP and TCP.
    pub media: SocketAddr,
    /// Whether the first two speak TLS.
    pub tls: bool,
}

/// Begins logging as configured; once a process.
///
/// # Errors
/// The filter cannot be read.
pub fn logs(config: &Config) -> anyhow::Result<()> {
    let format = match config.log_format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    Ok(logs::begin(&config.log_filter, format)?)
}

/// Reads the files that a configuration names as a node does when it starts: what is wrong, in a sentence,
/// and with which option.
///
/// # Errors
/// The first file that cannot be used.
pub fn try_files(config: &Config) -> Result<(), (&'static str, String)> {
    if let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) {
        let files = Files { cert: cert.clone(), key: key.clone() };
        if let Err(wrong) = Certificates::from_files(&files) {
            let of_the_key = wrong.to_string().contains(&key.display().to_string());
            return Err((if of_the_key { "tls_key" } else { "tls_cert" }, wrong.to_string()));
        }
    }
    if let Some(path) = &config.hold_sound {
        hold_sound(path).map_err(|wrong| ("hold_sound", format!("{wrong:#}")))?;
    }
    Ok(())
}

/// Before the process ends: waits a moment until what was logged is written.
pub fn flush_logs() {
    logs::flush();
}

/// Runs a node until SIGTERM or SIGINT, or until SIGUSR2: then it gives what the process begins again with.
/// `ready` is called once, when every listener takes connections.
///
/// # Errors
/// Something a node needs cannot be had; the sentence says what, and what to do.
pub fn run(config: Config, ready: impl FnOnce(&Listening)) -> anyhow::Result<Option<Again>> {
    net::ignore_begin_again();
    // Before anything of ours could have their numbers.
    let handed = Handed::take()?;
    let world = World::begin();
    let has = Descriptors::raise().context("cannot read the limit of open files")?;
    recording::outlive_size_limits();
    let _lock = claim(&config.data)?;
    let runtimes = Runtimes::start()?;
    let (trigger, shutdown) = shutdown::pair_that_leaves(leaving(&config));
    let mut bound = bind(&config, &runtimes, handed)?;
    let config = Arc::new(with_real_ports(config, &bound));
    tell_guessed_links(&config);
    let metrics = Metrics::new(&config.data);
    let (to_stage, heard) = program::to_stage();
    let capacity = Capacity::new(world.now(), config.capacity(), has);
    let watch = Watch::new(world);
    let ledger =
        Ledger::start(&config.data, watch.clone()).context("cannot go on with the guard's ledger")?;
    let sides = Sides { metrics: &metrics, runtimes: &runtimes, to_stage, capacity, watch: watch.clone() };
    let node = runtimes.stage.block_on(build(world, &config, sides, shutdown.clone()))?;
    let door = runtimes.stage.block_on(stage_door(&node))?;
    let (stage, speakers_left) = Stage::start(stage::Begin {
        answering: Answering::new(bound.media.at, &config.media_public)?,
        sockets: bound.media,
        heard,
        metrics: metrics.media(),
        world,
        shutdown: shutdown.clone(),
    })?;
    let listeners = Listeners { config: &config, metrics: &metrics, descriptors: has.most, world };
    let kernel = Kernel::wanted(&config)?;
    let tls = listeners.certificates(&runtimes, &shutdown, bound.redirect.take())?;
    let serving = [
        {
            let mut spec = listeners.spec("public", tls.clone());
            spec.watch = Some(watch.clone());
            spec.fanout = Some(runtimes.fanout(&spec)?);
            spec.ready = Some(egress::ready(node.clone()));
            let _on = runtimes.audience.enter();
            net::serve(bound.public, spec, egress::router(node.clone()), shutdown.clone())
        },
        {
            let mut spec = listeners.spec("stage", tls.clone());
            spec.take_source = Some(ingest::take_source(node.clone(), door.clone()));
            let _on = runtimes.stage.enter();
            net::serve(bound.stage, spec, stage_router(&node, stage, door), shutdown.clone())
        },
        {
            let spec = listeners.spec("ops", None);
            let _on = runtimes.ops.enter();
            net::serve(
                bound.ops,
                spec,
                ops::router(metrics.clone(), checks(&node), watch.clone()),
                shutdown.clone(),
            )
        },
    ];
    runtimes.stage.spawn(sweep(node.clone()));
    runtimes.stage.spawn(watch_recorders(node.clone()));
    runtimes.ops.spawn(capacity::keep(node.clone()));
    let guarding = runtimes.ops.spawn(guard::keep(node.clone(), watch, (kernel, ledger)));
    let Listening { public, stage, media, .. } = &bound.listening;
    tracing::info!(?public, ?stage, %media, "node_listens");
    ready(&bound.listening);
    let times = Times { leave: leaving(&config), drain: DRAIN };
    let ending = Ending { trigger, times, again: bound.again };
    runtimes.stage.block_on(until_the_end(node, ending, (serving, speakers_left, guarding)))
}

/// Makes the data folder ours alone.
fn claim(data: &Path) -> anyhow::Result<File> {
    if !data.exists() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(data);
        made.with_context(|| format!("cannot make the data folder {}", data.display()))?;
    }
    let path = data.join(LOCK_FILE);
    let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let lock = lock.with_context(|| format!("cannot write in the data folder {}", data.display()))?;
    if lock.try_lock().is_err() {
        bail!("another node uses the data folder {}: stop it, or give --data another folder", data.display());
    }
    Ok(lock)
}

/// How long it goes on when it is to stop.
fn leaving(config: &Config) -> Duration {
    Duration::from_secs(u64::from(config.leave_s))
}

/// What rooms reach besides their own folder.
struct Sides<'a> {
    metrics: &'a Arc<Metrics>,
    runtimes: &'a Runtimes,
    to_stage: ToStage,
    capacity: Arc<Capacity>,
    watch: Watch,
}

fn tell_guessed_links(config: &Config) {
    let guessed = config.guessed_links();
    if guessed.is_empty() {
        return;
    }
    let says = format!(
        "Listening on all addresses does not say what visitors call this node: links begin with {} and {}. \
         Set {}.",
        config.public_base(),
        config.stage_base(),
        guessed.join(" and ")
    );
    tracing::warn!(says, "links_guessed");
}

async fn build(
    world: World,
    config: &Arc<Config>,
    sides: Sides<'_>,
    shutdown: Shutdown,
) -> anyhow::Result<Arc<Node>> {
    let Sides { metrics, runtimes, to_stage, capacity, watch } = sides;
    let key = Arc::new(keys::node_key(&config.data, world)?);
    let shelf = Shelf::new(config.data.join("rooms"));
    for failure in shelf.finish_interrupted(&key)? {
        tracing::warn!(failure, "recording_not_mended");
    }
    let programs = Env {
        world,
        metrics: metrics.clone(),
        audience: runtimes.audience.handle().clone(),
        key: key.clone(),
        hold: config.hold_sound.as_deref().map_or(Ok(HoldSound::built_in()), hold_sound)?,
        to_stage,
    };
    let setup = Setup {
        config: config.clone(),
        store: Store::open(&config.data)?,
        ticket_keys: keys::ticket_keys(&config.data, &key)?,
        key,
        webhooks: Webhooks::start(config),
        scribe: Scribe::start(world).context("cannot start the thread that keeps the entry lists")?,
        programs,
        capacity,
        watch,
        reports: Published::new(&config.data),
        world,
    };
    let rooms = Rooms::open(setup).await?;
    Ok(Node::new(world, Parts { config: config.clone(), metrics: metrics.clone(), rooms, shelf, shutdown }))
}

/// What every listener is made with.
struct Listeners<'a> {
    config: &'a Config,
    metrics: &'a Arc<Metrics>,
    descriptors: u64,
    world: World,
}

impl Listeners<'_> {
    fn spec(&self, name: &'static str, tls: Option<Arc<Certificates>>) -> ListenerSpec {
        let limits = match name {
            "public" => Limits::public(self.descriptors),
            "stage" => Limits::stage(self.descriptors),
            _ => Limits::ops(),
        };
        ListenerSpec {
            name,
            tls,
            trusted: Trusted::new(self.config.trusted_proxy.iter().copied()),
            limits,
            take_source: None,
            gated: if name == "public" { Gated::Yes } else { Gated::No },
            watch: None,
            fanout: None,
            ready: None,
            metrics: self.metrics.clone(),
            world: self.world,
        }
    }

    /// The certificate, by files or by ACME, and port 80 when it is wanted.
    fn certificates(
        &self,
        runtimes: &Runtimes,
        shutdown: &Shutdown,
        redirect: Option<Bound>,
    ) -> anyhow::Result<Option<Arc<Certificates>>> {
        let _on = runtimes.audience.enter();
        let challenges = Challenges::default();
        let tls = match (&self.config.tls_cert, &self.config.tls_key, &self.config.acme) {
            (Some(cert), Some(key), _) => {
                let files = Files { cert: cert.clone(), key: key.clone() };
                let certificates = Certificates::from_files(&files)?;
                certificates.clone().watch(files, self.metrics.clone(), shutdown.clone())?;
                Some(certificates)
            }
            (_, _, Some(_)) => {
                let certificates = Certificates::empty();
                let spec = AcmeSpec {
                    domains: self.config.acme_domains(),
                    directory: self.config.acme_directory.clone().unwrap_or_else(acme::default_directory),
                    authority_root: self.config.acme_root.clone(),
                    contact: self.config.acme_contact.clone(),
                    folder: self.config.data.join("acme"),
                };
                let with = (challenges.clone(), self.metrics.clone());
                acme::keep(spec, certificates.clone(), with, shutdown.clone())?;
                Some(certificates)
            }
            _ => None,
        };
        if let Some(bound) = redirect {
            let app = redirect::router(self.config.secure_places(), challenges);
            net::serve(bound, self.spec("redirect", None), app, shutdown.clone());
        }
        Ok(tls)
    }
}

async fn stage_door(node: &Arc<Node>) -> anyhow::Result<StageDoor> {
    let operator = keys::operator_key(&node.config.data, node.config.operator_key.as_ref(), node.world)?;
    let door = StageDoor::open(node.rooms.clone(), operator.hash()).await;
    door.context("cannot read who is signed in")
}

fn stage_router(node: &Arc<Node>, stage: Stage, door: StageDoor) -> Router {
    let api = Api::new(node.rooms.clone(), node.shelf.clone(), door.clone());
    let naming = || from_fn_with_state(node.world, answer::name_requests);
    let nowhere = Router::new().fallback(answer::no_such_page).layer(naming());
    ingest::router(node.clone(), door.clone())
        .merge(stage::router(node.clone(), stage, door))
        .merge(api::router(api))
        .merge(page::desk(node.clone()))
        .fallback_service(nowhere)
}

fn checks(node: &Arc<Node>) -> Checks {
    let checks = Checks::new(node.shutdown.clone());
    let recording = node.clone();
    checks.warn("recording", move || match recording.rooms.failing_disk() {
        Some(why) => Err(format!("A program goes on live, but it is not recorded: {why}.")),
        None => Ok(()),
    });
    checks
}

/// The hold sound from a WAV file: mono or stereo, 16 bit, 48 kHz.
fn hold_sound(path: &Path) -> anyhow::Result<HoldSound> {
    let bytes = fs::read(path).with_context(|| format!("cannot read the hold sound {}", path.display()))?;
    hold::read(&bytes).with_context(|| format!("{} cannot be the hold sound", path.display()))
}

/// Once a minute, what retention and quota say is deleted.
async fn sweep(node: Arc<Node>) {
    let limits = retention::Limits {
        retention_days: node.config.retention_days,
        quota_bytes: u64::from(node.config.recordings_gb_max) * 1_000_000_000,
    };
    let last_sweep = node.config.data.join(LAST_SWEEP_FILE);
    let seen = fs::read_to_string(&last_sweep).ok().and_then(|text| WallTime::parse(text.trim()));
    let mut calendar = Calendar::new(seen);
    let mut minute = tokio::time::interval(SWEEP_EVERY);
    loop {
        tokio::select! { _ = minute.tick() => {}, () = node.shutdown.draining() => return }
        let sweeping = node.clone();
        let wall = node.world.wall();
        let belief = calendar.look(Moment { time: node.world.now(), wall });
        let (limits, last_sweep) = (believed(belief, wall, limits), last_sweep.clone());
        let swept = tokio::task::spawn_blocking(move || {
            if belief == Belief::Believed {
                // Without it the next start believes the clock it finds.
                let _ = fs::write(&last_sweep, wall.rfc3339());
            }
            sweeping.shelf.sweep(wall, limits)
        });
        let swept = swept.await;
        let Ok(Ok(swept)) = swept else { continue };
        for failure in &swept.failed {
            tracing::warn!(failure, "recording_not_swept");
        }
        for room in &swept.deleted {
            if let Some(room) = node.rooms.get(room) {
                room.recording_deleted().await;
            }
            tracing::info!("recording_swept");
        }
    }
}

/// The limits that hold by a wall clock that may have jumped.
fn believed(belief: Belief, wall: WallTime, limits: retention::Limits) -> retention::Limits {
    match belief {
        Belief::Believed => limits,
        Belief::Doubted => limits.without_age(),
        Belief::Jumped(jumped_ms) => {
            if limits.retention_days > 0 {
                tracing::warn!(jumped_ms, wall = wall.rfc3339(), "wall_clock_jumped_nothing_is_too_old");
            }
            limits.without_age()
        }
    }
}

/// Once a second, what the recorders say of themselves.
async fn watch_recorders(node: Arc<Node>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! { _ = second.tick() => {}, () = node.shutdown.draining() => return }
        for room in node.rooms.list() {
            if let Some(program) = &room.view().program {
                program.tell_health(&node.metrics.room(room.name().as_str()));
            }
        }
    }
}

/// What brings the end, and what is kept for a new beginning.
struct Ending {
    trigger: Trigger,
    times: Times,
    again: Again,
}

/// Serves until a signal, then takes everything down: no new connections, every program paused at a part's
/// end, answers ended.
async fn until_the_end(
    node: Arc<Node>,
    Ending { trigger, times, again }: Ending,
    (serving, speakers_left, guarding): ([JoinHandle<()>; 3], oneshot::Receiver<()>, JoinHandle<()>),
) -> anyhow::Result<Option<Again>> {
    let (wish, wished) = watch::channel(Wish::End);
    let program = again.program().to_owned();
    let signals = tokio::spawn(trigger.follow_signals(times, (move || runs(program.clone()), wish)));
    node.shutdown.draining().await;
    // Where nobody is to follow, the sockets are closed now: who comes is told at once that nobody is there.
    let is_wished = || *wished.borrow() == Wish::BeginAgain;
    let again = is_wished().then_some(again);
    // Nobody waits for a disk that hangs: what was sealed is sealed, and the next start names the rest.
    tokio::select! { () = node.rooms.shut_down() => {}, () = node.shutdown.at_once() => {} }
    tokio::select! { _ = speakers_left => {}, () = node.shutdown.at_once() => {} }
    for served in serving {
        served.await.context("a listener died")?;
    }
    // Its part of the kernel's table goes with it.
    guarding.abort();
    let _ = guarding.await;
    signals.abort();
    tracing::info!("node_stopped");
    Ok(again.filter(|_| is_wished()))
}

/// Whether the program that is there now runs on this machine.
async fn runs(program: PathBuf) -> bool {
    net::runs(&program).await.map_err(|why| tracing::error!(why, "cannot_begin_again")).is_ok()
}
