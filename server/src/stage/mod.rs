//! 3b. Speakers in their browsers, by WebRTC: who may offer sound (WHIP, RFC 9725), their packets into the
//!     mix, and what they hear of each other back to them.
//!
//! One thread serves every speaker of the node over one UDP socket and one TCP port; it waits for nobody and
//! nobody waits for it. An offer is read and answered on the stage's runtime, before this thread hears of it,
//! so that only offers with a good key ever cost it anything.

mod answering;
mod media;
pub(crate) mod outside;
mod peer;
mod sockets;
mod succession;
mod tcp;
mod whip;

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::{mpsc, oneshot};
use tribune_core::ingest::whip::Fragment;
use tribune_core::room::{KeyHash, PersonId, PersonName};

pub use answering::Answering;
pub use sockets::Sockets;
pub use whip::router;

use crate::answer::Failure;
use crate::ops::metrics::MediaMetrics;
use crate::program::FromRooms;
use crate::shutdown::Shutdown;
use crate::urgent;
use crate::world::World;
use peer::Peer;

/// Speakers of one node, those included who were answered and have not come. Each room takes no more than its
/// mix has inputs, and an answer holds one.
pub const PEERS_MAX: usize = 512;
/// Requests to the media thread that may wait.
const ASKS_MAX: usize = 256;

/// The name of one speaker's connection; nobody can guess it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerId(pub Arc<str>);

/// What the media thread is asked to do.
enum Ask {
    /// A speaker was answered and will come.
    Join { peer: Box<Peer>, again: Option<PeerId>, reply: oneshot::Sender<Result<(), Failure>> },
    /// A speaker tells more addresses, or begins ICE anew.
    Patch { id: PeerId, by: KeyHash, if_match: Option<String>, fragment: Fragment, reply: PatchReply },
    /// A speaker is about to offer anew in place of this connection. Refused when the same person has come
    /// from elsewhere since.
    Follow { id: PeerId, by: KeyHash, reply: oneshot::Sender<Result<(), Failure>> },
    /// Who it is that this connection is of.
    Whose { id: PeerId, by: KeyHash, reply: oneshot::Sender<Result<Named, Failure>> },
    /// A speaker leaves.
    Leave { id: PeerId, by: KeyHash, reply: oneshot::Sender<Result<(), Failure>> },
}

/// Who somebody is, and what others read.
type Named = (PersonId, PersonName);

type PatchReply = oneshot::Sender<Result<Patched, Failure>>;

/// What came of a PATCH.
enum Patched {
    /// The addresses were taken.
    Trickled,
    /// ICE begins anew.
    Restarted {
        /// The entity tag of the new ICE session, with its quotes.
        tag: String,
        /// Our part of it.
        fragment: String,
    },
}

/// The stage's side towards speakers. Copies are the same.
#[derive(Clone)]
pub struct Stage {
    answering: Arc<Answering>,
    asks: mpsc::Sender<Ask>,
}

/// What the media thread is started with.
pub struct Begin {
    /// Where speakers come in.
    pub sockets: Sockets,
    /// How they are answered.
    pub answering: Answering,
    /// What they hear.
    pub heard: FromRooms,
    /// What is counted.
    pub metrics: MediaMetrics,
    /// The clock.
    pub world: World,
    /// How far the end has come.
    pub shutdown: Shutdown,
}

impl Stage {
    /// Starts the media thread. The receiver is ready when it has taken leave of every speaker.
    ///
    /// # Errors
    /// The thread or its runtime cannot be made.
    pub fn start(begin: Begin) -> anyhow::Result<(Self, oneshot::Receiver<()>)> {
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (done, ended) = oneshot::channel();
        let answering = Arc::new(begin.answering);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start the media thread's runtime")?;
        let (sockets, heard) = (begin.sockets, begin.heard);
        let with = media::With {
            answering: answering.clone(),
            metrics: begin.metrics,
            world: begin.world,
            shutdown: begin.shutdown,
        };
        let serve = move || {
            urgent::go_first();
            runtime.block_on(media::serve(sockets, with, media::Inbox { asked, heard }));
            // When nobody waits for the end any longer, the node is going down without it.
            let _ = done.send(());
        };
        let thread = std::thread::Builder::new().name("media".to_owned());
        thread.spawn(serve).context("cannot start the media thread")?;
        Ok((Self { answering, asks }, ended))
    }
}
