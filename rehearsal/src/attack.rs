//! Programs that people measure servers with, and break them with, started against a node of this machine: to
//! see that it stands them, and tells them from a crowd.
//!
//! Only a node in 127.0.0.0/8 is ever named to one of them; there is no way to ask for another. Each is told
//! an end, and is killed two seconds after it in any case, also when whoever started it is gone. They go
//! behind everything else (`nice` 10): who attacks brings processors of their own, and here would take the
//! node's.

use std::fs;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, ensure};

/// Connections of one program.
pub const CONNECTIONS_MAX: u32 = 1_000;
/// For how long one may run.
pub const LASTING_MAX: Duration = Duration::from_secs(120);
/// Where those come from that cannot choose.
pub const FROM: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Requests after which one of them ends in any case.
const REQUESTS_MAX: u32 = 1_000_000;
/// Requests under way at a time on a connection of HTTP/2.
const STREAMS: u32 = 10;
/// Who has not ended by itself is killed so much later, in seconds.
const KILLED_AFTER_S: u64 = 2;
/// What a program says is kept up to so many bytes.
const SAID_BYTES: u64 = 16_384;

static STARTED: AtomicU64 = AtomicU64::new(0);

/// A program, and the way it attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `wrk`: as many requests as are answered, on a few connections.
    Wrk,
    /// `ab`: the same with a connection for each request, from any address.
    Ab,
    /// `siege`: the same, as it calls it, under siege by so many.
    Siege,
    /// `h2load`: many streams at once on each connection of HTTP/2.
    H2load,
    /// `slowhttptest -H`: heads that never end.
    SlowHead,
    /// `slowhttptest -B`: bodies that never end.
    SlowBody,
    /// `slowhttptest -X`: answers that are hardly read.
    SlowRead,
    /// `hey`: what `wrk` does, by another program.
    Hey,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Wrk,
        Self::Ab,
        Self::Siege,
        Self::H2load,
        Self::SlowHead,
        Self::SlowBody,
        Self::SlowRead,
        Self::Hey,
    ];

    /// The program and its way.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wrk => "wrk",
            Self::Ab => "ab",
            Self::Siege => "siege",
            Self::H2load => "h2load",
            Self::SlowHead => "slowhttptest-h",
            Self::SlowBody => "slowhttptest-b",
            Self::SlowRead => "slowhttptest-x",
            Self::Hey => "hey",
        }
    }

    /// The command that starts it.
    pub fn program(self) -> &'static str {
        match self {
            Self::SlowHead | Self::SlowBody | Self::SlowRead => "slowhttptest",
            Self::Wrk | Self::Ab | Self::Siege | Self::H2load | Self::Hey => self.name(),
        }
    }

    /// The package of Debian that it comes in.
    pub fn package(self) -> &'static str {
        match self {
            Self::Ab => "apache2-utils",
            Self::H2load => "nghttp2-client",
            _ => self.program(),
        }
    }

    /// Whether it holds connections open instead of asking as often as it can.
    pub fn is_slow(self) -> bool {
        matches!(self, Self::SlowHead | Self::SlowBody | Self::SlowRead)
    }

    /// Whether it can come from an address of our choice.
    pub fn can_choose_source(self) -> bool {
        self == Self::Ab
    }

    /// Whether the program is on this machine.
    pub fn is_installed(self) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(self.program()).is_file())
    }

    /// Starts it.
    ///
    /// # Errors
    /// The node or the source is not on this machine, more is asked for than is allowed, or the program is
    /// not installed.
    pub fn start(self, order: &Order) -> anyhow::Result<Running> {
        order.check()?;
        let (program, package) = (self.program(), self.package());
        ensure!(self.is_installed(), "{program} is not installed (Debian: apt install {package})");
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("tribune-attack-{}-{number}", std::process::id()));
        fs::create_dir_all(&home)?;
        let (mut says, told) = io::pipe()?;
        let child = Command::new("timeout")
            .args(["--signal=KILL", &(order.lasting_s() + KILLED_AFTER_S).to_string()])
            .args(["nice", "-n", "10", program])
            .args(self.args(order))
            // Some of them leave a file with their settings there.
            .env("HOME", &home)
            .current_dir(&home)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(told.try_clone()?)
            .stderr(told)
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        let said = std::thread::spawn(move || {
            let mut text = Vec::new();
            // Nothing more is said when it has ended; what is beyond is read, so that it never waits for us.
            let _ = (&mut says).take(SAID_BYTES).read_to_end(&mut text);
            let _ = io::copy(&mut says, &mut io::sink());
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Running { child, home, said: Some(said) })
    }

    fn args(self, order: &Order) -> Vec<String> {
        let Order { node, path, connections, from, .. } = order;
        let (url, lasting_s) = (format!("http://{node}{path}"), order.lasting_s());
        let per_s = u64::from(*connections).div_ceil(lasting_s.max(1));
        let slow = format!("-c {connections} -r {per_s} -l {lasting_s} -p 5");
        let line = match self {
            Self::Wrk => format!("-t 1 -c {connections} -d {lasting_s}s {url}"),
            // `-t` sets `-n` too, so that comes after it.
            Self::Ab => {
                format!("-q -r -l -s 5 -t {lasting_s} -n {REQUESTS_MAX} -c {connections} -B {from} {url}")
            }
            Self::Siege => format!("-b -q --no-parser --no-follow -c {connections} -t {lasting_s}S {url}"),
            Self::H2load => format!("-t 1 -c {connections} -m {STREAMS} -D {lasting_s} {url}"),
            Self::SlowHead => format!("-H {slow} -i 4 -x 24 -t GET -u {url}"),
            Self::SlowBody => format!("-B {slow} -i 4 -x 24 -s 800 -t POST -f application/json -u {url}"),
            // Eight bytes every four seconds, of three pages that are asked for at once.
            Self::SlowRead => format!("-X {slow} -w 1 -y 512 -n 4 -z 8 -k 3 -u {url}"),
            Self::Hey => format!("-z {lasting_s}s -c {connections} -t 5 -disable-redirects {url}"),
        };
        line.split(' ').map(str::to_owned).collect()
    }
}

/// What one of them is told to do.
#[derive(Clone, Debug)]
pub struct Order {
    /// The node, in 127.0.0.0/8.
    pub node: SocketAddr,
    /// What is asked for, such as `/debate`.
    pub path: String,
    /// Connections at a time; in all for who holds them, in equal parts each second.
    pub connections: u32,
    /// For how long, in whole seconds.
    pub lasting: Duration,
    /// Where it comes from if it can choose, in 127.0.0.0/8.
    pub from: Ipv4Addr,
}

impl Order {
    fn lasting_s(&self) -> u64 {
        self.lasting.as_secs()
    }

    fn check(&self) -> anyhow::Result<()> {
        crate::crowd::sockets::own(self.node)?;
        let Self { path, connections, lasting, from, .. } = self;
        ensure!(
            from.is_loopback(),
            "An attack comes from this machine, from 127.0.0.0/8; {from} is not in it."
        );
        ensure!(
            (1..=CONNECTIONS_MAX).contains(connections),
            "An attack has 1 to {CONNECTIONS_MAX} connections, not {connections}."
        );
        ensure!(
            (Duration::from_secs(1)..=LASTING_MAX).contains(lasting),
            "An attack lasts 1 s to {LASTING_MAX:?}, not {lasting:?}."
        );
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
        // Right behind the port anything else could make the node's address a part of another.
        ensure!(path.starts_with('/') && path.bytes().all(is_plain), "{path:?} is no plain path.");
        Ok(())
    }
}

/// One that runs; it ends with this.
#[derive(Debug)]
pub struct Running {
    child: Child,
    home: PathBuf,
    said: Option<JoinHandle<String>>,
}

impl Running {
    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Ends it, if it has not; what it said.
    pub fn stop(mut self) -> String {
        self.kill();
        self.said.take().and_then(|said| said.join().ok()).unwrap_or_default()
    }

    fn kill(&mut self) {
        if let Ok(group) = i32::try_from(self.child.id())
            && !self.has_ended()
        {
            // SAFETY: only a signal is sent, to the group of a child that nobody has waited for yet.
            unsafe { libc::kill(-group, libc::SIGKILL) };
        }
        // It is gone either way.
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        // What it left there is of no use to anybody.
        let _ = fs::remove_dir_all(&self.home);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            node: "127.0.0.1:8080".parse().expect("an address"),
            path: "/debate".to_owned(),
            connections: 40,
            lasting: Duration::from_secs(8),
            from: Ipv4Addr::new(127, 61, 0, 1),
        }
    }

    #[test]
    fn nobody_else_is_attacked_and_nothing_goes_on_and_on() {
        let node = |text: &str| text.parse().expect("an address");
        for (wrong, says) in [
            (Order { node: node("192.0.2.1:80"), ..order() }, "127.0.0.0/8"),
            (Order { node: node("[::1]:80"), ..order() }, "127.0.0.0/8"),
            (Order { node: node("0.0.0.0:80"), ..order() }, "127.0.0.0/8"),
            (Order { from: Ipv4Addr::new(10, 0, 0, 1), ..order() }, "127.0.0.0/8"),
            (Order { path: "@192.0.2.1/".to_owned(), ..order() }, "plain path"),
            (Order { path: "/a b".to_owned(), ..order() }, "plain path"),
            (Order { path: "0/".to_owned(), ..order() }, "plain path"),
            (Order { connections: 0, ..order() }, "connections"),
            (Order { connections: CONNECTIONS_MAX + 1, ..order() }, "connections"),
            (Order { lasting: Duration::from_millis(999), ..order() }, "lasts"),
            (Order { lasting: LASTING_MAX + Duration::from_secs(1), ..order() }, "lasts"),
        ] {
            for tool in Tool::ALL {
                let started = tool.start(&wrong).map(drop);
                let told = started.expect_err("it is refused").to_string();
                assert!(told.contains(says), "{tool:?} {wrong:?}: {told}");
            }
        }
    }

    #[test]
    fn each_is_told_the_node_and_its_own_end() {
        for tool in Tool::ALL {
            let args = tool.args(&order());
            let addresses = args.iter().filter(|word| word.contains("127.") && !word.starts_with("127.61."));
            assert_eq!(addresses.collect::<Vec<_>>(), ["http://127.0.0.1:8080/debate"], "{tool:?}");
            assert!(["8", "8s", "8S"].iter().any(|end| args.contains(&(*end).to_owned())), "{args:?}");
            assert!(args.contains(&"40".to_owned()), "{args:?}");
            assert_eq!(args.contains(&"127.61.0.1".to_owned()), tool.can_choose_source(), "{tool:?}");
        }
    }
}
