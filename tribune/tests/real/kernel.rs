//! `--kernel-shed`, with a kernel's own tables: in a network namespace that is made for it and goes away with
//! it, so that nobody else's packets are ever looked at.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use socket2::{Domain, Socket, Type};

use crate::guard::{Flood, connect, guard};
use crate::node::{Node, OPERATOR, until};

/// Set where this program runs once more, inside; not one of the node's own variables.
const INSIDE: &str = "TEST_NAMESPACE";
/// As root; or as anybody, where they may be root in a namespace of users.
const WAYS: [&[&str]; 2] = [&["--net"], &["--user", "--map-root-user", "--net"]];
/// A namespace begins with nothing, not even loopback.
const BEGIN: &str = "ip link set lo up && nft list ruleset";
/// `CAP_NET_ADMIN`, as a bit of `CapEff` in /proc/self/status (capabilities(7)).
const NET_ADMIN: u32 = 12;
/// Who gets no answer within this gets none: on loopback others have theirs within a millisecond.
const NO_ANSWER: Duration = Duration::from_secs(2);
const WRONG: Ipv4Addr = Ipv4Addr::new(127, 33, 0, 9);
const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(127, 33, 0, 10);

#[test]
fn packets_of_who_is_refused_are_dropped_until_it_is_taken_back() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let is_way = |way: &&[&str]| unshared(way).arg(BEGIN).output().is_ok_and(|ran| ran.status.success());
    let Some(way) = WAYS.into_iter().find(is_way) else {
        // A container, as a rule. What is left to see is that nobody is deceived about it. Said past the test
        // runner, which keeps to itself what a test says that holds.
        let _ = writeln!(io::stderr(), "no network namespace can be made here: no kernel was told anything");
        return without_the_right_it_does_not_start();
    };
    let ran = unshared(way)
        .arg(format!("{BEGIN} && exec \"$@\""))
        .arg("inside")
        .arg(std::env::current_exe().expect("this very program"))
        .args(["kernel::packets_of_who_is_refused_are_dropped_until_it_is_taken_back", "--exact"])
        .env(INSIDE, "1")
        .output()
        .expect("it ran a moment ago");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// A shell in a namespace of its own; what it is to do comes next.
fn unshared(way: &[&str]) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(way).args(["--", "sh", "-c"]).env("PATH", path());
    unshare
}

/// Where Debian keeps `nft` and `ip`, for those who are not root.
fn path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

/// What the kernel of the namespace has in its tables.
fn tables() -> String {
    let listed = Command::new("nft").args(["list", "ruleset"]).output().expect("nft is there");
    assert!(listed.status.success(), "{listed:?}");
    String::from_utf8_lossy(&listed.stdout).into_owned()
}

/// A connection, unless there is no answer at all.
fn connected(node: &Node, from: Ipv4Addr) -> io::Result<TcpStream> {
    let at: SocketAddr = node.public.trim_start_matches("http://").parse().expect("the node says an address");
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect_timeout(&at.into(), NO_ANSWER)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(NO_ANSWER))?;
    Ok(stream)
}

/// The bytes of the room's page.
fn page(node: &Node, from: Ipv4Addr) -> io::Result<usize> {
    let mut stream = connected(node, from)?;
    write!(stream, "GET /broken HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    stream.read_to_end(&mut Vec::new())
}

fn inside() {
    let keep = tempfile::tempdir().expect("a folder");
    assert_eq!(tables(), "", "nobody was here before");
    let node = Arc::new(Node::start_with(keep.path(), &["--kernel-shed"]));
    drop(node.live_room("broken"));
    assert!(tables().contains("set refused4"), "{}", tables());
    let flood = Flood::start(&node, |node, _| {
        // At some moment nobody answers any longer.
        if let Ok(mut stream) = connected(node, WRONG) {
            let _ = stream.write_all(b"NONSENSE\r\n\r\n");
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    until("the kernel knows", || tables().contains("127.33.0.9"));
    flood.stop();
    assert!(tables().contains("127.33.0.9 timeout "), "it goes away by itself: {}", tables());
    let refused = page(&node, WRONG).expect_err("no packet is answered");
    assert_eq!(refused.kind(), io::ErrorKind::TimedOut, "{refused}");
    assert!(page(&node, NEIGHBOUR).expect("its neighbour is answered") > 1_000);
    let act = guard(&node)["acts"][0].clone();
    assert_eq!(act["source"], "127.33.0.9");
    node.api("POST", &format!("/api/v1/guard/acts/{}/undo", act["number"]), &json!({}));
    until("the kernel has let go", || !tables().contains("127.33.0.9"));
    until("it is let in", || page(&node, WRONG).is_ok_and(|bytes| bytes > 1_000));
    drop(connect(&node, WRONG));
    let node = Arc::into_inner(node).expect("the flood is over");
    assert!(node.terminate().success());
    assert_eq!(tables(), "", "nothing remains of it");
}

/// What a node with `--kernel-shed` says and does that may not, or cannot.
fn started(data: &Path, program: &mut Command, path: &OsStr) -> Output {
    let any = "127.0.0.1:0";
    program
        .args(["serve", "--listen", any, "--stage", any, "--ops", any, "--media", any])
        .args(["--operator-key", OPERATOR, "--kernel-shed", "--data"])
        .arg(data)
        .env("PATH", path)
        .output()
        .expect("it starts")
}

fn may_change_the_network() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("it names capabilities");
    u64::from_str_radix(line.trim(), 16).expect("a number of base 16") >> NET_ADMIN & 1 == 1
}

#[test]
fn without_the_right_it_does_not_start() {
    let keep = tempfile::tempdir().expect("a folder");
    let node = env!("CARGO_BIN_EXE_tribune");
    let mut program = Command::new(if may_change_the_network() { "setpriv" } else { node });
    if may_change_the_network() {
        program.args(["--bounding-set=-net_admin", "--inh-caps=-net_admin", "--", node]);
    }
    let ran = started(keep.path(), &mut program, OsStr::new(&path()));
    let says = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{says}");
    assert!(
        says.contains("--kernel-shed: nft may not change the firewall") && says.contains("CAP_NET_ADMIN")
    );
    assert!(ran.stdout.is_empty(), "nobody is told an address that nobody listens at");
    let ran = started(keep.path(), &mut Command::new(node), OsStr::new(""));
    let says = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{says}");
    assert!(says.contains("apt install nftables"), "{says}");
}
