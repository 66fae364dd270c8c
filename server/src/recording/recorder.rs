//! The recorder's thread: takes parts from the program without ever holding it up, and gives them to the
//! `Deck`.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};
use tribune_core::program::Part;
use tribune_core::program::seal::Sealed;
use tribune_core::time::WallTime;

use super::Recovered;
use super::deck::{Deck, Reel};
use super::disk::Disk;
use super::folder::Opening;
use super::tape::Health;

/// Parts that wait for a disk that stands still (20 s); beyond it they are lost to the recording.
pub const BACKLOG_PARTS_MAX: usize = 64;

/// The log tells of a failing disk at most this often.
const TELL_MS_MIN: i64 = 1_000;

/// A room's recorder. Dropping it seals what is there and leaves the recording open, to be gone on with.
pub struct Recorder {
    commands: Option<mpsc::Sender<Command>>,
    sealed: watch::Receiver<Sealed>,
    health: Arc<watch::Sender<Health>>,
    lost: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

enum Command {
    Part(Arc<Part>),
    /// The first part that did not fit into the backlog, once there is room again.
    Lost(Arc<Part>),
    End {
        at: WallTime,
        reply: oneshot::Sender<io::Result<Sealed>>,
    },
    Settle {
        reply: oneshot::Sender<()>,
    },
}

/// Why the recording could not be closed.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// The disk; ending may be tried again.
    #[error("the recording cannot be closed yet, what was recorded is kept: {0}")]
    Disk(#[from] io::Error),
    /// The thread is gone.
    #[error("the recorder has stopped")]
    Stopped,
}

impl Recorder {
    /// Opens the recording in `folder`, or begins it, and starts its thread. A recording that cannot be
    /// opened is a state (`health`), and tried again while the program goes on: see `Deck`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn open(
        folder: &Path,
        opening: &Opening,
        disk: Disk,
        now: WallTime,
    ) -> io::Result<(Self, Recovered)> {
        let room = opening.room.clone();
        let reel = Reel { folder: folder.to_owned(), opening: opening.clone(), disk };
        let (deck, recovered) = Deck::open(reel, now);
        let (commands, inbox) = mpsc::channel(BACKLOG_PARTS_MAX);
        let (sealed_to, sealed) = watch::channel(deck.sealed());
        let health = Arc::new(watch::Sender::new(Health::Healthy));
        let lost = Arc::new(AtomicU64::new(0));
        let (told, counted) = (Arc::clone(&health), Arc::clone(&lost));
        let mut thread =
            Thread { deck, inbox, sealed: sealed_to, health: told, lost: counted, room, told_at: None };
        thread.publish();
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(move || thread.run())?;
        Ok((Self { commands: Some(commands), sealed, health, lost, thread: Some(thread) }, recovered))
    }

    /// Hands over a part; never waits. When the disk has stood still for the whole backlog, the part is lost
    /// to the recording, and the loss is named in the seal. Only one thread may call this, in the order of
    /// the parts.
    pub fn part(&self, part: Arc<Part>) {
        let Some(commands) = &self.commands else { return };
        // One place stays free for the word that something was lost.
        let command = match commands.capacity() {
            0 => None,
            1 => Some(Command::Lost(Arc::clone(&part))),
            _ => Some(Command::Part(Arc::clone(&part))),
        };
        let is_taken = matches!(command, Some(Command::Part(_)));
        if let Some(command) = command
            && commands.try_send(command).is_err()
        {
            warn!(part = part.no.0, "the recorder took no part");
        }
        if !is_taken {
            self.lost.fetch_add(1, Ordering::Relaxed);
            self.health.send_modify(|health| stall(health, &part));
        }
    }

    /// What is signed and durable, for `status.program`.
    pub fn sealed(&self) -> watch::Receiver<Sealed> {
        self.sealed.clone()
    }

    /// Whether parts are being lost.
    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    /// Parts lost to the recording since this was asked last.
    pub fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }

    /// Parts handed over and not yet written.
    pub fn lag_parts(&self) -> usize {
        self.commands.as_ref().map_or(0, |commands| BACKLOG_PARTS_MAX - commands.capacity())
    }

    /// Answers when every part handed over is written, signed and durable, as far as the disk lets it be.
    pub async fn settle(&self) {
        let (reply, answer) = oneshot::channel();
        if let Some(commands) = &self.commands
            && commands.send(Command::Settle { reply }).await.is_ok()
        {
            // A thread that is gone has sealed what it had.
            let _ = answer.await;
        }
    }

    /// Closes the recording after all parts handed over; answers when the replay can be opened. May be called
    /// again after an error of the disk.
    pub async fn end(&self, at: WallTime) -> Result<Sealed, EndError> {
        let commands = self.commands.as_ref().ok_or(EndError::Stopped)?;
        let (reply, answer) = oneshot::channel();
        commands.send(Command::End { at, reply }).await.map_err(|_| EndError::Stopped)?;
        Ok(answer.await.map_err(|_| EndError::Stopped)??)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn stall(health: &mut Health, part: &Part) {
    match health {
        Health::Failing { lost_parts, .. } => *lost_parts += 1,
        Health::Healthy => {
            let why = "the disk stands still".to_owned();
            *health = Health::Failing { since: part.began_at, why, lost_parts: 1 };
        }
    }
}

struct Thread {
    deck: Deck,
    inbox: mpsc::Receiver<Command>,
    sealed: watch::Sender<Sealed>,
    health: Arc<watch::Sender<Health>>,
    lost: Arc<AtomicU64>,
    room: String,
    told_at: Option<WallTime>,
}

impl Thread {
    fn run(mut self) {
        while let Some(command) = self.inbox.blocking_recv() {
            match command {
                Command::Part(part) => self.append(&part),
                Command::Lost(part) => self.deck.note_lost(&part),
                Command::End { at, reply } => {
                    let ended = self.deck.end(at);
                    self.publish();
                    // Who asked may have gone; the recording is closed all the same.
                    let _gone = reply.send(ended);
                    continue;
                }
                Command::Settle { reply } => {
                    self.seal();
                    let _gone = reply.send(());
                }
            }
            self.publish();
        }
        self.seal();
        self.publish();
    }

    fn seal(&mut self) {
        if let Err(error) = self.deck.seal() {
            let says = "the end of the recording could not be sealed; the next start will";
            warn!(room = self.room, %error, "{says}");
        }
    }

    fn append(&mut self, part: &Arc<Part>) {
        let before = lost_parts(self.deck.health());
        self.deck.append(part);
        let lost = lost_parts(self.deck.health()).saturating_sub(before);
        self.lost.fetch_add(lost, Ordering::Relaxed);
    }

    fn publish(&mut self) {
        let sealed = self.deck.sealed();
        self.sealed.send_if_modified(|shown| std::mem::replace(shown, sealed) != sealed);
        let now = self.deck.health();
        let was = self.health.send_replace(now.clone());
        let is_told = |at: WallTime| self.told_at.is_some_and(|told| at.millis_since(told) < TELL_MS_MIN);
        match (&was, now) {
            (Health::Healthy, Health::Failing { since, why, .. }) if !is_told(*since) => {
                self.told_at = Some(*since);
                warn!(room = self.room, why, "recording_fails");
            }
            (Health::Failing { since, lost_parts, .. }, Health::Healthy) if self.told_at == Some(*since) => {
                info!(room = self.room, lost_parts, "recording_goes_on");
            }
            (Health::Healthy | Health::Failing { .. }, Health::Healthy | Health::Failing { .. }) => {}
        }
    }
}

fn lost_parts(health: &Health) -> u64 {
    match health {
        Health::Healthy => 0,
        Health::Failing { lost_parts, .. } => *lost_parts,
    }
}

#[cfg(test)]
mod tests {
    use tribune_core::mix::Kind;
    use tribune_core::program::{PartNo, synthetic};

    use super::*;

    #[test]
    fn a_disk_that_stands_still_never_holds_the_program_up() {
        let (commands, mut inbox) = mpsc::channel(BACKLOG_PARTS_MAX);
        let (_sealed_to, sealed) = watch::channel(Sealed { head: [0; 32], parts: 0 });
        let health = Arc::new(watch::Sender::new(Health::Healthy));
        let recorder =
            Recorder { commands: Some(commands), sealed, health, lost: Arc::default(), thread: None };
        for no in 0..BACKLOG_PARTS_MAX as u64 + 9 {
            recorder.part(Arc::new(synthetic::part(PartNo(no), Kind::Conversation, 1)));
        }
        let Health::Failing { since, lost_parts, .. } = recorder.health() else { panic!("it stands still") };
        let first_lost = synthetic::part(PartNo(BACKLOG_PARTS_MAX as u64 - 1), Kind::Conversation, 1);
        assert_eq!((since, lost_parts), (first_lost.began_at, 10));
        assert_eq!((recorder.take_lost(), recorder.take_lost()), (10, 0));
        let mut taken = Vec::new();
        while let Ok(command) = inbox.try_recv() {
            taken.push(matches!(command, Command::Part(_)));
        }
        assert_eq!((taken.len(), taken.last()), (BACKLOG_PARTS_MAX, Some(&false)), "the last word is a loss");
    }
}
