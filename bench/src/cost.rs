//! What a request costs the node, in processor time: one that is served, one that is put off because more
//! come than can be answered, one of a source that is refused for a while, and one of a refused source that
//! knocks on and on.
//!
//! Everybody comes on a connection of their own, asks once and goes. The node's own processor time, user and
//! system, less what it takes when nobody comes, is divided by those who came; what the kernel does on behalf
//! of whoever asks is theirs. It runs on one processor, so that more can come than it answers. Served
//! are asked by 64 threads, one request after another each. Who is refused is accepted and closed, until a
//! source has knocked too often: from then on the kernel drops it, and 64 threads knock. Put off is who comes
//! while crowds do that are too large, and is told from who is served in them by the cost of those.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use socket2::{Domain, Protocol, Socket, Type};
use tribune_rehearsal::crowd::{ARRIVALS, Crowd, MORE_ARRIVALS};

use crate::beside::{on_first, until};
use crate::evening::{ROOM, asks};
use crate::idle::Idle;
use crate::node::{Node, binary};

/// Everything is measured for so long.
const LASTING: Duration = Duration::from_secs(8);
/// Threads that ask, each for one thing at a time.
const ASKERS: u32 = 64;
/// Each of two crowds of which most are put off.
const CROWD_PER_S: u32 = 30_000;
/// Who asks for what is served comes from so many addresses in turn.
const ADDRESSES: u32 = 200;
/// So many sources break the rules, and so many of them are to be refused: the guard may spare a few.
const WRONG: u32 = 200;
const REFUSED: usize = 150;
/// Each of them knocks so often, which the node still closes by itself.
const KNOCKS: u32 = 60;
/// A source is refused when it has broken the rules a few times.
const VIOLATIONS: u32 = 10;
/// Seats for everybody.
const CAP: u32 = 1_000_000;
/// How long an answer that must not come is waited for.
const LOOK: Duration = Duration::from_millis(200);

/// Measures all of them, and says what share of a served page's cost each is; `progress` is told what is
/// being done.
///
/// # Errors
/// The node does not start, or nobody is refused or put off.
pub fn measure(progress: impl Fn(&str)) -> anyhow::Result<Value> {
    let node = Node::start_by(on_first(&binary()))?;
    node.live_room(ROOM)?;
    node.api(&format!("/api/v1/rooms/{ROOM}/cap"), &json!({"cap": CAP, "override": true}))?;
    let at: SocketAddr = node.public.trim_start_matches("http://").parse()?;
    ensure!(at.ip().is_loopback(), "only a node of this machine is asked");
    node.is_measured(ROOM)?;
    let meter = Meter::new(&node)?;
    let idle = Idle::watch();
    let get = |path: &str, more: &str| {
        format!("GET /{ROOM}{path} HTTP/1.1\r\nHost: {at}\r\n{more}Connection: close\r\n\r\n")
    };
    let page = get("", "Accept: text/html\r\nAccept-Encoding: br\r\n");
    progress("cost: who is served");
    let spread = |number: u32| Ipv4Addr::from_bits(0x7f3f_0000 + (number % ADDRESSES) * 256 + 1);
    let served = meter.of(|| ask_on(at, &page, spread))?;
    let status = meter.of(|| ask_on(at, &get("/status", ""), spread))?;
    progress("cost: who is refused");
    let sources = refuse(&node, at)?;
    let refused = meter.of(|| knock_at_doors(&sources, at))?;
    progress("cost: who knocks on and on");
    let one = *sources.first().context("nobody is refused")?;
    drop_by_kernel(one, at)?;
    let dropped = meter.of(|| knock_on(one, at))?;
    progress("cost: who is put off");
    let put_off = meter.of(|| crowds(at))?;
    ensure!(put_off.put_off > 0, "nobody was put off");
    let stalls = idle.stalls();
    let put_off_us = (put_off.cpu_us - put_off.answered as f64 * served.each_us()) / put_off.put_off as f64;
    let share = |us: f64| (us / served.each_us() * 1_000.0).round() / 1_000.0;
    Ok(json!({
        "measured": "cost_of_a_request", "idle_node_cores": meter.idle_cores,
        "served_page": served.told(), "served_status": status.told(), "refused": refused.told(),
        "dropped": dropped.told(), "put_off": put_off.told(), "put_off_each_us": put_off_us,
        "refused_of_served": share(refused.each_us()), "dropped_of_served": share(dropped.each_us()),
        "put_off_of_served": share(put_off_us),
        "idle_late_ms": stalls.late_ms, "idle_late_20_ms": stalls.over_20_ms,
    }))
}

/// What became of those who asked.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    answered: u64,
    put_off: u64,
    closed: u64,
}

/// What they cost.
struct Cost {
    answered: u64,
    put_off: u64,
    closed: u64,
    cpu_us: f64,
}

impl Cost {
    fn all(&self) -> u64 {
        self.answered + self.put_off + self.closed
    }

    /// Microseconds of the node's processor for each.
    fn each_us(&self) -> f64 {
        self.cpu_us / self.all().max(1) as f64
    }

    fn told(&self) -> Value {
        json!({
            "answered": self.answered, "put_off": self.put_off, "closed": self.closed,
            "node_cpu_s": self.cpu_us / 1e6, "each_us": self.each_us(),
        })
    }
}

/// The node's processor time, less what it takes by itself.
struct Meter<'a> {
    node: &'a Node,
    idle_cores: f64,
}

impl<'a> Meter<'a> {
    fn new(node: &'a Node) -> anyhow::Result<Self> {
        let (began, cpu_s) = (Instant::now(), node.cpu_s()?);
        std::thread::sleep(LASTING);
        let idle_cores = (node.cpu_s()? - cpu_s) / began.elapsed().as_secs_f64();
        Ok(Self { node, idle_cores })
    }

    fn of(&self, asked: impl FnOnce() -> anyhow::Result<Asked>) -> anyhow::Result<Cost> {
        let (began, cpu_s) = (Instant::now(), self.node.cpu_s()?);
        let Asked { answered, put_off, closed } = asked()?;
        let spent_s = self.node.cpu_s()? - cpu_s - self.idle_cores * began.elapsed().as_secs_f64();
        Ok(Cost { answered, put_off, closed, cpu_us: spent_s * 1e6 })
    }
}

/// Asks for as long as is measured, each time on a new connection from the address of the number.
fn ask_on(at: SocketAddr, request: &str, from: impl Fn(u32) -> Ipv4Addr + Sync) -> anyhow::Result<Asked> {
    let until = Instant::now() + LASTING;
    let asker = |first: u32| {
        let (mut asked, mut answer) = (Asked::default(), vec![0; 1 << 18]);
        for number in (first..).step_by(ASKERS as usize) {
            if Instant::now() >= until {
                break;
            }
            let mut stream = connect(from(number), at)?;
            // Whoever is refused may be so at any moment.
            let _ = stream.write_all(request.as_bytes());
            let mut read = 0;
            while let Ok(more) = stream.read(&mut answer[read..])
                && more > 0
            {
                read += more;
            }
            match answer.get(..read.min(12)) {
                Some(b"HTTP/1.1 200") => asked.answered += 1,
                Some(b"HTTP/1.1 503") => asked.put_off += 1,
                _ if read == 0 => asked.closed += 1,
                _ => bail!("answered {:?}", String::from_utf8_lossy(&answer[..read.min(80)])),
            }
        }
        Ok(asked)
    };
    std::thread::scope(|scope| {
        let askers: Vec<_> = (0..ASKERS).map(|first| scope.spawn(move || asker(first))).collect();
        let mut all = Asked::default();
        for asker in askers {
            let asked = asker.join().map_err(|_| anyhow::anyhow!("who asks died"))??;
            all.answered += asked.answered;
            all.put_off += asked.put_off;
            all.closed += asked.closed;
        }
        Ok(all)
    })
}

/// An address of a network of its own.
const fn wrong(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x7f40_0009 + number * 256)
}

/// Each refused source knocks a few times, many of them at once.
fn knock_at_doors(sources: &[Ipv4Addr], at: SocketAddr) -> anyhow::Result<Asked> {
    let knocker = |first: usize| -> anyhow::Result<u64> {
        let mut closed = 0;
        for from in sources.iter().skip(first).step_by(ASKERS as usize) {
            for _ in 0..KNOCKS {
                // The refusal may be there before the connection is.
                let read = connect(*from, at).map(|mut stream| stream.read(&mut [0; 64]));
                ensure!(!matches!(read, Ok(Ok(1..))), "{from} is answered");
                closed += 1;
            }
        }
        Ok(closed)
    };
    knockers(knocker)
}

/// Asks for a connection, as often as it goes, and waits for none.
fn knock_on(from: Ipv4Addr, at: SocketAddr) -> anyhow::Result<Asked> {
    let until = Instant::now() + LASTING;
    let knocker = || -> anyhow::Result<u64> {
        let mut times = 0;
        while Instant::now() < until {
            knock(from, at)?;
            times += 1;
        }
        Ok(times)
    };
    knockers(|_| knocker())
}

/// Many do it at once; each says how often it was closed on.
fn knockers(knocker: impl Fn(usize) -> anyhow::Result<u64> + Sync) -> anyhow::Result<Asked> {
    std::thread::scope(|scope| {
        let knocker = &knocker;
        let knockers: Vec<_> =
            (0..ASKERS as usize).map(|first| scope.spawn(move || knocker(first))).collect();
        let mut all = Asked::default();
        for knocker in knockers {
            all.closed += knocker.join().map_err(|_| anyhow::anyhow!("who knocks died"))??;
        }
        Ok(all)
    })
}

/// Asks for one connection; it is not waited for.
fn knock(from: Ipv4Addr, at: SocketAddr) -> anyhow::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    let _ = socket.connect(&at.into());
    Ok(socket)
}

/// More come than can be answered, each from an address of their own.
fn crowds(at: SocketAddr) -> anyhow::Result<Asked> {
    let crowd = |wing| -> anyhow::Result<Asked> {
        let asks = asks("page", at)?;
        let came = Crowd { node: at, wing, asks, per_s: CROWD_PER_S, lasting: LASTING }.come()?;
        Ok(Asked { answered: came.hundred(2), put_off: came.hundred(5), closed: 0 })
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| crowd(MORE_ARRIVALS));
        let one = crowd(ARRIVALS)?;
        let other = other.join().map_err(|_| anyhow::anyhow!("a crowd died"))??;
        let (answered, put_off) = (one.answered + other.answered, one.put_off + other.put_off);
        Ok(Asked { answered, put_off, closed: 0 })
    })
}

fn connect(from: Ipv4Addr, at: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect(&at.into()).context("nobody listens")?;
    Ok(socket.into())
}

/// Breaks the rules from many addresses, and says which of them are refused.
fn refuse(node: &Node, at: SocketAddr) -> anyhow::Result<Vec<Ipv4Addr>> {
    let mut sources = Vec::new();
    until("those who break the rules are refused", || {
        let refused = node.refused()?;
        let told: HashSet<_> = refused.lines().filter_map(|line| line.strip_suffix("/32")).collect();
        let left: Vec<_>;
        (sources, left) = (0..WRONG).map(wrong).partition(|from| told.contains(from.to_string().as_str()));
        for from in left {
            for _ in 0..VIOLATIONS {
                let Ok(mut stream) = connect(from, at) else { break };
                let _ = stream.write_all(b"NONSENSE\r\n\r\n");
                let _ = stream.read(&mut [0; 1_024]);
            }
        }
        Ok(sources.len() >= REFUSED)
    })?;
    Ok(sources)
}

/// Knocks until the kernel drops what one of the refused sends.
fn drop_by_kernel(from: Ipv4Addr, at: SocketAddr) -> anyhow::Result<()> {
    until("the kernel drops what a refused source sends", || {
        for _ in 0..50 {
            knock(from, at)?;
        }
        let last = knock(from, at)?;
        std::thread::sleep(LOOK);
        // On the machine itself whoever is answered is so at once.
        Ok(last.peer_addr().is_err())
    })
}
