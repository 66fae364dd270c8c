//! The threads of a node.
//!
//! The audience, the stage and the operator have a runtime each: whatever the audience does to its own
//! threads, the host's commands and the sources are heard.

use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

use crate::fanout::{self, Fanout};
use crate::net::ListenerSpec;

/// Threads of the stage's runtime: enough that one source's decoding never holds up another's.
const STAGE_THREADS: usize = 2;

/// The three halls of a node, which share no thread.
pub(crate) struct Runtimes {
    /// Who listens.
    pub(crate) audience: Runtime,
    /// Who is on the stage.
    pub(crate) stage: Runtime,
    /// Who runs the node.
    pub(crate) ops: Runtime,
}

impl Runtimes {
    /// Starts their threads.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let build = |name: &str, threads: usize| {
            let built =
                Builder::new_multi_thread().worker_threads(threads).thread_name(name).enable_all().build();
            built.with_context(|| format!("cannot start the threads of the {name} side"))
        };
        Ok(Self {
            audience: build("audience", cores())?,
            stage: build("stage", STAGE_THREADS)?,
            ops: build("ops", 1)?,
        })
    }

    /// The threads that send the program to the audience, of a listener made so.
    pub(crate) fn fanout(&self, spec: &ListenerSpec) -> anyhow::Result<Fanout> {
        let begin = fanout::Begin {
            world: spec.world,
            threads: cores(),
            name: "fanout",
            sent_bytes: spec.metrics.listener(spec.name).sent_bytes,
            runtime: self.audience.handle().clone(),
            on_start: Arc::new(|| {}),
        };
        Fanout::start(&begin).context("cannot start the threads that send the program")
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
