//! What a room's task tells everybody: the next status, kept before it is shown, and the view around it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::Value;
use tribune_core::door::Snapshot;
use tribune_core::egress::late::BEHIND_S;
use tribune_core::guard::report::Head;
use tribune_core::room::{Facts, Hearing, Replay, State};
use tribune_core::status::{Draft, Figures, LateSaid, LateState, ReplayLinks, Sealed, Status, Taken};

use super::{HLS, Owner, in_time};
use crate::capacity::{Asked, Open};
use crate::door::Counts;
use crate::program::Program;
use crate::recording::read_marks;
use crate::rooms::handle::{STATUSES_KEPT, StatusBytes, View};
use crate::store::Statuses;

/// Statuses shown that the disk has not taken yet; it is given all of them again with the next one.
const STATUSES_FRESH_MAX: usize = 128;
/// Why nobody can begin to hear late.
const FULL: &str = "There is no more room for it now: those who hear it live come first.";

impl Owner {
    /// Makes the next status when there is anything new, keeps it, then shows it.
    pub(super) async fn tell(&mut self) {
        match self.program.program.clone() {
            Some(program) => self.count(&program),
            None => {
                self.counts = Counts::default();
                self.quota.set_hls(0);
            }
        }
        let facts = self.room.facts();
        self.node.setup.capacity.ask(&self.quota, asked(facts, self.room.hearing()));
        self.quota.desk().follow(facts);
        let figures = self.figures();
        let facts = self.room.facts();
        let wall = self.node.setup.world.wall();
        let draft = self.chain.draft(wall, facts, &figures, &self.node.setup.key);
        let status = match draft {
            Some(draft) => self.keep_status(draft).await,
            None => None,
        };
        let before = Arc::clone(&self.view.borrow());
        let program = self.program.program.clone();
        self.lingering.take_if(|(_, until)| *until <= self.node.now().time);
        let lingering = self.lingering.as_ref().map(|(live, _)| live.clone());
        let same = |before: &View| {
            before.program.is_some() == program.is_some()
                && before.hearing == self.room.hearing()
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
        let (facts, hearing) = (self.room.facts().clone(), self.room.hearing());
        self.view.send_replace(Arc::new(View { facts, status, earlier, program, hearing, lingering }));
    }

    /// Writes a status down, with those before it that the disk did not take; says which may be shown.
    async fn keep_status(&mut self, draft: Draft) -> Option<Status> {
        let room = self.room.facts().name.clone();
        let fresh = self.fresh.iter().chain([&draft.status]).cloned().collect();
        let statuses = Statuses { room: room.clone(), fresh, used: draft.set_aside };
        let taken = match in_time(self.node.setup.store.put_statuses(statuses)).await {
            Ok(()) => Taken::Yes,
            Err(error) => {
                tracing::warn!(%room, %error, "status_not_kept");
                Taken::No
            }
        };
        let shown = self.chain.show(draft, taken);
        match (taken, &shown) {
            (Taken::Yes, _) => self.fresh.clear(),
            (Taken::No, Some(status)) => {
                self.fresh.push_back(status.clone());
                if self.fresh.len() > STATUSES_FRESH_MAX {
                    self.fresh.pop_front();
                }
            }
            (Taken::No, None) => tracing::error!(%room, "status_not_shown"),
        }
        shown
    }

    pub(super) fn count(&mut self, program: &Program) {
        self.counts = program.audience().counts();
        let hls = self.node.setup.programs.metrics.output(self.room.facts().name.as_str(), HLS);
        hls.listeners.set(self.counts.hls as i64);
        self.peak = self.peak.max(self.counts.peak);
        self.show(&program.sealed());
    }

    /// How many passages are out of the recording, by its own marks: a status that the disk did not take, or
    /// a redaction that a crash interrupted, must not let the page call a cut recording unedited.
    pub(super) async fn count_redactions(&mut self) {
        let folder = self.node.folder(&self.room.facts().name);
        match tokio::task::spawn_blocking(move || read_marks(&folder)).await {
            Ok(Ok(marks)) => self.redactions = marks.len() as u64,
            Ok(Err(error)) => tracing::error!(room = %self.room.facts().name, %error, "redactions_not_read"),
            Err(error) => tracing::error!(room = %self.room.facts().name, %error, "redactions_not_read"),
        }
    }

    /// The chain as far as it is sealed. Nothing at all means that there is none to read now, so what was
    /// shown before stays true.
    pub(super) fn show(&mut self, sealed: &tribune_core::program::seal::Sealed) {
        if sealed.parts > 0 {
            let head = Some(URL_SAFE_NO_PAD.encode(sealed.head));
            self.sealed = Sealed { head, parts: sealed.parts };
        }
    }

    fn figures(&self) -> Figures {
        Figures {
            opens_at: self.room.opens_at(),
            seats_taken: self.counts.taken,
            seats_hls: self.counts.hls,
            listening: self.counts.listening,
            peak: self.peak,
            replays: self.tally.replays.load(Ordering::Relaxed),
            turned_away: self.tally.turned_away.load(Ordering::Relaxed),
            program: self.sealed.clone(),
            replay: self.replay_links(self.room.facts()),
            report: self.report_link(),
            audit: Some(self.node.setup.watch.audit_commitment()),
            ledger: self.node.setup.watch.ledger().map(|head| Head::clone(&head)),
            verdict: self.node.setup.watch.said().map(|said| said.verdict.clone()),
            late: self.program.program.as_ref().map(|program| self.late(program)),
            door: Snapshot {
                cap: Some(self.quota.said()),
                ladder: Some(self.node.setup.capacity.ladder()),
                ..self.quota.desk().snapshot()
            },
        }
    }

    fn late(&self, program: &Program) -> LateSaid {
        let setup = &self.node.setup;
        let budget = setup.capacity.late();
        let (state, why) = match (program.live().late.borrow().playlist.is_some(), budget.binds()) {
            (false, _) => (LateState::Soon, "It begins half a minute after the program does.".to_owned()),
            (true, _) if budget.has_room(self.node.now().time) => {
                (LateState::Open, "Everybody may hear it, without a seat.".to_owned())
            }
            (true, Some(least)) => {
                (LateState::Full, format!("{FULL} {} is what there is least of.", least.word()))
            }
            (true, None) => (LateState::Full, FULL.to_owned()),
        };
        let hls = format!("{}/{}/late.m3u8", setup.config.public_base(), self.room.facts().name);
        LateSaid { hls, behind_s: BEHIND_S, state, why }
    }

    pub(super) fn replay_links(&self, facts: &Facts) -> Option<ReplayLinks> {
        let base = format!("{}/{}", self.node.setup.config.public_base(), facts.name);
        (facts.replay == Replay::Ready).then(|| ReplayLinks {
            opus: format!("{base}/replay.opus"),
            m4a: format!("{base}/replay.m4a"),
            hls: format!("{base}/replay.m3u8"),
            seal: format!("{base}/seal"),
            redactions: self.redactions,
        })
    }

    fn report_link(&self) -> Option<String> {
        let (setup, name) = (&self.node.setup, &self.room.facts().name);
        setup.reports.has(name).then(|| format!("{}/{name}/report", setup.config.public_base()))
    }

    /// Goes on where the last status stopped: the counts that only ever grow.
    pub(super) fn remember(&mut self, last: Option<&Bytes>) {
        let Some(last) = last else { return };
        let said: Value = serde_json::from_slice(last).unwrap_or_default();
        let number = |path: &str| said.pointer(path).and_then(Value::as_u64).unwrap_or_default();
        self.peak = number("/peak");
        self.tally.replays.store(number("/replays"), Ordering::Relaxed);
        self.tally.turned_away.store(number("/turned_away"), Ordering::Relaxed);
        let head = said.pointer("/program/head").and_then(Value::as_str).map(str::to_owned);
        self.sealed = Sealed { head, parts: number("/program/parts") };
    }
}

/// What a room wants of the node's seats.
fn asked(facts: &Facts, hearing: Hearing) -> Asked {
    let open = match (facts.state, hearing) {
        (State::Scheduled, Hearing::Closed) => Open::NotYet,
        (State::Scheduled, Hearing::Open) | (State::Boarding | State::Live, _) => Open::Yes,
        (State::Ended, _) => Open::Over,
    };
    Asked { wish: facts.wish(), share: facts.share, open }
}

fn with(earlier: &Arc<[StatusBytes]>, last: &StatusBytes) -> Arc<[StatusBytes]> {
    if last.bytes.is_empty() {
        return Arc::clone(earlier);
    }
    let skip = (earlier.len() + 1).saturating_sub(STATUSES_KEPT);
    earlier.iter().chain([last]).skip(skip).cloned().collect()
}
