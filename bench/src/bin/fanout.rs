//! What it takes to send the program to very many, and how a storm of newcomers fares: the node beside a bare
//! loop that only sends, each in turn on one processor, the listeners on the other.
//!
//! `fanout [COUNT] [bare|tribune|icecast|before|bare-six|tribune-six|bare-tls|tribune-tls]…` prints a line of
//! JSON for each: processor time for each listener and second, less what the server takes when nobody
//! listens; memory; how long those who came within one second waited for their first sound, from the moment
//! they were due; and the longest gap of the thousand who were there before. By TLS they come within as
//! long as their handshakes take. `before` is the node at `TRIBUNE_BEFORE`. Sends to this machine only.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tribune_bench::beside::{at_share, on_first, tell, until};
use tribune_bench::fanout::bare;
use tribune_bench::fanout::ears::Ears;
use tribune_bench::fanout::secure::Files;
use tribune_bench::icecast::{Icecast, PASSWORD};
use tribune_bench::idle::{Idle, stay_on};
use tribune_bench::node::{Node, binary, cpu_s, kernel_tcp_mib, resident_bytes};

const ROOM: &str = "fanout";
/// For so many a node with 20,000 descriptors has room beside its stage.
const COUNT: u32 = 17_000;
/// They are there before the others come.
const FIRST: u32 = 1_000;
const FIRST_SPAN: Duration = Duration::from_secs(2);
/// All others come within this.
const STORM: Duration = Duration::from_secs(1);
/// But by TLS only so many a second: a handshake costs as much as a listener does in fifteen seconds.
const HANDSHAKES_PER_S: u32 = 1_000;
const SETTLE: Duration = Duration::from_secs(4);
/// How long processor time is measured: sixty parts, or ten times six.
const SPAN: Duration = Duration::from_millis(19_200);
/// Sound for 320 ms at 64 kbit/s, with what is around it.
const PART_BYTES: usize = 2_640;
const PART: Duration = Duration::from_millis(320);
const SEGMENT_PARTS: u32 = 6;
/// What a node measured of itself, in its data folder.
const COSTS_FILE: &str = "capacity.json";
const SCARCE: f64 = 4.0;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, every_ms, bytes, folder @ ..] = &words[..]
        && word == "send"
    {
        let every = Duration::from_millis(every_ms.parse()?);
        let tls = folder.first().map(|folder| Files::at(Path::new(folder)).server()).transpose()?;
        return bare::serve((every, bytes.parse()?), tls, |at| {
            drop(writeln!(std::io::stdout(), "listen {at}"))
        });
    }
    let (count, servers) = match words.split_first() {
        Some((count, servers)) if count.parse::<u32>().is_ok() => (count.parse()?, servers),
        _ => (COUNT, &words[..]),
    };
    let all = ["tribune", "bare"].map(str::to_owned);
    stay_on(1);
    for server in if servers.is_empty() { &all[..] } else { servers } {
        let line = match measure(server, count) {
            Ok(line) => line,
            Err(error) => {
                json!({"measured": "fanout", "server": server, "not_measured": format!("{error:#}")})
            }
        };
        tell(&line)?;
    }
    Ok(())
}

/// A server on the first processor.
enum Server {
    Bare(Child, SocketAddr),
    Node(Node),
    /// And the source that sends to it.
    Icecast(Icecast, Child),
}

/// What it presents, where TLS is spoken.
fn certificate(name: &str) -> anyhow::Result<Option<(PathBuf, Files)>> {
    if !name.ends_with("-tls") {
        return Ok(None);
    }
    let folder = std::env::temp_dir().join(format!("fanout-bench-{}", std::process::id()));
    let files = Files::make(&folder)?;
    Ok(Some((folder, files)))
}

impl Server {
    fn start(name: &str, tls: Option<&(PathBuf, Files)>) -> anyhow::Result<Self> {
        match name.trim_end_matches("-tls") {
            "bare" => bare((PART, PART_BYTES), tls),
            "bare-six" => bare((PART * SEGMENT_PARTS, PART_BYTES * SEGMENT_PARTS as usize), tls),
            "tribune" => Ok(Self::Node(node(&binary(), tls)?)),
            "tribune-six" => Ok(Self::Node(longer_parts()?)),
            "before" => {
                let program = std::env::var_os("TRIBUNE_BEFORE").context("TRIBUNE_BEFORE names a node")?;
                Ok(Self::Node(node(Path::new(&program), tls)?))
            }
            "icecast" => icecast(),
            other => bail!("{other} is none of those that `fanout` knows"),
        }
    }

    fn at(&self) -> anyhow::Result<SocketAddr> {
        match self {
            Self::Bare(_, at) => Ok(*at),
            Self::Node(node) => {
                let (_, at) = node.public.split_once("://").context("an address has a scheme")?;
                Ok(at.parse()?)
            }
            Self::Icecast(icecast, _) => Ok(icecast.url.trim_start_matches("http://").parse()?),
        }
    }

    fn pid(&self) -> u32 {
        match self {
            Self::Bare(child, _) => child.id(),
            Self::Node(node) => node.pid(),
            Self::Icecast(icecast, _) => icecast.pid(),
        }
    }
}

fn bare((every, bytes): (Duration, usize), tls: Option<&(PathBuf, Files)>) -> anyhow::Result<Server> {
    let mut command = on_first(&std::env::current_exe()?);
    command.args(["send", &every.as_millis().to_string(), &bytes.to_string()]);
    command.args(tls.map(|(folder, _)| folder));
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().context("stdout is piped")?;
    let line = BufReader::new(out).lines().next().context("it ended")??;
    let at = line.strip_prefix("listen ").context("it listens")?.parse()?;
    Ok(Server::Bare(child, at))
}

/// A node that has measured itself, with a room that takes as many as come.
fn node(program: &Path, tls: Option<&(PathBuf, Files)>) -> anyhow::Result<Node> {
    let mut command = on_first(program);
    if let Some((_, files)) = tls {
        command.env("TRIBUNE_TLS_CERT", &files.cert).env("TRIBUNE_TLS_KEY", &files.key);
    }
    opened(Node::start_by(command)?)
}

fn opened(node: Node) -> anyhow::Result<Node> {
    node.live_room(ROOM)?;
    node.api(&format!("/api/v1/rooms/{ROOM}/cap"), &json!({"cap": COUNT * 2, "override": true}))?;
    node.is_measured(ROOM)?;
    Ok(node)
}

/// A node that takes its processor for scarce, so that its ladder goes to longer parts when many come: of
/// what the node itself measured, all but those parts is said to cost this many times as much.
fn longer_parts() -> anyhow::Result<Node> {
    let mut costs = node(&binary(), None)?.kept(COSTS_FILE)?;
    for way in 0..2 {
        let ms = &mut costs["costs"]["processor_ms"][way];
        *ms = json!(ms.as_f64().context("a cost for each way of being served")? * SCARCE);
    }
    let put = |data: &Path| Ok(std::fs::write(data.join(COSTS_FILE), costs.to_string())?);
    opened(Node::start_with(on_first(&binary()), put)?)
}

/// Icecast with as long pages as the others have, and nothing of what was before for who comes.
fn icecast() -> anyhow::Result<Server> {
    let icecast = Icecast::start_by(on_first(Path::new("icecast2")), (COUNT * 2, PART_BYTES as u32))?;
    let to = icecast.url.replace("http://", &format!("icecast://source:{PASSWORD}@"));
    let source = Command::new("ffmpeg")
        .args(["-v", "error", "-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"])
        .args(["-c:a", "libopus", "-b:a", "64k", "-vbr", "off", "-page_duration", "320000"])
        .args(["-content_type", "application/ogg", "-f", "ogg", &format!("{to}/{ROOM}/live.opus")])
        .stdin(Stdio::null())
        .spawn()
        .context("ffmpeg does not start")?;
    std::thread::sleep(SETTLE);
    Ok(Server::Icecast(icecast, source))
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Bare(child, _) | Self::Icecast(_, child) = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn measure(name: &str, count: u32) -> anyhow::Result<Value> {
    let tls = certificate(name)?;
    let server = Server::start(name, tls.as_ref())?;
    let (at, pid, path) = (server.at()?, server.pid(), format!("/{ROOM}/live.opus"));
    let cores = |ears: &mut Ears| -> anyhow::Result<(f64, tribune_bench::fanout::ears::Heard)> {
        let (began, before) = (Instant::now(), cpu_s(pid)?);
        let heard = ears.hear(SPAN)?;
        Ok(((cpu_s(pid)? - before) / began.elapsed().as_secs_f64(), heard))
    };
    let believed = tls.as_ref().map(|(_, files)| files.client()).transpose()?;
    let mut ears = Ears::new(believed)?;
    let (idle_cores, _) = cores(&mut ears)?;
    ears.come((at, &path), FIRST.min(count), FIRST_SPAN)?;
    ears.hear(SETTLE)?;
    let (memory, kernel_mib) = (resident_bytes(pid)?, kernel_tcp_mib()?);
    let storm = count.saturating_sub(FIRST);
    let idle = Idle::watch();
    ears.mark();
    let within = if tls.is_some() { STORM * storm.div_ceil(HANDSHAKES_PER_S) } else { STORM };
    ears.come((at, &path), storm, within)?;
    ears.go_on(SETTLE)?;
    let gaps_there = ears.gaps_ms(FIRST.min(count) as usize);
    let (waits, silent) = ears.waits_ms(storm as usize);
    let storm_late = idle.late_ms();
    let more = resident_bytes(pid)?.saturating_sub(memory);
    if name == "tribune-six" {
        let Server::Node(node) = &server else { bail!("{name} is a node") };
        // Whoever asks keeps listening, or sockets fill up.
        until("everybody is served longer parts", || {
            ears.go_on(PART)?;
            Ok(node.scrape()?.metric_of("tribune_listeners_by_tier", "segments") >= f64::from(count))
        })?;
        ears.go_on(SETTLE)?;
    }
    // A gap that everybody has is the machine's as soon as idle threads were late by as much.
    let idle = Idle::watch();
    let (all_cores, heard) = cores(&mut ears)?;
    let more_kernel_bytes = (kernel_tcp_mib()? - kernel_mib) * f64::from(1 << 20);
    let late = idle.late_ms();
    let marginal_us = (all_cores - idle_cores) * 1e6 / f64::from(count);
    Ok(json!({
        "measured": "fanout", "server": name, "listeners": count,
        "idle_cores": idle_cores, "cores": all_cores, "us_per_listener_s": marginal_us,
        "bytes_per_listener_s": heard.bytes as f64 / f64::from(count) / SPAN.as_secs_f64(),
        "user_bytes_per_listener": more as f64 / f64::from(storm.max(1)),
        // What is on its way, on both ends: who listens is on this machine too.
        "kernel_bytes_per_listener": more_kernel_bytes / f64::from(storm.max(1)),
        "gap_p50_ms": at_share(&heard.gaps_ms, 0.5), "gap_p99_ms": at_share(&heard.gaps_ms, 0.99),
        "gap_max_ms": heard.gaps_ms.last(), "over": heard.over,
        "storm": {
            "first_sound_p50_ms": at_share(&waits, 0.5), "first_sound_p99_ms": at_share(&waits, 0.99),
            "first_sound_max_ms": waits.last(), "silent": silent,
            "gap_of_those_there_max_ms": gaps_there.last(), "idle_late_ms": storm_late,
        },
        "idle_late_ms": late,
    }))
}
