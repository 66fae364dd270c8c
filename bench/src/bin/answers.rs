//! What the door's short answers cost: the node beside nginx, which has the same bytes to give.
//!
//! `answers [nginx|nginx-read|tribune|before]…` prints a line of JSON for each: processor time, user and
//! system, less what the server takes when nobody asks, for one status on a connection that is kept (wrk),
//! for one ticket on a connection of its own (a crowd from a million addresses; nginx answers with as long
//! a body), and for one full TLS 1.3 handshake with a status. nginx sends its file by `sendfile`, or reads
//! it (`nginx-read`). `before` is the node at `TRIBUNE_BEFORE`.
//!
//! All of them run on one processor, and who asks on the other; in each round each is asked for a short
//! while, one after another, so that whatever else the machine does disturbs all alike. A figure is the
//! median of its rounds, a ratio that of the ratios to the first server in the same round.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tribune_bench::beside::{on_first, tell};
use tribune_bench::fanout::secure::Files;
use tribune_bench::handshakes::shake;
use tribune_bench::idle::{Idle, stay_on};
use tribune_bench::nginx::{Nginx, Wanted, program};
use tribune_bench::node::{Node, binary, cpu_s};
use tribune_rehearsal::crowd::{ARRIVALS, Ask, Crowd};

const ROOM: &str = "answers";
/// A server is asked for so long at a time, so often.
const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: u32 = 8;
/// Connections that are kept.
const AT_ONCE: u32 = 100;
/// Newcomers who take a ticket: as many as one generator of this machine keeps up with.
const TICKETS_PER_S: u32 = 10_000;
const CAP: u32 = 1_000_000;

/// What is asked, and how.
struct Kind {
    name: &'static str,
    is_secure: bool,
    rounds: u32,
    lasting: Duration,
}

/// Handshakes are asked for once: of those that a round leaves unfinished the node makes up its mind.
const KINDS: [Kind; 3] = [
    Kind { name: "status", is_secure: false, rounds: ROUNDS, lasting: ROUND },
    Kind { name: "ticket", is_secure: false, rounds: ROUNDS, lasting: ROUND },
    Kind { name: "handshake", is_secure: true, rounds: 1, lasting: Duration::from_secs(8) },
];

fn main() -> anyhow::Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let names = if given.is_empty() { ["nginx", "tribune"].map(str::to_owned).to_vec() } else { given };
    stay_on(1);
    let folder = std::env::temp_dir().join(format!("answers-bench-{}", std::process::id()));
    let idle = Idle::watch();
    let measured = measure(&names, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    let late_ms = idle.late_ms();
    let (measured, why) = match measured {
        Ok(measured) => (measured, None),
        Err(error) => (vec![json!({}); names.len()], Some(format!("{error:#}"))),
    };
    for (name, mut line) in names.iter().zip(measured) {
        line["measured"] = "answers".into();
        line["server"] = name.as_str().into();
        line["to"] = names[0].as_str().into();
        line["idle_late_ms"] = late_ms.clone();
        if let Some(why) = &why {
            line["not_measured"] = why.as_str().into();
        }
        tell(&line)?;
    }
    Ok(())
}

/// Answers in a while, and what of them was none.
struct Answered {
    well: u64,
    otherwise: u64,
}

/// Rounds of one kind, for each server.
fn measure(names: &[String], folder: &Path) -> anyhow::Result<Vec<Value>> {
    let tls = Files::make(folder)?;
    let mut lines = vec![json!({}); names.len()];
    for kind in KINDS {
        let tls = kind.is_secure.then_some(&tls);
        let servers: anyhow::Result<Vec<_>> =
            names.iter().map(|name| Server::start(name, (folder, tls))).collect();
        let servers = servers?;
        let idle: anyhow::Result<Vec<_>> = servers.iter().map(Server::idle_cores).collect();
        let idle = idle?;
        let mut rounds = vec![Vec::new(); servers.len()];
        for _ in 0..kind.rounds {
            for ((server, idle_cores), costs) in servers.iter().zip(&idle).zip(&mut rounds) {
                costs.push(server.cost_of(*idle_cores, |at| match (kind.name, tls) {
                    ("status", _) => statuses(at, kind.lasting),
                    ("ticket", _) => tickets(at, kind.lasting),
                    (_, Some(files)) => handshakes(at, files, kind.lasting),
                    (other, None) => bail!("{other} is none of what is asked"),
                })?);
            }
        }
        let first = rounds[0].clone();
        for (line, costs) in lines.iter_mut().zip(&rounds) {
            let ratios = costs.iter().zip(&first).map(|(cost, first)| cost.each_us / first.each_us);
            line[kind.name] = json!({
                "each_us": median(costs.iter().map(|cost| cost.each_us)), "cost_to_first": median(ratios),
                "per_s": median(costs.iter().map(|cost| cost.per_s)),
                "cores": median(costs.iter().map(|cost| cost.cores)),
                "answered_otherwise": costs.iter().map(|cost| cost.otherwise).sum::<u64>(),
            });
        }
    }
    Ok(lines)
}

fn median(of: impl Iterator<Item = f64>) -> f64 {
    let mut of: Vec<f64> = of.collect();
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What one round cost.
#[derive(Clone)]
struct Cost {
    each_us: f64,
    per_s: f64,
    cores: f64,
    otherwise: u64,
}

/// A server on the first processor.
enum Server {
    Nginx(Nginx),
    Node(Node),
}

impl Server {
    fn start(name: &str, (folder, tls): (&Path, Option<&Files>)) -> anyhow::Result<Self> {
        match name {
            "nginx" => nginx((folder, tls), "sendfile on; tcp_nopush on;"),
            "nginx-read" => nginx((folder, tls), "sendfile off;"),
            "tribune" => node(&binary(), tls),
            "before" => {
                node(&PathBuf::from(std::env::var_os("TRIBUNE_BEFORE").context("TRIBUNE_BEFORE")?), tls)
            }
            other => bail!("{other} is none of nginx, nginx-read, tribune, before"),
        }
    }

    fn at(&self) -> anyhow::Result<SocketAddr> {
        match self {
            Self::Nginx(nginx) => Ok(nginx.at),
            Self::Node(node) => {
                let (_, at) = node.public.split_once("://").context("an address has a scheme")?;
                Ok(at.parse()?)
            }
        }
    }

    fn cpu_s(&self) -> anyhow::Result<f64> {
        match self {
            Self::Nginx(nginx) => cpu_s(nginx.pid()),
            Self::Node(node) => node.cpu_s(),
        }
    }

    /// What it takes when nobody asks.
    fn idle_cores(&self) -> anyhow::Result<f64> {
        let (began, before) = (Instant::now(), self.cpu_s()?);
        std::thread::sleep(ROUND);
        Ok((self.cpu_s()? - before) / began.elapsed().as_secs_f64())
    }

    /// What one of these answers costs.
    fn cost_of(
        &self,
        idle_cores: f64,
        ask: impl FnOnce(SocketAddr) -> anyhow::Result<Answered>,
    ) -> anyhow::Result<Cost> {
        let (began, before) = (Instant::now(), self.cpu_s()?);
        let Answered { well, otherwise } = ask(self.at()?)?;
        let took_s = began.elapsed().as_secs_f64();
        let spent_s = self.cpu_s()? - before - idle_cores * took_s;
        Ok(Cost {
            each_us: spent_s * 1e6 / well.max(1) as f64,
            per_s: well as f64 / took_s,
            cores: spent_s / took_s,
            otherwise,
        })
    }
}

fn node(program: &Path, tls: Option<&Files>) -> anyhow::Result<Server> {
    let mut command = on_first(program);
    if let Some(files) = tls {
        command.env("TRIBUNE_TLS_CERT", &files.cert).env("TRIBUNE_TLS_KEY", &files.key);
    }
    let node = Node::start_by(command)?;
    node.live_room(ROOM)?;
    node.api(&format!("/api/v1/rooms/{ROOM}/cap"), &json!({"cap": CAP, "override": true}))?;
    node.is_measured(ROOM)?;
    Ok(Server::Node(node))
}

/// One process that gives what a status is from a file, and as long a body as a ticket has.
fn nginx((folder, tls): (&Path, Option<&Files>), sends: &str) -> anyhow::Result<Server> {
    let (status, ticket_bytes) = node_says()?;
    let folder = folder.join(sends.replace([' ', ';'], ""));
    let files = folder.join("files").join(ROOM);
    std::fs::create_dir_all(&files)?;
    std::fs::write(files.join("status"), status)?;
    let gives = format!(
        "root {}/files; location = /{ROOM}/ticket {{ return 200 \"{}\"; }}\n\
         add_header Cache-Control \"public, max-age=2, stale-while-revalidate=10, stale-if-error=60\";",
        folder.display(),
        "x".repeat(ticket_bytes),
    );
    let wanted = Wanted { folder: &folder, tls, http: sends, server: &gives };
    Ok(Server::Nginx(Nginx::start(on_first(&program()?), &wanted)?))
}

/// What a node says of a room like the one that is measured: its status, and how long a ticket is, in bytes.
fn node_says() -> anyhow::Result<(Vec<u8>, usize)> {
    let node = Node::start_by(Command::new(binary()))?;
    node.live_room(ROOM)?;
    node.is_measured(ROOM)?;
    let mut ticket = ureq::post(format!("{}/{ROOM}/ticket", node.public)).send_empty()?;
    let ticket = ticket.body_mut().read_to_vec()?;
    Ok((node.status(ROOM)?.to_string().into_bytes(), ticket.len()))
}

fn tickets(at: SocketAddr, lasting: Duration) -> anyhow::Result<Answered> {
    let request = format!(
        "POST /{ROOM}/ticket HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    let asks = vec![Ask { request: request.into_bytes() }];
    let crowd = Crowd { node: at, wing: ARRIVALS, asks, per_s: TICKETS_PER_S, lasting };
    let came = crowd.come()?;
    ensure!(came.kept_home == 0, "{} could not come: descriptors", came.kept_home);
    let well = came.hundred(2);
    Ok(Answered { well, otherwise: came.due - well })
}

fn handshakes(at: SocketAddr, files: &Files, lasting: Duration) -> anyhow::Result<Answered> {
    let (well, otherwise) = shake((at, &format!("/{ROOM}/status")), files, lasting)?;
    Ok(Answered { well, otherwise })
}

/// On connections that are kept.
fn statuses(at: SocketAddr, lasting: Duration) -> anyhow::Result<Answered> {
    let mut command = Command::new("wrk");
    command.args(["-t", "1", "-c", &AT_ONCE.to_string(), "-d", &lasting.as_secs().to_string()]);
    let out = command.arg(format!("http://{at}/{ROOM}/status")).output().context("wrk does not start")?;
    let text = String::from_utf8_lossy(&out.stdout);
    ensure!(out.status.success(), "wrk: {text}{}", String::from_utf8_lossy(&out.stderr));
    let number = |line: Option<&str>| line.and_then(|line| line.trim().parse::<u64>().ok());
    let asked = text.lines().find_map(|line| line.split_once(" requests in ").map(|(count, _)| count));
    let asked = number(asked).context("wrk says how many")?;
    let after = |words: &str| text.lines().find_map(|line| line.trim().strip_prefix(words));
    let wrong = number(after("Non-2xx or 3xx responses:")).unwrap_or(0);
    let broken: u64 = after("Socket errors:")
        .unwrap_or_default()
        .split([' ', ','])
        .filter_map(|word| word.parse::<u64>().ok())
        .sum();
    Ok(Answered { well: asked.saturating_sub(wrong), otherwise: wrong + broken })
}
