//! The self-test's own listener, made as the audience's is.

use std::sync::Arc;

use tokio::runtime::Handle;
use tribune_core::door::capacity::TIERS;

use super::used::Threads;
use super::{Trial, TrialError};
use crate::fanout::{self, Fanout};
use crate::net::tls::Certificates;
use crate::net::{Gated, Limits, ListenerSpec, Trusted};
use crate::ops::Metrics;

/// What it is made of.
pub(super) struct Begin<'a> {
    pub(super) trial: &'a Trial,
    pub(super) tls: Option<Arc<Certificates>>,
    pub(super) metrics: Arc<Metrics>,
    /// So many come at most, for each way of being served.
    pub(super) weighed: u64,
    /// The threads that serve are noted there.
    pub(super) threads: &'a Threads,
}

impl Begin<'_> {
    /// With threads of its own that send, beside this runtime.
    pub(super) fn on(self, runtime: &Handle) -> Result<ListenerSpec, TrialError> {
        let Self { trial, tls, metrics, weighed, threads } = self;
        let (name, world, sending) = ("public", trial.world, threads.clone());
        let limits = Limits {
            connections_max: weighed as u32 * TIERS as u32 + 16,
            ..Limits::public(trial.descriptors)
        };
        let fanout = Fanout::start(&fanout::Begin {
            world,
            threads: trial.threads,
            name: "self-test-out",
            sent_bytes: metrics.listener(name).sent_bytes,
            runtime: runtime.clone(),
            on_start: Arc::new(move || sending.note()),
        })?;
        Ok(ListenerSpec {
            name,
            tls,
            trusted: Trusted::default(),
            limits,
            take_source: None,
            gated: Gated::No,
            fanout: Some(fanout),
            ready: None,
            watch: None,
            metrics,
            world,
        })
    }
}
