//! One case against one node.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tribune_core::time::WallTime;
use tribune_rehearsal::replay::{Played, Site};
use tribune_rehearsal::source::Framing;

use super::case::Case;
use super::watch::{Sample, watch};
use super::{disk, score, tool};
use crate::beeps;
use crate::evening::merge;
use crate::idle::Idle;
use crate::node::{Node, binary};
use crate::source::{Sender, Speech, send_until};

const ROOM: &str = "bench";
/// Seats for everybody, also for those who draw tickets and never come.
const CAP: u32 = 1_000_000;
/// The source says the same again and again.
const SPEECH_S: usize = 10;
const BIT_RATE: u32 = 64_000;
/// How long the room may take until a segment can be fetched, and the node to measure itself.
const READY_WAIT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(200);
/// Everybody begins together, a moment after all threads run.
const TOGETHER: Duration = Duration::from_millis(300);
/// The verdict is read for so long after the last line.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// Starts a node with a live room, plays the case, and says in one object how the node did.
///
/// # Errors
/// The node does not start, the room is not heard, or the case cannot be played.
pub fn run(case: &Case) -> anyhow::Result<Value> {
    let node = Node::start_by(Command::new(binary()))?;
    let key = announced(&node)?;
    let speech = Speech::code(&beeps::sound(SPEECH_S), BIT_RATE)?;
    let is_over = AtomicBool::new(false);
    let over = || is_over.load(Ordering::Relaxed);
    let path = format!("/{ROOM}/source");
    std::thread::scope(|scope| {
        let sender =
            Sender { stage: &node.stage, path: &path, key: &key, framing: Framing::Chunked, ppm: 0.0 };
        let speaking = scope.spawn(move || send_until(&sender, &speech, over));
        let played = play(&node, case);
        is_over.store(true, Ordering::Relaxed);
        let (played, mut measured) = played?;
        speaking.join().map_err(|_| anyhow::anyhow!("the source died"))??;
        merge(&mut measured, score::traffic(case, &played));
        Ok(measured)
    })
}

/// A room that was announced for now, and is live.
fn announced(node: &Node) -> anyhow::Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("it is after 1970")?;
    let starts_at = WallTime(i64::try_from(now.as_millis())?).rfc3339();
    let room = json!({"room": ROOM, "title": "A case", "starts_at": starts_at});
    let made = node.api("/api/v1/rooms", &room)?;
    node.api(&format!("/api/v1/rooms/{ROOM}/live"), &json!({}))?;
    node.api(&format!("/api/v1/rooms/{ROOM}/cap"), &json!({"cap": CAP, "override": true}))?;
    Ok(made["keys"]["speaker"].as_str().context("a new room has keys")?.to_owned())
}

fn play(node: &Node, case: &Case) -> anyhow::Result<(Played, Value)> {
    let address: SocketAddr = node.public.trim_start_matches("http://").parse()?;
    let site = ready(node, address)?;
    let (idle, cpu_s) = (Idle::watch(), node.cpu_s()?);
    let began = Instant::now() + TOGETHER;
    let until = began + case.script.lasting() + AFTERWARDS;
    let mut told = json!({});
    let (played, samples) = std::thread::scope(|scope| -> anyhow::Result<(Played, Vec<Sample>)> {
        let watching = scope.spawn(|| watch(address, ROOM, began, || Instant::now() >= until));
        let failing = case.outage.map(|outage| scope.spawn(move || disk::fail(node.pid(), began, outage)));
        let attacking = case.attack.as_ref().map(|attack| {
            let counting = scope.spawn(|| tool::count(node, began, || Instant::now() >= until));
            (attack, scope.spawn(move || attack.play((address, ROOM), began)), counting)
        });
        std::thread::sleep(began.saturating_duration_since(Instant::now()));
        let mut played = case.script.play(&site, began)?;
        if let Some((attack, attacking, counting)) = attacking {
            let attacked = attacking.join().map_err(|_| anyhow::anyhow!("who attacks died"))??;
            let counts = counting.join().map_err(|_| anyhow::anyhow!("who counts died"))??;
            played.attack = attack.side(&attacked, &counts, &played.honest);
            told = attack.told(&attacked, &counts);
        }
        if let Some(failing) = failing {
            failing.join().map_err(|_| anyhow::anyhow!("who fills the disk died"))??;
        }
        let samples = watching.join().map_err(|_| anyhow::anyhow!("who reads the verdict died"))??;
        Ok((played, samples))
    })?;
    let node_cores = (node.cpu_s()? - cpu_s) / began.elapsed().as_secs_f64();
    let stalls = idle.stalls();
    let mut measured = score::score(case, &played, &samples);
    let beside = json!({
        "node_cores": (node_cores * 100.0).round() / 100.0,
        "idle_late_ms": stalls.late_ms, "idle_late_20_ms": stalls.over_20_ms,
    });
    merge(&mut measured, beside);
    merge(&mut measured, told);
    Ok((played, measured))
}

/// Waits until the node has measured itself and a segment can be fetched.
fn ready(node: &Node, address: SocketAddr) -> anyhow::Result<Site> {
    let began = Instant::now();
    loop {
        let is_measured = node.status(ROOM)?["seats"]["measured"].is_u64();
        match Site::look(address, ROOM) {
            Ok(site) if is_measured => return Ok(site),
            Err(error) if began.elapsed() > READY_WAIT => return Err(error),
            Ok(_) if began.elapsed() > READY_WAIT => bail!("the node has not measured itself in a minute"),
            Ok(_) | Err(_) => std::thread::sleep(LOOK),
        }
    }
}
