//! The task that owns one room: takes messages, walks the machine, does what it says, tells everybody.
//!
//! Nothing here waits for the audience. What waits for the disk (keeping facts and statuses) is bounded by
//! SQLite's commit; when the disk fails the room goes on and says so in the log, and what is unsaved is tried
//! again every second.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tribune_core::room::{Answer, Facts, Input, Output, Refused, Replay, Room, State};
use tribune_core::status::{Chain, Figures, ReplayLinks, Sealed};
use tribune_core::time::Time;

use super::Node;
use super::handle::{Handle, MESSAGES_MAX, Message, STATUSES_KEPT, StatusBytes, Stop, Tally, View};
use crate::door::Counts;
use crate::program::{Ended, OnAir, Program, Spec};
use crate::store::{Kept, Webhook};
use crate::webhook::Delivery;
use crate::window::{Halt, Live};

/// A status that changed only in its figures is made at most this often.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// The outputs that are counted by room.
const OUTPUTS: [&str; 4] = ["opus", "aac", "mp4", HLS];
/// The one whose listeners are estimated.
const HLS: &str = "hls";
/// How long players can still ask for the last parts of a program that has ended: twice what a player keeps
/// unheard.
const LINGER: Duration = Duration::from_secs(60);

struct Owner {
    node: Arc<Node>,
    room: Room,
    messages: mpsc::Receiver<Message>,
    view: watch::Sender<Arc<View>>,
    webhooks: Arc<ArcSwap<Vec<Webhook>>>,
    tally: Arc<Tally>,
    chain: Chain,
    sealed: Sealed,
    counts: Counts,
    peak: u64,
    program: Running,
    closing: Option<oneshot::Receiver<Ended>>,
    lingering: Option<(Live, Time)>,
    /// Facts that the disk has not taken yet.
    unsaved: Saved,
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
    let (sender, messages) = mpsc::channel(MESSAGES_MAX);
    let first = View {
        facts: kept.facts.clone(),
        status: StatusBytes { seq: 0, bytes: Bytes::new() },
        earlier: Arc::new([]),
        program: None,
        lingering: None,
    };
    let (view, watching) = watch::channel(Arc::new(first));
    let webhooks = Arc::new(ArcSwap::from_pointee(kept.webhooks));
    let tally = Arc::new(Tally::default());
    let handle = Arc::new(Handle {
        name: kept.facts.name.clone(),
        messages: sender,
        view: watching,
        keys: ArcSwap::from_pointee(kept.keys),
        webhooks: Arc::clone(&webhooks),
        tally: Arc::clone(&tally),
    });
    let open_before = Duration::from_secs(u64::from(node.setup.config.open_before_s));
    let mut owner = Owner {
        room: Room::new(node.now(), kept.facts, open_before),
        node: Arc::clone(node),
        messages,
        view,
        webhooks,
        tally,
        chain: Chain::default(),
        sealed: Sealed::default(),
        counts: Counts::default(),
        peak: 0,
        program: Running::default(),
        closing: None,
        lingering: None,
        unsaved: Saved::Yes,
    };
    owner.remember(kept.status.as_ref());
    owner.drain().await;
    tokio::spawn(owner.run());
    handle
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

    async fn message(&mut self, message: Message) -> Next {
        let now = self.node.now();
        match message {
            Message::Command { by, command, answer } => {
                self.room.handle_input(now, Input::Command { by, command });
                if let Some(result) = self.drain().await {
                    // Whoever asked may have gone; it happened all the same.
                    let _ = answer.send(result);
                }
            }
            Message::Demand { answer } => {
                self.room.handle_input(now, Input::Demand);
                self.drain().await;
                let _ = answer.send(self.program.program.clone());
            }
            Message::RecordingDeleted => {
                self.room.handle_input(now, Input::RecordingDeleted);
                self.drain().await;
            }
            Message::Stop { answer, why } => return self.stop(answer, why).await,
        }
        Next::GoOn
    }

    async fn stop(&mut self, answer: oneshot::Sender<bool>, why: Stop) -> Next {
        let busy = self.room.facts().state == State::Live || self.closing.is_some();
        if why == Stop::Removed && busy {
            let _ = answer.send(false);
            return Next::GoOn;
        }
        self.save().await;
        if let Some(program) = self.program.program.take() {
            let halt = match why {
                Stop::Removed => Halt::Ended,
                Stop::Restart => Halt::Paused,
            };
            program.halt(halt).await;
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
        self.tell().await;
    }

    /// Does what the machine says, tells everybody, and gives the answer to the command if there was one.
    async fn drain(&mut self) -> Option<Result<Answer, Refused>> {
        let mut answer = None;
        while let Some(output) = self.room.poll_output() {
            match output {
                Output::OpenProgram => {
                    self.program.wanted = Wanted::Yes;
                    self.open().await;
                }
                Output::OnAir => self.on_air().await,
                Output::CloseProgram => self.close(),
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
        Spec { dir: self.node.folder(&room), room, title, on_air, seats_max: self.seats_max() }
    }

    async fn on_air(&mut self) {
        self.program.hold = None;
        match &self.program.program {
            Some(program) => program.on_air(OnAir::Program).await,
            None => self.open().await,
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
        self.unsaved = match self.node.setup.store.put_facts(facts).await {
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

    /// Makes the next status when there is anything new, keeps it, then shows it.
    async fn tell(&mut self) {
        match self.program.program.clone() {
            Some(program) => {
                program.audience().set_seats_max(self.seats_max());
                self.count(&program);
            }
            None => self.counts = Counts::default(),
        }
        let figures = self.figures();
        let facts = self.room.facts();
        let wall = self.node.setup.world.wall();
        let status = self.chain.next(wall, facts, &figures, &self.node.setup.key);
        if let Some(status) = &status {
            let kept = self.node.setup.store.put_status(facts.name.clone(), status.bytes.clone()).await;
            if let Err(error) = kept {
                tracing::warn!(room = %facts.name, %error, "status_not_kept");
            }
        }
        let before = Arc::clone(&self.view.borrow());
        let program = self.program.program.clone();
        self.lingering.take_if(|(_, until)| *until <= self.node.now().time);
        let lingering = self.lingering.as_ref().map(|(live, _)| live.clone());
        let same = |before: &View| {
            before.program.is_some() == program.is_some()
                && before.lingering.is_some() == lingering.is_some()
                // That there is no replay is a fact that no status tells, and one that `settled` waits for.
                && before.facts == *self.room.facts()
        };
        if status.is_none() && same(&before) {
            return;
        }
        let (status, earlier) = match status {
            Some(status) => {
                (StatusBytes { seq: status.seq, bytes: status.bytes }, with(&before.earlier, &before.status))
            }
            None => (before.status.clone(), Arc::clone(&before.earlier)),
        };
        let facts = self.room.facts().clone();
        self.view.send_replace(Arc::new(View { facts, status, earlier, program, lingering }));
    }

    fn count(&mut self, program: &Program) {
        self.counts = program.audience().counts();
        let hls = self.node.setup.programs.metrics.output(self.room.facts().name.as_str(), HLS);
        hls.listeners.set(self.counts.hls as i64);
        self.peak = self.peak.max(self.counts.peak);
        self.show(&program.sealed());
    }

    /// The chain as far as it is sealed. Nothing at all means that there is none to read now, so what was
    /// shown before stays true.
    fn show(&mut self, sealed: &tribune_core::program::seal::Sealed) {
        if sealed.parts > 0 {
            let head = Some(URL_SAFE_NO_PAD.encode(sealed.head));
            self.sealed = Sealed { head, parts: sealed.parts };
        }
    }

    /// What the host wants, and never more than the node's own limit.
    fn seats_max(&self) -> u64 {
        let node = self.node.setup.config.seats_max;
        u64::from(self.room.facts().cap.map_or(node, |cap| cap.min(node)))
    }

    fn figures(&self) -> Figures {
        Figures {
            node_cap: self.node.setup.config.seats_max,
            opens_at: self.room.opens_at(),
            seats_taken: self.counts.taken,
            seats_hls: self.counts.hls,
            listening: self.counts.listening,
            peak: self.peak,
            replays: self.tally.replays.load(Ordering::Relaxed),
            turned_away: self.tally.turned_away.load(Ordering::Relaxed),
            program: self.sealed.clone(),
            replay: self.replay_links(self.room.facts()),
        }
    }

    fn replay_links(&self, facts: &Facts) -> Option<ReplayLinks> {
        let base = format!("{}/{}", self.node.setup.config.public_base(), facts.name);
        (facts.replay == Replay::Ready).then(|| ReplayLinks {
            opus: format!("{base}/replay.opus"),
            m4a: format!("{base}/replay.m4a"),
            hls: format!("{base}/replay.m3u8"),
            seal: format!("{base}/seal"),
        })
    }

    /// Goes on where the last status stopped: the chain, and the counts that only ever grow.
    fn remember(&mut self, last: Option<&Bytes>) {
        let Some(last) = last else { return };
        match Chain::after(last) {
            Ok(chain) => self.chain = chain,
            Err(error) => tracing::error!(room = %self.room.facts().name, %error, "status_chain_broken"),
        }
        let said: Value = serde_json::from_slice(last).unwrap_or_default();
        let number = |path: &str| said.pointer(path).and_then(Value::as_u64).unwrap_or_default();
        self.peak = number("/peak");
        self.tally.replays.store(number("/replays"), Ordering::Relaxed);
        self.tally.turned_away.store(number("/turned_away"), Ordering::Relaxed);
        let head = said.pointer("/program/head").and_then(Value::as_str).map(str::to_owned);
        self.sealed = Sealed { head, parts: number("/program/parts") };
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}

fn with(earlier: &Arc<[StatusBytes]>, last: &StatusBytes) -> Arc<[StatusBytes]> {
    if last.bytes.is_empty() {
        return Arc::clone(earlier);
    }
    let skip = (earlier.len() + 1).saturating_sub(STATUSES_KEPT);
    earlier.iter().chain([last]).skip(skip).cloned().collect()
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
