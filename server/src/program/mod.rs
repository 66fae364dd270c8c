//! One open room's sound, whole: the clock's thread, the way to the audience, the recorder, and the sources
//! that feed it.
//!
//! The thread owns the mixer and the cutter. Sources and the room send it commands through one bounded
//! channel; each part it cuts goes to the window (the audience) and to the recorder (the disk) through
//! bounded channels that it never waits for.

mod clock;
pub mod ears;
pub mod hold;
mod inlet;
mod minus;
mod sources;
mod speaker;
#[cfg(test)]
pub mod spoken;
#[cfg(test)]
mod tests;
mod titles;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use ed25519_dalek::SigningKey;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tribune_core::ingest::speaker::Packet;
use tribune_core::mix::{self, HoldSound, InletId, OPEN_INLETS_MAX, SpeakerSpec};
use tribune_core::program::seal::Sealed;
use tribune_core::program::{self, Codec, Edition, Renditions};
use tribune_core::reason::Refusal;
use tribune_core::room::floor::HOST_CONNECTIONS;
use tribune_core::room::{Name, Role};
use tribune_core::time::{FRAME_MS, WallTime};

pub use ears::Ears;
pub use hold::HOLD_BYTES_MAX;
pub use inlet::Inlet;
pub use minus::{FromRooms, Minus, ProgramId, ToStage, to_stage};
pub use sources::{Named, Replaced, Sort, Sources};
pub use speaker::{Given, Knob, Speaker};
pub use titles::Titles;
pub use tribune_core::mix::OnAir;

use crate::capacity::Quota;
use crate::door::Audience;
use crate::ops::{Metrics, RoomMetrics};
use crate::recording::{Disk, EndError, Health, Opening, Recorded, Recorder};
use crate::urgent;
use crate::window::{self, Halt, Live};
use crate::world::World;

/// A recording that the disk does not let us close is tried again after this.
const CLOSE_AGAIN: Duration = Duration::from_secs(1);
/// The metric's words for the recorder's states.
const RECORDER_WRITES: i64 = 1;
const RECORDER_FAILS: i64 = 3;
/// In the room's folder; one line, RFC 3339.
const FIRST_OPENED_FILE: &str = "first_opened_at";
/// Commands that may wait for the next frame; one source sends about fifty a second.
const COMMANDS_MAX: usize = 4_096;
/// What every program of a node shares.
#[derive(Clone)]
pub struct Env {
    /// Clock and entropy.
    pub world: World,
    /// The node's counters.
    pub metrics: Arc<Metrics>,
    /// The audience's runtime.
    pub audience: Handle,
    /// What the seal is signed with.
    pub key: Arc<SigningKey>,
    /// What is heard on hold in rooms that have no sound of their own.
    pub hold: HoldSound,
    /// Where what speakers hear of each other goes.
    pub to_stage: ToStage,
}

/// What a program is opened with.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The room.
    pub room: Name,
    /// Its title.
    pub title: String,
    /// The folder of its recording.
    pub dir: PathBuf,
    /// Whether the room is live already (the node came back in the middle).
    pub on_air: OnAir,
    /// The room's seats, and the door at which listeners take them.
    pub quota: Arc<Quota>,
    /// Where it puts what it hears of those on stage.
    pub ears: Ears,
}

/// One open room's program. Copies are the same. When the last one is dropped the program pauses: the part in
/// flight is kept and the chain stays open.
#[derive(Clone)]
pub struct Program {
    world: World,
    commands: SyncSender<Command>,
    id: ProgramId,
    live: Live,
    audience: Arc<Audience>,
    recorder: Arc<Recorder>,
    sources: Arc<Sources>,
    titles: Titles,
    hold: Arc<Mutex<HoldSound>>,
}

/// A program that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The closed chain.
    pub sealed: Sealed,
}

/// An input as the mixer is told of it.
enum Voice {
    Source(mix::Spec),
    Speaker(SpeakerSpec),
}

/// What the thread obeys between two frames.
enum Command {
    Open {
        inlet: InletId,
        spec: Voice,
        gauge: Arc<inlet::Gauge>,
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    Sound {
        inlet: InletId,
        pcm: tribune_core::ingest::Pcm,
    },
    Packet {
        inlet: InletId,
        packet: Packet,
    },
    Mute {
        inlet: InletId,
        muted: mix::Muted,
    },
    OnAir(OnAir),
    /// Answered after the next frame, with which the sound before is over.
    Hold {
        sound: HoldSound,
        reply: oneshot::Sender<()>,
    },
    Stop {
        halt: Halt,
        reply: oneshot::Sender<()>,
    },
}

impl Program {
    /// Opens the recording where it stands, starts the recorder, the crossing and the clock. Waits for the
    /// disk; when the recording cannot be opened, the program is heard all the same (see `health`).
    ///
    /// # Errors
    /// An encoder or a thread cannot be made; the sentence says which.
    pub fn open(env: &Env, spec: Spec) -> anyhow::Result<Self> {
        let renditions = Arc::new(Renditions::new(&program::DEFAULT)?);
        let opening = opening(env, &spec, &renditions)?;
        let wall = env.world.wall();
        let (recorder, recovered) = Recorder::open(&spec.dir, &opening, Disk::Real, wall)?;
        let recorder = Arc::new(recorder);
        let first_opened_at = first_opened_at(&spec.dir, wall);
        let first = program::first_part(wall, first_opened_at, recovered.resume_at(wall));
        let (crossing, live) = window::cross(&env.audience, renditions.clone(), Edition(first_opened_at));
        let hold = hold::of_room(&spec.dir, &env.hold);
        let (commands, obeyed) = sync_channel(COMMANDS_MAX);
        let id = env.to_stage.new_program();
        let begin = clock::Begin {
            id,
            renditions: &renditions,
            first,
            recorder: recorder.clone(),
            crossing,
            commands: obeyed,
            hold: hold.clone(),
        };
        let clock = clock::Clock::new(env, &spec, begin)?;
        std::thread::Builder::new().name(format!("program {}", spec.room)).spawn(move || {
            urgent::go_first();
            clock.run();
        })?;
        let audience = Audience::new(env.world, spec.quota);
        audience.look_after(&env.audience);
        Ok(Self {
            world: env.world,
            commands,
            id,
            live,
            audience,
            recorder,
            sources: Sources::new(),
            titles: Titles::new(spec.title),
            hold: Arc::new(Mutex::new(hold)),
        })
    }

    /// What the audience reads.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Seats and counts.
    pub fn audience(&self) -> &Arc<Audience> {
        &self.audience
    }

    /// The sources and speakers that are sending.
    pub fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// The chain as far as it is signed and on disk.
    pub fn sealed(&self) -> Sealed {
        *self.recorder.sealed().borrow()
    }

    /// Whether the disk takes what is recorded.
    pub fn health(&self) -> Health {
        self.recorder.health()
    }

    /// What players show.
    pub fn titles(&self) -> &Titles {
        &self.titles
    }

    /// Puts the recorder's state into the metrics.
    pub fn tell_health(&self, metrics: &RoomMetrics) {
        let state = match self.health() {
            Health::Healthy => RECORDER_WRITES,
            Health::Failing { .. } => RECORDER_FAILS,
        };
        metrics.recorder_state.set(state);
        metrics.recorder_lag_parts.set(self.recorder.lag_parts() as i64);
        metrics.recorder_lost.inc_by(self.recorder.take_lost());
    }

    /// Opens an input of the mix under the source's name. Whoever has the name is told to go, and its place
    /// is taken over.
    ///
    /// # Errors
    /// All inputs are in use by sources of other names, another sender has taken the name meanwhile, or the
    /// program is over.
    pub async fn inlet(&self, spec: mix::Spec) -> Result<(Inlet, Replaced), Refusal> {
        let (named, replaced) = self.sources.take(Sort::Source, &spec.name);
        let gauge = self.open_input(named.inlet(), Voice::Source(spec)).await?;
        Ok((Inlet { named, commands: self.commands.clone(), gauge }, replaced))
    }

    /// Opens an input of the mix that takes a speaker's packets. A speaker of the same name is told to go,
    /// and their place is taken over. Nothing of it is heard until its knob says so.
    ///
    /// # Errors
    /// All inputs are in use by others or kept for hosts, another speaker has taken the name meanwhile, or
    /// the program is over.
    pub async fn speaker(&self, spec: SpeakerSpec, role: Role) -> Result<Speaker, Refusal> {
        let kept = if role >= Role::CoHost { 0 } else { HOST_CONNECTIONS };
        if !self.sources.has_place_for((Sort::Speaker, &spec.name), (OPEN_INLETS_MAX, kept)) {
            return Err(Refusal::InputsFull);
        }
        let (named, replaced) = self.sources.take(Sort::Speaker, &spec.name);
        let gauge = self.open_input(named.inlet(), Voice::Speaker(spec)).await?;
        Ok(Speaker { named, replaced, program: self.id, commands: self.commands.clone(), gauge })
    }

    async fn open_input(&self, inlet: InletId, spec: Voice) -> Result<Arc<inlet::Gauge>, Refusal> {
        let gauge = Arc::new(inlet::Gauge::default());
        let (reply, answer) = oneshot::channel();
        self.deliver(Command::Open { inlet, spec, gauge: gauge.clone(), reply }).await?;
        answer.await.map_err(|_| Refusal::RoomEnded)??;
        Ok(gauge)
    }

    /// Whether the audience hears the hold sound or the room, from the next frame on.
    pub async fn on_air(&self, on_air: OnAir) {
        // A program that is over is on no air.
        let _ = self.deliver(Command::OnAir(on_air)).await;
    }

    /// What is heard on hold from the next frame on.
    pub async fn hold(&self, sound: HoldSound) {
        // Freeing minutes of sound takes time that the clock does not have: it happens here, when the
        // clock is done with it.
        let before = {
            let mut hold = self.hold.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *hold, sound.clone())
        };
        let (reply, done) = oneshot::channel();
        // A program that is over has no hold.
        if self.deliver(Command::Hold { sound, reply }).await.is_ok() {
            let _ = done.await;
        }
        drop(before);
    }

    /// Finishes the part in flight, closes the chain, and returns when the replay can be fetched. Closing is
    /// tried again until the disk takes it.
    pub async fn end(self) -> Ended {
        self.stop(Halt::Ended).await;
        close(&self.recorder, self.world.wall()).await
    }

    /// Closes a recording that was still open when the node stopped, though its room had ended at `ended_at`.
    /// No clock runs, so that nothing is added to it. Tried again until the disk takes it.
    ///
    /// # Errors
    /// A thread cannot be made.
    pub async fn close_left_open(env: &Env, spec: Spec, ended_at: WallTime) -> anyhow::Result<Ended> {
        let opening = opening(env, &spec, &Renditions::new(&program::DEFAULT)?)?;
        let wall = env.world.wall();
        let opened =
            tokio::task::spawn_blocking(move || Recorder::open(&spec.dir, &opening, Disk::Real, wall));
        let (recorder, _) = opened.await??;
        Ok(close(&recorder, ended_at).await)
    }

    /// Stops without closing the chain: the part in flight is finished and on the disk when this returns. The
    /// audience is told whether the program goes on later.
    pub async fn halt(self, halt: Halt) {
        self.stop(halt).await;
        self.recorder.settle().await;
    }

    /// Lets the clock finish the part in flight; everything it cut has then been handed to the recorder.
    async fn stop(&self, halt: Halt) {
        let (reply, done) = oneshot::channel();
        if self.deliver(Command::Stop { halt, reply }).await.is_ok() {
            // A clock that is gone has stopped as well.
            let _ = done.await;
        }
    }

    /// Hands a command over; when the clock has too many to obey, again after a frame.
    async fn deliver(&self, mut command: Command) -> Result<(), Refusal> {
        loop {
            match self.commands.try_send(command) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(back)) => command = back,
                Err(TrySendError::Disconnected(_)) => return Err(Refusal::RoomEnded),
            }
            tokio::time::sleep(Duration::from_millis(FRAME_MS)).await;
        }
    }
}

async fn close(recorder: &Recorder, at: WallTime) -> Ended {
    let mut is_told = false;
    loop {
        match recorder.end(at).await {
            Ok(sealed) => return Ended { sealed },
            Err(EndError::Stopped) => return Ended { sealed: *recorder.sealed().borrow() },
            Err(error @ EndError::Disk(_)) => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(%error, "recording_not_closed");
                }
                tokio::time::sleep(CLOSE_AGAIN).await;
            }
        }
    }
}

/// When this room's program was opened for the first time: its edition, and where its parts' numbers begin.
/// The hold sound is not recorded, so that only this tells a restarted node how far the numbers had come. A
/// disk that does not take it keeps nobody from being heard.
fn first_opened_at(dir: &Path, now: WallTime) -> WallTime {
    let path = dir.join(FIRST_OPENED_FILE);
    let kept = std::fs::read_to_string(&path).ok().and_then(|text| WallTime::parse(text.trim()));
    kept.unwrap_or_else(|| {
        if let Err(error) = std::fs::write(&path, now.rfc3339()) {
            tracing::warn!(path = %path.display(), %error, "first_opening_not_kept");
        }
        now
    })
}

fn opening(env: &Env, spec: &Spec, renditions: &Renditions) -> anyhow::Result<Opening> {
    let best = |codec: Codec| {
        let index = renditions.best(codec).with_context(|| format!("no {} to record", codec.word()))?;
        let track = renditions.track(index).context("a rendition has a track")?.clone();
        anyhow::Ok(Recorded { index, track })
    };
    Ok(Opening {
        room: spec.room.to_string(),
        title: spec.title.clone(),
        id: env.world.entropy(),
        key: env.key.as_ref().clone(),
        opus: best(Codec::Opus)?,
        aac: best(Codec::AacLc)?,
    })
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("sealed", &self.sealed()).finish_non_exhaustive()
    }
}
