//! The task that owns one room: takes messages, walks the machine, does what it says, tells everybody.
//!
//! Nothing here waits for the audience. The disk (facts and statuses) is waited for a moment; when it fails
//! or hangs the room goes on and says so in the log, and what is unsaved is tried again every second.

mod tell;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tribune_core::mix::HoldSound;
use tribune_core::reason::Refusal;
use tribune_core::room::{Answer, Hearing, Input, Output, Refused, Replay, Room, State};
use tribune_core::status::{Chain, Sealed, Status};
use tribune_core::time::Time;

use super::Node;
use super::floor;
use super::handle::{Handle, MESSAGES_MAX, Message, StatusBytes, Stop, Tally, View};
use crate::capacity::Quota;
use crate::door::{self, Counts, Desk};
use crate::ops::Keeps;
use crate::program::{Ears, Ended, OnAir, Program, Spec, hold};
use crate::store::{Kept, StoreError, Webhook};
use crate::webhook::Delivery;
use crate::window::{Halt, Live};

/// A status that changed only in its figures is made at most this often.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// How long the disk is waited for before the room goes on without it.
const DISK_WAIT: Duration = Duration::from_secs(2);
/// The outputs that are counted by room.
const OUTPUTS: [&str; 5] = ["opus", "aac", "mp4", HLS, "late"];
/// The one whose listeners are estimated.
const HLS: &str = "hls";
/// How long players can still ask for the last parts of a program that has ended: twice what a player keeps
/// unheard.
const LINGER: Duration = Duration::from_secs(60);

pub(super) struct Owner {
    pub(super) node: Arc<Node>,
    pub(super) room: Room,
    messages: mpsc::Receiver<Message>,
    view: watch::Sender<Arc<View>>,
    webhooks: Arc<ArcSwap<Vec<Webhook>>>,
    tally: Arc<Tally>,
    chain: Chain,
    /// Statuses that were shown and that the disk has not taken.
    fresh: VecDeque<Status>,
    sealed: Sealed,
    counts: Counts,
    peak: u64,
    /// Passages taken out of the recording.
    redactions: u64,
    program: Running,
    closing: Option<oneshot::Receiver<Ended>>,
    lingering: Option<(Live, Time)>,
    /// Facts that the disk has not taken yet.
    unsaved: Saved,
    /// Where its programs put what they hear of the stage.
    ears: Ears,
    quota: Arc<Quota>,
}

/// The program, and the permit it holds while the room is not live.
#[derive(Default)]
struct Running {
    wanted: Wanted,
    program: Option<Program>,
    hold: Option<OwnedSemaphorePermit>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Wanted {
    #[default]
    No,
    Yes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Saved {
    Yes,
    No,
}

enum Woken {
    Message(Option<Message>),
    Closed(Option<Ended>),
    Deadline,
    Tick,
}

/// Sets a room going; its first status is there when this returns.
pub(super) async fn start(node: &Arc<Node>, kept: Kept) -> Arc<Handle> {
    let (handle, mut owner, stage) = make(node, kept);
    owner.count_redactions().await;
    owner.drain().await;
    tokio::spawn(owner.run());
    tokio::spawn(stage.run());
    handle
}

/// A room that does not go yet.
pub(super) fn make(node: &Arc<Node>, kept: Kept) -> (Arc<Handle>, Owner, floor::Task) {
    let (sender, messages) = mpsc::channel(MESSAGES_MAX);
    let desk = desk_of(node, &kept);
    let quota = Quota::new(Arc::clone(&desk));
    let first = View {
        facts: kept.facts.clone(),
        status: last_shown(kept.chain.last.as_ref()),
        earlier: Arc::new([]),
        program: None,
        hearing: Hearing::Closed,
        lingering: None,
    };
    let (view, watching) = watch::channel(Arc::new(first));
    let webhooks = Arc::new(ArcSwap::from_pointee(kept.webhooks));
    let tally = Arc::new(Tally::default());
    let begin =
        floor::Begin { kept: kept.floor, room: watching.clone(), folder: node.folder(&kept.facts.name) };
    let (stage, floor, ears) = floor::Task::new(node, begin);
    let handle = Arc::new(Handle {
        name: kept.facts.name.clone(),
        messages: sender,
        view: watching,
        keys: ArcSwap::from_pointee(kept.keys),
        invitations: ArcSwap::from_pointee(kept.invitations),
        webhooks: Arc::clone(&webhooks),
        tally: Arc::clone(&tally),
        floor,
        desk: Arc::clone(&desk),
    });
    let open_before = Duration::from_secs(u64::from(node.setup.config.open_before_s));
    let mut owner = Owner {
        room: Room::new(node.now(), kept.facts, open_before),
        node: Arc::clone(node),
        messages,
        view,
        webhooks,
        tally,
        chain: Chain::after(&kept.chain),
        fresh: VecDeque::new(),
        sealed: Sealed::default(),
        counts: Counts::default(),
        peak: 0,
        redactions: 0,
        program: Running::default(),
        closing: None,
        lingering: None,
        unsaved: Saved::Yes,
        ears,
        quota,
    };
    owner.remember(kept.chain.last.as_ref());
    (handle, owner, stage)
}

/// The room's door, where its last status left it.
fn desk_of(node: &Node, kept: &Kept) -> Arc<Desk> {
    let said: serde_json::Value =
        kept.chain.last.as_ref().and_then(|last| serde_json::from_slice(last).ok()).unwrap_or_default();
    let setup = &node.setup;
    let desk = Desk::open(door::Begin {
        world: setup.world,
        facts: &kept.facts,
        folder: &node.door_folder(&kept.facts.name),
        scribe: setup.scribe.clone(),
        keys: setup.ticket_keys.clone(),
        now_serving: said["now_serving"].as_u64().unwrap_or_default(),
        cap: 0,
    });
    desk.look_after(&setup.programs.audience);
    setup.programs.metrics.ledger.open(desk.clone());
    desk
}

/// Until the disk takes a new status, the last that it kept is shown.
fn last_shown(last: Option<&Bytes>) -> StatusBytes {
    let bytes = last.cloned().unwrap_or_default();
    let said: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    StatusBytes { seq: said["seq"].as_u64().unwrap_or_default(), bytes }
}

impl Owner {
    async fn run(mut self) {
        let mut tick = interval(STATUS_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            match self.wake(&mut tick).await {
                Woken::Message(None) => return,
                Woken::Message(Some(message)) => {
                    if self.message(message).await == Next::Stop {
                        return;
                    }
                }
                Woken::Closed(ended) => self.closed(ended).await,
                Woken::Deadline => {
                    self.room.handle_input(self.node.now(), Input::Timeout);
                    self.drain().await;
                }
                Woken::Tick => self.tick().await,
            }
        }
    }

    async fn wake(&mut self, tick: &mut Interval) -> Woken {
        let deadline = self.room.poll_timeout().and_then(|(at, _)| self.node.setup.world.instant(at));
        let closing = self.closing.as_mut();
        tokio::select! {
            message = self.messages.recv() => Woken::Message(message),
            ended = wait_for(closing) => Woken::Closed(ended),
            () = sleep_until(deadline) => Woken::Deadline,
            _ = tick.tick() => Woken::Tick,
        }
    }

    pub(super) async fn message(&mut self, message: Message) -> Next {
        let now = self.node.now();
        match message {
            Message::Command { by, command, answer } => {
                self.room.handle_input(now, Input::Command { by, command });
                if let Some(result) = self.drain().await {
                    // Whoever asked may have gone; it happened all the same.
                    let _ = answer.send(result);
                }
            }
            Message::Demand { demand, answer } => {
                self.room.handle_input(now, Input::Demand(demand));
                self.drain().await;
                let _ = answer.send(self.program.program.clone());
            }
            Message::Redacted { answer } => {
                self.count_redactions().await;
                self.tell().await;
                let _ = answer.send(());
            }
            Message::RecordingDeleted => {
                self.room.handle_input(now, Input::RecordingDeleted);
                self.drain().await;
            }
            Message::Hold { own, answer } => {
                let _ = answer.send(self.hold(own).await);
            }
            Message::Stop { answer, why } => return self.stop(answer, why).await,
        }
        Next::GoOn
    }

    /// Here no program opens and no room goes away meanwhile, so that what is kept is what is heard.
    async fn hold(&mut self, own: Option<HoldSound>) -> Result<(), Refused> {
        let folder = self.node.folder(&self.room.facts().name);
        let is_own = own.is_some();
        let keeping =
            tokio::task::spawn_blocking(
                move || if is_own { hold::put(&folder) } else { hold::remove(&folder) },
            );
        let said = match tokio::time::timeout(DISK_WAIT, keeping).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(error))) => Some(error.to_string()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(late) => Some(late.to_string()),
        };
        if let Some(error) = said {
            tracing::error!(room = %self.room.facts().name, error, "hold_sound_not_kept");
            let detail = "the disk could not keep the hold sound; see the log";
            return Err(Refused { reason: Refusal::OurFault, detail });
        }
        if let Some(program) = &self.program.program {
            program.hold(own.unwrap_or_else(|| self.node.setup.programs.hold.clone())).await;
        }
        Ok(())
    }

    async fn stop(&mut self, answer: oneshot::Sender<bool>, why: Stop) -> Next {
        let busy = self.room.facts().state == State::Live || self.closing.is_some();
        if why == Stop::Removed && busy {
            let _ = answer.send(false);
            return Next::GoOn;
        }
        self.save().await;
        if let Some(used) = self.chain.last_used() {
            let kept = self.node.setup.store.put_used(self.room.facts().name.clone(), used);
            // Without it the next start leaves the numbers out that were set aside.
            let _ = in_time(kept).await;
        }
        if let Some(program) = self.program.program.take() {
            let halt = match why {
                Stop::Removed => Halt::Ended,
                Stop::Restart => Halt::Paused,
            };
            program.halt(halt).await;
        }
        if why == Stop::Removed {
            self.node.setup.capacity.close(&self.quota);
            let desk: Arc<dyn Keeps> = self.quota.desk().clone();
            self.node.setup.programs.metrics.ledger.close(&desk);
        }
        self.program = Running::default();
        self.view.send_modify(|view| Arc::make_mut(view).program = None);
        let _ = answer.send(true);
        Next::Stop
    }

    async fn closed(&mut self, ended: Option<Ended>) {
        self.closing = None;
        self.node.setup.programs.metrics.forget_room(self.room.facts().name.as_str(), &OUTPUTS);
        let replay = match ended {
            Some(ended) if ended.sealed.parts > 0 => {
                self.show(&ended.sealed);
                Replay::Ready
            }
            Some(_) | None => Replay::Absent,
        };
        self.room.handle_input(self.node.now(), Input::ProgramClosed(replay));
        self.drain().await;
    }

    async fn tick(&mut self) {
        if self.unsaved == Saved::No {
            self.save().await;
        }
        if self.program.wanted == Wanted::Yes && self.program.program.is_none() {
            self.open().await;
        }
        if self.is_attended() {
            self.room.handle_input(self.node.now(), Input::Attended);
        }
        self.drain().await;
    }

    /// Whether somebody sends, hears, or has asked for the program since the last look.
    pub(super) fn is_attended(&self) -> bool {
        let asked = self.tally.asked.swap(false, Ordering::Relaxed);
        let with_us =
            |program: &Program| program.audience().counts().taken > 0 || !program.sources().is_empty();
        asked || self.program.program.as_ref().is_some_and(with_us)
    }

    /// Does what the machine says, tells everybody, and gives the answer to the command if there was one.
    pub(super) async fn drain(&mut self) -> Option<Result<Answer, Refused>> {
        let mut answer = None;
        while let Some(output) = self.room.poll_output() {
            match output {
                Output::OpenProgram => {
                    self.program.wanted = Wanted::Yes;
                    self.open().await;
                }
                Output::OnAir => self.on_air().await,
                Output::CloseProgram => self.close(),
                Output::PauseProgram => self.pause().await,
                Output::Persist => self.save().await,
                Output::Event(event) => self.announce(event),
                Output::Answer(result) => answer = Some(result),
            }
        }
        self.tell().await;
        answer
    }

    async fn open(&mut self) {
        let on_air = if self.room.facts().state == State::Live { OnAir::Program } else { OnAir::Hold };
        if on_air == OnAir::Hold && self.program.hold.is_none() {
            let Ok(hold) = Arc::clone(&self.node.holds).try_acquire_owned() else {
                tracing::warn!(room = %self.room.facts().name, "hold_sound_limit_reached");
                return;
            };
            self.program.hold = Some(hold);
        }
        self.program.program = self.open_program(on_air).await;
    }

    async fn open_program(&self, on_air: OnAir) -> Option<Program> {
        let (spec, name) = (self.spec(on_air), self.room.facts().name.clone());
        let programs = self.node.setup.programs.clone();
        match tokio::task::spawn_blocking(move || Program::open(&programs, spec)).await {
            Ok(Ok(program)) => Some(program),
            Ok(Err(error)) => {
                tracing::warn!(room = %name, %error, "program_not_opened");
                None
            }
            Err(error) => {
                tracing::error!(room = %name, %error, "program_not_opened");
                None
            }
        }
    }

    fn spec(&self, on_air: OnAir) -> Spec {
        let facts = self.room.facts();
        let (room, title) = (facts.name.clone(), facts.title.clone());
        let (dir, ears) = (self.node.folder(&room), self.ears.clone());
        Spec { dir, room, title, on_air, quota: self.quota.clone(), ears }
    }

    async fn on_air(&mut self) {
        self.program.hold = None;
        match &self.program.program {
            Some(program) => program.on_air(OnAir::Program).await,
            None => self.open().await,
        }
    }

    /// Nobody is there. Who asks meanwhile waits for the disk and finds a program that has just opened.
    async fn pause(&mut self) {
        let paused = std::mem::take(&mut self.program);
        self.view.send_modify(|view| Arc::make_mut(view).program = None);
        let metrics = &self.node.setup.programs.metrics;
        metrics.forget_room(self.room.facts().name.as_str(), &OUTPUTS);
        if let Some(program) = paused.program {
            program.halt(Halt::Paused).await;
            tracing::info!(room = %self.room.facts().name, "idle_program_closed");
        }
    }

    /// A chain left open by a crash is closed too, as of the moment at which the room ended.
    fn close(&mut self) {
        let running = std::mem::take(&mut self.program);
        let (done, closing) = oneshot::channel();
        self.closing = Some(closing);
        // Below, the receiver is gone only when the room's task is.
        if let Some(program) = running.program {
            self.count(&program);
            self.lingering = Some((program.live().clone(), self.node.now().time + LINGER));
            tokio::spawn(async move {
                let _ = done.send(program.end().await);
            });
            return;
        }
        let ended_at = self.room.facts().ended_at.unwrap_or_else(|| self.node.now().wall);
        let (env, spec) = (self.node.setup.programs.clone(), self.spec(OnAir::Hold));
        tokio::spawn(async move {
            match Program::close_left_open(&env, spec, ended_at).await {
                Ok(ended) => {
                    let _ = done.send(ended);
                }
                Err(error) => tracing::error!(%error, "recording_not_closed"),
            }
        });
    }

    async fn save(&mut self) {
        let facts = self.room.facts().clone();
        self.unsaved = match in_time(self.node.setup.store.put_facts(facts)).await {
            Ok(()) => Saved::Yes,
            Err(error) => {
                tracing::warn!(room = %self.room.facts().name, %error, "room_not_saved");
                Saved::No
            }
        };
    }

    fn announce(&self, event: tribune_core::room::Event) {
        let facts = self.room.facts();
        for webhook in self.webhooks.load().iter() {
            let links = self.replay_links(facts);
            self.node.setup.webhooks.send(Delivery::new(event, facts, links.as_ref(), webhook));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Stop,
}

/// What the disk answers, unless it keeps us waiting.
async fn in_time<F>(kept: F) -> Result<(), StoreError>
where
    F: Future<Output = Result<(), StoreError>>,
{
    tokio::time::timeout(DISK_WAIT, kept).await.unwrap_or(Err(StoreError::Late))
}

async fn wait_for(closing: Option<&mut oneshot::Receiver<Ended>>) -> Option<Ended> {
    match closing {
        Some(closing) => closing.await.ok(),
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<std::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
