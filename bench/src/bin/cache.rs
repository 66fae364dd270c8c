//! What players of low-latency HLS cost a node: directly, and behind a cache (nginx) that keeps what
//! `Cache-Control` allows and asks once for all who wait.
//!
//! `cache [PLAYERS]` prints one line of JSON: processors and requests of the node, and processors of nginx,
//! with one player and with all of them behind it, and with all of them at the node itself. The node and
//! nginx run on the first processor, the players on the other.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tribune_bench::beside::{on_first, tell};
use tribune_bench::idle::{Idle, stay_on};
use tribune_bench::nginx::{Nginx, Wanted, program};
use tribune_bench::node::{Node, binary, cpu_s};

const ROOM: &str = "cache";
const RENDITION: &str = "opus64";
const PLAYERS: u64 = 500;
const LASTING: Duration = Duration::from_secs(20);
/// A segment has so many parts.
const SEGMENT_PARTS: u64 = 6;
/// Players are threads that mostly wait.
const STACK_BYTES: usize = 256 << 10;

fn main() -> anyhow::Result<()> {
    let players = std::env::args().nth(1).map_or(Ok(PLAYERS), |count| count.parse())?;
    stay_on(1);
    let node = Node::start_by(on_first(&binary()))?;
    node.live_room(ROOM)?;
    node.is_measured(ROOM)?;
    let folder = std::env::temp_dir().join(format!("cache-bench-{}", std::process::id()));
    let keeps = format!("proxy_cache_path {}/cache keys_zone=live:10m;", folder.display());
    let passes = format!(
        "location / {{ proxy_pass {}; proxy_http_version 1.1; proxy_cache live; proxy_cache_lock on;\n\
         proxy_cache_lock_timeout 10s; proxy_cache_lock_age 10s; }}",
        node.public
    );
    let wanted = Wanted { folder: &folder, tls: None, http: &keeps, server: &passes };
    let nginx = Nginx::start(on_first(&program()?), &wanted)?;
    let own = node.public.trim_start_matches("http://").parse()?;
    let idle = Idle::watch();
    let measured = json!({
        "measured": "cache", "players": players, "seconds": LASTING.as_secs(),
        "nobody": hear((&node, &nginx), nginx.at, 0)?, "one_behind": hear((&node, &nginx), nginx.at, 1)?,
        "all_behind": hear((&node, &nginx), nginx.at, players)?,
        "all_direct": hear((&node, &nginx), own, players)?,
        "idle_late_ms": idle.late_ms(),
    });
    drop(nginx);
    let _ = std::fs::remove_dir_all(&folder);
    tell(&measured)
}

/// So many players hear for a while.
fn hear((node, nginx): (&Node, &Nginx), at: SocketAddr, players: u64) -> anyhow::Result<Value> {
    let (heard, broke) = (AtomicU64::new(0), AtomicU64::new(0));
    let requests = || node.metric("tribune_http_requests_total");
    let (asked, spent, nginx_spent) = (requests()?, node.cpu_s()?, cpu_s(nginx.pid())?);
    let began = Instant::now();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        for _ in 0..players {
            let player = || match follow(at, began + LASTING) {
                Ok(parts) => heard.fetch_add(parts, Ordering::Relaxed),
                Err(_) => broke.fetch_add(1, Ordering::Relaxed),
            };
            std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, player)?;
        }
        if players == 0 {
            std::thread::sleep(LASTING);
        }
        Ok(())
    })?;
    let took_s = began.elapsed().as_secs_f64();
    Ok(json!({
        "node_cores": (node.cpu_s()? - spent) / took_s,
        "nginx_cores": (cpu_s(nginx.pid())? - nginx_spent) / took_s,
        "node_requests_per_s": (requests()? - asked) / took_s,
        "parts_per_player": heard.into_inner() as f64 / players.max(1) as f64, "broke": broke.into_inner(),
    }))
}

/// Follows the newest part by blocking reloads until a moment; how many parts came.
fn follow(at: SocketAddr, until: Instant) -> anyhow::Result<u64> {
    ensure!(at.ip().is_loopback(), "only a node of this machine is asked");
    let agent: ureq::Agent = ureq::Agent::config_builder().build().into();
    let get = |path: &str| -> anyhow::Result<Vec<u8>> {
        let url = format!("http://{at}/{ROOM}/{path}");
        Ok(agent.get(&url).call().with_context(|| url.clone())?.body_mut().read_to_vec()?)
    };
    get("live.m3u8")?;
    let playlist = String::from_utf8(get(&format!("hls/{RENDITION}.m3u8"))?)?;
    let newest = playlist.lines().rfind(|line| line.starts_with("#EXT-X-PART:")).context("no part")?;
    let newest =
        newest.split("URI=\"").nth(1).and_then(|rest| rest.split('"').next()).context("no address")?;
    let (folder, name) = newest.rsplit_once('/').context("a part is in a folder")?;
    let mut number: u64 = name.split('.').next().context("a part has a number")?.parse()?;
    let mut parts = 0;
    while Instant::now() < until {
        number += 1;
        let (segment, part) = (number / SEGMENT_PARTS, number % SEGMENT_PARTS);
        get(&format!("hls/{RENDITION}.m3u8?_HLS_msn={segment}&_HLS_part={part}"))?;
        ensure!(!get(&format!("hls/{folder}/{number}.part.mp4"))?.is_empty(), "an empty part");
        parts += 1;
    }
    Ok(parts)
}
