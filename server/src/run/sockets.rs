//! Where a node listens: sockets of its own, or such as were handed to it.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::runtime::Runtime;

use super::Listening;
use crate::config::Config;
use crate::net::{Again, Bound, Handed};
use crate::runtimes::Runtimes;
use crate::stage::Sockets as MediaSockets;

/// Sockets that are ours, not yet served.
pub(super) struct Sockets {
    pub(super) public: Bound,
    pub(super) stage: Bound,
    pub(super) ops: Bound,
    pub(super) media: MediaSockets,
    pub(super) redirect: Option<Bound>,
    pub(super) listening: Listening,
    /// Those that listen on while this process begins again.
    pub(super) again: Again,
}

pub(super) fn bind(config: &Config, runtimes: &Runtimes, mut handed: Handed) -> anyhow::Result<Sockets> {
    let mut open = |runtime: &Runtime, addr: SocketAddr| {
        let _on = runtime.enter();
        Bound::open_with(&mut handed, &[addr])
    };
    let public = open(&runtimes.audience, config.listen)?;
    let stage = open(&runtimes.stage, config.stage)?;
    let ops = open(&runtimes.ops, config.ops)?;
    let redirect = config.redirect_at().map(|addr| open(&runtimes.audience, addr)).transpose()?;
    handed.is_used_up()?;
    let media = MediaSockets::open(config.media)?;
    let all = [&public, &stage, &ops].into_iter().chain(&redirect);
    let all: std::io::Result<Vec<_>> = all.map(Bound::again).collect();
    let all = all.context("no descriptor is left to listen with")?.into_iter().flatten().collect();
    let again = Again::new(all);
    let listening = Listening {
        public: public.addrs(),
        stage: stage.addrs(),
        ops: ops.addrs(),
        media: media.at,
        tls: config.tls_cert.is_some() || config.acme.is_some(),
    };
    Ok(Sockets { public, stage, ops, media, redirect, listening, again })
}

/// Port 0 means any free one; links must name the one it became.
pub(super) fn with_real_ports(mut config: Config, sockets: &Sockets) -> Config {
    let first = |addrs: &[SocketAddr], asked: SocketAddr| addrs.first().copied().unwrap_or(asked);
    config.listen = first(&sockets.listening.public, config.listen);
    config.stage = first(&sockets.listening.stage, config.stage);
    config.ops = first(&sockets.listening.ops, config.ops);
    config.media = sockets.listening.media;
    config
}
