//! A node: every part is built once, in order, and drained in reverse.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Builder;

use crate::api::{self, Api};
use crate::config::{Config, LogFormat};
use crate::keys;
use crate::net::{self, Bound, Limits, ListenerSpec, Trusted};
use crate::ops::logs::{self, Format};
use crate::ops::{self, Checks, Metrics};
use crate::rooms::{Rooms, Setup};
use crate::shutdown;
use crate::store::Store;
use crate::webhook::Webhooks;
use crate::world::World;

/// How long listeners may take to end politely.
const DRAIN: Duration = Duration::from_secs(10);

/// Runs a node until a signal ends it.
///
/// # Errors
/// What kept it from starting.
pub fn run(config: Config) -> anyhow::Result<()> {
    let world = World::begin();
    let format = match config.log_format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    logs::begin(&config.log_filter, format)?;
    let descriptors = net::raise_descriptors().context("the limit of open files cannot be read")?;
    let data = config.data.clone();
    std::fs::create_dir_all(&data).with_context(|| format!("{} cannot be made", data.display()))?;
    let key = Arc::new(keys::node_key(&data, world)?);
    let operator = keys::operator_key(&data, config.operator_key.as_ref(), world)?;
    let store = Store::open(&data)?;
    let (trigger, ending) = shutdown::pair();
    let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("stage").enable_all().build()?;
    let config = Arc::new(config);
    runtime.block_on(async {
        let metrics = Metrics::new(&data);
        let webhooks = Webhooks::start(&config);
        let setup = Setup { config: Arc::clone(&config), store, key, webhooks, world };
        let rooms = Rooms::open(setup).await?;
        let spec = ListenerSpec {
            name: "stage",
            tls: None,
            trusted: Trusted::new(config.trusted_proxy.iter().copied()),
            limits: Limits::stage(descriptors),
            take_source: None,
            metrics: Arc::clone(&metrics),
            world,
        };
        let app = api::router(Api::new(rooms.clone(), operator.hash()));
        let stage = net::serve(Bound::open(&[config.stage])?, spec.clone(), app, ending.clone());
        let spec = ListenerSpec { name: "ops", limits: Limits::ops(), ..spec };
        let health = ops::router(metrics, Checks::new(ending.clone()));
        let ops_task = net::serve(Bound::open(&[config.ops])?, spec, health, ending);
        tracing::info!(stage = %config.stage, ops = %config.ops, "started");
        trigger.follow_signals(DRAIN).await?;
        stage.await?;
        ops_task.await?;
        rooms.shut_down().await;
        Ok(())
    })
}
