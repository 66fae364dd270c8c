//! One thread: the connections it owns, the channels they hear, and the order of work.
//!
//! In each turn come first those who listen already, some hundred at a time; then whatever the kernel says of
//! sockets; then those who join, some at a time. So none of the three can keep another waiting for more than
//! a few milliseconds, however many there are.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll, Token, Waker};
use slab::Slab;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tribune_core::egress::{Edge, Moving, Window};
use tribune_core::time::Time;

use super::listener::{Listener, Turn};
use super::pieces::{Key, Pieces};
use super::round::Round;
use super::wire::Wire;
use super::{Begin, Joining, Told};
use crate::ops::metrics::Count;
use crate::window::Live;
use crate::world::World;

/// What wakes a thread that waits for sockets.
pub(super) const WAKE: Token = Token(usize::MAX);
/// Listeners who are handed a part before anything else is looked at: about two milliseconds' work, by the
/// measured cost of one.
const SWEEP_MAX: usize = 256;
/// Listeners who are sent elsewhere in one turn.
const MOVES_MAX: usize = 128;
/// Listeners who join in one turn.
const JOINS_MAX: usize = 128;
/// What the kernel says at a time.
const EVENTS_MAX: usize = 1_024;
/// How often it is looked who takes too little.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Who takes too little and is ended, at a look: others are looked at with the next.
const ENDED_MAX: usize = 512;

/// Those of one thread who hear the same bytes at the same moments.
struct Channel {
    key: Key,
    live: Live,
    receiver: watch::Receiver<Arc<Window>>,
    window: Arc<Window>,
    pieces: Pieces,
    round: Round,
    waits: AbortHandle,
}

impl Channel {
    /// Takes the newest window; with it a round begins.
    fn looks(&mut self) {
        if self.has_changed() {
            self.window = self.receiver.borrow_and_update().clone();
            self.round.begins();
        }
    }

    /// Nobody will say anything more, and did not say that it is over.
    fn is_forsaken(&self) -> bool {
        self.receiver.has_changed().is_err() && !self.has_changed() && self.window.edge() == Edge::Live
    }

    fn has_changed(&self) -> bool {
        // Whoever wrote it last may be gone, with what was written last not looked at.
        self.receiver.has_changed().unwrap_or_else(|_| !Arc::ptr_eq(&self.receiver.borrow(), &self.window))
    }
}

pub(super) struct Turning {
    world: World,
    stall_look: Time,
    poll: Poll,
    waker: Arc<Waker>,
    joins: mpsc::Receiver<Joining>,
    told: Arc<Told>,
    /// Who is to be sent elsewhere, once that has begun, and how many were.
    moving: Option<(Moving, Vec<usize>, usize)>,
    /// When in their share of the time they go.
    phase: f64,
    runtime: Handle,
    sent_bytes: Count,
    listeners: Slab<Listener>,
    channels: Slab<Channel>,
    blocked: BTreeSet<usize>,
    turns: usize,
}

impl Drop for Turning {
    fn drop(&mut self) {
        if !self.told.ends.load(Ordering::Relaxed) {
            tracing::error!(listeners = self.listeners.len(), "fanout_thread_died");
        }
    }
}

impl Turning {
    pub(super) fn new(
        begin: &Begin,
        (poll, waker): (Poll, Arc<Waker>),
        joins: mpsc::Receiver<Joining>,
        (told, phase): (Arc<Told>, f64),
    ) -> Self {
        Self {
            world: begin.world,
            stall_look: begin.world.now(),
            poll,
            waker,
            joins,
            told,
            moving: None,
            phase,
            runtime: begin.runtime.clone(),
            sent_bytes: begin.sent_bytes.clone(),
            listeners: Slab::new(),
            channels: Slab::new(),
            blocked: BTreeSet::new(),
            turns: 0,
        }
    }

    /// Until it is told to end.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut is_busy = false;
        while !self.told.ends.load(Ordering::Relaxed) {
            let wait = if is_busy { Duration::ZERO } else { LOOK_EVERY };
            match self.poll.poll(&mut events, Some(wait)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return tracing::error!(%error, "fanout_thread_ends"),
            }
            is_busy = self.sweep();
            for event in &events {
                self.happened(event);
            }
            is_busy |= self.join();
            self.moves();
            self.count();
            self.look_after();
        }
        self.channels.iter().for_each(|(_, channel)| channel.waits.abort());
    }

    /// Hands the newest parts around; whether somebody is left. Each time another channel is the first, so
    /// that a large one leaves something of a turn to the others.
    fn sweep(&mut self) -> bool {
        let mut keys: Vec<usize> = self.channels.iter().map(|(key, _)| key).collect();
        if keys.is_empty() {
            return false;
        }
        self.turns = self.turns.wrapping_add(1);
        let first = self.turns % keys.len();
        keys.rotate_left(first);
        let (mut budget, mut is_left) = (SWEEP_MAX, false);
        for key in keys {
            if let Some(channel) = self.channels.get_mut(key) {
                channel.looks();
            }
            budget = self.sweep_channel(key, budget);
            is_left |= self.channels.get(key).is_some_and(|channel| channel.round.is_under_way());
        }
        is_left
    }

    fn sweep_channel(&mut self, key: usize, mut budget: usize) -> usize {
        let now = self.world.now();
        while budget > 0 {
            // The last of them may have left, and the channel with them.
            let Some(channel) = self.channels.get_mut(key) else { return budget };
            let Some(member) = channel.round.next_due() else { return budget };
            budget -= 1;
            if self.listeners[member].is_blocked {
                continue;
            }
            if self.listeners[member].follows(&channel.live.renditions) {
                self.goes_over(member);
            }
            self.turn(member, now);
        }
        budget
    }

    /// Hands somebody what there is for them.
    fn turn(&mut self, key: usize, now: Time) {
        let Some(listener) = self.listeners.get_mut(key) else { return };
        let Some(channel) = self.channels.get_mut(listener.channel) else { return };
        let turn = listener.turn(&channel.window, &mut channel.pieces, now);
        let is_blocked = match turn {
            Ok(Turn::Waits) => false,
            Ok(Turn::Blocked) => true,
            Ok(Turn::Over) | Err(_) => return self.leave(key),
        };
        if is_blocked == listener.is_blocked {
            return;
        }
        listener.is_blocked = is_blocked;
        if listener.wire.watch_room(self.poll.registry(), Token(key), is_blocked).is_err() {
            return self.leave(key);
        }
        if is_blocked {
            self.blocked.insert(key);
        } else {
            self.blocked.remove(&key);
        }
    }

    fn happened(&mut self, event: &Event) {
        let Token(key) = event.token();
        if event.token() == WAKE {
            return;
        }
        let Some(listener) = self.listeners.get_mut(key) else { return };
        if event.is_readable() && !listener.is_there() {
            return self.leave(key);
        }
        if listener.is_blocked && event.is_writable() {
            self.turn(key, self.world.now());
        }
    }

    /// Takes some who join; whether more may be there.
    fn join(&mut self) -> bool {
        for _ in 0..JOINS_MAX {
            match self.joins.try_recv() {
                Ok(joining) => self.joins_one(joining),
                Err(mpsc::TryRecvError::Empty | mpsc::TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    fn joins_one(&mut self, joining: Joining) {
        let Joining { given, connection, head, lease } = joining;
        // Who comes while others are sent elsewhere found nowhere else.
        let comes_again = given.comes_again && self.moving.is_none();
        let Ok(wire) = Wire::new(connection) else { return };
        let now = self.world.now();
        let channel = self.channel(Key::of(&given.place), given.live);
        let window = self.channels[channel].window.clone();
        let mut listener = Listener::new(wire, (given.place, &window), (&head, lease), now);
        let slot = self.listeners.vacant_entry();
        let member = slot.key();
        if listener.wire.watch(self.poll.registry(), Token(member)).is_err() {
            return self.close_empty(channel);
        }
        listener.comes_again = comes_again;
        (listener.channel, listener.number) = (channel, self.channels[channel].round.enters(member));
        slot.insert(listener);
        self.turn(member, now);
    }

    /// Somebody is served otherwise from now on.
    fn goes_over(&mut self, member: usize) {
        let listener = &self.listeners[member];
        let (before, number, key) = (listener.channel, listener.number, listener.key());
        let channel = self.channel(key, self.channels[before].live.clone());
        let number_there = self.channels[channel].round.enters(member);
        let listener = &mut self.listeners[member];
        (listener.channel, listener.number) = (channel, number_there);
        self.goes_from(before, number);
    }

    /// Somebody is no more in a channel, which is closed behind the last.
    fn goes_from(&mut self, channel: usize, number: usize) {
        self.channels[channel].round.leaves(number);
        self.close_empty(channel);
        if let Some(channel) = self.channels.get_mut(channel) {
            let listeners = &mut self.listeners;
            channel.round.closes_up(|member, number| listeners[member].number = number);
        }
    }

    /// The channel of what somebody hears, which begins with the first.
    fn channel(&mut self, key: Key, live: Live) -> usize {
        let mut receiver = live.of(key.tier()).clone();
        let is_it = |channel: &Channel| channel.key == key && channel.receiver.same_channel(&receiver);
        if let Some((found, _)) = self.channels.iter().find(|(_, channel)| is_it(channel)) {
            return found;
        }
        let window = receiver.borrow_and_update().clone();
        let (mut waiting, waker) = (receiver.clone(), self.waker.clone());
        let waits = self.runtime.spawn(async move {
            // The last word is for those who wait for it as well: the channel is over.
            while waiting.changed().await.is_ok() {
                let _ = waker.wake();
            }
            let _ = waker.wake();
        });
        self.channels.insert(Channel {
            key,
            live,
            receiver,
            window,
            pieces: Pieces::new(key),
            round: Round::default(),
            waits: waits.abort_handle(),
        })
    }

    fn leave(&mut self, key: usize) {
        let Some(listener) = self.listeners.try_remove(key) else { return };
        self.blocked.remove(&key);
        let (channel, number) = (listener.channel, listener.number);
        // The socket is closed, the seat is free and the books are written.
        drop(listener);
        self.goes_from(channel, number);
    }

    /// Sends elsewhere who is to be by now, some at a time.
    fn moves(&mut self) {
        let Some((from, over)) = self.told.moves.get().copied() else { return };
        let (now, listeners, phase) = (self.world.now(), &self.listeners, self.phase);
        if now < from {
            return;
        }
        let (moving, members, moved) = self.moving.get_or_insert_with(|| {
            let comes_again = listeners.iter().filter(|(_, listener)| listener.comes_again);
            let members: Vec<usize> = comes_again.map(|(key, _)| key).collect();
            (Moving::new(members.len(), (from, over), phase), members, 0)
        });
        let due = moving.due(now).min(*moved + MOVES_MAX);
        let go: Vec<usize> = members.get(*moved..due).unwrap_or_default().to_vec();
        *moved = due;
        for key in go {
            // Whoever has their place by now is not one of those.
            if let Some(listener) = self.listeners.get_mut(key).filter(|listener| listener.comes_again) {
                listener.breaks_off();
                self.turn(key, now);
            }
        }
    }

    fn close_empty(&mut self, key: usize) {
        if self.channels.get(key).is_some_and(|channel| channel.round.is_empty()) {
            let channel = self.channels.remove(key);
            self.sent_bytes.inc_by(channel.pieces.sent_bytes);
            channel.waits.abort();
        }
    }

    fn count(&mut self) {
        for (_, channel) in &mut self.channels {
            self.sent_bytes.inc_by(std::mem::take(&mut channel.pieces.sent_bytes));
        }
    }

    /// Ends who takes too little for too long, and channels that nobody writes any more.
    fn look_after(&mut self) {
        let now = self.world.now();
        if now.since(self.stall_look) < LOOK_EVERY {
            return;
        }
        self.stall_look = now;
        let listeners = &mut self.listeners;
        let is_over = |key: &usize| listeners.get_mut(*key).is_some_and(|one| one.takes_too_little(now));
        let over: Vec<usize> = self.blocked.iter().copied().filter(is_over).take(ENDED_MAX).collect();
        over.into_iter().for_each(|key| self.leave(key));
        let forsaken = self.channels.iter().filter(|(_, channel)| channel.is_forsaken());
        let theirs: Vec<usize> = forsaken.flat_map(|(_, channel)| channel.round.members()).collect();
        theirs.into_iter().for_each(|key| self.leave(key));
    }
}
