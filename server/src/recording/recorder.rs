//! The recorder's thread: takes parts from the program without ever holding it up, and writes them with a
//! `Tape`.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};
use tribune_core::program::Part;
use tribune_core::program::seal::Sealed;
use tribune_core::time::WallTime;

use super::disk::Disk;
use super::folder::Opening;
use super::tape::{Health, Tape};
use super::{OpenError, Recovered};

/// Parts that wait for a disk that stands still (20 s); beyond it they are lost to the recording.
pub const BACKLOG_PARTS_MAX: usize = 64;

/// A room's recorder. Dropping it seals what is there and leaves the recording open, to be gone on with.
pub struct Recorder {
    commands: Option<mpsc::Sender<Command>>,
    sealed: watch::Receiver<Sealed>,
    health: Arc<watch::Sender<Health>>,
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
    /// Opens the recording in `folder`, or begins it, and starts its thread.
    pub fn open(folder: &Path, opening: &Opening, disk: Disk) -> Result<(Self, Recovered), OpenError> {
        let (tape, recovered) = Tape::open(folder, opening, disk)?;
        let (commands, inbox) = mpsc::channel(BACKLOG_PARTS_MAX);
        let (sealed_to, sealed) = watch::channel(tape.sealed());
        let health = Arc::new(watch::Sender::new(Health::Healthy));
        let thread = Thread {
            tape,
            inbox,
            sealed: sealed_to,
            health: Arc::clone(&health),
            room: opening.room.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || thread.run())
            .map_err(|error| OpenError::io(folder, error))?;
        Ok((Self { commands: Some(commands), sealed, health, thread: Some(thread) }, recovered))
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
    tape: Tape,
    inbox: mpsc::Receiver<Command>,
    sealed: watch::Sender<Sealed>,
    health: Arc<watch::Sender<Health>>,
    room: String,
}

impl Thread {
    fn run(mut self) {
        while let Some(command) = self.inbox.blocking_recv() {
            match command {
                Command::Part(part) => self.tape.append(&part),
                Command::Lost(part) => self.tape.note_lost(&part),
                Command::End { at, reply } => {
                    let ended = self.tape.end(at);
                    self.publish();
                    // Who asked may have gone; the recording is closed all the same.
                    let _gone = reply.send(ended);
                    continue;
                }
            }
            self.publish();
        }
        if let Err(error) = self.tape.seal() {
            let says = "the end of the recording could not be sealed; the next start will";
            warn!(room = self.room, %error, "{says}");
        }
        self.publish();
    }

    fn publish(&self) {
        let sealed = self.tape.sealed();
        self.sealed.send_if_modified(|shown| std::mem::replace(shown, sealed) != sealed);
        let now = self.tape.health();
        self.health.send_if_modified(|shown| {
            let (was, is) = (matches!(shown, Health::Healthy), matches!(now, Health::Healthy));
            match (was, is, &*shown) {
                (true, false, _) => warn!(room = self.room, health = ?now, "the recording loses parts"),
                (false, true, lost) => info!(room = self.room, ?lost, "the recording goes on"),
                (true, true, _) | (false, false, _) => {}
            }
            let is_new = shown != now;
            shown.clone_from(now);
            is_new
        });
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
        let recorder = Recorder { commands: Some(commands), sealed, health, thread: None };
        for no in 0..BACKLOG_PARTS_MAX as u64 + 9 {
            recorder.part(Arc::new(synthetic::part(PartNo(no), Kind::Conversation, 1)));
        }
        let Health::Failing { since, lost_parts, .. } = recorder.health() else { panic!("it stands still") };
        let first_lost = synthetic::part(PartNo(BACKLOG_PARTS_MAX as u64 - 1), Kind::Conversation, 1);
        assert_eq!((since, lost_parts), (first_lost.began_at, 10));
        let mut taken = Vec::new();
        while let Ok(command) = inbox.try_recv() {
            taken.push(matches!(command, Command::Part(_)));
        }
        assert_eq!((taken.len(), taken.last()), (BACKLOG_PARTS_MAX, Some(&false)), "the last word is a loss");
    }
}
